"""Where faces are in their pictures, and how a straightener learns it: from the landmarks that a detector finds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Optional

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from galleries.errors import DataError
from galleries.faces import FaceDetector
from galleries.images import InputSpec
from siamese.datasets.base import FaceDataset
from siamese.datasets.framing import BORDER, on_a_border
from siamese.datasets.reading import Progress
from siamese.towers.straight import Straightener

UPRIGHT = ((-0.368, -0.220), (0.358, -0.224), (-0.016, 0.208), (-0.302, 0.516), (0.296, 0.516))
"""Where an upright face has its eyes, the tip of its nose and the corners of its mouth, in half sides from the
middle of its picture: the medians that YuNet finds in FER-2013."""

EPOCHS = 15
"""Passes over the training pictures."""

_SIZES = (0.5, 1.6)  # of a face against the upright one: beyond, a detector has taken something else for it
_FEWEST = 32  # faces
_BATCH = 128
_TURN, _STRETCH, _SHIFT = 0.5, 0.35, 0.25  # most: radians, log of the size, half sides
_LIGHT, _CONTRAST = 30.0, 0.3


@dataclass(frozen=True)
class Lesson:
    """How well a straightener learned.

    Attributes:
        asked: Training pictures that the detector was shown.
        found: Those in which it found a face.
        error: Mean distance of its five points from the detector's, as a share of the picture's side; the median over
            the training pictures.
        before: The same, where every face is taken for upright in the middle.
    """

    asked: int
    found: int
    error: float
    before: float

    def sentence(self) -> str:
        """The facts for a person."""
        return (
            f"The straightener learned from {self.found:,} of {self.asked:,} faces where they are: it is off by "
            f"{self.error:.1%} of a picture's side (median), {self.before:.1%} if all were upright in the middle."
        )


def teach(
    straightener: Straightener,
    dataset: FaceDataset,
    rows: NDArray[np.int64],
    detector: FaceDetector,
    seed: int = 0,
    progress: Optional[Progress] = None,
    epochs: int = EPOCHS,
) -> Lesson:
    """Teach a straightener where the faces of a data set are.

    Pictures are turned by up to 29 degrees, stretched by up to a third, moved, mirrored and lit anew, and their faces'
    places with them.

    Args:
        straightener: Changed in place; PyTorch's random state stays as it is.
        dataset: The faces.
        rows: int64 (N,), those to learn from: training pictures.
        detector: YuNet.
        seed: Of everything random.
        progress: Called with (done, total), over finding and learning.
        epochs: Passes over the pictures.

    Raises:
        ConfigError: The detector finds no landmarks.
        DataError: It finds a face in hardly any picture.
    """
    total = len(rows) * (1 + epochs)

    def done(pictures: int) -> None:
        if progress is not None:
            progress(pictures, total)

    places = np.full((len(rows), 4), np.nan, np.float32)
    for place, row in enumerate(rows):
        points = find_landmarks(dataset.image(int(row)), detector)
        if points is not None:
            places[place] = place_of(points)
        done(place + 1)
    size = np.hypot(places[:, 0], places[:, 1])
    known = np.flatnonzero((size > _SIZES[0]) & (size < _SIZES[1]))
    if len(known) < _FEWEST:
        raise DataError(
            f"The detector found {len(known)} faces in {len(rows)} pictures of {dataset.name}, too few to learn where "
            f"faces are; give larger or sharper pictures, or start from a tower that knows it (--init pretrained)."
        )
    spec = InputSpec(straightener.height, straightener.width)
    pixels, told = torch.from_numpy(dataset.batch(rows[known], spec)), torch.from_numpy(places[known])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _learn(straightener, pixels, told, seed, epochs, lambda pictures: done(len(rows) + pictures))
    done(total)
    with torch.no_grad():
        batches = [straightener.places(some.float()) for some in torch.split(pixels, _BATCH)]
    nowhere = told.new_tensor([1.0, 0.0, 0.0, 0.0]).expand(len(told), 4)
    return Lesson(len(rows), len(known), _error(torch.cat(batches), told), _error(nowhere, told))


def _error(places: Tensor, told: Tensor) -> float:
    """Mean distance of the five points, as a share of the side: the median over faces."""
    return float((points_at(places) - points_at(told)).norm(dim=2).mean(1).median()) / 2


def find_landmarks(image: NDArray[np.uint8], detector: FaceDetector) -> Optional[NDArray[np.float64]]:
    """The five points of the face of a picture that shows nothing else; None where the detector finds none.

    Args:
        image: uint8 (H, W) or (H, W, 3).
        detector: YuNet.

    Returns:
        float64 (5, 2), x and y in half sides from the middle.

    Raises:
        ConfigError: The detector finds no landmarks.
    """
    framed = on_a_border(image)
    points = detector.landmarks(framed)
    if points is None:
        return None
    sides = np.array([framed.shape[1], framed.shape[0]]) - 2 * BORDER
    shares: NDArray[np.float64] = 2 * (points - BORDER) / sides - 1
    return shares


def place_of(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The place (:class:`siamese.towers.straight.Straightener` says what that is) of a face with these five points.

    Args:
        points: float64 (5, 2), in half sides from the middle.

    Returns:
        float64 (4,): it brings :data:`UPRIGHT` nearest to the points, by least squares (Umeyama, "Least-squares
        estimation of transformation parameters between two point patterns", 1991, without mirror images).
    """
    upright = np.array(UPRIGHT)
    centre, middle = upright.mean(0), points.mean(0)
    a, b = upright - centre, points - middle
    c, s = (a * b).sum() / (a**2).sum(), (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / (a**2).sum()
    x, y = middle - np.array([[c, -s], [s, c]]) @ centre
    return np.array([c, s, x, y])


def points_at(places: Tensor) -> Tensor:
    """Where faces at places (B, 4) have the five points, (B, 5, 2)."""
    upright = places.new_tensor(UPRIGHT)
    c, s, x, y = (places[:, [k]] for k in range(4))  # each (B, 1)
    right, down = upright[:, 0], upright[:, 1]
    return torch.stack([c * right - s * down + x, s * right + c * down + y], 2)


def _learn(
    straightener: Straightener,
    pixels: Tensor,
    places: Tensor,
    seed: int,
    epochs: int,
    done: Callable[[int], None],
) -> None:
    rng = np.random.default_rng(seed)
    steps = max(1, len(pixels) // _BATCH) * epochs
    straightener.requires_grad_(True).train()
    nn.init.normal_(straightener.get_parameter("out.3.weight"), std=0.01)
    optimizer = torch.optim.AdamW(straightener.parameters(), lr=1e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    taken = 0
    for epoch in range(epochs):
        order = rng.permutation(len(pixels))
        for start in range(0, max(1, len(order) - _BATCH + 1), _BATCH):
            rows = torch.from_numpy(order[start : start + _BATCH])
            images, told = _varied(pixels[rows].float(), places[rows])
            loss = (points_at(straightener.places(images)) - points_at(told)).abs().mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            taken += 1
            if taken < steps:
                schedule.step()
            done(epoch * len(order) + start)
    straightener.requires_grad_(False).eval()


def _varied(images: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures float32 (B, 1, H, W) turned, stretched, moved, mirrored and lit anew, and where their faces are then."""
    size = len(images)
    turn, stretch = _within(size, _TURN), torch.exp(_within(size, _STRETCH))
    c, s = stretch * torch.cos(turn), stretch * torch.sin(turn)
    shift = torch.stack([_within(size, _SHIFT), _within(size, _SHIFT)], 1)
    mirrored = torch.rand(size) < 0.5
    images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    signs = torch.where(mirrored[:, None], places.new_tensor([1.0, -1.0, -1.0, 1.0]), places.new_ones(4))
    places = places * signs
    seen = torch.stack([torch.stack([c, -s, shift[:, 0]], 1), torch.stack([s, c, shift[:, 1]], 1)], 1)  # (B, 2, 3)
    grid = F.affine_grid(seen, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    # a point q of the new picture shows what was at [[c, -s], [s, c]] q + shift, so places go the other way
    back = torch.linalg.inv(seen[:, :, :2])
    turned = back @ torch.stack([places[:, :2], torch.stack([-places[:, 1], places[:, 0]], 1)], 2)  # (B, 2, 2)
    moved = (back @ (places[:, 2:] - shift).unsqueeze(2)).squeeze(2)
    light = 1 + _within(size, _CONTRAST).view(-1, 1, 1, 1)
    images = (images * light + _within(size, _LIGHT).view(-1, 1, 1, 1)).clamp(0, 255)
    return images, torch.cat([turned[:, :, 0], moved], 1)


def _within(size: int, most: float) -> Tensor:
    return (torch.rand(size) * 2 - 1) * most
