"""Searching a gallery: the nearest references as they count in a vote, of one person, and of each emotion."""

from __future__ import annotations

from typing import Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.calibration import Calibration
from galleries.class_means import vote_of_means
from galleries.errors import GalleryError
from galleries.felt import Nearer, nearest_felt
from galleries.index import VectorIndex
from galleries.left_out import Progress, nearest_outside
from galleries.saved import SavedCollection
from galleries.vectors import Vectors, check_k, usable
from galleries.voting import MEAN, check_way, decide, vote, voters_of

DEFAULT_NEIGHBORS = 5
"""Neighbours that vote unless told otherwise, as in scikit-learn's classifier."""


class SearchableCollection(SavedCollection):
    """A collection that finds its nearest references, some of which may count as nearer than they are."""

    def kneighbors(
        self,
        vectors: Vectors,
        n_neighbors: int = DEFAULT_NEIGHBORS,
        *,
        fingerprint: Optional[str] = None,
        candidates: Optional[NDArray[np.int64]] = None,
        emphasis: Optional[Mapping[str, float]] = None,
    ) -> Tuple[Vectors, NDArray[np.int64]]:
        """The nearest references of each vector, as they count in the vote.

        Args:
            vectors: float32 (B, D).
            n_neighbors: 1 … ``len(gallery)``.
            fingerprint: The tower the vectors come from, to be checked.
            candidates: As of :meth:`galleries.index.VectorIndex.search`; not looked at where something is emphasised.
            emphasis: Instead of the gallery's own; ``{}`` for distances as they are.

        Returns:
            Distances float32 (B, k), nearest first: 1 - cosine (0-2) or Euclidean, those to an emphasised emotion's
            references divided by its factor; and indices int64 (B, k) into ``references``, ``labels``, ``numbers`` and
            ``vectors``. At equal distance those of an emphasised emotion come first, then the lower index.

        Raises:
            GalleryError: More neighbours than references, or vectors that cannot be used.
            EncoderMismatch: Vectors of another tower.
        """
        self._check_vectors(vectors, fingerprint)
        chosen = self.emphasis if emphasis is None else emphasis
        factors = self._factors(chosen) if chosen else None
        if factors is None or not (factors > 1).any():
            return self._index.search(vectors, n_neighbors, candidates)
        check_k(n_neighbors, len(self))
        nearer = self._nearer(factors)
        felt, _, indices = nearest_felt(
            self._index.search, nearer, vectors, n_neighbors, factors[self.labels[nearer.places]]
        )
        return felt, indices

    def tally(
        self, distances: NDArray[np.floating], indices: NDArray[np.int64], weights: str = "distance"
    ) -> NDArray[np.float64]:
        """Each emotion's share of the vote of these references, as :func:`galleries.voting.vote`.

        Args:
            distances: (B, k), as they count.
            indices: int64 (B, k); -1 for a place without a reference.
            weights: ``"distance"`` or ``"majority"``.

        Returns:
            float64 (B, C), columns in the order of ``emotions``.

        Raises:
            ConfigError: Unknown ``weights``.
        """
        shares = None if self.shares is None else self.shares[indices]
        return vote(distances, self._labels_at(indices), len(self.emotions), weights, shares)

    def winners(
        self, distances: NDArray[np.floating], indices: NDArray[np.int64], weights: str = "distance"
    ) -> NDArray[np.int64]:
        """Who wins :meth:`tally`, by :func:`galleries.voting.decide`: int64 (B,), codes into ``emotions``."""
        return decide(self.tally(distances, indices, weights), distances, self._labels_at(indices))

    def answers(
        self,
        vectors: Vectors,
        distances: NDArray[np.floating],
        indices: NDArray[np.int64],
        weights: Optional[str] = None,
    ) -> Tuple[NDArray[np.float64], NDArray[np.int64]]:
        """How the gallery votes on vectors whose nearest references were found.

        Args:
            vectors: float32 (B, D); looked at by the vote of means alone.
            distances: float32 (B, k) of :meth:`kneighbors`, like ``indices``; not looked at by that vote.
            indices: int64 (B, k).
            weights: One of :data:`galleries.voting.WAYS`; None for the gallery's own.

        Returns:
            Each emotion's share of the vote, float64 (B, C), and the winners, int64 (B,), as codes into ``emotions``.

        Raises:
            ConfigError: Unknown ``weights``.
            GalleryError: Vectors that cannot be used.
        """
        way = self.way(weights)
        if way == MEAN:
            return vote_of_means(self.distances_to_means(vectors))
        scores = self.tally(distances, indices, way)
        return scores, decide(scores, distances, self._labels_at(indices))

    def answers_outside(
        self,
        vectors: Vectors,
        own: NDArray[np.int64],
        groups: NDArray[np.int64],
        n_neighbors: int,
        weights: Optional[str] = None,
        progress: Optional[Progress] = None,
    ) -> Tuple[Vectors, NDArray[np.int64], NDArray[np.int64]]:
        """What references say of vectors, those of a vector's own group left out.

        Args:
            vectors: float32 (B, D).
            own: As of :func:`galleries.left_out.nearest_outside`, like ``groups``, ``n_neighbors`` and ``progress``.
            groups: int64 (N,).
            n_neighbors: k.
            weights: As of :meth:`answers`.
            progress: Called with (done, total).

        Returns:
            Distances float32 (B, k) and indices int64 (B, k) of the nearest, as ``nearest_outside`` gives them, and the
            winners int64 (B,), -1 where nothing is left.

        Raises:
            ConfigError: Unknown ``weights``, or less than one neighbour.
        """
        way = self.way(weights)
        distances, found = nearest_outside(self.kneighbors, vectors, own, groups, n_neighbors, progress)
        if way != MEAN:
            return distances, found, self.winners(distances, found, way)
        return distances, found, vote_of_means(self.distances_to_means(vectors, own=own, groups=groups))[1]

    def calibration_of(self, weights: Optional[str] = None) -> Optional[Calibration]:
        """The calibration of a vote, None for the gallery's own; or None.

        Raises:
            ConfigError: Unknown ``weights``.
        """
        return self.calibrations.get(voters_of(self.way(weights)))

    def way(self, weights: Optional[str]) -> str:
        """How to vote: as asked for, or by None as the gallery does.

        Raises:
            ConfigError: It is none of :data:`galleries.voting.WAYS`.
        """
        return self.weights if weights is None else check_way(weights)

    def distances_to_means(
        self,
        vectors: Vectors,
        *,
        own: Optional[NDArray[np.int64]] = None,
        groups: Optional[NDArray[np.int64]] = None,
        emphasis: Optional[Mapping[str, float]] = None,
    ) -> NDArray[np.float64]:
        """How far each vector is from the mean of each emotion's references, in the gallery's metric.

        Args:
            vectors: float32 (B, D).
            own: int64 (B,), the group of references that each leaves out, as :func:`nearest_outside`; None for none.
            groups: int64 (N,), the group of each reference; needed exactly where ``own`` is given.
            emphasis: Instead of the gallery's own; ``{}`` for distances as they are.

        Returns:
            float64 (B, C), columns in the order of ``emotions``; to the mean's direction under cosine, divided by the
            factor of an emphasised emotion; infinite where no reference is left.

        Raises:
            GalleryError: Vectors that cannot be used.
        """
        self._check_vectors(vectors, None)
        if self._means is None:
            self._means = self._index.class_means(self.labels, self.shares, len(self.emotions))
        ready = usable(vectors, self.metric, self._index.dim)
        factors = self._factors(self.emphasis if emphasis is None else emphasis).astype(np.float64)
        if own is None or groups is None:
            return self._means.distances(ready) / factors
        return self._means.distances_outside(ready, own, self.vectors, self.labels, self.shares, groups) / factors

    def _labels_at(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        labels: NDArray[np.int64] = np.where(indices < 0, -1, self.labels[indices])
        return labels

    def part(self, places: NDArray[np.int64]) -> VectorIndex:
        """A flat index of the references at these indices, int64 (M,), M ≥ 1; its numbers are 0 … M - 1."""
        return self._index.part(places)

    def _factors(self, emphasis: Mapping[str, float]) -> NDArray[np.float32]:
        """How many times nearer the references of each emotion count: float32 (C,)."""
        return np.array([emphasis.get(name, 1.0) for name in self.emotions], np.float32)

    def _nearer(self, factors: NDArray[np.float32]) -> Nearer:
        """The references of all emotions with a factor above 1; kept, as they are mostly the gallery's own."""
        places = np.flatnonzero(factors[self.labels] > 1)
        if self._emphasised is None or not np.array_equal(self._emphasised.places, places):
            self._emphasised = Nearer(self._index.part(places), places, len(self))
        return self._emphasised

    def _as_they_are(self, distances: Vectors, indices: NDArray[np.int64]) -> Vectors:
        """Distances (B, k) of :meth:`kneighbors` without the gallery's emphasis."""
        if not self.emphasis:
            return distances
        plain: Vectors = distances * self._factors(self.emphasis)[self.labels[indices]]
        return plain

    def own_references(self, subject: str) -> Nearer:
        """The references of a person.

        Raises:
            GalleryError: There is none.
        """
        if subject not in self._by_person:
            places = self.references.places_of(subject)
            if not len(places):
                people = self.references.people()
                shown = ", ".join(people[:8]) + (" …" if len(people) > 8 else "")
                raise GalleryError(
                    f"The gallery holds no reference of {subject!r}, but of {shown or 'nobody that is named'}; add "
                    "some with: emotions gallery add --subject."
                )
            self._by_person[subject] = Nearer(self._index.part(places), places, len(self))
        return self._by_person[subject]

    def mean_distances(self, vectors: Vectors, nearest: int) -> NDArray[np.float64]:
        """Mean distance of each vector to the nearest references of each emotion.

        Args:
            vectors: float32 (B, D).
            nearest: References of an emotion that count; all of one that has fewer.

        Returns:
            float64 (B, C), columns in the order of ``emotions``. Exact for every index.

        Raises:
            GalleryError: Vectors that cannot be used.
        """
        self._check_vectors(vectors, None)
        if self._by_emotion is None:
            self._by_emotion = self._index.by_emotion(self.labels)
        return self._by_emotion.mean_distances(usable(vectors, self.metric, self._index.dim), nearest)
