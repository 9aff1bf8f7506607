"""What ``emotions gallery calibrate`` does: fit on one part, test on another, keep it in the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from emotions_cli import console
from emotions_cli.evaluation import GalleryTest, open_test
from galleries.calibration import calibrate, decisions
from galleries.errors import ConfigError
from galleries.evidence import Decision
from galleries.gallery import Gallery
from galleries.reliability import calibration_error

PARTS = ("val", "test", "train", "all")


def calibrate_gallery(
    path: Path,
    tower: Optional[Path],
    options: Dict[str, Any],
    part: str,
    error: float,
    neighbors: Optional[int],
    with_test: bool,
) -> Dict[str, Any]:
    """Fit a calibration, keep it, and test its promise.

    Args:
        path: The gallery's folder.
        tower: Its tower, if it does not carry it.
        options: As :func:`emotions_cli.evaluation.open_test` takes them.
        part: What to fit on.
        error: The share of errors asked for.
        neighbors: How many vote; None for the run's.
        with_test: Whether to test it on the test part.

    Returns:
        ``gallery``, ``calibration``, ``left_aside`` (pictures of the part that the gallery or its tower knows) and
        ``test`` (or None): coverage by emotion, sizes of the sets, unknowns, ECE.
    """
    if part not in PARTS:
        raise ConfigError(f"{part!r} is no part of a split; choose one of: {', '.join(PARTS)}.")
    opened = open_test(path, tower, options)
    gallery = opened.gallery
    vectors, truth = _fresh(opened, part, "encoding faces")
    if not truth:
        raise ConfigError(
            f"Every picture of the part {part} stands in the gallery, or its tower has learned from it or a copy; fit "
            "on faces it has not seen."
        )
    k = opened.n_neighbors if neighbors is None else neighbors
    fitted = calibrate(gallery, vectors, truth, error, k)
    gallery.set_calibration(fitted)
    gallery.save(path)
    report: Dict[str, Any] = {"gallery": str(path), "part": part, "calibration": fitted.to_json(), "test": None}
    report["left_aside"] = len(opened.parts[part]) - len(truth)
    if with_test and part not in ("test", "all"):
        queries, shown = _fresh(opened, "test", "testing the promise")
        if shown:
            report["test"] = _judge(gallery, queries, shown)
            report["test"]["left_aside"] = len(opened.parts["test"]) - len(shown)
    return report


def _fresh(opened: GalleryTest, part: str, title: str) -> Tuple[np.ndarray, List[str]]:
    """The pictures of a part that neither gallery nor tower know, nor a copy of them: vectors and what they show."""
    from eval.held_out import held_out, pick

    rows = opened.parts[part]
    if not len(rows):
        return np.zeros((0, opened.encoder.embedding_dim), np.float32), []
    with console.bar(title) as progress:
        asked = held_out(opened.gallery, opened.encoder, opened.dataset, rows, progress, opened.learned)
    fresh = np.flatnonzero(~asked.seen)
    return asked.vectors[fresh], pick(asked.truth, fresh)


def _judge(gallery: Gallery, vectors: np.ndarray, truth: Sequence[str]) -> Dict[str, Any]:
    found: List[Decision] = decisions(gallery, vectors)
    covered = np.array([name in decision.emotions for name, decision in zip(truth, found)])
    sizes = np.array([len(decision.emotions) for decision in found])
    fitted = gallery.calibration
    assert fitted is not None
    shares = gallery.predict_proba(vectors, fitted.n_neighbors, fitted.weights)
    said = np.array(gallery.emotions)[shares.argmax(axis=1)]
    right = said == np.array(truth)
    single = sizes == 1
    return {
        "faces": len(truth),
        "coverage": float(covered.mean()),
        "coverage_by_emotion": {
            name: float(covered[np.array(truth) == name].mean()) for name in gallery.emotions if name in truth
        },
        "mean_set_size": float(sizes.mean()),
        "one_emotion": float(single.mean()),
        "accuracy_where_one": float(covered[single].mean()) if single.any() else None,
        "unknown": float(np.mean([decision.unknown for decision in found])),
        "ece_vote_share": calibration_error(shares.max(axis=1), right),
        "ece_confidence": calibration_error(np.array([decision.confidence for decision in found]), right),
    }


def _aside(test: Dict[str, Any]) -> str:
    return f" ({test['left_aside']} known ones left aside)" if test["left_aside"] else ""


def tell(report: Dict[str, Any]) -> None:
    """Print what was fitted and how it holds."""
    fitted, test = report["calibration"], report["test"]
    by_emotion = {} if test is None else test["coverage_by_emotion"]
    rows = [
        [name, f"{value:.3f}", console.percent(by_emotion[name]) if name in by_emotion else ""]
        for name, value in fitted["thresholds"].items()
    ]
    aside = f", {report['left_aside']} known ones left aside" if report["left_aside"] else ""
    title = f"fitted on {fitted['faces']} faces ({report['part']}{aside}), error {console.percent(fitted['error'])}"
    console.table(title, ["emotion", "threshold", "covered on the test"], rows)
    console.out.print(
        f"unknown beyond a distance of {fitted['distance']:.3f}; calibration error of the vote share "
        f"{fitted['ece_before']:.3f}, of the calibrated confidence {fitted['ece_after']:.3f}",
        markup=False,
    )
    if test is not None:
        console.out.print(
            f"on {test['faces']} test faces{_aside(test)}: {console.percent(test['coverage'])} of the sets hold the "
            f"true emotion (asked for: {console.percent(1 - fitted['error'])}), {test['mean_set_size']:.2f} emotions a "
            f"set, {console.percent(test['one_emotion'])} name one emotion alone"
            + ("" if test["accuracy_where_one"] is None else f" ({console.percent(test['accuracy_where_one'])} right)")
            + f", {console.percent(test['unknown'])} unknown; calibration error {test['ece_vote_share']:.3f} -> "
            f"{test['ece_confidence']:.3f}",
            markup=False,
        )
