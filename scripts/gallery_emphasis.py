"""Rare emotions of a gallery heard at the terminal: what ``emotions gallery add`` and ``emphasise`` both do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, List, Optional

from emotions_cli import console

if TYPE_CHECKING:
    from galleries.emphasis import Emphasis
    from galleries.gallery import Gallery


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
