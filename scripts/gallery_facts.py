"""What a gallery holds, told at the terminal, as every command that makes or changes one does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

from emotions_cli import console

if TYPE_CHECKING:
    from galleries.gallery import Gallery

POOR = 0.9
"""Recall of an approximate index below which a person is told to take another."""


def tell(held: Gallery, folder: Path, json: bool, news: Optional[str] = None) -> None:
    """Print a gallery's size, emotions, tower and people, or the same as JSON.

    Args:
        held: The gallery.
        folder: Where it lies.
        json: Whether JSON is wanted.
        news: A sentence to print after it; left out of the JSON.
    """
    facts = held.info()
    if json:
        console.print_json({"path": str(folder), **facts})
        return
    tower = facts["tower"]
    title = f"{folder}: {facts['size']} references, {facts['metric']}, {facts['index']} index"
    console.table(title, ["emotion", "references"], [[name, count] for name, count in facts["counts"].items()])
    carried = "carried along" if facts["carries_tower"] else "not carried along"
    people = f"{facts['subjects']} people known" if facts["subjects"] else "people unknown"
    console.out.print(f"tower {tower['name']} ({tower['fingerprint']}, {carried}), {people}.", markup=False)
    if held.references.divided:
        told = f"{held.references.divided} references vote as their annotators did, not for one emotion alone."
        console.out.print(told, markup=False)
    if held.typical:
        console.out.print("Most references are the most typical ones of a larger gallery.", markup=False)
    if "weights" in facts:
        console.out.print(f"It votes by {held.weights} (emotions gallery vote --help).", markup=False)
    for emotion, factor in held.emphasis.items():
        console.out.print(f"{emotion} counts as {factor:g} times nearer than it is.", markup=False)
    if held.recall is not None:
        console.out.print(held.recall.sentence(), markup=False)
    if held.recall is not None and held.recall.share < POOR:
        console.warn(f"the {facts['index']} index misses many of the nearest; build with --index flat or hnsw.")
    if news is not None:
        console.out.print(news, markup=False)


def warn_uncalibrated(held: Gallery, folder: Path) -> None:
    """Warn of a gallery that is calibrated for another vote than its own."""
    if held.calibrations and held.calibration is None:
        console.warn(
            f"{folder} is calibrated for another vote, so it says neither unknown nor how probably it is right; fit "
            "this one with: emotions gallery calibrate"
        )
