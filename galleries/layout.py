"""What stands in a gallery's files, between objects and bytes: references as JSON Lines, thumbnails as .npy."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, replace
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.content import PIECE, Pieces, Put, Read, forget
from galleries.emphasis import check_factors
from galleries.errors import DataError, EmotionsError, GalleryError, TowerError, first_line
from galleries.evidence import Reference
from galleries.kinds import KINDS
from galleries.opinions import checked_votes
from galleries.recall import Recall
from galleries.records import check_depth, read_record
from galleries.references import References, join
from galleries.rows import npy_header
from galleries.tower_card import TowerCard
from galleries.vectors import METRICS
from galleries.voting import WAYS, WEIGHTS

_LINES = 4096  # references that are written at a time
_PICTURES = 1024  # thumbnails likewise


@dataclass(frozen=True)
class Description:
    """The header of a gallery, ``gallery.json`` without its bookkeeping.

    Attributes:
        metric: ``"cosine"`` or ``"euclidean"``.
        index: ``"flat"``, ``"ivf"``, ``"hnsw"`` or ``"ivfpq"``.
        tower: The tower the vectors come from.
        counts: References per emotion; its keys are the gallery's emotions.
        next_number: The number the next reference will get.
        dead: Removed vectors that an ``hnsw`` graph still walks over.
        recall: How often the index finds the nearest, or None where that was not measured.
        emphasis: How many times nearer the references of some emotions count, each above 1.
        divided: References that do not vote for their emotion alone.
        typical: Whether most references are the most typical ones of a larger gallery.
        weights: How it votes unless told otherwise, one of :data:`galleries.voting.WAYS`.
    """

    metric: str
    index: str
    tower: TowerCard
    counts: Dict[str, int]
    next_number: int
    dead: int = 0
    recall: Optional[Recall] = None
    emphasis: Mapping[str, float] = field(default_factory=dict)
    divided: int = 0
    typical: bool = False
    weights: str = WEIGHTS[0]

    def to_json(self) -> Dict[str, Any]:
        """The header as a plain dict."""
        told = {
            "metric": self.metric,
            "index": self.index,
            "size": sum(self.counts.values()),
            "emotions": list(self.counts),
            "counts": self.counts,
            "next_number": self.next_number,
            "tower": self.tower.to_json(),
        }
        if self.dead:
            told["dead"] = self.dead
        if self.recall is not None:
            told["recall"] = self.recall.to_json()
        if self.emphasis:
            told["emphasis"] = dict(self.emphasis)
        if self.divided:
            told["divided"] = self.divided
        if self.typical:
            told["typical"] = True
        if self.weights != WEIGHTS[0]:
            told["weights"] = self.weights
        return told

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Description:
        """Read a header back, checked.

        Raises:
            GalleryError: A field is missing or wrong.
        """
        try:
            tower = TowerCard.from_json(data["tower"])
            header = cls(data["metric"], data["index"], tower, dict(data["counts"]), data["next_number"])
            measured = None if data.get("recall") is None else read_record(Recall, data["recall"], "recall")
            header = replace(
                header,
                dead=data.get("dead", 0),
                recall=measured,
                emphasis=dict(data.get("emphasis", {})),
                divided=data.get("divided", 0),
                typical=data.get("typical", False),
                weights=data.get("weights", WEIGHTS[0]),
            )
            check_factors(header.emphasis)
        except (KeyError, TypeError, ValueError, TowerError, DataError, GalleryError) as error:
            raise GalleryError(f"gallery.json is incomplete ({first_line(error)}); build the gallery anew.") from error
        numbers = [header.next_number, *header.counts.values()]
        if (
            header.metric not in METRICS
            or header.index not in KINDS
            or not all(isinstance(number, int) and number > 0 for number in numbers)
            or not isinstance(header.dead, int)
            or not isinstance(header.divided, int)
            or not isinstance(header.typical, bool)
            or header.weights not in WAYS
            or not set(header.emphasis) <= set(header.counts)
        ):
            raise GalleryError(
                "gallery.json holds a wrong metric, index, count, emphasis or vote; build the gallery anew."
            )
        return header


def encode_references(references: Sequence[Reference], numbers: NDArray[np.int64]) -> Pieces:
    """References as JSON Lines in UTF-8, one a line: number, emotion, source, subject, sequence, divided votes."""

    def write(put: Put) -> None:
        for start in range(0, len(references), _LINES):
            some = references[start : start + _LINES]
            put("".join(_line(n, r) for n, r in zip(numbers[start : start + _LINES].tolist(), some)).encode())

    return Pieces(write)


def _line(number: int, reference: Reference) -> str:
    row: Dict[str, Any] = {
        "number": number,
        "emotion": reference.label,
        "source": reference.source,
        "subject": reference.subject,
        "sequence": reference.sequence,
    }
    if reference.votes is not None:
        row["votes"] = dict(reference.votes)
    return json.dumps(row) + "\n"


def decode_references(data: Read, numbers: NDArray[np.int64]) -> References:
    """Read references back, some lines at a time.

    Args:
        data: What :func:`encode_references` gave.
        numbers: int64 (N,), the numbers of the index.

    Raises:
        GalleryError: A line is wrong, or the numbers are not those of the index.
    """
    parts: List[References] = []
    done = 0
    for lines in _line_blocks(data):
        part, own = _parse_lines(lines)
        if own != numbers[done : done + len(own)].tolist():
            done = -1
            break
        parts.append(part)
        done += len(own)
    if done != len(numbers):
        raise GalleryError("references.jsonl and index.faiss do not belong together; build the gallery anew.")
    return join(parts)


def _line_blocks(data: Read) -> Iterator[List[bytes]]:
    """The lines of a file, a few thousand at a time."""
    rest = b""
    for start in range(0, len(data), PIECE):
        lines = (rest + bytes(data[start : start + PIECE])).split(b"\n")
        rest = lines.pop()
        forget(data)
        if lines:
            yield lines
    if rest:
        yield [rest]


def _parse_lines(lines: List[bytes]) -> Tuple[References, List[Any]]:
    """References of lines, and their numbers."""
    try:
        for line in lines:
            check_depth(line)
        rows = json.loads(b"[" + b",".join(lines) + b"]")  # one call: a third of the time of one a line
        found = [row["number"] for row in rows]
        cast = checked_votes([row.get("votes") for row in rows], len(rows))
        references = [
            Reference(row["emotion"], row["source"], row["subject"], row["sequence"], votes)
            for row, votes in zip(rows, cast)
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, EmotionsError) as error:
        raise GalleryError(f"references.jsonl is not a list of references ({error}); build it anew.") from error
    texts = [text for r in references for text in (r.label, r.source)]
    named = [text for r in references for text in (r.subject, r.sequence) if text is not None]
    if not all(isinstance(text, str) for text in (*texts, *named)):
        raise GalleryError("references.jsonl holds a name that is no text; build the gallery anew.")
    return References.of(references), found


_NPY = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '\|u1', 'fortran_order': False, "
    rb"'shape': \((\d{1,9}(?:, \d{1,9}){2,3})\), \} *\n",
    re.DOTALL,
)


def encode_thumbnails(thumbnails: NDArray[np.uint8]) -> Pieces:
    """Thumbnails uint8 (N, h, w) or (N, h, w, 3) as one .npy file."""
    source: Any = thumbnails
    while isinstance(source, np.ndarray):
        source = source.base  # in the end what holds the memory, possibly the view of a mapped file

    def write(put: Put) -> None:
        put(npy_header("|u1", thumbnails.shape))
        for start in range(0, len(thumbnails), _PICTURES):
            put(np.ascontiguousarray(thumbnails[start : start + _PICTURES]))
            forget(source)

    return Pieces(write)


def decode_thumbnails(data: Read, size: int) -> NDArray[np.uint8]:
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
    return check_thumbnails(np.frombuffer(data, np.uint8, offset=start).reshape(shape), size)


def check_thumbnails(thumbnails: Any, size: int) -> NDArray[np.uint8]:
    """Refuse what is not ``size`` thumbnails, uint8 (size, h, w) or (size, h, w, 3)."""
    array: Optional[NDArray[np.uint8]] = thumbnails if isinstance(thumbnails, np.ndarray) else None
    is_picture = array is not None and array.dtype == np.uint8 and (array.ndim == 3 or array.shape[3:] == (3,))
    if array is None or not is_picture or len(array) != size:
        got = f"{array.dtype} {array.shape}" if array is not None else type(thumbnails).__name__
        raise GalleryError(f"Thumbnails are {got}; uint8 ({size}, height, width[, 3]) was expected.")
    return array
