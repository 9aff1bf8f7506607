"""A gallery: a collection of known faces that answers whom a new vector is like.

Vocabulary as in scikit-learn: ``n_neighbors``, ``kneighbors(X) → (distances, indices)``, ``weights``, ``predict``,
``predict_proba``. Indices are places in ``references``; see :mod:`galleries.collection` for numbers.
"""

from __future__ import annotations

from typing import List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.calibration import decisions
from galleries.class_means import vote_of_means
from galleries.errors import GalleryError
from galleries.evidence import Neighbour, PersonalVote, Prediction, Reference
from galleries.felt import nearest_felt
from galleries.personal import PERSONAL_WEIGHT, check_weight
from galleries.searchable import DEFAULT_NEIGHBORS, SearchableCollection
from galleries.vectors import Vectors, check_k, usable
from galleries.voting import MEAN, vote, vote_alone

Votes = Tuple[NDArray[np.float64], NDArray[np.int64]]
"""Each emotion's share, float64 (B, C), and the winners, int64 (B,)."""

__all__ = ["DEFAULT_NEIGHBORS", "Gallery", "Neighbour", "Prediction", "Reference"]


class Gallery(SearchableCollection):
    """Reference faces as vectors, searchable.

    Make one with ``Gallery.build`` or ``Gallery.load``; ``len(gallery)`` is the number of references. What it holds
    (``references``, ``emotions``, ``labels``, ``tower`` …) stands in :class:`galleries.collection.Collection`, how it
    is changed in :class:`galleries.changing.ChangingCollection`, how it is kept in
    :class:`galleries.saved.SavedCollection`, how it is searched in :class:`galleries.searchable.SearchableCollection`.
    """

    def predict_proba(
        self,
        vectors: Vectors,
        n_neighbors: int = DEFAULT_NEIGHBORS,
        weights: Optional[str] = None,
        *,
        fingerprint: Optional[str] = None,
        subject: Optional[str] = None,
        personal_weight: float = PERSONAL_WEIGHT,
    ) -> NDArray[np.float64]:
        """Each emotion's share of the vote.

        Args:
            vectors: float32 (B, D).
            n_neighbors: How many vote; all references do so by ``"mean"``.
            weights: ``"distance"`` or ``"majority"``, as :func:`galleries.voting.vote`, or ``"mean"``, as
                :mod:`galleries.class_means`; None for the gallery's own.
            fingerprint: The tower the vectors come from, to be checked.
            subject: The person all vectors show; the person's own references count as nearer, as in
                :mod:`galleries.personal`. None prefers nobody.
            personal_weight: How many times nearer, from 1.

        Returns:
            float64 (B, C), columns in the order of ``emotions``; rows sum to 1.

        Raises:
            GalleryError: As :meth:`kneighbors`; a person of whom there is no reference, or a weight below 1.
            ConfigError: Unknown ``weights``.
        """
        return self._vote(vectors, n_neighbors, weights, fingerprint, subject, personal_weight)[0]

    def predict(
        self,
        vectors: Vectors,
        n_neighbors: int = DEFAULT_NEIGHBORS,
        weights: Optional[str] = None,
        *,
        fingerprint: Optional[str] = None,
        subject: Optional[str] = None,
        personal_weight: float = PERSONAL_WEIGHT,
    ) -> List[str]:
        """The emotion of each vector; arguments and errors as :meth:`predict_proba`, ties as in ``voting.decide``."""
        winners = self._vote(vectors, n_neighbors, weights, fingerprint, subject, personal_weight)[1]
        return [self.emotions[winner] for winner in winners]

    def _vote(
        self,
        vectors: Vectors,
        n_neighbors: int,
        weights: Optional[str],
        fingerprint: Optional[str],
        subject: Optional[str],
        personal_weight: float,
    ) -> Votes:
        if self.way(weights) == MEAN:
            check_k(n_neighbors, len(self))  # as every other vote, though none of them is asked
            self._check_vectors(vectors, fingerprint)
            return vote_of_means(self._felt_means(vectors, subject, personal_weight)[0])
        felt, _, indices = self._voters(vectors, n_neighbors, fingerprint, subject, personal_weight)
        return self.answers(vectors, felt, indices, weights)

    def classify(
        self,
        vectors: Vectors,
        n_neighbors: int = DEFAULT_NEIGHBORS,
        weights: Optional[str] = None,
        *,
        fingerprint: Optional[str] = None,
        subject: Optional[str] = None,
        personal_weight: float = PERSONAL_WEIGHT,
    ) -> List[Prediction]:
        """The emotion of each vector with its evidence; arguments and errors as :meth:`predict_proba`."""
        self._check_vectors(vectors, fingerprint)
        way = self.way(weights)
        if subject is None and len(vectors) == 1 and not self.emphasis and way != MEAN:
            check_weight(personal_weight)
            near, places = self._index.nearest_to(vectors, n_neighbors)
            found = [self._prediction(near, near, places, way)]
            return self._decided(vectors, found, way, n_neighbors)
        felt, distances, indices = self._voters(vectors, n_neighbors, fingerprint, subject, personal_weight)
        if subject is None:
            return self.explain(vectors, felt, indices, way)
        if way == MEAN:
            far, own = self._felt_means(vectors, subject, personal_weight)
            votes = vote_of_means(far)
            shares = (votes[0] * own).sum(axis=1)
        else:
            votes = self.answers(vectors, felt, indices, way)
            own = np.isin(indices, self.own_references(subject).places)  # (B, k)
            shares = vote(felt, own.astype(np.int64), 2, way)[:, 1]
        found = self._decided(vectors, self._predictions(votes, distances, indices, way), way)
        usual = self.predict(vectors, n_neighbors, way)
        for said, is_own, share, plain in zip(found, own, shares.tolist(), usual):
            outvoted = None if plain == said.emotion else plain
            said.personal = PersonalVote(subject, personal_weight, int(is_own.sum()), share, outvoted)
        return found

    def explain(
        self, vectors: Vectors, distances: Vectors, indices: NDArray[np.int64], weights: Optional[str] = None
    ) -> List[Prediction]:
        """Let neighbours that were found vote, and say who they are: the second half of :meth:`classify`.

        Args:
            vectors: float32 (B, D), whose neighbours they are.
            distances: float32 (B, k) of :meth:`kneighbors`.
            indices: int64 (B, k) of :meth:`kneighbors`.
            weights: As for :meth:`predict_proba`.

        Raises:
            ConfigError: Unknown ``weights``.
        """
        way, plain = self.way(weights), self._as_they_are(distances, indices)
        if len(vectors) == 1 and way != MEAN:
            found = [self._prediction(distances[0].tolist(), plain[0].tolist(), indices[0].tolist(), way)]
        else:
            found = self._predictions(self.answers(vectors, distances, indices, way), plain, indices, way)
        return self._decided(vectors, found, way, indices.shape[1])

    def _decided(
        self, vectors: Vectors, found: List[Prediction], weights: str, n_neighbors: int = 0
    ) -> List[Prediction]:
        """Predictions of these vectors, each with the calibration's decision if there is one.

        A vote of ``n_neighbors`` that prefers nobody (0 for another one) is not taken again if it was calibrated.
        """
        calibration = self.calibration_of(weights)
        if calibration is not None:
            n_voting, calibrated = calibration.vote_of(len(self))
            is_that_vote = n_neighbors > 0 and calibrated == weights and (weights == MEAN or n_voting == n_neighbors)
            shares = np.array([list(said.scores.values()) for said in found]) if is_that_vote and found else None
            for said, decision in zip(found, decisions(self, vectors, shares, weights)):
                said.decision = decision
        return found

    def _predictions(self, votes: Votes, distances: Vectors, indices: NDArray[np.int64], way: str) -> List[Prediction]:
        """What was voted with the neighbours as they are: distances float32 and indices int64 (B, k)."""
        scores, winners = votes
        return [
            Prediction(
                self.emotions[winner],
                row[winner],
                dict(zip(self.emotions, row)),
                self._neighbours(far, those),
                weights=way,
            )
            for winner, row, far, those in zip(winners.tolist(), scores.tolist(), distances.tolist(), indices.tolist())
        ]

    def _prediction(self, felt: List[float], distances: List[float], indices: List[int], weights: str) -> Prediction:
        """The neighbours' vote on one vector by ``felt`` distances, quickly."""
        labels = [self.labels.item(index) for index in indices]
        shares = None if self.shares is None else self.shares[indices].tolist()
        row, winner = vote_alone(felt, labels, len(self.emotions), weights, shares)
        near = self._neighbours(distances, indices)
        return Prediction(self.emotions[winner], row[winner], dict(zip(self.emotions, row)), near, weights=weights)

    def _voters(
        self, vectors: Vectors, n_neighbors: int, fingerprint: Optional[str], subject: Optional[str], weight: float
    ) -> Tuple[Vectors, Vectors, NDArray[np.int64]]:
        """Who votes: distances as they count in the vote, the distances themselves, and indices, (B, k) each."""
        check_weight(weight)
        if subject is None:
            distances, indices = self.kneighbors(vectors, n_neighbors, fingerprint=fingerprint)
            return distances, self._as_they_are(distances, indices), indices
        self._check_vectors(vectors, fingerprint)
        check_k(n_neighbors, len(self))
        own = self.own_references(subject)
        factors = self._factors(self.emphasis)[self.labels[own.places]] * np.float32(weight)
        felt, distances, indices = nearest_felt(self.kneighbors, own, vectors, n_neighbors, factors)
        is_own = np.isin(indices, own.places)
        return felt, np.where(is_own, distances, self._as_they_are(distances, indices)), indices

    def _felt_means(
        self, vectors: Vectors, subject: Optional[str], weight: float
    ) -> Tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Distances to the emotions' means as they count in the vote, float64 (B, C), and which are to a person's own.

        Of an emotion that the person's own references show their mean counts too, as nearer by the weight.
        """
        check_weight(weight)
        far = self.distances_to_means(vectors)
        if subject is None:
            return far, np.zeros(far.shape, bool)
        places = self.own_references(subject).places
        shares = None if self.shares is None else self.shares[places]
        means = self._index.part(places).class_means(self.labels[places], shares, len(self.emotions))
        own = means.distances(usable(vectors, self.metric, self._index.dim))
        own /= self._factors(self.emphasis) * weight
        return np.minimum(far, own), own < far

    def similar(self, anchor: Vectors, threshold: float, *, fingerprint: Optional[str] = None) -> List[Neighbour]:
        """Every reference that is like the anchor: the papers' similarity mode.

        Args:
            anchor: float32 (D,).
            threshold: Greatest distance, 0 or more, in the gallery's metric.
            fingerprint: The tower the anchor comes from, to be checked.

        Returns:
            All references with distance ≤ threshold, nearest first; possibly none. Exact for every index.

        Raises:
            GalleryError: An anchor that cannot be used, or a threshold that is no number from 0.
            EncoderMismatch: An anchor of another tower.
        """
        if not threshold >= 0:
            raise GalleryError(f"A similarity threshold of {threshold!r} was given; give a distance of 0 or more.")
        anchor = np.asarray(anchor)
        if anchor.ndim != 1:
            raise GalleryError(f"An anchor of shape {anchor.shape} was given; one vector of shape (D,) was expected.")
        self._check_vectors(anchor[None], fingerprint)
        distances, indices = self._index.within(anchor, threshold)
        return self._neighbours(distances.tolist(), indices.tolist())

    def _neighbours(self, distances: List[float], indices: List[int]) -> List[Neighbour]:
        found, numbers, origin, label = [], self._index.numbers, self.references.origin, self.labels.item
        is_counting = numbers.item(0) == 0 and numbers.item(-1) == len(numbers) - 1  # 0, 1, 2 …, as they ascend
        for rank, (distance, index) in enumerate(zip(distances, indices), start=1):
            number = index if is_counting else numbers.item(index)
            found.append(Neighbour(rank, self.emotions[label(index)], distance, number, *origin(index)))
        return found
