"""A collection of reference faces on the disk: saved all or nothing, read back checked, its last change undone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Type, TypeVar, Union

from galleries.calibration import Calibration
from galleries.changing import ChangingCollection
from galleries.content import Content, Read
from galleries.errors import GalleryError
from galleries.index import VectorIndex
from galleries.layout import (
    Description,
    decode_references,
    decode_thumbnails,
    encode_references,
    encode_thumbnails,
)
from galleries.log import Change, decode_log, encode_log, new_entry
from galleries.rows import read_rows
from galleries.storage import read_state, undo_state, write_state

S = TypeVar("S", bound="SavedCollection")

_CALIBRATIONS = {"neighbours": "calibration.json", "means": "calibration-means.json"}
"""The file of each calibration, by who votes."""


class SavedCollection(ChangingCollection):
    """A collection that can be kept in a folder; see :mod:`galleries.storage` for how."""

    def save(self, path: Union[str, Path]) -> None:
        """Save to a folder, all or nothing; a gallery that stands there is replaced.

        Saving where this gallery was loaded from fails if someone else has saved there since.

        Raises:
            GalleryError: The disk is full or the folder cannot be written (what was there is unchanged), or another
                saver was faster.
        """
        folder = Path(path)
        files: Dict[str, Content] = {
            "index.faiss": self._index.content(),
            "references.jsonl": encode_references(self.references, self._index.numbers),
        }
        apart = self._index.vectors_content()
        if apart is not None:
            files["vectors.npy"] = apart
        if self.thumbnails is not None:
            files["thumbnails.npy"] = encode_thumbnails(self.thumbnails)
        if self.tower_onnx is not None:
            files["tower.onnx"] = self.tower_onnx
        for voters, calibration in self.calibrations.items():
            files[_CALIBRATIONS[voters]] = calibration.encode()
        log = (*self.log, new_entry(self._changes, len(self)))
        files["log.jsonl"] = encode_log(log)
        place = folder.absolute()
        expected = self._origin[1] if self._origin is not None and self._origin[0] == place else None
        self._origin = (place, write_state(folder, self._describe().to_json(), files, expected))
        self.log, self._changes = log, []

    @classmethod
    def undo(cls: Type[S], path: Union[str, Path]) -> S:
        """Take the last saved change of a gallery's folder back; a second undo brings it again.

        References keep their numbers, and numbers of what is taken back are not given out anew.

        Returns:
            The gallery as it now stands in the folder.

        Raises:
            GalleryError: There is nothing to undo, or the folder is damaged.
        """

        def mend(now: Dict[str, Any], before: Dict[str, Any]) -> None:
            before["described"]["next_number"] = now["described"]["next_number"]
            log = decode_log(_whole(now["files"], "log.jsonl"))
            undone = log[-1].sentence() if log else ""
            entry = new_entry([Change("undo", {}, undone)], int(before["described"]["size"]))
            before["files"]["log.jsonl"] = encode_log([*log, entry])

        undo_state(Path(path), mend)
        return cls.load(path)

    @classmethod
    def load(cls: Type[S], path: Union[str, Path]) -> S:
        """Read a gallery back, every byte checked before it is used.

        Raises:
            GalleryError: It is missing, damaged, or of a newer version.
        """
        folder = Path(path)
        described, files, state = read_state(folder)
        if not {"index.faiss", "references.jsonl"} <= set(files):
            raise GalleryError(f"{folder} lacks index.faiss or references.jsonl; build the gallery anew.")
        header = Description.from_json(described)
        apart = files.get("vectors.npy")
        index = VectorIndex.from_bytes(
            files["index.faiss"],
            metric=header.metric,
            kind=header.index,
            vectors=None if apart is None else partial(read_rows, apart),
        )
        references = decode_references(files["references.jsonl"], index.numbers)
        pictures = files.get("thumbnails.npy")
        thumbnails = None if pictures is None else decode_thumbnails(pictures, len(references))
        gallery = cls(index, references, header.tower, header.next_number, thumbnails, _whole(files, "tower.onnx"))
        gallery.recall = header.recall
        gallery._set_emphasis(header.emphasis)
        gallery.typical, gallery.weights = header.typical, header.weights
        gallery.log = tuple(decode_log(_whole(files, "log.jsonl")))
        for voters, name in _CALIBRATIONS.items():
            data = _whole(files, name)
            if data is not None:
                gallery.calibrations[voters] = Calibration.decode(data, voters)
        if gallery._describe() != header or index.dim != header.tower.embedding_dim:
            raise GalleryError(f"{folder}/gallery.json does not describe its own files; build the gallery anew.")
        gallery._origin = (folder.absolute(), state)
        return gallery


def _whole(files: Mapping[str, Read], name: str) -> Optional[bytes]:
    """A file in memory; None if there is none."""
    return bytes(files[name]) if name in files else None
