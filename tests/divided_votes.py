"""Whether a run's gallery answers better where its references vote as their annotators did, on validation and test.

python tests/divided_votes.py runs/pairs fer2013.csv.xz fer2013new.csv
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from eval.judgement import judge
from eval.leakage import audit
from galleries.encoder import load_encoder
from siamese.datasets import load_dataset
from siamese.enrolling import encode_rows, enrol
from siamese.split_file import load_split


def main() -> None:
    """Ask both galleries of the run's training part, k = 15, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="A run's folder: its tower.onnx and its split.json.")
    parser.add_argument("data", help="FER-2013's CSV.")
    parser.add_argument("votes", type=Path, help="FER+'s fer2013new.csv.")
    parser.add_argument("--share", type=float, default=0.5, help="The annotators' share of a reference's vote.")
    asked = parser.parse_args()
    dataset = load_dataset(asked.data, votes=asked.votes, votes_share=asked.share)
    split, encoder = load_split(asked.run / "split.json", dataset), load_encoder(asked.run)
    parts = {"validation": split.val, "test": split.test}
    vectors = {name: encode_rows(dataset, rows, encoder) for name, rows in parts.items()}
    leakage = audit(dataset, split, near=True)
    for name, data in (("labels", replace(dataset, soft_labels=None)), ("labels and votes", dataset)):
        gallery = enrol(data, split.train, encoder, thumbnails=False)
        for part, rows in parts.items():
            leaking = replace(leakage, leaking=np.intersect1d(leakage.leaking, rows))
            found = judge(dataset, replace(split, test=rows), gallery, vectors[part], 15, leakage=leaking)
            clean = found.knn_without_leaks
            told = "" if clean is None else f", without {found.leaks} leaks {100 * clean.accuracy:.2f} %"
            print(f"{part}, voting by {name}: {100 * found.knn.accuracy:.2f} % of {len(rows)}{told}")


if __name__ == "__main__":
    main()
