"""Searching a gallery: the nearest references as they count in a vote, of one person, and of each emotion."""

from __future__ import annotations

from typing import Mapping, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError
from galleries.felt import Nearer, nearest_felt
from galleries.index import VectorIndex
from galleries.saved import SavedCollection
from galleries.vectors import Vectors, check_k, usable
from galleries.voting import decide, vote

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
