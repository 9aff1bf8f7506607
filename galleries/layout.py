"""What stands in a gallery's files, between objects and bytes: references as JSON Lines, thumbnails as .npy."""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from galleries.encoder import TowerCard
from galleries.errors import GalleryError, TowerError
from galleries.evidence import Reference
from galleries.index import KINDS
from galleries.vectors import METRICS


@dataclass(frozen=True)
class Description:
    """The header of a gallery, ``gallery.json`` without its bookkeeping.

    Attributes:
        metric: ``"cosine"`` or ``"euclidean"``.
        index: ``"flat"``, ``"ivf"`` or ``"hnsw"``.
        tower: The tower the vectors come from.
        counts: References per emotion; its keys are the gallery's emotions.
        next_number: The number the next reference will get.
    """

    metric: str
    index: str
    tower: TowerCard
    counts: Dict[str, int]
    next_number: int

    def to_json(self) -> Dict[str, Any]:
        """The header as a plain dict."""
        return {
            "metric": self.metric,
            "index": self.index,
            "size": sum(self.counts.values()),
            "emotions": list(self.counts),
            "counts": self.counts,
            "next_number": self.next_number,
            "tower": self.tower.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Description:
        """Read a header back, checked.

        Raises:
            GalleryError: A field is missing or wrong.
        """
        try:
            tower = TowerCard.from_json(data["tower"])
            header = cls(data["metric"], data["index"], tower, dict(data["counts"]), data["next_number"])
        except (KeyError, TypeError, ValueError, TowerError) as error:
            raise GalleryError(f"gallery.json is incomplete ({error}); build the gallery anew.") from error
        numbers = [header.next_number, *header.counts.values()]
        if (
            header.metric not in METRICS
            or header.index not in KINDS
            or not all(isinstance(number, int) and number > 0 for number in numbers)
        ):
            raise GalleryError("gallery.json holds a wrong metric, index or count; build the gallery anew.")
        return header


def encode_references(references: Sequence[Reference], numbers: NDArray[np.int64]) -> bytes:
    """References as JSON Lines in UTF-8, one a line: number, emotion, source, subject, sequence."""
    lines = [
        json.dumps(
            {
                "number": number,
                "emotion": reference.label,
                "source": reference.source,
                "subject": reference.subject,
                "sequence": reference.sequence,
            }
        )
        for number, reference in zip(numbers.tolist(), references)
    ]
    return ("\n".join(lines) + "\n").encode()


def decode_references(data: bytes, numbers: NDArray[np.int64]) -> List[Reference]:
    """Read references back.

    Args:
        data: What :func:`encode_references` gave.
        numbers: int64 (N,), the numbers of the index.

    Raises:
        GalleryError: A line is wrong, or the numbers are not those of the index.
    """
    try:
        rows = json.loads(b"[" + b",".join(data.splitlines()) + b"]")  # one call: a third of the time of one a line
        found = [row["number"] for row in rows]
        references = [Reference(row["emotion"], row["source"], row["subject"], row["sequence"]) for row in rows]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise GalleryError(f"references.jsonl is not a list of references ({error}); build it anew.") from error
    texts = [text for r in references for text in (r.label, r.source, r.subject or "", r.sequence or "")]
    if not all(isinstance(text, str) for text in texts):
        raise GalleryError("references.jsonl holds a name that is no text; build the gallery anew.")
    if found != numbers.tolist():
        raise GalleryError("references.jsonl and index.faiss do not belong together; build the gallery anew.")
    return references


_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '\|u1', 'fortran_order': False, "
    rb"'shape': \((\d{1,9}(?:, \d{1,9}){2,3})\), \} *\n",
    re.DOTALL,
)


def encode_thumbnails(thumbnails: NDArray[np.uint8]) -> bytes:
    """Thumbnails uint8 (N, h, w) or (N, h, w, 3) as one .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, thumbnails, allow_pickle=False)
    return buffer.getvalue()


def decode_thumbnails(data: bytes, size: int) -> NDArray[np.uint8]:
    """Read thumbnails back. The header is matched against the one form that NumPy writes for pictures, not evaluated.

    Raises:
        GalleryError: They are not ``size`` pictures.
    """
    found = _NPY.match(data)
    start = 10 + int.from_bytes(data[8:10], "little")
    if found is None or found.end() != start:
        raise GalleryError("thumbnails.npy is not an array of pictures; uint8 as numpy.save writes it was expected.")
    shape = tuple(int(side) for side in found[1].split(b",") if side.strip())
    if math.prod(shape) != len(data) - start:
        raise GalleryError(f"thumbnails.npy holds {len(data) - start} bytes of pixels, but says it is {shape}.")
    return check_thumbnails(np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy(), size)


def check_thumbnails(thumbnails: Any, size: int) -> NDArray[np.uint8]:
    """Refuse what is not ``size`` thumbnails, uint8 (size, h, w) or (size, h, w, 3)."""
    array: Optional[NDArray[np.uint8]] = thumbnails if isinstance(thumbnails, np.ndarray) else None
    is_picture = array is not None and array.dtype == np.uint8 and (array.ndim == 3 or array.shape[3:] == (3,))
    if array is None or not is_picture or len(array) != size:
        got = f"{array.dtype} {array.shape}" if array is not None else type(thumbnails).__name__
        raise GalleryError(f"Thumbnails are {got}; uint8 ({size}, height, width[, 3]) was expected.")
    return array
