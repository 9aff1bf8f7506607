"""For ``arm64.sh``: a small bundle of drawn faces with an exported tower, pictures to ask about, and a comparison.

``make_tiny_bundle.py BUNDLE PICTURES`` writes them; ``make_tiny_bundle.py --compare HERE THERE`` compares two answers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import List

TOLERANCE = 1e-4
"""How far two machines' distances may lie apart."""


def make(bundle: Path, pictures: Path) -> None:
    """Export an untrained compact tower with a gallery of drawn faces, and write six faces it does not hold."""
    import cv2
    import numpy as np

    from galleries.bundle import write_bundle
    from galleries.encoder import OnnxEncoder
    from siamese.datasets import load_dataset
    from siamese.enrolling import enrol
    from siamese.export import export_onnx
    from siamese.towers import make_tower

    faces = load_dataset("synthetic:subjects=8")
    rows = np.arange(len(faces.ids))
    tower = bundle.with_suffix(".onnx")
    difference = export_onnx(make_tower("compact").eval(), tower, faces.emotions)
    encoder = OnnxEncoder(tower, ["cpu"], 1)
    gallery = enrol(faces, rows[6:], encoder)
    write_bundle(bundle, gallery, encoder, {"tower": "compact"}, {"difference": difference})
    pictures.mkdir(parents=True)
    for row in range(6):
        cv2.imwrite(str(pictures / f"{row}.png"), faces.image(row))
    print(f"{len(gallery)} references, {bundle.stat().st_size:,} bytes")


def compare(here: Path, there: Path) -> None:
    """End with an error unless both name the same emotions and references, at the same distances."""
    answers: List[List[dict]] = [json.loads(path.read_text())["results"] for path in (here, there)]
    greatest = 0.0
    for one, other in zip(*answers):
        (a,), (b,) = one["faces"], other["faces"]
        greatest = max(
            greatest, *(abs(x["distance"] - y["distance"]) for x, y in zip(a["neighbours"], b["neighbours"]))
        )
        same = a["emotion"] == b["emotion"]
        print(f"{Path(one['path']).name}: {a['emotion']} here, {b['emotion']} there, {b['confidence']:.4f} of the vote")
        if not same or [n["source"] for n in a["neighbours"]] != [n["source"] for n in b["neighbours"]]:
            raise SystemExit(f"error: the two differ on {one['path']}.")
    if len(answers[0]) != len(answers[1]) or not answers[0] or greatest > TOLERANCE:
        raise SystemExit(f"error: distances differ by {greatest:.2g}.")
    print(f"the same emotions and neighbours on {len(answers[0])} pictures; distances differ by {greatest:.1e} at most")


if __name__ == "__main__":
    first, second = sys.argv[-2:]
    (compare if sys.argv[1] == "--compare" else make)(Path(first), Path(second))
