"""A gallery of more vectors than memory should hold, built block by block."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any, List, Optional, Sequence, Tuple, Type, Union

import numpy as np
from numpy.typing import NDArray

from galleries.content import Read, map_file
from galleries.errors import ConfigError, GalleryError, unknown_name
from galleries.gallery import Gallery
from galleries.index import VectorIndex
from galleries.kinds import CHOICES, kind_for
from galleries.layout import check_thumbnails
from galleries.opinions import Votes
from galleries.references import Column, References, columns, join
from galleries.rows import Rows
from galleries.tower_card import TowerCard, TowerIdentity, check_width
from galleries.vectors import METRICS, Vectors, usable


class GalleryBuilder:
    """Takes blocks of references and makes a gallery of them::

        with GalleryBuilder(tower, scratch="faces") as builder:
            for vectors, emotions, sources in blocks:
                builder.add_block(vectors, emotions, sources=sources)
            gallery = builder.finish("auto")
        gallery.save("faces")

    Vectors and thumbnails wait in nameless files, which are gone when the process ends, however it ends. From there the
    index is trained on a sample and filled block by block; thumbnails are mapped. Beside a block, what is in memory for
    N references of D numbers:

    - about 30 bytes a reference, and its source;
    - while the lists of IVF kinds are made, 39 vectors for each of 4 √N lists, or 50,000: 156 √N × 4 D bytes;
    - the index: ``ivfpq`` D / 4 + 8 bytes a vector; ``flat``, ``ivf`` and ``hnsw`` the vectors themselves (4 D), and
      ``hnsw`` 270 bytes more.

    Args:
        tower: Where the vectors come from: an encoder, a torch tower, or a :class:`TowerCard`.
        metric: ``"cosine"`` (unit-length copies are kept) or ``"euclidean"``.
        scratch: A folder on a disk with room for vectors and thumbnails; made if missing. None takes the system's own
            for temporary files, which may lie in memory.

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
        self._vectors = _Aside((self.tower.embedding_dim,), "<f4", scratch)
        self._pictures: Optional[_Aside] = None  # since a first block with thumbnails
        self._scratch = scratch

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
        """Let what waits go; a gallery that was made keeps what it needs."""
        self._vectors.close()
        if self._pictures is not None:
            self._pictures.close()

    def add_block(
        self,
        vectors: Vectors,
        emotions: Sequence[str],
        *,
        sources: Optional[Sequence[str]] = None,
        subjects: Column = None,
        sequences: Column = None,
        votes: Optional[Votes] = None,
        thumbnails: Optional[NDArray[np.uint8]] = None,
    ) -> None:
        """Add references; a block that is refused adds nothing.

        Args:
            vectors: float32 (M, D); some thousands are a good block.
            emotions: M names in any spelling.
            sources: M paths or row names; ``"reference:NUMBER"`` if not given.
            subjects: M people, or None.
            sequences: M films or bursts, or None.
            votes: For each of M emotions to shares, or None; or None.
            thumbnails: uint8 (M, h, w) or (M, h, w, 3), of every block as large, or of none.

        Raises:
            GalleryError: Columns that differ in length, vectors or thumbnails that cannot be used, or a full disk.
            EncoderMismatch: Vectors of another length than the tower's.
            DataError: An emotion's name without a letter or digit.
        """
        check_width(vectors, self.tower)
        known = columns(len(vectors), self._size, emotions, sources, subjects, sequences, votes)
        ready = usable(vectors, self.metric, first=self._size)
        if not len(ready):
            return
        if thumbnails is not None:
            check_thumbnails(thumbnails, len(ready))
        self._settle_pictures(None if thumbnails is None else thumbnails.shape[1:])
        if self._pictures is not None and thumbnails is not None:
            self._pictures.write(thumbnails, self._size)
        self._vectors.write(ready, self._size)
        self._size += len(ready)
        self._parts.append(References.of(known))

    def _settle_pictures(self, shape: Optional[Tuple[int, ...]]) -> None:
        """Hold a block to the thumbnails of the first one, which says whether there are any, and how large."""
        held = None if self._pictures is None else self._pictures.shape
        if self._size and shape != held:
            raise GalleryError(
                f"A block has thumbnails of shape {shape}, those before it {held}; give every block thumbnails of one "
                "shape, or none."
            )
        if not self._size:
            if self._pictures is not None:
                self._pictures.close()
            self._pictures = None if shape is None else _Aside(shape, "|u1", self._scratch)

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
        if self._vectors.closed:
            raise ConfigError("This builder is closed; make the gallery before closing it.")
        vectors, source = self._vectors.read(self._size)
        pictures = None if self._pictures is None else self._pictures.read(self._size)[0]
        numbers = np.arange(self._size, dtype=np.int64)
        rows = Rows(vectors, source=source)
        made = VectorIndex.of_rows(rows, numbers, self.metric, kind_for(index, self._size))
        gallery = Gallery.of_index(made, join(self._parts), self.tower, pictures)
        if recall and made.kind != "flat":
            gallery.measure_recall()
        return gallery


class _Aside:
    """Arrays of one shape and type that wait in a nameless file.

    Args:
        shape: Of each.
        kind: NumPy's name of its type.
        scratch: The file's folder, made if missing; None for the system's own.

    Raises:
        GalleryError: The folder cannot be written.
    """

    def __init__(self, shape: Tuple[int, ...], kind: str, scratch: Optional[Union[str, Path]]) -> None:
        self.shape, self.kind = shape, kind
        self._file: IO[bytes]
        try:
            if scratch is not None:
                Path(scratch).mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=scratch, prefix=".emotions-")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise _no_room(error) from error

    @property
    def closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        self._file.close()

    def _bytes(self, size: int) -> int:
        return size * int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.kind).itemsize

    def write(self, rows: NDArray[Any], first: int) -> None:
        """Lay arrays (M, …) aside, in the places from ``first`` on."""
        try:
            self._file.seek(self._bytes(first))
            self._file.write(np.ascontiguousarray(rows, self.kind).data)
            self._file.flush()
        except OSError as error:
            raise _no_room(error) from error

    def read(self, size: int) -> Tuple[NDArray[Any], Read]:
        """The first ``size`` arrays, at least one, as a view (N, …) of the mapped file, and the file."""
        view = map_file(self._file.fileno(), self._bytes(size))
        return np.frombuffer(view, self.kind).reshape(size, *self.shape), view


def _no_room(error: OSError) -> GalleryError:
    return GalleryError(
        f"The gallery could not be saved: its references could not be laid aside ({error.strerror or error}); free "
        "some space or choose another folder."
    )
