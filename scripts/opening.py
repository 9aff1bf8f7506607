"""Opening a gallery or bundle with its tower and a face detector, as several commands do."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from emotions_cli import console
from galleries.bundle import is_bundle, open_bundle
from galleries.encoder import OnnxEncoder, load_encoder
from galleries.errors import GalleryError
from galleries.faces import FaceDetector
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery
from galleries.recognizer import Recognizer


def open_recognizer(
    gallery: Path,
    tower: Optional[Path] = None,
    detector: Optional[Path] = None,
    n_neighbors: Optional[int] = None,
    weights: str = "distance",
    margin: float = 0.0,
    whole: bool = False,
    provider: Optional[str] = None,
    threads: Optional[int] = None,
) -> Recognizer:
    """Open a gallery for pictures.

    Args:
        gallery: Its folder, or a bundle (folder or zip).
        tower: Where its tower is, if it does not carry it.
        detector: A YuNet model; None for Haar.
        n_neighbors: How many vote; None takes 5, or all of a smaller gallery.
        weights: How votes are weighed.
        margin: Share of a face's side added around it.
        whole: Whether every picture is one face.
        provider: What the tower runs on; None takes the best.
        threads: CPU threads of the tower.

    Raises:
        EmotionsError: Something is missing, damaged, or does not belong together.
    """
    providers = None if provider is None else [provider]
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
    if provider is not None or encoder.provider != "cpu":
        console.say(f"The tower runs on {encoder.provider}.")
    finder = None if detector is None else FaceDetector(detector)
    k = min(DEFAULT_NEIGHBORS, len(held)) if n_neighbors is None else n_neighbors
    return Recognizer(held, encoder, finder, k, weights, margin, whole)
