"""A straightener learns where faces are; places, pictures and lessons against slow oracles."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Optional

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from galleries.errors import ConfigError, DataError
from galleries.faces import FaceDetector
from galleries.images import InputSpec
from siamese.datasets.base import FaceDataset, PixelStore
from siamese.straightening import UPRIGHT, place_of, points_at, teach
from siamese.towers import CompactStraightTower
from siamese.towers.straight import Straightener

SIDE = 48


def moved(turn: float, size: float, x: float, y: float) -> NDArray[np.float64]:
    """The five points of an upright face that is turned, enlarged and moved, one by one."""
    found = []
    for right, down in UPRIGHT:
        found.append(
            (
                size * (math.cos(turn) * right - math.sin(turn) * down) + x,
                size * (math.sin(turn) * right + math.cos(turn) * down) + y,
            )
        )
    return np.array(found)


def drawn(points: NDArray[np.float64], side: int = SIDE) -> NDArray[np.uint8]:
    """Eyes, nose and mouth as dots of different sizes."""
    picture = np.full((side, side), 200, np.uint8)
    for (x, y), radius in zip(points, (4, 4, 2, 3, 3)):
        cv2.circle(picture, (round((x + 1) * side / 2), round((y + 1) * side / 2)), radius, 20, -1)
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


class Seer(FaceDetector):
    """A detector that is told where the points are, in the order of the pictures; None where it is to find no face."""

    def __init__(self, told: list[Optional[NDArray[np.float64]]]) -> None:
        self.name = "yunet"
        self.told = iter(told)

    def landmarks(self, image: NDArray[np.uint8]) -> Optional[NDArray[np.float64]]:
        points = next(self.told)
        height, width = image.shape
        assert height == width == 288
        return None if points is None else (points + 1) / 2 * 144 + 72  # within the border


def faces(count: int, seed: int = 0) -> tuple[FaceDataset, list[Optional[NDArray[np.float64]]]]:
    rng = np.random.default_rng(seed)
    told: list[Optional[NDArray[np.float64]]] = [
        moved(rng.uniform(-0.4, 0.4), rng.uniform(0.75, 1.25), *rng.uniform(-0.25, 0.25, 2)) for _ in range(count)
    ]
    store = PixelStore.from_array(np.stack([drawn(points) for points in told if points is not None]))
    labels, ids = np.arange(count) % 2, tuple(str(row) for row in range(count))
    return FaceDataset("dots", "folder", Path(), ("anger", "fear"), labels, ids, store, np.arange(count)), told


def test_a_place_is_the_similarity_that_explains_the_points_best() -> None:
    for turn, size, x, y in ((0.0, 1.0, 0.0, 0.0), (0.3, 0.8, 0.1, -0.2), (-0.5, 1.4, -0.3, 0.2)):
        found = place_of(moved(turn, size, x, y))
        np.testing.assert_allclose(found, [size * math.cos(turn), size * math.sin(turn), x, y], atol=1e-12)
        there = points_at(torch.tensor(found[None])).numpy()[0]
        np.testing.assert_allclose(there, moved(turn, size, x, y), atol=1e-12)
    points = moved(0.2, 0.9, 0.1, 0.1) + np.random.default_rng(0).normal(0, 0.05, (5, 2))
    best = place_of(points)

    def off(place: NDArray[np.float64]) -> float:
        return float(((points_at(torch.tensor(place[None])).numpy()[0] - points) ** 2).sum())

    for coordinate in range(4):
        for step in (-1e-3, 1e-3):
            assert off(best + step * np.eye(4)[coordinate]) > off(best)


def test_a_face_is_moved_upright_into_the_middle() -> None:
    picture = drawn(moved(0.35, 0.8, 0.2, -0.15), 96)
    place = torch.tensor(place_of(moved(0.35, 0.8, 0.2, -0.15))[None], dtype=torch.float32)
    found = Straightener(96, 96)(torch.from_numpy(picture)[None, None].float(), place)[0, 0].numpy()
    upright = drawn(np.array(UPRIGHT), 96).astype(float)
    assert (
        np.corrcoef(found.ravel(), upright.ravel())[0, 1]
        > 0.9
        > 0.5
        > np.corrcoef(picture.ravel(), upright.ravel())[0, 1]
    )
    c, s, x, y = place[0].tolist()
    half = 96 / 2
    matrix = np.array(
        [[c, -s, half * (1 + x - c + s) - 0.5 + 0.5 * (c - s)], [s, c, half * (1 + y - s - c) - 0.5 + 0.5 * (s + c)]]
    )
    slow = cv2.warpAffine(
        picture, matrix, (96, 96), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    assert np.abs(found - slow)[8:-8, 8:-8].mean() < 3


def test_it_learns_where_faces_are_and_is_not_trained_after() -> None:
    dataset, told = faces(256)
    told[5] = None
    told[6] = moved(0, 3.0, 0, 0)  # no face is as large
    tower = CompactStraightTower(InputSpec(SIDE, SIDE, 1))
    assert not tower.straightener.is_taught
    state, calls = torch.random.get_rng_state(), []
    lesson = teach(
        tower.straightener, dataset, np.arange(256), Seer(told), progress=lambda *at: calls.append(at), epochs=100
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (lesson.asked, lesson.found) == (256, 254)
    assert lesson.error < 0.5 * lesson.before
    assert tower.straightener.is_taught
    assert calls[-1][0] == calls[-1][1] == 256 * 101
    assert calls == sorted(calls)
    assert not any(weight.requires_grad for weight in tower.straightener.parameters())
    tower.train()
    assert not tower.straightener.training
    new, truth = faces(32, seed=1)
    with torch.no_grad():
        found = points_at(
            tower.straightener.places(torch.from_numpy(new.batch(np.arange(32), tower.input_spec)).float())
        )
    off = (
        np.linalg.norm(found.numpy() - np.stack([points for points in truth if points is not None]), axis=2).mean(1) / 2
    )
    assert np.median(off) < 0.6 * lesson.before  # faces it has not seen
    again = CompactStraightTower(InputSpec(SIDE, SIDE, 1))
    assert teach(again.straightener, dataset, np.arange(256), Seer(told), epochs=1).error > lesson.error


def test_what_cannot_teach_it_is_refused() -> None:
    dataset, told = faces(64)
    tower = CompactStraightTower(InputSpec(SIDE, SIDE, 1))
    with pytest.raises(DataError, match="found 20 faces in 64 pictures of dots, too few"):
        teach(tower.straightener, dataset, np.arange(64), Seer([*told[:20], *([None] * 44)]))
    assert not tower.straightener.is_taught
    with pytest.raises(ConfigError, match="finds no eyes and mouths; give a YuNet model"):
        teach(tower.straightener, dataset, np.arange(64), FaceDetector())


def test_an_untaught_tower_sees_the_middle_and_a_taught_one_the_face() -> None:
    torch.manual_seed(0)
    tower = CompactStraightTower(InputSpec(SIDE, SIDE, 1)).eval()
    flat = torch.full((2, 1, SIDE, SIDE), 90.0)
    torch.testing.assert_close(tower.straighten(flat), flat, atol=1e-3, rtol=0)
    picture = torch.rand(2, 1, SIDE, SIDE)
    torch.testing.assert_close(tower.straighten(picture), tower.straighten(picture))
    first = tower.train().straighten(picture)
    assert not torch.allclose(first, tower.straighten(picture))  # a little off, anew each time
    tower.eval()
    colour = CompactStraightTower(InputSpec(SIDE, SIDE, 3)).eval()
    torch.testing.assert_close(colour.straighten(picture.expand(-1, 3, -1, -1))[:, :1], tower.straighten(picture))
