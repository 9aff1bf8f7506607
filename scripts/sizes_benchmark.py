"""``emotions benchmark sizes``: very many vectors: building, memory, asking, recall, beside bare FAISS."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Optional

import typer

from emotions_cli import console
from galleries.errors import ConfigError


def sizes(
    gallery: Path = typer.Argument(..., help="A gallery's folder or a bundle; its vectors are repeated with noise."),
    size: int = typer.Option(20_000, help="Vectors in each gallery that is built; 1000000 may take an hour."),
    indexes: str = typer.Option("flat,ivf,hnsw,ivfpq", help="Indexes to build; flat is exact."),
    seconds: float = typer.Option(2.0, help="For each comparison of speed."),
    scratch: Optional[Path] = typer.Option(
        None, help="Folder on a disk for what is built meanwhile. [default: beside the gallery]"
    ),
    seed: int = typer.Option(0, help="Of the noise."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Galleries of very many vectors: seconds to build, peak memory, queries a second, recall@5.

    Each index is built by plain FAISS and as a gallery, block by block, and then asked, each in a process of its own.
    Ratios to plain FAISS with the same parameters stand in brackets; in asking the two take turns.
    """
    from eval.large_galleries import tables, time_large
    from galleries.bundle import open_gallery
    from galleries.errors import unknown_name
    from galleries.kinds import KINDS

    kinds = [name.strip() for name in indexes.split(",") if name.strip()]
    for name in kinds:
        if name not in KINDS:
            raise unknown_name("index", name, KINDS)
    if not kinds or not 0.01 <= seconds <= 600:
        raise ConfigError(f"--indexes {indexes!r} and --seconds {seconds!r} were given; give names and 0.01 to 600.")
    held = open_gallery(gallery)
    place = scratch or gallery.absolute().parent
    if not place.is_dir():
        raise ConfigError(f"--scratch {place} is no folder; give one on a disk with room.")
    with tempfile.TemporaryDirectory(prefix=".emotions-sizes-", dir=place) as name, console.bar("building") as progress:
        measured = time_large(held.vectors, held.metric, size, kinds, Path(name), seconds, seed, progress)
    facts = {"gallery": str(gallery), "metric": held.metric, "size": size, "dim": held.tower.embedding_dim}
    if json:
        console.print_json({**facts, "seed": seed, "indexes": [one.to_json() for one in measured]})
        return
    console.out.print(
        f"{size:,} vectors x {held.tower.embedding_dim} ({held.metric}); in brackets the ratio to plain FAISS with the "
        "same parameters.",
        markup=False,
    )
    for table in tables(measured):
        console.table(table.title, table.columns, table.rows)
        console.out.print(table.note, markup=False)
