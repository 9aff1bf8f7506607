"""How a collection of reference faces is changed: references added, merged in, removed, called something else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from galleries.calibration import Calibration
from galleries.collection import Collection
from galleries.errors import GalleryError
from galleries.evidence import Reference
from galleries.layout import check_thumbnails
from galleries.log import Change
from galleries.opinions import Votes
from galleries.references import Column, columns
from galleries.vectors import Vectors
from galleries.vocabulary import canonical
from galleries.voting import check_way, voters_of


class ChangingCollection(Collection):
    """A :class:`Collection` that can be changed; a change that is refused changes nothing, each is told in the log."""

    def add(
        self,
        vectors: Vectors,
        emotions: Sequence[str],
        *,
        sources: Optional[Sequence[str]] = None,
        subjects: Column = None,
        sequences: Column = None,
        votes: Optional[Votes] = None,
        thumbnails: Optional[NDArray[np.uint8]] = None,
        fingerprint: Optional[str] = None,
    ) -> NDArray[np.int64]:
        """Add references; arguments as in :meth:`build`.

        Args:
            vectors: float32 (M, D).
            emotions: M names; new emotions may be among them.
            sources: M paths or row names.
            subjects: M people, or None.
            sequences: M films or bursts, or None.
            votes: For each of M emotions to shares, or None; or None.
            thumbnails: As large as those here; needed exactly if the gallery has thumbnails.
            fingerprint: The tower the vectors come from, to be checked.

        Returns:
            The new references' numbers, int64 (M,).

        Raises:
            GalleryError: As :meth:`build`; or thumbnails that do not fit.
            EncoderMismatch: Vectors of another tower.
        """
        self._check_vectors(vectors, fingerprint)
        added = columns(len(vectors), self._next_number, emotions, sources, subjects, sequences, votes)
        pictures = self._joined_thumbnails(thumbnails, len(vectors))
        numbers = np.arange(self._next_number, self._next_number + len(vectors), dtype=np.int64)
        self._index.add(vectors, numbers)
        self.thumbnails = pictures
        self._next_number += len(vectors)
        self._set_references(self.references.joined(added))
        people = sorted({reference.subject for reference in added if reference.subject is not None})
        self._changes.append(Change("add", _count(added), f"person {', '.join(people)}" if people else ""))
        return numbers

    def _joined_thumbnails(self, new: Optional[NDArray[np.uint8]], size: int) -> Optional[NDArray[np.uint8]]:
        if (new is None) != (self.thumbnails is None):
            advice = "give thumbnails for the new ones" if new is None else "this gallery keeps none, so leave them out"
            raise GalleryError(f"Either every reference of a gallery has a thumbnail or none; {advice}.")
        if new is None or self.thumbnails is None:
            return None
        if check_thumbnails(new, size).shape[1:] != self.thumbnails.shape[1:]:
            raise GalleryError(f"Thumbnails here are {self.thumbnails.shape[1:]} large; {new.shape[1:]} was given.")
        return np.concatenate([self.thumbnails, new])

    def merge(self, other: Collection) -> NDArray[np.int64]:
        """Add another gallery's references, but for those that stand here already: same source, emotion and vector.

        Args:
            other: A gallery of the same tower and metric. Its thumbnails are left out, or wanting ones refused, as in
                :meth:`add`.

        Returns:
            The new references' numbers, int64 (M,); they get new ones here.

        Raises:
            EncoderMismatch: It is of another tower.
            GalleryError: It has another metric, or only one of both has thumbnails.
        """
        self.check_encoder(other.tower)
        if other.metric != self.metric:
            raise GalleryError(f"Galleries of one metric can be merged; these are {self.metric} and {other.metric}.")
        here: Dict[Tuple[str, str], List[int]] = {}
        for position, known in enumerate(self.references):
            here.setdefault((known.source, known.label), []).append(position)
        mine, theirs = self.vectors, other.vectors
        fresh = []
        for position, known in enumerate(other.references):
            alike = mine[here.get((known.source, known.label), [])]  # (n, D)
            if not (np.abs(alike - theirs[position]).max(axis=1, initial=0.0) < 1e-6).any():
                fresh.append(position)
        if not fresh:
            return np.zeros(0, np.int64)
        pictures = None if other.thumbnails is None else other.thumbnails[fresh]
        added = [other.references[position] for position in fresh]
        numbers = self.add(
            theirs[fresh],
            [known.label for known in added],
            sources=[known.source for known in added],
            subjects=[known.subject for known in added],
            sequences=[known.sequence for known in added],
            votes=[known.votes for known in added],
            thumbnails=pictures,
        )
        self._changes[-1] = replace(self._changes[-1], action="merge")
        if 2 * len(fresh) > len(self):
            self.typical = other.typical
        return numbers

    def remove(self, numbers: Iterable[int]) -> None:
        """Remove references by number; the numbers of the others stay.

        Raises:
            GalleryError: A number that is not here, or nothing would be left.
        """
        positions = self._positions(numbers)
        if len(positions) == len(self):
            raise GalleryError("Removing every reference would leave an empty gallery; delete its folder instead.")
        kept = np.ones(len(self), bool)
        kept[positions] = False
        self._changes.append(Change("remove", _count([self.references[i] for i in positions])))
        self._index.remove(positions)
        if self.thumbnails is not None:
            self.thumbnails = self.thumbnails[kept]
        self._set_references(self.references.take(np.flatnonzero(kept)))

    def relabel(self, numbers: Iterable[int], emotion: str) -> None:
        """Give references another emotion.

        Raises:
            GalleryError: A number that is not here.
            DataError: A name without a letter or digit.
        """
        label = canonical(emotion)
        positions = self._positions(numbers)
        before = _count([self.references[position] for position in positions])
        told = ", ".join(f"{name} ({count})" for name, count in before.items())
        self._changes.append(Change("relabel", {label: len(positions)}, f"before: {told}"))
        self._set_references(self.references.relabelled(positions, label))

    def emphasise(self, emotion: str, factor: float) -> None:
        """Let an emotion's references count as nearer, as in :mod:`galleries.emphasis`.

        Args:
            emotion: Canonical name of one that is here.
            factor: How many times nearer, 1-100; 1 for the plain vote.

        Raises:
            GalleryError: An emotion that is not here, or a factor outside its range.
        """
        if emotion not in self.emotions:
            raise GalleryError(f"The gallery holds no {emotion}; it holds {', '.join(self.emotions)}.")
        self._set_emphasis({**self.emphasis, emotion: factor})
        count = int((self.labels == self.emotions.index(emotion)).sum())
        self._changes.append(Change("emphasise", {emotion: count}, f"{factor:g} times nearer"))

    def vote_by(self, weights: str) -> None:
        """Vote in another way from here on, unless told otherwise.

        Args:
            weights: One of :data:`galleries.voting.WAYS`. ``"mean"`` gives every emotion one voice, however few its
                references are (:mod:`galleries.class_means`).

        Raises:
            ConfigError: It is none of them.
        """
        self.weights = check_way(weights)
        self._changes.append(Change("vote", {}, f"by {weights}"))

    @property
    def calibration(self) -> Optional[Calibration]:
        """That of the gallery's own vote, or None."""
        return self.calibrations.get(voters_of(self.weights))

    def set_calibration(self, calibration: Calibration) -> None:
        """Keep a calibration with the gallery; answers by the vote that it is of then say what cannot be told.

        Raises:
            GalleryError: It knows an emotion that the gallery does not hold.
        """
        strangers = sorted(set(calibration.thresholds) - set(self.emotions))
        if strangers:
            raise GalleryError(f"The calibration knows {', '.join(strangers)}, which the gallery does not hold.")
        self.calibrations[voters_of(calibration.weights)] = calibration
        self._changes.append(Change("calibrate", {}, f"{calibration.faces} faces, error {calibration.error:g}"))


def _count(references: Iterable[Reference]) -> Dict[str, int]:
    """References by emotion, in alphabetical order."""
    return dict(sorted(Counter(reference.label for reference in references).items()))
