"""``emotions report``: a run as one page to send to a supervisor. Needs no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

import typer

from emotions_cli import console
from galleries.errors import ConfigError, EmotionsError, require

if TYPE_CHECKING:
    from emotions_cli.evaluation import GalleryTest
    from eval.confusions import Confusion
    from eval.report import Evidence
    from eval.run_facts import RunFacts
    from eval.run_report import ReportParts

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog="Example:  emotions report runs/first --out report.html --language es")
def report(
    run: Path = typer.Argument(..., help="The run's folder, such as runs/first."),
    out: Optional[Path] = typer.Option(None, help="The page to write. [default: report.html in the run's folder]"),
    data: Optional[str] = typer.Option(None, help="Where the run's data set is now. [default: where it was]"),
    method: str = typer.Option("umap", help="How the gallery's map is made: umap, pca or tsne."),
    sample: int = typer.Option(3000, help="References drawn on the map at most."),
    confusions: int = typer.Option(4, help="Confusions shown, the hardest first."),
    faces: bool = typer.Option(True, "--faces/--no-faces", help="Whether the page holds faces of the data set."),
    seed: int = typer.Option(0, help="Of the map."),
    language: str = typer.Option("en", help="Of the page: en or es."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Write a run's report: data, split and audit, training, test, map, hardest confusions and the model card.

    One page that loads nothing from elsewhere; it can be printed, and read without colour vision.
    """
    from eval.language import Words
    from eval.projection import METHODS
    from eval.run_facts import read_run
    from eval.run_report import run_report
    from galleries.atomic import write_text
    from galleries.errors import unknown_name

    words = Words(language)
    if method not in METHODS:
        raise unknown_name("way to map", method, METHODS)
    if confusions < 0 or sample < 3:
        raise ConfigError(
            f"{confusions} confusions and a map of {sample} faces were asked for; ask for 0 and 3 or more."
        )
    require("plotly", "eval")
    require("sklearn", "eval")
    facts = read_run(run)
    parts = _parts(facts, data, (method, sample, seed), confusions, faces)
    page = run / "report.html" if out is None else out
    write_text(page, run_report(facts, parts, words, faces))
    if json:
        console.print_json(_summary(facts, parts, page))
        return
    for reason in (parts.no_map, parts.no_examples):
        if reason:
            console.warn(reason)
    console.out.print(f"Open the report: {page}", markup=False)


def _parts(
    facts: RunFacts, data: Optional[str], mapped: Tuple[str, int, int], confusions: int, faces: bool
) -> ReportParts:
    """The map, and the confusions with their faces; what cannot be had is told instead."""
    from eval.confusions import hardest_confusions
    from eval.face_map import make_map
    from eval.run_report import ReportParts
    from galleries.gallery import Gallery

    method, sample, seed = mapped
    drawn, no_map, no_examples = None, "", ""
    try:
        gallery = Gallery.load(facts.folder / "gallery")
        with console.bar(f"finding neighbours, then {method}") as progress:
            drawn = make_map(
                gallery, method=method, seed=seed, sample=sample, n_neighbors=facts.n_neighbors, progress=progress
            )
    except EmotionsError as error:
        no_map = str(error)
    found = hardest_confusions(facts.scores["knn"], confusions) if "knn" in facts.scores else []
    shown: List[Tuple[Confusion, List[Evidence]]] = [(confusion, []) for confusion in found]
    if found and faces:
        try:
            shown = _with_faces(_open(facts, data), found)
        except EmotionsError as error:
            no_examples = str(error)
    return ReportParts(drawn, no_map, shown, no_examples)


def _open(facts: RunFacts, data: Optional[str]) -> GalleryTest:
    """The run's gallery and its data set, split as it was."""
    from emotions_cli.evaluation import open_test

    kept = facts.request.get("emotions")
    options: Any = {
        "data": data,
        "split_by": None if data is None else str(facts.folder / "split.json"),
        "ratios": "70/15/15",
        "seed": 0,
        "emotions": None if data is None or kept is None else ",".join(kept),
        "format": None if data is None else facts.request.get("format"),
        "ferplus": None if data is None else facts.request.get("ferplus"),
    }
    return open_test(facts.folder / "gallery", None, options)


def _with_faces(test: GalleryTest, found: List[Confusion]) -> List[Tuple[Confusion, List[Evidence]]]:
    """Each confusion with the test faces on which it is clearest."""
    import numpy as np

    from eval.confusions import confusion_examples
    from siamese.enrolling import encode_rows

    dataset, gallery = test.dataset, test.gallery
    names = np.array([dataset.emotions[int(label)] for label in dataset.labels])
    rows = test.parts["test"]
    rows = rows[np.isin(names[rows], [confusion.truth for confusion in found])]
    with console.bar("encoding test faces") as progress:
        vectors = encode_rows(dataset, rows, test.encoder, progress)
    place = {name: row for row, name in enumerate(dataset.ids)}

    def reference(index: int) -> Any:
        row = place.get(gallery.references[index].source)
        if row is not None:
            return dataset.image(row)
        return None if gallery.thumbnails is None else gallery.thumbnails[index]

    truth = names[rows].tolist()
    return [
        (
            confusion,
            confusion_examples(
                gallery,
                vectors,
                truth,
                confusion,
                lambda place: dataset.image(int(rows[place])),
                reference,
                test.n_neighbors,
            ),
        )
        for confusion in found
    ]


def _summary(facts: RunFacts, parts: ReportParts, page: Path) -> Any:
    return {
        "run": str(facts.folder),
        "page": str(page),
        "scores": {name: scores.to_json() for name, scores in facts.scores.items()},
        "leaking": bool(facts.test.get("leaking")),
        "map": None if parts.drawn is None else parts.drawn.to_json(),
        "confusions": [{**vars(confusion), "faces": len(shown)} for confusion, shown in parts.confusions],
        "notes": [reason for reason in (parts.no_map, parts.no_examples) if reason],
    }


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["report", *sys.argv[1:]])
