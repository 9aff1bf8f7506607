"""Opening a gallery or bundle with its tower and a face detector, as several commands do."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from emotions_cli import console
from galleries.bundle import MANIFEST, is_bundle, open_bundle
from galleries.encoder import OnnxEncoder, load_encoder
from galleries.errors import ConfigError, GalleryError
from galleries.faces import FaceDetector
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery
from galleries.images import PICTURE_SUFFIXES
from galleries.recognizer import Recognizer
from galleries.shipped import NAME, is_shipped

_MARKS = (MANIFEST, "gallery.json", "index.faiss", "references.jsonl", "tower.onnx", "run.json")
"""Files by which a folder is known as a gallery, a bundle or a run rather than as one of pictures."""


def gallery_first(paths: Sequence[Path]) -> Tuple[Optional[Path], List[Path]]:
    """What a person's paths mean: a gallery and pictures, or pictures alone, for the gallery that comes along.

    The first path is a gallery unless it is a picture (a file, or a name that ends like one) or a folder that holds
    none of a gallery's files; a ``.zip`` is always a bundle.

    Args:
        paths: As typed, one or more.

    Returns:
        The gallery or None, and the pictures.

    Raises:
        ConfigError: Only a gallery was named.
    """
    first = paths[0]
    if first.is_dir():
        is_gallery = any((first / name).exists() for name in _MARKS)
    elif first.suffix.lower() == ".zip" or is_shipped(first):
        is_gallery = True
    else:
        is_gallery = not first.exists() and first.suffix.lower() not in PICTURE_SUFFIXES
    if not is_gallery:
        return None, list(paths)
    if len(paths) == 1:
        raise ConfigError(f"Only {first} was named, which is a gallery; name pictures, or folders of them, after it.")
    return first, list(paths[1:])


def open_recognizer(
    gallery: Optional[Path],
    tower: Optional[Path] = None,
    detector: Optional[Path] = None,
    n_neighbors: Optional[int] = None,
    weights: Optional[str] = None,
    margin: float = 0.0,
    whole: bool = False,
    provider: Optional[str] = None,
    threads: Optional[int] = None,
) -> Recognizer:
    """Open a gallery for pictures.

    Args:
        gallery: Its folder, or a bundle (folder or zip); None or ``pretrained`` for the one that comes along.
        tower: Where its tower is, if it does not carry it.
        detector: A YuNet model; None for Haar.
        n_neighbors: How many vote; None takes 5, or all of a smaller gallery.
        weights: How votes are weighed; None for the gallery's own way.
        margin: Share of a face's side added around it.
        whole: Whether every picture is one face.
        provider: What the tower runs on; None takes the best.
        threads: CPU threads of the tower.

    Raises:
        EmotionsError: Something is missing, damaged, or does not belong together.
    """
    providers = None if provider is None else [provider]
    finder = None if detector is None else FaceDetector(detector)
    if gallery is None or is_shipped(gallery):
        return _open_shipped(tower, finder, n_neighbors, weights, margin, whole, providers, threads)
    bundle = open_bundle(gallery, providers, threads) if is_bundle(gallery) else None
    held = Gallery.load(gallery) if bundle is None else bundle.gallery
    if tower is not None:
        encoder = load_encoder(tower, providers, threads)
    elif bundle is not None:
        encoder = bundle.encoder
    elif held.tower_onnx is not None:
        encoder = OnnxEncoder(held.tower_onnx, providers, threads)
    else:
        raise GalleryError(
            f"{gallery} does not carry its tower {held.tower.name!r} ({held.tower.fingerprint}); name the run's folder "
            f"or the .onnx file with --tower."
        )
    _tell_provider(encoder, providers)
    k = min(DEFAULT_NEIGHBORS, len(held)) if n_neighbors is None else n_neighbors
    return Recognizer(held, encoder, finder, k, weights, margin, whole)


def _open_shipped(
    tower: Optional[Path],
    finder: Optional[FaceDetector],
    n_neighbors: Optional[int],
    weights: Optional[str],
    margin: float,
    whole: bool,
    providers: Optional[Sequence[str]],
    threads: Optional[int],
) -> Recognizer:
    """The gallery that comes along; says so, for a person may have meant another."""
    if tower is not None:
        raise ConfigError(f"--tower {tower} is for a gallery that lacks its tower; {NAME} has its own, leave it out.")
    k = DEFAULT_NEIGHBORS if n_neighbors is None else n_neighbors
    made = Recognizer.pretrained(finder, k, weights, margin, whole, providers, threads)
    encoder = made.encoder
    console.say(
        f"The gallery that comes with the toolkit answers ({encoder.name}, {len(made.gallery):,} references); name a "
        "gallery to ask your own."
    )
    if isinstance(encoder, OnnxEncoder):
        _tell_provider(encoder, providers)
    return made


def _tell_provider(encoder: OnnxEncoder, providers: Optional[Sequence[str]]) -> None:
    if providers is not None or encoder.provider != "cpu":
        console.say(f"The tower runs on {encoder.provider}.")
