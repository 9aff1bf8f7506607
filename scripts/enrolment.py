"""Pictures into a gallery at the terminal: what ``emotions gallery build`` and ``emotions gallery add`` both do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from emotions_cli import console
from galleries.encoder import OnnxEncoder
from galleries.errors import ConfigError, DataError, EmotionsError
from galleries.gallery import Gallery
from galleries.images import InputSpec, prepare
from galleries.recognizer import Recognizer, list_pictures, read_face_picture
from galleries.vocabulary import canonical

PARTS = ("auto", "train", "val", "test", "all")
"""Which pictures of a data set are enrolled; ``auto``: the official training part if there is one, else all."""

BLOCK = 256
"""Pictures that wait in memory to be encoded together."""


@dataclass
class ReadFaces:
    """Faces read from files.

    Attributes:
        vectors: float32 (N, D).
        emotions: N names.
        sources: N paths.
        thumbnails: uint8 (N, h, w) or (N, h, w, 3), or None.
        skipped: Files left out, each with the reason.
        film: The film all of them are from, or None.
    """

    vectors: np.ndarray
    emotions: List[str]
    sources: List[str]
    thumbnails: Optional[np.ndarray]
    skipped: List[Tuple[Path, str]]
    film: Optional[str] = None


def read_faces(
    paths: Sequence[Path],
    recognizer: Recognizer,
    emotion: Optional[str] = None,
    thumbnail: Optional[Tuple[int, ...]] = None,
) -> ReadFaces:
    """Read pictures, take the largest face of each, and encode it; what cannot be used is counted and skipped.

    Args:
        paths: Files and folders.
        recognizer: Finds the faces and carries the tower.
        emotion: Of all of them; None takes the name of the folder each picture lies in.
        thumbnail: Shape (h, w) or (h, w, 3) of the thumbnails to keep, or None.

    Raises:
        DataError: No picture could be used.
    """
    files = list_pictures(paths)
    encoder = recognizer.encoder
    vectors, pixels, emotions, sources, small = [], [], [], [], []
    skipped: List[Tuple[Path, str]] = []
    with console.bar("reading pictures") as progress:
        for done, path in enumerate(files, start=1):
            progress(done, len(files))
            try:
                name = canonical(path.absolute().parent.name if emotion is None else emotion)
                faces = recognizer.find(read_face_picture(path))
            except EmotionsError as error:
                skipped.append((path, str(error)))
                continue
            if not faces:
                skipped.append((path, f"No face was found in {path}; --whole takes the whole picture."))
                continue
            pixels.append(prepare(faces[0][1], encoder.input_spec))
            if len(pixels) == BLOCK:
                vectors.append(encoder.encode(np.stack(pixels)))
                pixels.clear()
            if thumbnail is not None:
                small.append(make_thumbnail(faces[0][1], thumbnail))
            emotions.append(name)
            sources.append(str(path))
    if not sources:
        raise DataError(f"None of {len(files)} pictures could be enrolled; the first: {skipped[0][1]}")
    if pixels:
        vectors.append(encoder.encode(np.stack(pixels)))
    return ReadFaces(np.concatenate(vectors), emotions, sources, np.stack(small) if small else None, skipped)


def make_thumbnail(face: np.ndarray, shape: Tuple[int, ...]) -> np.ndarray:
    """A face, uint8 of any size, as a thumbnail (h, w) or (h, w, 3)."""
    planes = prepare(face, InputSpec(shape[0], shape[1], 3 if len(shape) == 3 else 1))
    return np.ascontiguousarray(planes.transpose(1, 2, 0)) if len(shape) == 3 else planes[0]


def build_from_dataset(
    data: str,
    encoder: OnnxEncoder,
    index: str,
    thumbnails: bool,
    options: Dict[str, Any],
    scratch: Optional[Path] = None,
) -> Gallery:
    """A gallery of a data set in any layout.

    Args:
        data: The data set.
        encoder: The tower; its ``metric`` is the gallery's.
        index: The index's kind.
        thumbnails: Whether to keep thumbnails.
        options: ``format``, ``ferplus``, ``soft``, ``votes``, ``votes_share``, ``emotions``, ``split``, ``ratios``,
            ``seed``, ``part`` as typed.
        scratch: A folder on a disk with room for the gallery, where it waits until it is saved.
    """
    from siamese.datasets import load_dataset
    from siamese.enrolling import enrol

    if not 0 <= options["votes_share"] <= 1:
        raise ConfigError(f"--votes-share {options['votes_share']:g} was given; give a share from 0 to 1, such as 0.5.")
    laid = {name: options[name] for name in ("ferplus", "soft", "votes", "votes_share")}
    with console.bar("reading pictures") as progress:
        dataset = load_dataset(data, options["format"], progress=progress, **laid)
    if options["emotions"]:
        dataset = dataset.select(options["emotions"].split(","))
    for note in dataset.notes:
        console.warn(note)
    tell_skipped([(Path(entry.source), f"{entry.source}: {entry.reason}") for entry in dataset.skipped])
    rows = choose_rows(dataset, options)
    with console.bar("encoding faces") as progress:
        return enrol(dataset, rows, encoder, index=index, thumbnails=thumbnails, progress=progress, scratch=scratch)


def choose_rows(dataset: Any, options: Dict[str, Any]) -> np.ndarray:
    """Rows int64 of the data set's part that is asked for."""
    from siamese.splits import find_split

    part, split = options["part"], options["split"]
    if part not in PARTS:
        raise ConfigError(f"{part!r} is no part of a data set; choose one of: {', '.join(PARTS)}.")
    if part == "auto":
        has_official = dataset.official is not None and "train" in dataset.official
        part = "train" if has_official or split != "auto" else "all"
        console.say(f"Enrolling {'the training part' if part == 'train' else 'every picture'} (--part says which).")
    if part == "all":
        return np.arange(len(dataset))
    rows: np.ndarray = find_split(dataset, split, options["ratios"], options["seed"]).parts()[part]
    return rows


def tell_skipped(skipped: Sequence[Tuple[Path, str]]) -> None:
    """Say how many pictures were left out, and why the first one."""
    if skipped:
        console.warn(f"{len(skipped)} pictures were skipped, the first: {skipped[0][1]}")
