"""The vote on pictures in worse light and of worse cameras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from onnx_towers import write_tower
from tiny_faces import tiny_dataset, tiny_split

from eval.disturbed import KINDS, disturbed, judge_disturbed
from eval.held_out import held_out
from galleries.encoder import OnnxEncoder
from siamese.enrolling import enrol

pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra [eval])")


def some(size: int = 12, channels: int = 1, side: int = 48, low: int = 0, high: int = 256) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(low, high, (size, channels, side, side), dtype=np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("channels", "side"), [(1, 48), (3, 20), (1, 112), (3, 1)])
def test_every_kind_gives_pictures_again(kind: str, channels: int, side: int) -> None:
    given = some(4, channels, side)
    kept = given.copy()
    one = disturbed(given, kind, rng())
    assert (one.shape, one.dtype) == (given.shape, np.uint8)
    assert np.array_equal(one, disturbed(given, kind, rng()))
    assert np.array_equal(given, kept)
    if side > 1:
        assert (one != given).any(axis=(1, 2, 3)).all()
    grey = np.repeat(some(3, 1, side), channels, axis=1)
    seen = disturbed(grey, kind, rng())
    assert (seen == seen[:, :1]).all()  # grey stays grey


def test_dark_and_pale_are_powers_of_the_brightness() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    x = np.arange(256) / 255
    np.testing.assert_allclose(disturbed(ramp, "dark", rng()).ravel(), 255 * x**2, atol=0.51)
    np.testing.assert_allclose(disturbed(ramp, "pale", rng()).ravel(), 255 * np.sqrt(x), atol=0.51)


def test_light_comes_from_either_side() -> None:
    flat = np.full((60, 1, 48, 48), 120, np.uint8)
    added = disturbed(flat, "side light", rng()).astype(int)[:, 0] - 120
    assert set(added[:, 0, 0]) == {-70, 70}
    assert np.array_equal(added[:, :, 0], -added[:, :, -1])
    assert (added == added[:, :1]).all()


def test_noise_and_compression_keep_the_picture_beneath() -> None:
    given = some(30, low=90, high=91)
    noise = disturbed(given, "noisy", rng()).astype(float) - 90
    assert noise.std() == pytest.approx(15, abs=0.3)
    assert not np.array_equal(noise[0], noise[1])
    smooth = np.uint8(np.add.outer(np.arange(48), np.arange(48)) * 2)[None, None]
    assert np.abs(disturbed(smooth, "compressed", rng()).astype(int) - smooth).mean() < 6


@pytest.mark.parametrize("kind", ["soft", "moving", "few pixels"])
def test_fine_detail_goes_and_coarse_detail_stays(kind: str) -> None:
    chequered = np.uint8(np.indices((48, 48)).sum(0) % 2 * 200)[None, None]
    assert disturbed(chequered, kind, rng()).std() < 0.75 * chequered.std()
    halves = np.zeros((1, 1, 48, 48), np.uint8)
    halves[..., 24:] = 200
    seen = disturbed(halves, kind, rng())[0, 0]
    assert (seen[:, :18] <= 12).all()
    assert (seen[:, 30:] >= 188).all()
    mean = float(cv2.mean(disturbed(some(1), kind, rng())[0, 0])[0])
    assert mean == pytest.approx(some(1).mean(), abs=4)  # no light is lost


def test_the_vote_on_every_kind_is_what_each_picture_asked_alone_says(tmp_path: Path) -> None:
    encoder = OnnxEncoder(write_tower(tmp_path / "tower.onnx"))
    dataset = tiny_dataset()
    split = tiny_split(dataset)
    gallery = enrol(dataset, split.train, encoder)
    queries = held_out(gallery, encoder, dataset, split.test)
    steps: list[tuple[int, int]] = []
    found = judge_disturbed(
        gallery, encoder, dataset, split.test, queries, 3, progress=lambda done, total: steps.append((done, total))
    )
    fresh = np.flatnonzero(~queries.leaks)
    assert found.pictures == len(fresh) > 3
    assert steps[-1] == (len(fresh), len(fresh))
    assert [row.kind for row in found.rows] == ["as they are", *KINDS]
    for place, kind in enumerate(KINDS):
        noise = np.random.default_rng([0, place])
        right = []
        for row in split.test[fresh]:
            pixels = disturbed(dataset.batch(np.array([row]), encoder.input_spec), kind, noise)
            said = gallery.predict(encoder.encode(pixels), 3)[0]
            right.append(said == dataset.emotions[dataset.labels[row]])
        assert found.rows[place + 1].scores.accuracy == pytest.approx(np.mean(right))
        assert found.rows[place + 1].change == pytest.approx(np.mean(right) - found.rows[0].scores.accuracy)
        low, high = found.rows[place + 1].change_interval
        assert low <= found.rows[place + 1].change <= high
    plain = found.to_json()
    assert plain["mean"] == pytest.approx(np.mean([entry["accuracy"] for entry in plain["kinds"][1:]]))
    assert plain["kinds"][0]["strength"] is None
    assert plain["kinds"][1] == {**found.rows[1].to_json(), "kind": "dark", "strength": "gamma 2"}


def test_pictures_that_the_gallery_knows_are_asked_only_where_there_are_no_others(tmp_path: Path) -> None:
    encoder = OnnxEncoder(write_tower(tmp_path / "tower.onnx"))
    dataset = replace(tiny_dataset(), subjects=None)
    rows = tiny_split(dataset).train
    gallery = enrol(dataset, rows, encoder)
    queries = held_out(gallery, encoder, dataset, rows)
    assert queries.leaks.all()
    assert judge_disturbed(gallery, encoder, dataset, rows, queries, 1).pictures == len(rows)
