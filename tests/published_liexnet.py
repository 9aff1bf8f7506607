"""LiExNet with the weights its authors published, on their own validation split of CK+ 48.

    python tests/published_liexnet.py LiExNetV2ME.h5 CK+48

Both files are the authors' (github.com/KorakiMx/LiExNet: ``LiExNet/LiExNetV2/LiExNetV2ME.h5`` and the archive
``LiExNet/BaseDeDatosCK.rar``). Their split draws a fifth of the 981 frames at random (scikit-learn's
``train_test_split``, seed 42, files in the order of their names), so every person tested on was trained on too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from siamese.datasets import load_dataset
from siamese.towers import make_tower
from siamese.towers.keras_weights import load_keras_arrays, read_keras_h5

CLASSES = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
"""The authors' order, which is that of the head's outputs."""


def main() -> None:
    """Count the right answers on both sides of the authors' split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("ck", type=Path)
    asked = parser.parse_args()
    tower = make_tower("liexnet").eval()
    head = tower.make_head(len(CLASSES)).eval()
    load_keras_arrays(tower, head, read_keras_h5(asked.weights))
    faces = load_dataset(asked.ck, "ckplus")
    truth = np.array([CLASSES.index(faces.emotions[label]) for label in faces.labels])
    order = sorted(range(len(faces)), key=lambda row: (truth[row], Path(faces.ids[row]).name))
    train, val = train_test_split(np.array(order), test_size=0.2, random_state=42)
    for name, rows in (("validation", val), ("training", train)):
        with torch.inference_mode():
            said = head(tower(torch.from_numpy(faces.batch(rows, tower.input_spec)))).argmax(1).numpy()
        right = int((said == truth[rows]).sum())
        print(f"{name}: {right} of {len(rows)} right ({100 * right / len(rows):.2f} %)")


if __name__ == "__main__":
    main()
