"""Rare emotions of a gallery heard at the terminal: what ``emotions gallery add`` and ``emphasise`` do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, List, Optional

from emotions_cli import console
from galleries.errors import GalleryError
from galleries.voting import MEAN

if TYPE_CHECKING:
    from galleries.emphasis import Emphasis
    from galleries.gallery import Gallery


WORSE = 0.01
"""By how much means may be less right of the references of other emotions, each as heavy, and still come to vote."""


def let_means_vote(held: Gallery, added: Iterable[str], before: Iterable[str], k: int) -> bool:
    """Let the means of emotions vote where one of few references was added that no neighbours would name.

    So each emotion has one voice. It is done only where means are about as right as its own vote of the gallery's own
    references of other emotions (:mod:`galleries.vote_trial`).

    Args:
        held: The gallery, changed if so.
        added: Emotions of the references that were added.
        before: Emotions that the gallery held before.
        k: How many vote.

    Returns:
        Whether means vote from here on.
    """
    from galleries.emphasis import is_rare
    from galleries.vote_trial import try_votes

    new, others = set(added) - set(before), set(before)
    if held.emphasis or not any(is_rare(held, emotion) for emotion in new):
        return False
    try:
        found = try_votes(held, k)
    except GalleryError:  # there is nothing to try them on
        return False
    known = {way: [share for name, share in found.recalls[way].items() if name in others] for way in found.recalls}
    if not known[MEAN] or sum(known[held.weights]) - sum(known[MEAN]) > WORSE * len(known[MEAN]):
        return False
    held.vote_by(MEAN)
    return True


def emphasise_rare(
    held: Gallery, added: Iterable[str], before: Iterable[str], k: int, taken: Optional[float]
) -> List[Emphasis]:
    """Let emotions that references were added to be heard: new ones that are rare, and those emphasised already.

    Args:
        held: The gallery, changed.
        added: Emotions of the references that were added.
        before: Emotions that the gallery held before.
        k: How many vote.
        taken: Share of the others' references that each may take; 0 leaves all as they are, None takes the usual.
    """
    from galleries.emphasis import fit_emphasis, is_rare

    found = []
    known = set(before)
    for emotion in [] if taken == 0 else sorted(set(added)):
        if emotion in held.emphasis or (emotion not in known and is_rare(held, emotion)):
            fitted = fit_emphasis(held, emotion, k, taken)
            if fitted.factor != held.emphasis.get(emotion, 1.0):
                held.emphasise(emotion, fitted.factor)
            found.append(fitted)
    return found


def told(fitted: Emphasis) -> str:
    """A fit in words."""
    if fitted.factor == 1:
        return (
            f"{fitted.emotion} counts as it is: {console.percent(fitted.taken)} of {fitted.asked} references of other "
            "emotions go over to it already."
        )
    return (
        f"{fitted.emotion} has few references, so they count as {fitted.factor:g} times nearer: then "
        f"{console.percent(fitted.taken)} of {fitted.asked} references of other emotions would be called "
        f"{fitted.emotion}."
    )
