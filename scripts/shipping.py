"""``emotions export --shipped``: what comes with the toolkit, made of a run: tower, condensed gallery, model card."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from emotions_cli import console
from emotions_cli.export_run import COMPARED, read_data_of
from galleries.atomic import write_text
from galleries.errors import GalleryError, TowerError
from galleries.shipped import CARD, FOLDER

if TYPE_CHECKING:
    from galleries.encoder import OnnxEncoder
    from galleries.gallery import Gallery

LARGEST = 6_000_000
"""Bytes that all files together may have."""

ERROR = 0.05
"""Share of errors that the calibration asks for, as ``emotions gallery calibrate`` does unless told otherwise."""


@dataclass(frozen=True)
class ShipRequest:
    """What was asked for.

    Attributes:
        run: The run's folder.
        out: Where to write; None for the installed package. What is there is replaced.
        references: How many references to keep, about.
        max_drop: Points of validation accuracy that all of it may cost.
        data: Where the data set is now, or None.
    """

    run: Path
    out: Optional[Path]
    references: int
    max_drop: float
    data: Optional[str] = None


def ship(asked: ShipRequest) -> Dict[str, Any]:
    """Make a run's tower and gallery small, measure what that costs, and put them where the toolkit finds them.

    Returns:
        What was written and measured, plain values.

    Raises:
        EmotionsError: The run cannot be used, too much is lost, or the files are too large; nothing is changed then.
    """
    from galleries.errors import require
    from galleries.gallery import Gallery

    require("torch", "train")
    require("sklearn", "eval")
    from siamese.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(asked.run)
    whole = Gallery.load(asked.run / "gallery")
    whole.check_encoder(checkpoint.tower)
    request, dataset, split = read_data_of(asked.run, asked.data)
    full, small, difference = _towers(checkpoint, dataset, split)
    with console.bar("condensing the gallery") as progress:
        gallery = _condense(whole, dataset, small, min(asked.references, len(whole)), progress)
    validation = _validate(request.config.n_neighbors, (whole, full), (gallery, small), dataset, split)
    lost = 100 * (validation["before"] - validation["after"])
    if not lost <= asked.max_drop:
        raise TowerError(
            f"{len(gallery)} references are right on {100 * validation['after']:.2f} % of {validation['pictures']} "
            f"validation pictures where all {len(whole)} are on {100 * validation['before']:.2f} %, and "
            f"{asked.max_drop:g} points may be lost (--max-drop); keep more with --references. Nothing was written."
        )
    facts: Dict[str, Any] = {
        "references": len(gallery),
        "of": len(whole),
        "validation": validation,
        **_test(checkpoint, (whole, full), (gallery, small), dataset, split, validation),
    }
    checked = {**difference, "validation": validation}
    files = _write(asked.out or FOLDER, gallery, small, {**_without_places(checkpoint.card), "shipped": facts}, checked)
    return {"shipped": str(asked.out or FOLDER), "tower": small.name, **facts, "files": files}


def _towers(checkpoint: Any, dataset: Any, split: Any) -> Tuple[OnnxEncoder, OnnxEncoder, Dict[str, Any]]:
    """The exported tower, the one to ship, and how far both are from PyTorch's on validation faces."""
    import numpy as np

    from galleries.encoder import OnnxEncoder
    from siamese.export import export_onnx
    from siamese.quantise import store_halves
    from siamese.split_file import taught_by

    faces = dataset.batch(split.val[:: max(1, len(split.val) // COMPARED)][:COMPARED], checkpoint.tower.input_spec)
    with tempfile.TemporaryDirectory(prefix="emotions-") as folder:
        file = Path(folder, "tower.onnx")
        difference = export_onnx(checkpoint.tower, file, checkpoint.emotions, faces, taught_by(dataset, split))
        full = OnnxEncoder(file)
    small = OnnxEncoder(store_halves(full.model))
    halved = float(np.abs(small.encode(faces) - full.encode(faces)).max())
    return full, small, {"faces": len(faces), "difference": difference, "difference_float16": halved}


def _condense(whole: Gallery, dataset: Any, tower: OnnxEncoder, size: int, progress: Any) -> Gallery:
    """The references to ship: the pictures that :func:`galleries.condensing.condense` chooses, no thumbnails.

    The most typical faces of each emotion, none left out before: compared on validation and on people and cameras that
    are new to the tower in docs/pretrained.md. They vote for their labels alone.
    """
    import numpy as np

    from galleries.condensing import condense
    from siamese.enrolling import enrol

    kept = set(condense(whole, size, "typical", edited=False).tolist())
    row_of = {face_id: row for row, face_id in enumerate(dataset.ids)}
    sources = [known.source for known, number in zip(whole.references, whole.numbers.tolist()) if number in kept]
    lost = [source for source in sources if source not in row_of]
    if lost:
        raise GalleryError(f"{lost[0]!r} in the run's gallery is no picture of {dataset.name}; build the gallery anew.")
    rows = np.array([row_of[source] for source in sources], np.int64)
    made = enrol(replace(dataset, soft_labels=None), rows, tower, thumbnails=False, progress=progress)
    made.typical = True
    return made


def _validate(
    k: int,
    before: Tuple[Gallery, OnnxEncoder],
    after: Tuple[Gallery, OnnxEncoder],
    dataset: Any,
    split: Any,
) -> Dict[str, Any]:
    """Accuracy on validation of the whole gallery and of the small one, which is calibrated there."""
    import numpy as np

    from eval.disturbed import judge_disturbed
    from eval.held_out import held_out, pick
    from galleries.calibration import calibrate
    from galleries.gallery import DEFAULT_NEIGHBORS
    from galleries.voting import MEAN, WEIGHTS
    from siamese.enrolling import encode_rows

    val = split.val
    truth = [dataset.emotions[int(label)] for label in dataset.labels[val]]
    k = min(k, len(before[0]))
    with console.bar("validating the run's gallery") as progress:
        said = before[0].predict(encode_rows(dataset, val, before[1], progress), k)
    gallery = after[0]
    with console.bar("validating what is shipped") as progress:
        queries = held_out(gallery, after[1], dataset, val, progress, (dataset, split.train))
    vectors, votes, fresh = queries.vectors, min(DEFAULT_NEIGHBORS, len(gallery)), np.flatnonzero(~queries.seen)
    answers = gallery.predict(vectors, votes)
    with console.bar("and on disturbed pictures") as progress:
        disturbed = judge_disturbed(gallery, after[1], dataset, val, queries, votes, progress=progress)
    try:
        for way in (WEIGHTS[0], MEAN):  # means come to vote where an emotion is added
            fitted = calibrate(gallery, vectors[fresh], pick(truth, fresh), ERROR, votes, way)
            gallery.set_calibration(fitted)
    except GalleryError as error:
        console.warn(f"the gallery is not calibrated: {error}")
    return {
        "before": float(np.mean(np.array(said) == np.array(truth))),
        "before_neighbors": k,
        "after": float(np.mean(np.array(answers) == np.array(truth))),
        "n_neighbors": votes,
        "pictures": len(truth),
        "calibrated": gallery.calibration is not None,
        "disturbed": disturbed.to_json(),
    }


def _without_places(card: Dict[str, Any]) -> Dict[str, Any]:
    """A run's card with the names of files and runs, but not where somebody keeps them."""
    plain = {**card, "data": {**card.get("data", {})}}
    plain["data"]["path"] = Path(str(plain["data"].get("path", ""))).name
    if "teachers" in card:
        plain["teachers"] = [{**entry, "run": Path(entry["run"]).name} for entry in card["teachers"]]
    return plain


def _test(
    checkpoint: Any,
    before: Tuple[Gallery, OnnxEncoder],
    after: Tuple[Gallery, OnnxEncoder],
    dataset: Any,
    split: Any,
    validation: Dict[str, Any],
) -> Dict[str, Any]:
    """What is shipped (``test``) and the run it is made of (``run``) on the test part; None where there is none."""
    from emotions_cli.run_ending import head_scores
    from eval.judgement import judge
    from siamese.enrolling import encode_rows

    if not len(split.test):
        return {"test": None, "run": None}
    with console.bar("testing what is shipped") as progress:
        vectors = encode_rows(dataset, split.test, after[1], progress)
    small = judge(dataset, split, after[0], vectors, validation["n_neighbors"])
    with console.bar("testing the run") as progress:
        vectors = encode_rows(dataset, split.test, before[1], progress)
    scores, k = head_scores(checkpoint.head, vectors), validation["before_neighbors"]
    whole = judge(dataset, split, before[0], vectors, k, scores, small.leakage)
    return {"test": small.to_json(), "run": whole.to_json()}


def _write(
    out: Path, gallery: Gallery, tower: OnnxEncoder, card: Dict[str, Any], checked: Dict[str, Any]
) -> Dict[str, int]:
    """Write everything beside its place, check the size, and put it there. Returns every file's bytes."""
    from emotions_cli.model_card import model_card
    from galleries.bundle import open_bundle, write_bundle

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        made, old = Path(folder, "made"), Path(folder, "old")
        files = write_bundle(made, gallery, tower, card, checked)
        write_text(made / CARD, model_card(card))
        files[CARD] = (made / CARD).stat().st_size
        if sum(files.values()) > LARGEST:
            raise GalleryError(
                f"All files together have {sum(files.values()):,} bytes, and {LARGEST:,} may be shipped; keep fewer "
                "references with --references. Nothing was changed."
            )
        open_bundle(made)
        if out.exists():
            out.replace(old)
        made.replace(out)
        shutil.rmtree(old, ignore_errors=True)
    return files


def tell(report: Dict[str, Any]) -> None:
    """Tell what was made and what it costs."""
    found, test = report["validation"], report["test"]
    rows = [
        ["tower", f"{report['tower']}, weights stored as float16"],
        ["references", f"{report['references']:,} of {report['of']:,}, no pictures"],
        [
            "validation accuracy",
            f"{100 * found['before']:.2f} % (k = {found['before_neighbors']}) -> {100 * found['after']:.2f} % "
            f"(k = {found['n_neighbors']}), {found['pictures']:,} pictures",
        ],
        ["disturbed", f"{console.percent(found['disturbed']['mean'])} on average (emotions evaluate --disturbed)"],
        ["calibrated", "yes" if found["calibrated"] else "no"],
        ["size", f"{sum(report['files'].values()):,} bytes, {len(report['files'])} files"],
    ]
    for key, name in (("knn", "test accuracy"), ("knn_without_leaks", "test accuracy without leaks")):
        if test is not None and test[key] is not None:
            low, high = test[key]["interval_95"]
            told = f"{console.percent(test[key]['accuracy'])} ({100 * low:.1f}-{100 * high:.1f})"
            rows.append([name, f"{told}, {test[key]['n']:,} pictures"])
    console.table("", ["shipped", report["shipped"]], rows)
    console.out.print("Next: emotions query PHOTO", markup=False)
