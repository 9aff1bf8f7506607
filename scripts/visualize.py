"""``emotions visualize``: a gallery as a map to look at, its faces at the pointer. Needs no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import typer

from emotions_cli import console
from emotions_cli.run_around import run_around
from galleries.errors import ConfigError, DataError, require, unknown_name

if TYPE_CHECKING:
    from eval.face_map import FaceMap
    from eval.map_points import Queries
    from galleries.gallery import Gallery

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

PARTS = ("test", "val", "train", "all")
COLOURS = {"emotion": "emotion", "subject": "subject", "dataset": "dataset", "correctness": "verdict"}
"""What a person types to colour a map, and what the page calls it."""


@app.command(epilog="Example:  emotions visualize runs/first/gallery --split test --out map.html")
def visualize(
    gallery: Path = typer.Argument(..., help="The gallery's folder, such as runs/first/gallery."),
    out: Path = typer.Option(Path("map.html"), help="The page to write."),
    queries: Optional[str] = typer.Option(None, help="Data set laid over the references. [default: none]"),
    split: Optional[str] = typer.Option(
        None, help="Its part: test, val, train or all; without --queries, of the run's own data. [default: test]"
    ),
    split_by: Optional[str] = typer.Option(None, help="How it is split, as for emotions evaluate."),
    method: str = typer.Option("umap", help="How the map is made: umap, pca or tsne."),
    dimensions: int = typer.Option(2, help="2 or 3."),
    color: str = typer.Option("emotion", help="emotion, subject, dataset or correctness; the page has buttons for it."),
    neighbors: Optional[int] = typer.Option(
        None, "--neighbors", "-k", help="How many vote. [default: the run's, or 5]"
    ),
    weights: str = typer.Option("distance", help="How they are weighed: distance or majority."),
    sample: int = typer.Option(50_000, help="Faces drawn at most, of the references and of the queries."),
    faces: bool = typer.Option(True, "--faces/--no-faces", help="Whether the page holds the faces themselves."),
    seed: int = typer.Option(0, help="Of everything random."),
    tower: Optional[Path] = typer.Option(None, help="The tower, if the gallery does not carry it; for --queries."),
    format: Optional[str] = typer.Option(None, help="Force the queries' layout (see emotions data --help)."),
    png: Optional[Path] = typer.Option(None, help="Write the map as a PNG picture too (needs kaleido)."),
    svg: Optional[Path] = typer.Option(None, help="Write the map as an SVG picture too (needs kaleido)."),
    language: str = typer.Option("en", help="Of the page: en or es."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Draw a gallery as a map: faces that its tower finds alike lie together.

    One page that loads nothing from elsewhere, with buttons to colour it, to single out misclassified and isolated
    faces, and the face under the pointer. How well the emotions part is measured in the embedding and stands above it.
    """
    from emotions_cli.picture_file import check_drawable, save_picture
    from eval.language import Words
    from eval.map_page import heading, map_notes, map_page, printed_map
    from galleries.atomic import write_text

    words = Words(language)
    if color not in COLOURS:
        raise unknown_name("way to colour a map", color, COLOURS)
    if split is not None and split not in PARTS:
        raise ConfigError(f"{split!r} is no part of a split; choose one of: {', '.join(PARTS)}.")
    require("plotly", "eval")
    require("sklearn", "eval")
    check_drawable(png, svg)
    asked = {"data": queries, "part": split, "split_by": split_by, "format": format, "seed": seed, "sample": sample}
    chosen = {"method": method, "dimensions": dimensions, "seed": seed, "sample": sample, "weights": weights}
    drawn = _draw(gallery, tower, asked, neighbors, chosen)
    with console.bar("writing the page"):
        write_text(out, map_page(drawn, words, COLOURS[color], faces))
    pictures = [path for path in (png, svg) if path is not None]
    for path in pictures:
        with console.bar(f"drawing {path.name}"):
            save_picture(printed_map(drawn, words, COLOURS[color]), path)
    if json:
        places = {"gallery": str(gallery), "page": str(out), "pictures": [str(path) for path in pictures]}
        console.print_json({**places, **drawn.to_json()})
        return
    console.out.print(heading(drawn, words), markup=False)
    for note in map_notes(drawn, words, faces):
        console.say(note)
    console.out.print(f"Open the map: {out}", markup=False)


def _draw(
    path: Path, tower: Optional[Path], asked: Dict[str, Any], neighbors: Optional[int], chosen: Dict[str, Any]
) -> FaceMap:
    """Read what is asked for and make the map, telling how far it is."""
    from eval.face_map import make_map
    from galleries.gallery import DEFAULT_NEIGHBORS, Gallery

    laid = None
    if asked["data"] is None and asked["part"] is None:
        run = run_around(path)
        held, k = Gallery.load(path), DEFAULT_NEIGHBORS if run is None else run.n_neighbors
    else:
        held, k, laid = _queries(path, tower, asked)
    with console.bar(f"finding neighbours, then {chosen['method']}") as progress:
        return make_map(
            held,
            n_neighbors=k if neighbors is None else neighbors,
            datasets=_datasets(path, held),
            queries=laid,
            progress=progress,
            **chosen,
        )


def _queries(path: Path, tower: Optional[Path], asked: Dict[str, Any]) -> tuple[Gallery, int, Queries]:
    """The gallery, its k, and the faces to be laid over it."""
    import numpy as np

    from emotions_cli.evaluation import open_test
    from eval.map_points import Queries, choose_rows
    from siamese.enrolling import THUMBNAIL, encode_rows

    options = {"data": asked["data"], "split_by": asked["split_by"], "format": asked["format"], "seed": asked["seed"]}
    test = open_test(path, tower, {**options, "ratios": "70/15/15", "emotions": None, "ferplus": None})
    rows = test.parts[asked["part"] or "test"]
    if not len(rows):
        raise DataError(f"The part asked for holds no picture of {test.dataset.name}; choose another --split.")
    rows = rows[choose_rows(len(rows), asked["sample"], asked["seed"])]
    with console.bar("encoding faces") as progress:
        vectors = encode_rows(test.dataset, rows, test.encoder, progress)
    dataset, subjects = test.dataset, test.dataset.subjects
    return (
        test.gallery,
        test.n_neighbors,
        Queries(
            vectors,
            tuple(dataset.emotions[int(label)] for label in dataset.labels[rows]),
            tuple(dataset.ids[int(row)] for row in rows),
            (None,) * len(rows) if subjects is None else tuple(subjects[int(row)] for row in rows),
            f"{dataset.name}, {asked['part'] or 'test'}",
            np.ascontiguousarray(dataset.batch(rows, THUMBNAIL)[:, 0]),  # (Q, 1, h, w) -> (Q, h, w)
        ),
    )


def _datasets(path: Path, gallery: Gallery) -> Optional[List[str]]:
    """Where each reference comes from, as far as the run that the gallery lies in tells."""
    try:
        name, trained = _read(path.parent / "card.json")["data"]["name"], _read(path.parent / "split.json")["train"]
        known = set(trained)
        return [f"{name}, train" if entry.source in known else "added later" for entry in gallery.references]
    except (KeyError, TypeError):
        return None


def _read(path: Path) -> Dict[str, Any]:
    """A JSON file's content; nothing if it cannot be read."""
    import json

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["visualize", *sys.argv[1:]])
