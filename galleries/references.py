"""What is known of many reference faces, as columns: a tenth of the memory of as many objects."""

from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union, overload

import numpy as np
from numpy.typing import NDArray

from galleries.errors import GalleryError
from galleries.evidence import Reference
from galleries.opinions import Opinions, Votes, checked_votes
from galleries.vocabulary import canonical

Codes = NDArray[np.int64]

Column = Optional[Sequence[Optional[str]]]
"""A text or None for each of many faces; None if it is known of none."""


class _Names:
    """A column of texts of which many are alike, or None: a code for each into a table."""

    def __init__(self, table: Tuple[Optional[str], ...], codes: NDArray[np.int32]) -> None:
        self.table, self.codes = table, codes

    @classmethod
    def of(cls, values: Iterable[Optional[str]]) -> _Names:
        seen: Dict[Optional[str], int] = {}
        codes = np.array([seen.setdefault(value, len(seen)) for value in values], np.int32)
        return cls(tuple(seen), codes)

    def values(self) -> List[Optional[str]]:
        return [self.table[code] for code in self.codes.tolist()]

    def at(self, position: int) -> Optional[str]:
        return self.table[0] if len(self.table) == 1 else self.table[self.codes.item(position)]

    def take(self, positions: Codes) -> _Names:
        return _Names(self.table, self.codes[positions])

    def joined(self, other: _Names) -> _Names:
        seen = {value: code for code, value in enumerate(self.table)}
        places = np.array([seen.setdefault(value, len(seen)) for value in other.table], np.int32)
        return _Names(tuple(seen), np.concatenate([self.codes, places[other.codes] if len(places) else other.codes]))


class _Texts:
    """A column of texts that differ: one run of UTF-8 bytes and where each ends."""

    def __init__(self, data: bytes, ends: Codes) -> None:
        self.data, self.ends = data, ends

    @classmethod
    def of(cls, values: Iterable[str]) -> _Texts:
        encoded = [value.encode("utf-8", "surrogatepass") for value in values]
        return cls(b"".join(encoded), np.cumsum([len(text) for text in encoded], dtype=np.int64))

    def values(self) -> List[str]:
        starts = [0, *self.ends.tolist()]
        return [self.data[a:b].decode("utf-8", "surrogatepass") for a, b in zip(starts, starts[1:])]

    def at(self, position: int) -> str:
        start = self.ends.item(position - 1) if position else 0
        return self.data[start : self.ends.item(position)].decode("utf-8", "surrogatepass")

    def take(self, positions: Codes) -> _Texts:
        if not len(positions):
            return _Texts(b"", np.zeros(0, np.int64))
        starts = np.concatenate([[0], self.ends[:-1]])
        breaks = np.flatnonzero(np.diff(positions) != 1) + 1  # runs of neighbours are copied together
        firsts, lasts = positions[np.r_[0, breaks]], positions[np.r_[breaks, len(positions)] - 1]
        runs = zip(starts[firsts].tolist(), self.ends[lasts].tolist())
        data = b"".join([self.data[start:stop] for start, stop in runs])
        return _Texts(data, np.cumsum((self.ends - starts)[positions]))

    def joined(self, other: _Texts) -> _Texts:
        return _Texts(self.data + other.data, np.concatenate([self.ends, other.ends + len(self.data)]))


class References(Sequence[Reference]):
    """References by position, never changed in place; each is made when asked for.

    Make one with :meth:`of`; ``joined``, ``take`` and ``relabelled`` give others. Each takes
    about 30 bytes beside its source.
    """

    def __init__(
        self, labels: _Names, sources: _Texts, subjects: _Names, sequences: _Names, opinions: Opinions
    ) -> None:
        self._labels, self._sources, self._subjects, self._sequences = labels, sources, subjects, sequences
        self._opinions = opinions

    @classmethod
    def of(cls, references: Iterable[Reference]) -> References:
        """The columns of references; columns already are given back as they are."""
        if isinstance(references, References):
            return references
        known = list(references)
        return cls(
            _Names.of(r.label for r in known),
            _Texts.of(r.source for r in known),
            _Names.of(r.subject for r in known),
            _Names.of(r.sequence for r in known),
            Opinions.of([r.votes for r in known]),
        )

    def __len__(self) -> int:
        return len(self._labels.codes)

    @overload
    def __getitem__(self, place: int) -> Reference: ...

    @overload
    def __getitem__(self, place: slice) -> Tuple[Reference, ...]: ...

    def __getitem__(self, place: Union[int, slice]) -> Union[Reference, Tuple[Reference, ...]]:
        if isinstance(place, slice):
            return tuple(self._at(position) for position in range(*place.indices(len(self))))
        position = range(len(self))[place]  # negative ones count from the end, others beyond it raise
        return self._at(position)

    def _at(self, position: int) -> Reference:
        return Reference(str(self._labels.at(position)), *self.origin(position))

    def origin(self, position: int) -> Tuple[str, Optional[str], Optional[str], Optional[Mapping[str, float]]]:
        """Source, subject, sequence and votes of the reference at a position, from 0."""
        votes = self._opinions.at(position)
        return self._sources.at(position), self._subjects.at(position), self._sequences.at(position), votes

    def __iter__(self) -> Iterator[Reference]:
        return (self._at(position) for position in range(len(self)))

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, (References, tuple, list)):
            return NotImplemented
        return len(self) == len(other) and all(own == theirs for own, theirs in zip(self, other))

    def __hash__(self) -> int:
        return hash((len(self), self._sources.data))

    def emotions(self) -> List[str]:
        """Each reference's emotion, N names."""
        return [str(name) for name in self._labels.values()]

    def sources(self) -> List[str]:
        """Where each reference comes from, N texts."""
        return self._sources.values()

    def subjects(self) -> List[Optional[str]]:
        """Who is on each reference, N names or None."""
        return self._subjects.values()

    def sequences(self) -> List[Optional[str]]:
        """Of which film or burst each reference is, N names or None."""
        return self._sequences.values()

    def labels(self) -> Tuple[Tuple[str, ...], Codes]:
        """The emotions that occur, in alphabetical order, and each reference's code into them, int64 (N,)."""
        present = np.unique(self._labels.codes)
        names = sorted(str(self._labels.table[code]) for code in present.tolist())
        places = np.zeros(len(self._labels.table) or 1, np.int64)
        for place, name in enumerate(names):
            places[self._labels.table.index(name)] = place
        return tuple(names), places[self._labels.codes]

    @property
    def divided(self) -> int:
        """How many do not vote for their emotion alone."""
        return self._opinions.count

    def votes(self) -> Optional[Votes]:
        """What each reference votes for, None where that is its emotion alone; None if it is so for all."""
        return self._opinions.each() if self.divided else None

    def shares(self, emotions: Sequence[str], labels: Codes) -> Optional[NDArray[np.float64]]:
        """As :meth:`votes`, as rows that sum to 1: float64 (N, C), columns in the order of C emotions.

        Args:
            emotions: Those that are voted for; what a reference gives to others goes to these in proportion.
            labels: int64 (N,), each reference's emotion among them, which it votes for where it gives these nothing.
        """
        return self._opinions.shares(emotions, labels) if self.divided else None

    def people(self) -> List[str]:
        """The people that are named, in alphabetical order."""
        table = self._subjects.table
        return sorted({str(table[c]) for c in np.unique(self._subjects.codes).tolist() if table[c] is not None})

    def places_of(self, subject: str) -> Codes:
        """Positions of a person's references, int64, ascending."""
        table = self._subjects.table
        code = table.index(subject) if subject in table else -1
        return np.flatnonzero(self._subjects.codes == code)

    def joined(self, more: Iterable[Reference]) -> References:
        """These references and more of them."""
        other = References.of(more)
        return References(
            self._labels.joined(other._labels),
            self._sources.joined(other._sources),
            self._subjects.joined(other._subjects),
            self._sequences.joined(other._sequences),
            self._opinions.joined(other._opinions),
        )

    def take(self, positions: Codes) -> References:
        """The references at these positions, int64 (M,)."""
        columns = self._labels, self._sources, self._subjects, self._sequences, self._opinions
        return References(*(column.take(positions) for column in columns))  # type: ignore[arg-type]

    def relabelled(self, positions: Codes, label: str) -> References:
        """The same references, but for those at these positions, (M,): they show another emotion, and vote for it."""
        labels = self._labels.joined(_Names.of([label]))
        codes = labels.codes[:-1].copy()
        codes[positions] = labels.codes[-1]
        opinions = self._opinions.without(positions)
        return References(_Names(labels.table, codes), self._sources, self._subjects, self._sequences, opinions)


def join(parts: Sequence[References]) -> References:
    """Several in a row, as one; pairwise, so that no column is copied often."""
    if not parts:
        return References.of(())
    level = list(parts)
    while len(level) > 1:
        level = [level[i].joined(level[i + 1]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]


def columns(
    size: int,
    first: int,
    emotions: Sequence[str],
    sources: Optional[Sequence[str]],
    subjects: Column,
    sequences: Column,
    votes: Optional[Votes] = None,
) -> List[Reference]:
    """References of columns, checked; arguments as in :meth:`galleries.collection.Collection.build`.

    Args:
        size: How many vectors there are.
        first: The first one's number, for those without a source.
        emotions: One for each, in any spelling.
        sources: One for each, or None.
        subjects: One for each, or None.
        sequences: One for each, or None.
        votes: Emotions to shares, or None, for each; or None.

    Raises:
        GalleryError: Columns that differ in length, or votes that are no shares.
        DataError: An emotion's name without a letter or digit.
    """
    given = {"emotions": emotions, "sources": sources, "subjects": subjects, "sequences": sequences, "votes": votes}
    for name, column in given.items():
        if column is not None and len(column) != size:
            raise GalleryError(f"{len(column)} {name} were given for {size} vectors; give one for each.")
    names = {name: canonical(name) for name in set(emotions)}
    none: Sequence[Optional[str]] = [None] * size
    where = sources if sources is not None else [f"reference:{number}" for number in range(first, first + size)]
    return [
        Reference(names[emotion], str(source), subject, sequence, None if cast == {names[emotion]: 1.0} else cast)
        for emotion, source, subject, sequence, cast in zip(
            emotions,
            where,
            none if subjects is None else subjects,
            none if sequences is None else sequences,
            checked_votes(votes, size),
        )
    ]
