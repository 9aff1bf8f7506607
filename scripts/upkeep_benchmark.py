"""``emotions benchmark upkeep``: what looking after a gallery is worth: wrong labels found, smaller galleries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

import typer

from emotions_cli import console
from galleries.errors import ConfigError, require

if TYPE_CHECKING:
    from emotions_cli.evaluation import GalleryTest

WAYS: Tuple[Tuple[str, bool], ...] = (
    ("herding", True), ("typical", False), ("k-centres", True), ("random", True), ("random", False),
    ("condensed", False),
)  # fmt: skip
"""How smaller galleries are made: the way, and whether references that their neighbours outvote are left out first."""


def upkeep(
    gallery: Path = typer.Argument(..., help="A run's folder, or a gallery's, such as runs/first/gallery."),
    data: Optional[str] = typer.Option(None, help="Data set to ask about. [default: that of the gallery's run]"),
    split: str = typer.Option("test", help="The part to ask about: test, val, train or all."),
    split_by: Optional[str] = typer.Option(None, help="How it is split. [default: as the run's, or auto]"),
    noise: str = typer.Option("5,10,20", help="Wrong labels to plant, in per cent of the references."),
    sizes: str = typer.Option("10,5,1", help="Smaller galleries, in per cent of the references."),
    own: str = typer.Option("1,3", help="References of each emotion that people of the test are given of their own."),
    neighbors: int = typer.Option(15, "--neighbors", "-k", help="How many vote, and are asked about each reference."),
    seed: int = typer.Option(0, help="Of the wrong labels and of what is drawn."),
    tower: Optional[Path] = typer.Option(None, help="The tower, if the gallery does not carry it."),
    format: Optional[str] = typer.Option(None, help="Force the data set's layout (see emotions data --help)."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """What looking after a gallery is worth: wrong labels found, smaller galleries, people's own references.

    Labels of references drawn at random are made wrong, emotions gallery check looks for them, and the gallery is
    cleaned of all it suspects. Then the gallery is condensed in every way, and people whom it does not know are given
    references of their own. Accuracy is that of the vote on faces that the gallery does not hold; the gallery on the
    disk is not changed.
    """
    require("sklearn", "eval")
    from emotions_cli.evaluation import PLAIN, open_test

    planted, kept, shots = _shares(noise, "--noise"), _shares(sizes, "--sizes"), _counts(own)
    folder = gallery / "gallery" if (gallery / "gallery").is_dir() else gallery
    test = open_test(folder, tower, {**PLAIN, "data": data, "split_by": split_by, "format": format})
    if split not in test.parts or not len(test.parts[split]):
        raise ConfigError(f"{split!r} is no part of the split, or an empty one; choose test, val, train or all.")
    report = measure(test, split, planted, kept, shots, neighbors, seed)
    if json:
        console.print_json(report)
    else:
        tell(report)


def _shares(text: str, option: str) -> List[float]:
    """``"5,10"`` per cent as shares 0-1."""
    try:
        shares = [float(part) / 100 for part in text.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 < share < 1 for share in shares):
        raise ConfigError(f"{option} {text!r} was given; give numbers above 0 and below 100, such as 5,10,20.")
    return shares


def _counts(text: str) -> List[int]:
    """``"1,3"`` as whole numbers from 1."""
    if not all(part.strip().isdecimal() and int(part) > 0 for part in text.split(",")):
        raise ConfigError(f"--own {text!r} was given; give whole numbers from 1, such as 1,3.")
    return [int(part) for part in text.split(",")]


def measure(
    test: GalleryTest,
    part: str,
    noise: List[float],
    sizes: List[float],
    shots: List[int],
    n_neighbors: int,
    seed: int,
) -> Dict[str, Any]:
    """Plant, look, clean and condense; give people references of their own.

    Args:
        test: The gallery and the data it is asked about.
        part: Which part of the data.
        noise: Shares of the references whose labels are made wrong, 0-1.
        sizes: Shares of the references to keep, 0-1.
        shots: How many references of each emotion people are given; the greatest is tried of one emotion alone too.
        n_neighbors: How many vote, and are asked about each reference.
        seed: Of what is random.

    Returns:
        ``gallery``, ``references``, ``data``, ``part``, ``faces``, ``neighbors``, ``seed``, ``accuracy`` of the whole
        gallery with its 95 % ``interval``, and the rows ``noise``, ``condensed`` and ``own`` (None where nobody whom
        the gallery does not know is named), as plain values.

    Raises:
        ConfigError: The gallery holds every face of the part.
    """
    from eval.gallery_upkeep import accuracy_of, condensing_table, label_noise
    from eval.held_out import held_out
    from eval.intervals import wilson
    from eval.own_references import own_references
    from galleries.gallery import Gallery

    with console.bar("encoding faces") as progress:
        asked = held_out(test.gallery, test.encoder, test.dataset, test.parts[part], progress, test.learned)
    rows = [row for row, is_seen in enumerate(asked.seen.tolist()) if not is_seen]
    if not rows:
        raise ConfigError(f"The gallery holds every face of the part {part}; choose one that it has not seen.")
    if len(rows) < len(asked.truth):
        console.warn(f"{len(asked.truth) - len(rows)} faces that the gallery holds are left out.")
    vectors, truth = asked.vectors[rows], [asked.truth[row] for row in rows]

    def load() -> Gallery:
        return Gallery.load(test.path)

    k = min(n_neighbors, len(test.gallery) - 1)
    accuracy = accuracy_of(test.gallery, vectors, truth, k)
    found = []
    with console.bar("planting wrong labels") as progress:
        for done, share in enumerate(noise, start=1):
            found.append(label_noise(load, vectors, truth, share, k, seed))
            progress(done, len(noise))
    with console.bar("condensing") as progress:
        smaller = condensing_table(load, vectors, truth, sizes, WAYS, k, progress, seed, limited=True)
    subjects = [None] * len(rows) if asked.subjects is None else [asked.subjects[row] for row in rows]
    given = []
    for count, of_one in [*((count, False) for count in shots), (max(shots), True)]:
        with console.bar("giving people references of their own") as progress:
            given.append(own_references(load, vectors, truth, subjects, count, of_one, k, seed, progress))
    return {
        "gallery": str(test.path),
        "references": len(test.gallery),
        "data": test.dataset.name,
        "part": part,
        "faces": len(rows),
        "neighbors": k,
        "seed": seed,
        "accuracy": accuracy,
        "interval": list(wilson(round(accuracy * len(rows)), len(rows))),
        "noise": [row.to_json() for row in found],
        "condensed": [row.to_json() for row in smaller],
        "own": None if given[0] is None else [row.to_json() for row in given if row is not None],
    }


def tell(report: Dict[str, Any]) -> None:
    """Print what :func:`measure` found as two tables."""
    low, high = report["interval"]
    console.out.print(
        f"{report['gallery']}: {report['references']} references, asked about {report['faces']} faces of "
        f"{report['data']} ({report['part']}), {report['neighbors']} neighbours: "
        f"{console.percent(report['accuracy'])} right (95 % interval {100 * low:.1f}-{100 * high:.1f} %).",
        markup=False,
    )
    shown = ("recall_of_all", "precision_of_all", "precision", "noisy", "removed", "relabelled")
    console.table(
        "wrong labels planted, and what emotions gallery check finds",
        ["planted", "found", "precision", "first n", "right", "removed", "relabelled"],
        [[row["planted"], *(console.percent(row[name]) for name in shown)] for row in report["noise"]],
    )
    console.out.print(
        "found: share of the planted among all suspects; precision: share of all suspects that were planted (others "
        "may be wrong in the data themselves); first n: the same of as many of the most suspicious as were planted. "
        "Then the share of the faces answered rightly: with the wrong labels, with all suspects removed, with them "
        "relabelled."
    )
    console.table(
        "smaller galleries (edited: what its neighbours outvote was left out first)",
        ["way", "references", "right", "against the whole"],
        [
            [
                f"{row['way']}, edited" if row["edited"] else row["way"],
                f"{row['size']} ({console.percent(row['size'] / report['references'])})",
                console.percent(row["accuracy"]),
                f"{100 * (row['accuracy'] - report['accuracy']):+.1f}",
            ]
            for row in report["condensed"]
        ],
    )
    if report["own"] is None:
        console.out.print("own references: nobody whom the gallery does not know is named, so none could be given.")
        return
    weights = [f"{weight:g} x" for weight, _ in report["own"][0]["by_weight"]]
    console.table(
        "people given references of their own, of each emotion or of one alone, and how much nearer these count",
        ["own", "faces", "none", *weights],
        [
            [
                f"{row['shots']} of {'one' if row['of_one'] else 'each'}",
                row["faces"],
                console.percent(row["without"]),
                *(console.percent(accuracy) for _, accuracy in row["by_weight"]),
            ]
            for row in report["own"]
        ],
    )
