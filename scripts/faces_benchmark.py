"""``emotions benchmark faces``: towers beside each other, one face at a time. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

import typer

from emotions_cli import console
from galleries.errors import ConfigError


def faces(
    bundles: List[Path] = typer.Argument(
        ..., help="Bundles, runs' galleries, or 'pretrained'; the others are compared with the first."
    ),
    neighbors: Optional[int] = typer.Option(None, "--neighbors", "-k", help="How many references vote. [default: 5]"),
    provider: Optional[str] = typer.Option(None, help="cpu, cuda or tensorrt. [default: the best there is]"),
    threads: int = typer.Option(1, min=1, help="CPU threads of the towers and the search."),
    seconds: float = typer.Option(10.0, help="For all of it."),
    rounds: int = typer.Option(15, min=1, help="Measurements of each."),
    seed: int = typer.Option(0, min=0, help="Of the pictures, which are noise."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """What one face costs with one tower and another: prepared pixels to its vote with evidence, all in turns."""
    import faiss

    from emotions_cli.opening import open_recognizer
    from eval.face_speed import time_faces

    if not 0.01 <= seconds <= 600:
        raise ConfigError(f"--seconds is {seconds!r}; give 0.01 to 600.")
    recognizers = [
        open_recognizer(bundle, None, None, n_neighbors=neighbors, provider=provider, threads=threads)
        for bundle in bundles
    ]
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        found = time_faces(recognizers, seconds, rounds, seed)
    finally:
        faiss.omp_set_num_threads(before)
    if json:
        told = [{"bundle": str(bundle), **speed.to_json()} for bundle, speed in zip(bundles, found)]
        console.print_json({"threads": threads, "rounds": rounds, "towers": told})
        return
    rows = [
        [
            str(bundle),
            f"{speed.tower}, {speed.precision}",
            speed.pixels,
            f"{speed.megabytes:.2f}",
            f"{speed.references:,}",
            f"{speed.network:.3f}",
            f"{speed.answer:.3f}",
            f"{speed.ratio:.2f} ({speed.ratios[0]:.2f}-{speed.ratios[1]:.2f})",
        ]
        for bundle, speed in zip(bundles, found)
    ]
    console.table(
        f"one face, prepared pixels to its vote with evidence, CPU threads: {threads}",
        ["", "tower", "input", "MB", "references", "network ms", "answer ms", "ratio (rounds)"],
        rows,
    )
