"""A collection of reference faces: vectors, emotions and where they came from; how it is made and what it holds.

A reference's *number*, by which it is removed or relabelled and which plain FAISS answers, stays the same when others
are removed; its *index* is its place in ``references``, and moves up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar, Union

import numpy as np
from numpy.typing import NDArray

from galleries.by_emotion import ByEmotion
from galleries.calibration import Calibration
from galleries.class_means import ClassMeans
from galleries.emphasis import check_factors
from galleries.encoder import OnnxEncoder
from galleries.errors import EncoderMismatch, GalleryError
from galleries.evidence import Reference
from galleries.felt import Nearer
from galleries.index import VectorIndex
from galleries.kinds import kind_for
from galleries.layout import Description, check_thumbnails
from galleries.log import Change, LogEntry
from galleries.opinions import Votes
from galleries.recall import Recall, measure_recall
from galleries.references import Column, References, columns
from galleries.tower_card import TowerCard, TowerIdentity, check_width
from galleries.vectors import Vectors
from galleries.voting import WEIGHTS, voters_of

C = TypeVar("C", bound="Collection")


class Collection:
    """Reference faces as vectors: what a :class:`galleries.gallery.Gallery` knows.

    Make one with :meth:`build` or :meth:`load`; its length is the number of references.

    Attributes:
        tower: The tower its vectors come from.
        references: What is known of each, in ascending order of their numbers; made when asked for.
        emotions: The emotions that occur, in alphabetical order; as scikit-learn's ``classes_``.
        labels: int64 (N,): reference i shows ``emotions[labels[i]]``.
        shares: float64 (N, C), what each reference votes for (:mod:`galleries.opinions`); None: each for its label.
        thumbnails: uint8 (N, h, w) or (N, h, w, 3), or None.
        tower_onnx: The tower's ONNX file as bytes, or None; see :meth:`attach_tower`.
        log: What each save changed, the oldest first.
        calibrations: When to say unknown, by who votes: ``"neighbours"`` or ``"means"``; they stay when references
            change, for the faces they were fitted on.
        emphasis: How many times nearer the references of some emotions count, above 1; see :mod:`galleries.emphasis`.
        recall: How often an approximate index finds the nearest, as last measured, or None.
        typical: Whether most of its references are the most typical ones of a larger gallery.
        weights: How it votes unless told otherwise, one of :data:`galleries.voting.WAYS`.
    """

    def __init__(
        self,
        index: VectorIndex,
        references: Sequence[Reference],
        tower: TowerCard,
        next_number: int,
        thumbnails: Optional[NDArray[np.uint8]] = None,
        tower_onnx: Optional[bytes] = None,
    ) -> None:
        self._index = index
        self._next_number = next_number
        self._origin: Optional[Tuple[Path, str]] = None  # folder and state this was loaded from or saved as
        self.tower = tower
        self.thumbnails = thumbnails
        self.tower_onnx = tower_onnx
        self.log: Tuple[LogEntry, ...] = ()
        self.calibrations: Dict[str, Calibration] = {}
        self.recall: Optional[Recall] = None
        self.emphasis: Dict[str, float] = {}
        self.typical = False
        self.weights = WEIGHTS[0]
        self._changes: List[Change] = []  # since this was loaded, built or saved
        self._set_references(references)

    def _set_references(self, references: Iterable[Reference]) -> None:
        self.references: References = References.of(references)
        self._by_emotion: Optional[ByEmotion] = None  # made when first asked for
        self._means: Optional[ClassMeans] = None  # likewise
        self._by_person: Dict[str, Nearer] = {}  # likewise
        self.emotions: Tuple[str, ...]
        self.labels: NDArray[np.int64]
        self.emotions, self.labels = self.references.labels()
        self.shares = self.references.shares(self.emotions, self.labels)
        self._set_emphasis({name: self.emphasis[name] for name in self.emotions if name in self.emphasis})

    def _set_emphasis(self, factors: Mapping[str, float]) -> None:
        check_factors(factors)
        self.emphasis = {name: float(factor) for name, factor in sorted(factors.items()) if factor != 1}
        self._emphasised: Optional[Nearer] = None  # made when first asked for

    @classmethod
    def build(
        cls: Type[C],
        vectors: Vectors,
        emotions: Sequence[str],
        *,
        tower: TowerIdentity,
        metric: str = "cosine",
        index: str = "flat",
        sources: Optional[Sequence[str]] = None,
        subjects: Column = None,
        sequences: Column = None,
        votes: Optional[Votes] = None,
        thumbnails: Optional[NDArray[np.uint8]] = None,
    ) -> C:
        """Make a gallery of vectors.

        Args:
            vectors: float32 (N, D), N ≥ 1.
            emotions: N names in any spelling; canonical names are kept, unknown ones as they are.
            tower: Where the vectors come from: an encoder, a torch tower, or a :class:`TowerCard`.
            metric: ``"cosine"`` (unit-length copies are kept) or ``"euclidean"``.
            index: ``"flat"`` (exact), ``"ivf"``, ``"hnsw"`` or ``"ivfpq"`` (approximate, for more than about 10⁵), or
                ``"auto"``, as :func:`galleries.kinds.kind_for` chooses.
            sources: N paths or row names; ``"reference:NUMBER"`` if not given.
            subjects: N people, or None.
            sequences: N films or bursts, or None.
            votes: For each of N emotions to shares, or None where it votes for its emotion alone; or None.
            thumbnails: uint8 (N, h, w) or (N, h, w, 3), or None.

        Raises:
            GalleryError: Columns that differ in length, or vectors that cannot be used.
            EncoderMismatch: Vectors of another length than the tower's.
            ConfigError: Unknown metric or index.
            DataError: An emotion's name without a letter or digit.
        """
        card = TowerCard.of(tower)
        check_width(vectors, card)
        references = columns(len(vectors), 0, emotions, sources, subjects, sequences, votes)
        if thumbnails is not None:
            thumbnails = check_thumbnails(thumbnails, len(vectors)).copy()
        kind = kind_for(index, len(vectors))
        made = VectorIndex.build(vectors, np.arange(len(vectors), dtype=np.int64), metric=metric, kind=kind)
        return cls.of_index(made, references, card, thumbnails)

    @classmethod
    def of_index(
        cls: Type[C],
        index: VectorIndex,
        references: Sequence[Reference],
        tower: TowerCard,
        thumbnails: Optional[NDArray[np.uint8]] = None,
    ) -> C:
        """A gallery of an index that was just made, numbered from 0, and what is known of each of its vectors."""
        gallery = cls(index, references, tower, len(references), thumbnails)
        gallery._changes.append(Change("build", gallery._describe().counts))
        return gallery

    def with_vectors(self: C, vectors: Vectors, tower: TowerIdentity, index: str = "flat") -> C:
        """The same references as another tower sees them.

        Args:
            vectors: float32 (N, D), in the order of ``references``.
            tower: Where they come from.
            index: As of :meth:`build`.

        Returns:
            A gallery numbered from 0 that votes as this one, without calibration, emphasis, log and a tower's file,
            and not ``typical``.

        Raises:
            GalleryError: Vectors that cannot be used.
        """
        known = self.references
        made = self.build(
            vectors,
            [reference.label for reference in known],
            tower=tower,
            metric=self.metric,
            index=index,
            sources=[reference.source for reference in known],
            subjects=[reference.subject for reference in known],
            sequences=[reference.sequence for reference in known],
            votes=known.votes(),
            thumbnails=self.thumbnails,
        )
        made.weights = self.weights
        return made

    def __len__(self) -> int:
        return len(self.references)

    @property
    def metric(self) -> str:
        """``"cosine"`` or ``"euclidean"``."""
        return self._index.metric

    @property
    def index(self) -> str:
        """``"flat"``, ``"ivf"``, ``"hnsw"`` or ``"ivfpq"``."""
        return self._index.kind

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The references' numbers, int64 (N,), ascending. A copy."""
        return self._index.numbers.copy()

    @property
    def vectors(self) -> Vectors:
        """The vectors, float32 (N, D), in the order of ``references``; of unit length under cosine. A copy."""
        return self._index.vectors()

    def info(self) -> Dict[str, Any]:
        """What the gallery holds, as plain values: size, emotions with counts, metric, index, tower …"""
        header = self._describe().to_json()
        header["subjects"] = len(self.references.people())
        header["thumbnails"] = None if self.thumbnails is None else list(self.thumbnails.shape[1:])
        header["carries_tower"] = self.tower_onnx is not None
        calibration = self.calibrations.get(voters_of(self.weights))
        header["calibration"] = None if calibration is None else calibration.to_json()
        return header

    def _describe(self) -> Description:
        counts = dict(zip(self.emotions, np.bincount(self.labels, minlength=len(self.emotions)).tolist()))
        return Description(
            self.metric,
            self.index,
            self.tower,
            counts,
            self._next_number,
            self._index.dead,
            self.recall,
            self.emphasis,
            self.references.divided,
            self.typical,
            self.weights,
        )

    def measure_recall(self, k: int = 5, queries: int = 256, seed: int = 0) -> Recall:
        """Measure how often the index finds the nearest, and keep it with the gallery.

        Args:
            k: Nearest that are to be found; as many as there are if there are fewer.
            queries: References that are asked about, each without itself.
            seed: Of which.

        Returns:
            The share found; see :func:`galleries.recall.measure_recall`.
        """
        self.recall = measure_recall(self._index, k, queries, seed)
        return self.recall

    def check_encoder(self, encoder: TowerIdentity) -> None:
        """Refuse an encoder that is not the gallery's tower.

        Raises:
            EncoderMismatch: Another fingerprint; the sentence names both towers.
        """
        if encoder.fingerprint != self.tower.fingerprint:
            raise EncoderMismatch(
                f"The gallery was built with tower {self.tower.name!r} ({self.tower.fingerprint}), not with "
                f"{encoder.name!r} ({encoder.fingerprint}); use the gallery's tower or build the gallery anew."
            )

    def _check_vectors(self, vectors: Vectors, fingerprint: Optional[str]) -> None:
        if fingerprint is not None and fingerprint != self.tower.fingerprint:
            raise EncoderMismatch(
                f"The gallery was built with tower {self.tower.name!r} ({self.tower.fingerprint}), but the vectors "
                f"come from tower {fingerprint}; use the gallery's tower or build the gallery anew."
            )
        check_width(vectors, self.tower)

    def attach_tower(self, path: Union[str, Path, bytes]) -> None:
        """Let the gallery carry its tower, so that its folder alone answers for pictures.

        Args:
            path: The tower's ONNX file, or its bytes.

        Raises:
            TowerError: It cannot be opened.
            EncoderMismatch: It is not the gallery's tower.
        """
        encoder = OnnxEncoder(path, providers=["cpu"], threads=1)
        self.check_encoder(encoder)
        self.tower_onnx = encoder.model

    def labels_of(self, numbers: Iterable[int]) -> List[str]:
        """The emotions of references given by number, in ascending order of the numbers.

        Raises:
            GalleryError: A number that is not here.
        """
        return [self.references[position].label for position in self._positions(numbers)]

    def _positions(self, numbers: Iterable[int]) -> NDArray[np.int64]:
        wanted = np.unique(np.array(list(numbers), np.int64))
        positions = np.flatnonzero(np.isin(self._index.numbers, wanted))
        if len(positions) != len(wanted):
            absent = np.setdiff1d(wanted, self._index.numbers).tolist()
            raise GalleryError(f"The gallery holds no reference with number {', '.join(map(str, absent[:5]))}.")
        return positions
