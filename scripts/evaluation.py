"""A gallery's test at the terminal: what ``emotions evaluate`` does between its options and its tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional

import numpy as np

from emotions_cli import console
from emotions_cli.run_around import read_data, run_around
from galleries.encoder import OnnxEncoder
from galleries.errors import ConfigError, DataError, EmotionsError
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery
from galleries.voting import MEAN

if TYPE_CHECKING:
    from eval.disturbed import DisturbedScores
    from eval.held_out import HeldOut, Learned
    from eval.neighbor_sweep import NeighborSweep
    from eval.similarity_mode import SimilarityScores


PLAIN: Dict[str, Any] = {
    "data": None,
    "split_by": None,
    "ratios": "70/15/15",
    "seed": 0,
    "emotions": None,
    "format": None,
    "ferplus": None,
}
"""The options of :func:`open_test` when nothing is typed."""


@dataclass
class GalleryTest:
    """A gallery, its tower, and the data it is asked about.

    Attributes:
        path: The gallery's folder.
        gallery: The references.
        encoder: The tower.
        dataset: Only emotions that the gallery holds.
        parts: Rows of ``"train"``, ``"val"``, ``"test"`` and ``"all"``.
        method: How the data set was split.
        n_neighbors: How many vote unless told otherwise.
        learned: What the tower was trained on, as far as it is of this data and known.
    """

    path: Path
    gallery: Gallery
    encoder: OnnxEncoder
    dataset: Any
    parts: Dict[str, np.ndarray]
    method: str
    n_neighbors: int
    learned: Optional[Learned] = None


def open_test(path: Path, tower: Optional[Path], options: Dict[str, Any]) -> GalleryTest:
    """Open a gallery and the data of its test; what is not told is taken from the run that the gallery lies in.

    Args:
        path: The gallery's folder.
        tower: Its tower, if it does not carry it.
        options: ``data``, ``split_by``, ``ratios``, ``seed``, ``emotions``, ``format`` and ``ferplus`` as typed.
    """
    from emotions_cli.opening import open_recognizer
    from siamese.split_file import narrow
    from siamese.splits import find_split

    opened = open_recognizer(path, tower, whole=True)
    gallery, encoder = opened.gallery, opened.encoder
    assert isinstance(encoder, OnnxEncoder)
    run = run_around(path)
    dataset = read_data(path, run, options)
    kept = path.parent / "split.json"
    of_run = run is not None and options["data"] is None
    if run is not None and of_run and run.emotions is not None:
        dataset = dataset.select(run.emotions)
    split_by = options["split_by"]
    if split_by is None:
        split_by = str(kept) if of_run and kept.is_file() else "auto"
    split = find_split(dataset, split_by, options["ratios"], options["seed"])
    learned = _learned(dataset, split, encoder)
    wanted = options["emotions"].split(",") if options["emotions"] else _shared(dataset, gallery, path)
    dataset, split = narrow(dataset, split, dataset.select(wanted).emotions)
    parts = {**split.parts(), "all": np.arange(len(dataset))}
    k = DEFAULT_NEIGHBORS if run is None else run.n_neighbors
    return GalleryTest(path, gallery, encoder, dataset, parts, split.method, min(k, len(gallery)), learned)


def _learned(dataset: Any, split: Any, encoder: OnnxEncoder) -> Optional[Learned]:
    """The rows of a data set that a tower was trained on; says so where it cannot be told."""
    from siamese.split_file import learned_rows

    if encoder.taught is None:
        return None
    rows = learned_rows(dataset, split, encoder.taught)
    if rows is None:
        console.warn(
            f"The tower was trained on {encoder.taught.data} in another split, and from which of these pictures it has "
            "learned is not known; give that run's split.json with --split-by."
        )
        return None
    return (dataset, rows) if len(rows) else None


def _shared(dataset: Any, gallery: Gallery, path: Path) -> list[str]:
    """The data set's emotions that the gallery holds."""
    shared = [emotion for emotion in dataset.emotions if emotion in gallery.emotions]
    left = [emotion for emotion in dataset.emotions if emotion not in shared]
    if not shared:
        raise DataError(f"{path} holds {', '.join(gallery.emotions)}; {dataset.name} has none of them.")
    if left:
        console.warn(f"{', '.join(left)} of {dataset.name} is not in the gallery and is left out.")
    return shared


@dataclass(frozen=True)
class Wanted:
    """What a person asked of a test.

    Attributes:
        part: ``"test"``, ``"val"``, ``"train"`` or ``"all"``.
        neighbors: A number, or ``"auto"``.
        weights: One of :data:`galleries.voting.WAYS`; None for the gallery's own.
        similarity: Whether the threshold mode is tested too.
        without: Emotions to leave out of a second test, or None.
        unknown: Whether the open set is tested too.
        leave_out: What it leaves out together, or None for each emotion in turn.
        disturbed: Whether the pictures are asked about in worse light and blurred, too.
    """

    part: str = "test"
    neighbors: str = "auto"
    weights: Optional[str] = None
    similarity: bool = False
    without: Optional[str] = None
    unknown: bool = False
    leave_out: Optional[str] = None
    disturbed: bool = False


def judge_part(test: GalleryTest, wanted: Wanted) -> Dict[str, Any]:
    """Ask about a part, after the number of neighbours was chosen on validation, and do what else was asked."""
    from eval.assurance import judge_assurance
    from eval.evaluation import evaluate, evaluate_without

    if wanted.similarity and wanted.part == "val":
        raise EmotionsError("The threshold is found on validation, so it cannot be tested there; use --split test.")
    told = None if wanted.neighbors == "auto" else _number(wanted.neighbors)
    counted = test.gallery.way(wanted.weights) != MEAN  # else nothing depends on how many neighbours there are
    tuned = counted and wanted.part == "test" and len(test.parts["val"]) > 0
    validation = None
    if wanted.similarity or (told is None and tuned):
        validation = _queries(test, "val", "encoding validation faces")
    sweep = None if told is not None or not tuned else _sweep(test, validation, wanted.weights)
    k = told if told is not None else test.n_neighbors if sweep is None else sweep.chosen
    queries = _queries(test, wanted.part, "encoding faces")
    report: Dict[str, Any] = {
        "gallery": str(test.path),
        "references": len(test.gallery),
        "data": test.dataset.name,
        "part": wanted.part,
        "split": test.method,
        "neighbors": sweep,
        "neighbors_from": "told" if told is not None else "default" if sweep is None else "validation",
        "evaluation": evaluate(test.gallery, queries, k, wanted.weights),
        "assurance": judge_assurance(test.gallery, queries, k, wanted.weights),
        "similarity": None,
        "without": None,
        "unknown": None,
        "disturbed": None,
    }
    if wanted.similarity:
        report["similarity"] = _similarity(test, validation, queries)
    if wanted.without is not None:
        left_out = wanted.without.split(",")
        report["without"] = evaluate_without(test.gallery, queries, left_out, k, wanted.weights)
    if wanted.unknown:
        from emotions_cli.unknown_report import judge_unknown

        report["unknown"] = judge_unknown(test, wanted.part, wanted.leave_out, k, wanted.weights, queries)
    if wanted.disturbed:
        report["disturbed"] = _disturbed(test, test.parts[wanted.part], queries, k, wanted.weights)
    return report


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"{text!r} neighbours were asked for; give a whole number from 1, or auto.")
    return int(text)


def _queries(test: GalleryTest, part: str, title: str) -> HeldOut:
    from eval.held_out import held_out

    with console.bar(title) as progress:
        return held_out(test.gallery, test.encoder, test.dataset, test.parts[part], progress, test.learned)


def _disturbed(
    test: GalleryTest, rows: np.ndarray, queries: HeldOut, k: int, weights: Optional[str]
) -> DisturbedScores:
    from eval.disturbed import judge_disturbed

    with console.bar("encoding them disturbed") as progress:
        return judge_disturbed(test.gallery, test.encoder, test.dataset, rows, queries, k, weights, progress)


def _sweep(test: GalleryTest, validation: Optional[HeldOut], weights: Optional[str]) -> Optional[NeighborSweep]:
    """The choice of k on validation; None where the gallery holds all of it."""
    from eval.evaluation import choose_neighbors

    assert validation is not None
    if validation.seen.all():
        console.warn(f"the gallery holds all validation pictures, so {test.n_neighbors} neighbours vote, untuned.")
        return None
    return choose_neighbors(test.gallery, validation, weights)


def _similarity(test: GalleryTest, validation: Optional[HeldOut], queries: HeldOut) -> SimilarityScores:
    """The threshold found on validation and tested, both without pictures that the gallery holds."""
    from eval.similarity_mode import similarity_scores

    assert validation is not None
    tuned, fresh = np.flatnonzero(~validation.seen), np.flatnonzero(~queries.seen)
    return similarity_scores(
        test.gallery,
        (validation.vectors[tuned], [validation.truth[int(row)] for row in tuned]),
        (queries.vectors[fresh], [queries.truth[int(row)] for row in fresh]),
    )


def as_json(report: Dict[str, Any]) -> Dict[str, Any]:
    """The report as plain values."""
    from emotions_cli.unknown_report import unknown_as_json

    plain = {key: value.to_json() if hasattr(value, "to_json") else value for key, value in report.items()}
    found = plain.pop("evaluation")
    unknown = None if report["unknown"] is None else unknown_as_json(report["unknown"])
    told = [one.to_json() for one in report["assurance"]]
    return {**plain, **found, "assurance": told, "unknown": unknown}


def write_page(report: Dict[str, Any], path: Path) -> None:
    """Write the report as one HTML page."""
    from eval.evaluation_page import evaluation_page
    from galleries.atomic import write_text

    write_text(path, evaluation_page(report))


__all__ = ["PLAIN", "GalleryTest", "Wanted", "as_json", "judge_part", "open_test", "write_page"]
