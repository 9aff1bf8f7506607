"""A gallery of more vectors than memory should hold, built block by block."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, List, Optional, Sequence, Type, Union

import numpy as np

from galleries.collection import Column, check_width, columns
from galleries.content import map_file
from galleries.encoder import TowerCard, TowerIdentity
from galleries.errors import ConfigError, GalleryError, unknown_name
from galleries.gallery import Gallery
from galleries.index import VectorIndex
from galleries.kinds import CHOICES, kind_for
from galleries.references import References, join
from galleries.rows import Rows
from galleries.vectors import METRICS, Vectors, usable


class GalleryBuilder:
    """Takes blocks of references and makes a gallery of them::

        with GalleryBuilder(tower, scratch="faces") as builder:
            for vectors, emotions, sources in blocks:
                builder.add_block(vectors, emotions, sources=sources)
            gallery = builder.finish("auto")
        gallery.save("faces")

    Vectors wait in a nameless file, which is gone when the process ends, however it ends. From there the index is
    trained on a sample and filled block by block. Beside a block, what is in memory for N references of D numbers:

    - about 30 bytes a reference, and its source;
    - while the lists of IVF kinds are made, 39 vectors for each of 4 √N lists, or 50,000: 156 √N × 4 D bytes;
    - the index: ``ivfpq`` D / 4 + 8 bytes a vector; ``flat``, ``ivf`` and ``hnsw`` the vectors themselves (4 D), and
      ``hnsw`` 270 bytes more.

    Thumbnails are not kept.

    Args:
        tower: Where the vectors come from: an encoder, a torch tower, or a :class:`TowerCard`.
        metric: ``"cosine"`` (unit-length copies are kept) or ``"euclidean"``.
        scratch: A folder on a disk with room for the vectors; made if missing. None takes the system's own for
            temporary files, which may lie in memory.

    Raises:
        ConfigError: Unknown metric.
        GalleryError: The folder cannot be written.
    """

    def __init__(
        self, tower: TowerIdentity, *, metric: str = "cosine", scratch: Optional[Union[str, Path]] = None
    ) -> None:
        if metric not in METRICS:
            raise unknown_name("metric", str(metric), METRICS)
        self.tower, self.metric = TowerCard.of(tower), metric
        self._size = 0
        self._parts: List[References] = []
        self._file: IO[bytes]
        try:
            if scratch is not None:
                Path(scratch).mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=scratch, prefix=".emotions-")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise _no_room(error) from error

    def __len__(self) -> int:
        return self._size

    def __enter__(self) -> GalleryBuilder:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the waiting vectors go; a gallery that was made keeps what it needs."""
        self._file.close()

    def add_block(
        self,
        vectors: Vectors,
        emotions: Sequence[str],
        *,
        sources: Optional[Sequence[str]] = None,
        subjects: Column = None,
        sequences: Column = None,
    ) -> None:
        """Add references; one that is refused adds nothing.

        Args:
            vectors: float32 (M, D); some thousands are a good block.
            emotions: M names in any spelling.
            sources: M paths or row names; ``"reference:NUMBER"`` if not given.
            subjects: M people, or None.
            sequences: M films or bursts, or None.

        Raises:
            GalleryError: Columns that differ in length, vectors that cannot be used, or a full disk.
            EncoderMismatch: Vectors of another length than the tower's.
            DataError: An emotion's name without a letter or digit.
        """
        check_width(vectors, self.tower)
        known = columns(len(vectors), self._size, emotions, sources, subjects, sequences)
        ready = usable(vectors, self.metric)
        if not len(ready):
            return
        try:
            self._file.seek(self._size * ready.shape[1] * 4)
            self._file.write(np.ascontiguousarray(ready, "<f4").data)
            self._file.flush()
        except OSError as error:
            raise _no_room(error) from error
        self._size += len(ready)
        self._parts.append(References.of(known))

    def finish(self, index: str = "auto", *, recall: bool = True) -> Gallery:
        """Index what was added.

        Args:
            index: ``"flat"``, ``"ivf"``, ``"hnsw"``, ``"ivfpq"``, or ``"auto"``: by number, as
                :data:`galleries.kinds.AUTO` says.
            recall: Whether to measure how often an approximate index finds the nearest.

        Returns:
            The gallery, its references numbered from 0 in the order they were added.

        Raises:
            ConfigError: Unknown index.
            GalleryError: Nothing was added.
        """
        if index not in CHOICES:
            raise unknown_name("index", str(index), CHOICES)
        if not self._size:
            raise GalleryError("No vectors were given; a gallery needs at least one reference.")
        if self._file.closed:
            raise ConfigError("This builder is closed; make the gallery before closing it.")
        dim = self.tower.embedding_dim
        view = map_file(self._file.fileno(), 4 * dim * self._size)
        rows = Rows(np.frombuffer(view, "<f4").reshape(self._size, dim), source=view)
        numbers = np.arange(self._size, dtype=np.int64)
        made = VectorIndex.of_rows(rows, numbers, self.metric, kind_for(index, self._size))
        gallery = Gallery.of_index(made, join(self._parts), self.tower)
        if recall and made.kind != "flat":
            gallery.measure_recall()
        return gallery


def _no_room(error: OSError) -> GalleryError:
    return GalleryError(
        f"The vectors could not be laid aside ({error.strerror or error}); give a folder with room for them."
    )
