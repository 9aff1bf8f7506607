"""``gallery.json``: which files a gallery has, each with its size and checksum; read back without being trusted."""

from __future__ import annotations

import hashlib
import json
import string
from pathlib import Path
from typing import Any, Dict, Iterable, Mapping, Tuple

from galleries.errors import GalleryError, shown
from galleries.plain_files import read_plain
from galleries.records import parse_json

HEADER = "gallery.json"
FORMAT = "siamese-emotions gallery"
READABLE = (1, 2, 3, 4, 5, 6)
"""Format versions that are read; 1 had no log, 2 neither vectors.npy nor dead vectors, 3 no emphasis, 4 no
divided votes, 5 no way to vote of its own and no calibration of means."""

PAYLOAD: Tuple[str, ...] = (
    "index.faiss", "references.jsonl", "vectors.npy", "thumbnails.npy", "tower.onnx", "log.jsonl", "calibration.json",
    "calibration-means.json",
)  # fmt: skip
"""The files a gallery may have beside its header."""

BOOKKEEPING = ("format", "version", "files", "follows", "checksum")
"""What a header says for the folder's sake; the rest describes the gallery."""

_HEADER_LIMIT = 1 << 24  # bytes


def checksum(data: bytes) -> str:
    """BLAKE2b checksum of bytes, 64 hex digits."""
    return hashlib.blake2b(data, digest_size=32).hexdigest()


def version_of(described: Mapping[str, Any], names: Iterable[str]) -> int:
    """The format version of a gallery: the lowest that can say it, so that older toolkits open what they can.

    Args:
        described: What the header says of the gallery.
        names: Its files.
    """
    if described.get("weights") or "calibration-means.json" in names:
        return 6
    if described.get("divided"):
        return 5
    if described.get("emphasis"):
        return 4
    return 3 if "vectors.npy" in names or described.get("dead") else 2


def read_header(folder: Path) -> Dict[str, Any]:
    """Read a gallery's header, checked.

    Raises:
        GalleryError: It is missing, no gallery's, damaged, of a newer version, or names a file that no gallery has.
    """
    data = read_plain(folder / HEADER, _HEADER_LIMIT)
    if data is None and not folder.is_dir():
        raise GalleryError(f"{folder} is no folder; give a gallery made with: emotions gallery build.")
    if data is None:
        raise GalleryError(f"{folder} holds no {HEADER}, so it is no gallery; make one with: emotions gallery build.")
    try:
        header = parse_json(data)
    except (ValueError, RecursionError) as error:
        raise GalleryError(f"{folder / HEADER} is damaged: it is not JSON; build the gallery anew.") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise GalleryError(f"{folder / HEADER} does not describe a gallery of this toolkit; give another folder.")
    if header.get("version") not in READABLE:
        raise GalleryError(
            f"{folder} has format version {shown(header.get('version'))} and this toolkit reads up to "
            f"{READABLE[-1]}; update it."
        )
    files = header.get("files")
    if header.get("checksum") != header_checksum(header) or not isinstance(files, dict):
        raise GalleryError(f"{folder / HEADER} is damaged: its checksum differs; build the gallery anew.")
    for name, entry in files.items():
        if name not in PAYLOAD or not isinstance(entry, dict) or not _is_entry(entry.get("size"), entry.get("blake2b")):
            raise GalleryError(f"{folder / HEADER} names a file {shown(name)} that no gallery has; do not trust it.")
    return header


def _is_entry(size: Any, digest: Any) -> bool:
    return isinstance(size, int) and size >= 0 and isinstance(digest, str) and set(digest) <= set(string.hexdigits)


def header_checksum(header: Mapping[str, Any]) -> str:
    """Checksum of a header without the checksum it states, 64 hex digits; the name of the state it describes."""
    plain = {key: value for key, value in header.items() if key != "checksum"}
    return checksum(json.dumps(plain, sort_keys=True).encode())
