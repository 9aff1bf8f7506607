"""An export step by step: what ``emotions export`` does between its options and what it tells."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from emotions_cli import console
from galleries.errors import DataError, GalleryError, TowerError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from galleries.encoder import OnnxEncoder
    from galleries.gallery import Gallery
    from siamese.run import RunRequest

COMPARED = 64
"""Validation faces on which the exported tower is compared with PyTorch's."""


@dataclass(frozen=True)
class ExportRequest:
    """What was asked for.

    Attributes:
        run: The run's folder.
        out: The bundle to write.
        gallery: Another gallery than the run's, or None.
        precision: ``"float32"``, ``"float16"`` or ``"int8"``.
        max_drop: Points of validation accuracy that a smaller tower may lose.
        calibrate: Training pictures to calibrate int8 on.
        n_neighbors: k of the check; None as in the run.
        data: Where the data set is now, or None.
    """

    run: Path
    out: Path
    gallery: Optional[Path]
    precision: str
    max_drop: float
    calibrate: int
    n_neighbors: Optional[int]
    data: Optional[str]


def export_run(asked: ExportRequest) -> Dict[str, Any]:
    """Export a run and write its bundle.

    Returns:
        What was written and how it was checked, plain values.

    Raises:
        EmotionsError: The run, its data or the gallery cannot be used, or the smaller tower loses too much.
    """
    from galleries.bundle import write_bundle
    from galleries.encoder import OnnxEncoder
    from galleries.errors import require
    from galleries.gallery import Gallery

    require("torch", "train")
    from siamese.checkpoint import load_checkpoint
    from siamese.export import export_onnx
    from siamese.split_file import taught_by

    console.fresh_folder(asked.out, "bundle")
    checkpoint = load_checkpoint(asked.run)
    gallery = Gallery.load(asked.gallery or asked.run / "gallery")
    gallery.check_encoder(checkpoint.tower)
    request, dataset, split = read_data_of(asked.run, asked.data)
    faces = dataset.batch(split.val[:: max(1, len(split.val) // COMPARED)][:COMPARED], checkpoint.tower.input_spec)
    with tempfile.TemporaryDirectory(prefix="emotions-") as folder:
        file = Path(folder, "tower.onnx")
        difference = export_onnx(checkpoint.tower, file, checkpoint.emotions, faces, taught_by(dataset, split))
        encoder = OnnxEncoder(file)
    checked: Dict[str, Any] = {"faces": len(faces), "difference": difference}
    before = len(encoder.model)
    if asked.precision != "float32":
        neighbors = asked.n_neighbors or request.config.n_neighbors
        encoder, gallery, found = _shrink(asked, encoder, gallery, dataset, split, neighbors)
        checked["validation"] = found
    files = write_bundle(asked.out, gallery, encoder, checkpoint.card, checked)
    return {
        "bundle": str(asked.out),
        "tower": encoder.name,
        "precision": encoder.precision,
        "fingerprint": encoder.fingerprint,
        "references": len(gallery),
        "tower_bytes": {"float32": before, encoder.precision: len(encoder.model)},
        "checked": checked,
        "files": files,
        "bundle_bytes": asked.out.stat().st_size if asked.out.is_file() else sum(files.values()),
        "provider": encoder.provider,
    }


def read_data_of(run: Path, data: Optional[str]) -> Tuple[RunRequest, Any, Any]:
    """What a run was asked for, its data set and its split.

    Args:
        run: The run's folder.
        data: Where the data set is now, or None.

    Raises:
        DataError: The run has no validation pictures.
    """
    from siamese.run import RunRequest, prepare_data

    request = RunRequest.read(run)
    request = request if data is None else replace(request, data=data)
    with console.bar("reading pictures") as progress:
        dataset, split = prepare_data(request, run, progress, resume=True, keep=False)
    if not len(split.val):
        raise DataError(f"{run} has no validation pictures to compare on; export a run that has.")
    return request, dataset, split


def _shrink(asked: ExportRequest, whole: OnnxEncoder, gallery: Gallery, dataset: Any, split: Any, k: int) -> Any:
    """The smaller tower, the gallery of its vectors, and the accuracy of both on validation."""
    import numpy as np

    from galleries.encoder import OnnxEncoder
    from siamese.quantise import halve, quantise_int8
    from siamese.reencoding import reencode

    rows, truth = _queries(gallery, dataset, split.val)
    if asked.precision == "int8":
        places = np.linspace(0, len(split.train) - 1, min(asked.calibrate, len(split.train))).astype(np.int64)
        with console.err.status("calibrating int8"):
            data = quantise_int8(whole.model, dataset.batch(split.train[places], whole.input_spec))
    else:
        data = halve(whole.model)
    small = OnnxEncoder(data)
    with console.bar(f"encoding the gallery in {asked.precision}") as progress:
        own = reencode(gallery, dataset, small, progress)
    if gallery.calibration is not None:
        console.warn("the gallery's calibration holds for the float32 tower only and was left out.")
    k = min(k, len(gallery))
    before = _accuracy(gallery, whole, dataset, rows, truth, k)
    after = _accuracy(own, small, dataset, rows, truth, k)
    found = {"before": before, "after": after, "pictures": len(rows), "n_neighbors": k}
    if not 100 * (before - after) <= asked.max_drop:
        raise TowerError(
            f"The {asked.precision} tower is right on {100 * after:.2f} % of {len(rows)} validation pictures where the "
            f"float32 one is on {100 * before:.2f} %, a loss of {100 * (before - after):.2f} points, and "
            f"{asked.max_drop:g} are allowed (--max-drop); nothing was written."
        )
    return small, own, found


def _queries(gallery: Gallery, dataset: Any, val: NDArray[np.int64]) -> Any:
    """Validation rows that the gallery does not hold but could name, and the emotions they show."""
    import numpy as np

    held = set(gallery.references.sources())
    shown = [dataset.emotions[int(label)] for label in dataset.labels[val]]
    usable = [
        place
        for place, (row, emotion) in enumerate(zip(val, shown))
        if emotion in gallery.emotions and dataset.ids[int(row)] not in held
    ]
    if not usable:
        raise GalleryError(
            "The gallery holds every validation picture of the run, so a smaller tower cannot be checked with it; "
            "give a gallery without them, such as the run's own."
        )
    return val[usable], np.array([shown[place] for place in usable])


def _accuracy(gallery: Gallery, encoder: OnnxEncoder, dataset: Any, rows: Any, truth: Any, k: int) -> float:
    import numpy as np

    from siamese.enrolling import encode_rows

    with console.bar(f"checking {encoder.precision}") as progress:
        vectors = encode_rows(dataset, rows, encoder, progress)
    return float(np.mean(np.array(gallery.predict(vectors, k)) == truth))


def tell(report: Dict[str, Any]) -> None:
    """Tell what was written and how it was checked."""
    checked = report["checked"]
    sizes = report["tower_bytes"]
    rows = [
        ["tower", f"{report['tower']}, {report['precision']}, {sizes[report['precision']]:,} bytes"],
        ["references", f"{report['references']:,}"],
        ["difference from PyTorch", f"at most {checked['difference']:.1e} (float32, {checked['faces']} faces)"],
        ["whole bundle", f"{report['bundle_bytes']:,} bytes, {len(report['files'])} files"],
    ]
    if "validation" in checked:
        found = checked["validation"]
        rows.insert(1, ["float32 tower", f"{sizes['float32']:,} bytes"])
        told = f"{100 * found['before']:.2f} % -> {100 * found['after']:.2f} % ({found['pictures']:,} pictures"
        rows.insert(3, ["validation accuracy", f"{told}, k = {found['n_neighbors']})"])
    console.table("", ["bundle", report["bundle"]], rows)
    console.out.print(f"Checked on {report['provider']}. Next: emotions query {report['bundle']} PHOTO", markup=False)
