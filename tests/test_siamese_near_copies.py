from __future__ import annotations

import cv2
import numpy as np
import pytest

from siamese.near_copies import near_copies, view


def photographs(size: int, seed: int = 0) -> np.ndarray:
    """Smooth random pictures, uint8 (size, 56, 56)."""
    rng = np.random.default_rng(seed)
    made = [cv2.GaussianBlur(rng.normal(size=(56, 56)), (0, 0), 4) for _ in range(size)]
    return np.array([cv2.normalize(m, m, 10, 240, cv2.NORM_MINMAX).astype(np.uint8) for m in made])


def compressed(picture: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], cv2.IMREAD_GRAYSCALE)


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole[4:52, 4:52],
        lambda whole: compressed(np.ascontiguousarray(whole[4:52, 4:52])),
        lambda whole: (whole[4:52, 4:52] * 0.7 + 30).astype(np.uint8),
        lambda whole: cv2.resize(cv2.resize(whole[4:52, 4:52], (32, 32)), (48, 48)),
    ],
    ids=["the same", "compressed", "another brightness", "smaller and back"],
)
def test_changed_copies_are_found_and_nothing_else(change: object) -> None:
    whole = photographs(40)
    references = np.ascontiguousarray(whole[:, 4:52, 4:52])
    assert callable(change)
    queries = np.array([change(whole[place]) for place in (30, 7)])
    assert sorted(map(tuple, near_copies(references, queries).tolist())) == [(0, 30), (1, 7)]


def test_other_photographs_and_plain_pictures_are_no_copies() -> None:
    references = np.ascontiguousarray(photographs(300)[:, 4:52, 4:52])
    others = np.ascontiguousarray(photographs(300, seed=1)[:, 4:52, 4:52])
    assert len(near_copies(references, others)) == 0
    plain = np.full((3, 48, 48), 90, np.uint8)
    assert len(near_copies(plain, plain)) == 0
    assert near_copies(references, others[:0]).shape == (0, 2)


def test_pictures_are_compared_at_48_grey() -> None:
    pictures = photographs(2)
    assert view(pictures).shape == (2, 48, 48)
    coloured = np.repeat(pictures[..., None], 3, axis=3)
    assert np.abs(view(coloured).astype(int) - view(pictures)).max() <= 1
    same = np.ascontiguousarray(pictures[:, :48, :48])
    assert np.array_equal(view(same), same)
