"""A gallery as one Parquet table, for other tools, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.atomic import write_with
from galleries.errors import EmotionsError, GalleryError, require
from galleries.gallery import Gallery
from galleries.records import parse_json
from galleries.tower_card import TowerCard

KEY = b"siamese-emotions gallery"
"""Where the table's metadata keeps what its columns do not say: metric, index and tower."""

COLUMNS = ("number", "emotion", "source", "subject", "sequence", "vector")


def export_parquet(gallery: Gallery, path: Union[str, Path]) -> None:
    """Write a gallery as a Parquet table: a row a reference, its thumbnail as PNG bytes.

    The columns are ``number`` (int64), ``emotion``, ``source``, ``subject``, ``sequence`` (text) and ``vector``
    (float32 list of fixed length), ``votes`` (a JSON object of emotions and shares) where some vote for
    several, and ``thumbnail`` (binary) where the gallery has thumbnails. The tower itself, the
    log, the calibration, how it votes, what is emphasised and that references are typical do not come along.

    Raises:
        MissingExtra: pyarrow is not installed.
        EmotionsError: The file cannot be written.
    """
    arrow, parquet = require("pyarrow", "tables"), require("pyarrow.parquet", "tables")
    vectors = gallery.vectors
    flat = arrow.array(vectors.reshape(-1))
    columns: Dict[str, Any] = {
        "number": arrow.array(gallery.numbers),
        "emotion": arrow.array(gallery.references.emotions(), arrow.string()),
        "source": arrow.array([_text(r.source) for r in gallery.references], arrow.string()),
        "subject": arrow.array([_text(r.subject) for r in gallery.references], arrow.string()),
        "sequence": arrow.array([_text(r.sequence) for r in gallery.references], arrow.string()),
        "vector": arrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    votes = gallery.references.votes()
    if votes is not None:
        told = [None if cast is None else json.dumps(dict(cast)) for cast in votes]
        columns["votes"] = arrow.array(told, arrow.string())
    if gallery.thumbnails is not None:
        columns["thumbnail"] = arrow.array([_png(picture) for picture in gallery.thumbnails], arrow.binary())
    about = {"metric": gallery.metric, "index": gallery.index, "tower": gallery.tower.to_json()}
    table = arrow.table(columns).replace_schema_metadata({KEY: json.dumps(about).encode()})

    def write(temporary: Path) -> None:
        parquet.write_table(table, str(temporary), compression="zstd")

    write_with(path, write)


def import_parquet(path: Union[str, Path]) -> Gallery:
    """Read a gallery from a table that :func:`export_parquet`, or another tool in its form, wrote.

    References get new numbers, in the order of the rows.

    Raises:
        MissingExtra: pyarrow is not installed.
        GalleryError: It is no Parquet file, lacks a column or the tower, or holds what no gallery can.
    """
    table = _read_table(Path(path))
    try:
        about = parse_json((table.schema.metadata or {})[KEY])
        tower, metric, index = TowerCard.from_json(about["tower"]), str(about["metric"]), str(about["index"])
    except (KeyError, TypeError, ValueError, RecursionError, EmotionsError) as error:
        raise GalleryError(
            f"{path} does not say which tower its vectors come from (metadata {KEY.decode()!r}); export it anew."
        ) from error
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing or not table.num_rows:
        raise GalleryError(f"{path} lacks {', '.join(missing) or 'rows'}; a gallery's table has {', '.join(COLUMNS)}.")
    columns = {name: table.column(name).to_pylist() for name in COLUMNS[1:5]}
    if not all(isinstance(value, str) for name in ("emotion", "source") for value in columns[name]):
        raise GalleryError(f"{path} has a reference without an emotion or a source; give each one of both.")
    return Gallery.build(
        _vectors(table, tower.embedding_dim, path),
        columns["emotion"],
        tower=tower,
        metric=metric,
        index=index,
        sources=columns["source"],
        subjects=[None if value is None else str(value) for value in columns["subject"]],
        sequences=[None if value is None else str(value) for value in columns["sequence"]],
        votes=_votes(table, path) if "votes" in table.column_names else None,
        thumbnails=_thumbnails(table, path) if "thumbnail" in table.column_names else None,
    )


def _read_table(path: Path) -> Any:
    arrow, parquet = require("pyarrow", "tables"), require("pyarrow.parquet", "tables")
    try:
        return parquet.ParquetFile(path).read()
    except (OSError, arrow.ArrowException, ValueError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise GalleryError(f"{path} cannot be read as a Parquet table ({reason}); export it anew.") from error


def _vectors(table: Any, dim: int, path: Union[str, Path]) -> NDArray[np.float32]:
    rows: List[Any] = table.column("vector").to_pylist()
    try:
        vectors = np.array(rows, np.float32)
    except (TypeError, ValueError) as error:
        raise GalleryError(f"{path} has vectors of several lengths, or none in a row; {dim} numbers each.") from error
    if vectors.shape != (len(rows), dim):
        raise GalleryError(f"{path} has vectors of shape {vectors.shape[1:]}; its tower gives {dim} numbers.")
    return vectors


def _votes(table: Any, path: Union[str, Path]) -> List[Any]:
    try:
        return [None if cast is None else parse_json(cast) for cast in table.column("votes").to_pylist()]
    except (TypeError, ValueError, RecursionError) as error:
        raise GalleryError(f"{path} has votes that are no JSON objects; mend them, or leave the column out.") from error


def _thumbnails(table: Any, path: Union[str, Path]) -> NDArray[np.uint8]:
    pictures = []
    for data in table.column("thumbnail").to_pylist():
        picture = None
        if isinstance(data, bytes) and data:
            try:
                picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            except cv2.error:
                picture = None
        if picture is None or picture.dtype != np.uint8:
            raise GalleryError(f"{path} has a thumbnail that is no 8-bit picture; leave the column out, or mend it.")
        pictures.append(picture if picture.ndim == 2 else cv2.cvtColor(picture[..., :3], cv2.COLOR_BGR2RGB))
    if len({picture.shape for picture in pictures}) > 1:
        raise GalleryError(f"{path} has thumbnails of several sizes; a gallery's are all alike.")
    return np.stack(pictures).astype(np.uint8)


def _png(picture: NDArray[np.uint8]) -> bytes:
    stored = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".png", stored)[1].tobytes())


def _text(value: Optional[str]) -> Optional[str]:
    """Text as UTF-8 can hold it: a file's name need not be."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()
