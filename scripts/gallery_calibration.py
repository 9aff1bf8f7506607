"""What ``emotions gallery calibrate`` does: fit on one part, test on another, keep it in the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from emotions_cli import console
from emotions_cli.evaluation import open_test
from galleries.calibration import calibrate, decisions
from galleries.errors import ConfigError
from galleries.evidence import Decision
from galleries.gallery import Gallery
from galleries.reliability import calibration_error
from siamese.enrolling import encode_rows

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
        ``gallery``, ``calibration``, and ``test`` (or None): coverage by emotion, sizes of the sets, unknowns, ECE.
    """
    if part not in PARTS:
        raise ConfigError(f"{part!r} is no part of a split; choose one of: {', '.join(PARTS)}.")
    opened = open_test(path, tower, options)
    gallery, dataset = opened.gallery, opened.dataset
    held = {reference.source for reference in gallery.references}
    rows = np.array([row for row in opened.parts[part] if dataset.ids[int(row)] not in held], np.int64)
    if not len(rows):
        raise ConfigError(f"Every picture of the part {part} stands in the gallery; fit on faces it has not seen.")
    names = np.array(dataset.emotions)
    with console.bar("encoding faces") as progress:
        vectors = encode_rows(dataset, rows, opened.encoder, progress)
    k = opened.n_neighbors if neighbors is None else neighbors
    fitted = calibrate(gallery, vectors, names[dataset.labels[rows]].tolist(), error, k)
    gallery.set_calibration(fitted)
    gallery.save(path)
    report: Dict[str, Any] = {"gallery": str(path), "part": part, "calibration": fitted.to_json(), "test": None}
    tests = np.array([row for row in opened.parts["test"] if dataset.ids[int(row)] not in held], np.int64)
    if with_test and part != "test" and part != "all" and len(tests):
        with console.bar("testing the promise") as progress:
            queries = encode_rows(dataset, tests, opened.encoder, progress)
        report["test"] = _judge(gallery, queries, names[dataset.labels[tests]].tolist())
    return report


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


def tell(report: Dict[str, Any]) -> None:
    """Print what was fitted and how it holds."""
    fitted, test = report["calibration"], report["test"]
    by_emotion = {} if test is None else test["coverage_by_emotion"]
    rows = [
        [name, f"{value:.3f}", console.percent(by_emotion[name]) if name in by_emotion else ""]
        for name, value in fitted["thresholds"].items()
    ]
    title = f"fitted on {fitted['faces']} faces ({report['part']}), error {console.percent(fitted['error'])}"
    console.table(title, ["emotion", "threshold", "covered on the test"], rows)
    console.out.print(
        f"unknown beyond a distance of {fitted['distance']:.3f}; calibration error of the vote share "
        f"{fitted['ece_before']:.3f}, of the calibrated confidence {fitted['ece_after']:.3f}",
        markup=False,
    )
    if test is not None:
        console.out.print(
            f"on {test['faces']} test faces: {console.percent(test['coverage'])} of the sets hold the true emotion "
            f"(asked for: {console.percent(1 - fitted['error'])}), {test['mean_set_size']:.2f} emotions a set, "
            f"{console.percent(test['one_emotion'])} name one emotion alone"
            + ("" if test["accuracy_where_one"] is None else f" ({console.percent(test['accuracy_where_one'])} right)")
            + f", {console.percent(test['unknown'])} unknown; calibration error {test['ece_vote_share']:.3f} -> "
            f"{test['ece_confidence']:.3f}",
            markup=False,
        )
