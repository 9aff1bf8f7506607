"""FER-2013's CSV, made small: random faces in the published layout."""

from __future__ import annotations

import gzip
import lzma
import zipfile
from pathlib import Path

import numpy as np

from siamese.datasets import FaceDataset, load_dataset

USAGE = ["Training", "PublicTest", "PrivateTest"]


def faces(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), dtype=np.uint8)


def text_of(face: np.ndarray) -> str:
    return " ".join(str(value) for value in face.reshape(-1))


def csv_text(count: int, seed: int = 0) -> str:
    rows = [f"{i % 7},{text_of(face)},{USAGE[i % 3]}" for i, face in enumerate(faces(count, seed))]
    return "\n".join(["emotion,pixels,Usage", *rows]) + "\n"


def load(path: Path, **options: object) -> FaceDataset:
    return load_dataset(path, cache=False, **options)  # type: ignore[arg-type]


def pack(text: str, path: Path) -> Path:
    data = text.encode()
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(data))
    elif path.suffix == ".xz":
        path.write_bytes(lzma.compress(data))
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("__MACOSX/fer2013.csv", "junk")
            archive.writestr("fer2013/README", "readme")
            archive.writestr("fer2013/fer2013.csv", data)
            archive.writestr("fer2013/other.csv", "a,b\n" * 1_000_000)
    else:
        path.write_bytes(data)
    return path
