"""How large the faces are in their pictures: whether a data set is cut out as closely as FER-2013 is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.errors import DataError
from galleries.faces import FaceDetector
from siamese.closer import LARGEST
from siamese.datasets.base import FaceDataset
from siamese.datasets.reading import Progress

FER2013_SHARE = {"haar": 0.98, "yunet": 0.97}
"""Median side of each detector's box in FER-2013's pictures, as a share of theirs, by the very command (``emotions data
fer2013.csv.xz --framing``)."""

CLOSELY_CUT = 0.9
"""Pictures in which the median box has this share of FER-2013's at least count as cut out as closely."""

SAMPLE = 500
"""Pictures that are asked at most."""

_SIDE = 144  # pixels: small pictures are enlarged, or Haar would not see their faces

BORDER = _SIDE // 2
"""Pixels around what :func:`on_a_border` gives: faces that fill a picture are found only with a margin."""


@dataclass(frozen=True)
class Framing:
    """What a detector found in pictures of faces.

    Attributes:
        detector: Its name: ``"haar"`` or ``"yunet"``.
        asked: Pictures it was shown.
        found: Those in which it found a face, at least 1.
        share: Median side of the largest face's box, as a share of the picture's side (of both, their geometric mean).
        quartiles: The share that a quarter of the pictures stay below, and the one that a quarter exceed.
    """

    detector: str
    asked: int
    found: int
    share: float
    quartiles: tuple[float, float]

    @property
    def closer(self) -> float:
        """What ``--closer`` brings the median face to the size of FER-2013's: 1 where it is about that, 1-2."""
        known = FER2013_SHARE[self.detector]
        if self.share >= CLOSELY_CUT * known:
            return 1.0
        return min(LARGEST, round(20 * known / self.share) / 20)  # in steps of 0.05

    def sentence(self) -> str:
        """The facts for a person, and what to do."""
        low, high = self.quartiles
        facts = (
            f"faces: the {self.detector} detector found one in {self.found} of {self.asked} pictures; its box is "
            f"{self.share:.2f} of the picture's side (half of them {low:.2f}-{high:.2f}), in FER-2013 "
            f"{FER2013_SHARE[self.detector]}"
        )
        if self.closer == 1:
            return f"{facts}: cut out closely, as towers are used to."
        return (
            f"{facts}: cut out widely. A tower of FER-2013 may know them better with --closer {self.closer:g} of "
            "emotions gallery build; emotions fewshot measures it."
        )

    def to_json(self) -> dict[str, Any]:
        """The facts as a plain dict."""
        return {
            "detector": self.detector,
            "asked": self.asked,
            "found": self.found,
            "share": round(self.share, 4),
            "quartiles": [round(value, 4) for value in self.quartiles],
            "closer": self.closer,
        }


def on_a_border(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of a face as a detector finds it: longer side 144 pixels, the border's pixels repeated around."""
    ratio = _SIDE / max(image.shape[:2])
    height, width = (max(1, round(side * ratio)) for side in image.shape[:2])
    large = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC if ratio > 1 else cv2.INTER_AREA)
    framed = cv2.copyMakeBorder(large, BORDER, BORDER, BORDER, BORDER, cv2.BORDER_REPLICATE)
    return np.asarray(framed, np.uint8)


def measure_framing(
    dataset: FaceDataset, detector: FaceDetector, seed: int = 0, progress: Optional[Progress] = None
) -> Framing:
    """Let a detector say how large the faces of a data set are in their pictures.

    Args:
        dataset: Any data set of faces; of more than :data:`SAMPLE` pictures, so many are drawn.
        detector: Haar finds about three in four of FER-2013's faces, YuNet nine in ten.
        seed: Of the draw.
        progress: Called with (done, total).

    Raises:
        DataError: It finds no face in any of them.
    """
    chosen = np.arange(len(dataset))
    if len(chosen) > SAMPLE:
        chosen = np.sort(np.random.default_rng(seed).choice(len(dataset), SAMPLE, replace=False))
    shares = []
    for done, row in enumerate(chosen, 1):
        framed = on_a_border(dataset.image(int(row)))
        height, width = (side - 2 * BORDER for side in framed.shape[:2])
        boxes = detector.detect(framed)
        if boxes:
            shares.append(max(boxes[0].width, boxes[0].height) / (height * width) ** 0.5)
        if progress is not None:
            progress(done, len(chosen))
    if not shares:
        raise DataError(
            f"The {detector.name} detector found no face in {len(chosen)} pictures of {dataset.name}, so how widely "
            "they are cut out is unknown; look at them with --sheet."
        )
    low, median, high = (float(value) for value in np.percentile(shares, (25, 50, 75)))
    return Framing(detector.name, len(chosen), len(shares), median, (low, high))
