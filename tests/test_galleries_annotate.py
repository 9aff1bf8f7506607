"""What is drawn on a frame: boxes, votes, the nearest face, and nothing on a face."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np
import pytest
from film_fakes import (
    EMOTIONS,
    MadeSource,
    make_gallery,
    open_gallery,
    picture,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries import annotate
from galleries.annotate import Annotator
from galleries.errors import ConfigError
from galleries.faces import Box
from galleries.lettering import write
from galleries.recognizer import Recognizer
from galleries.video import FrameResult, recognise_film


def result_of(recognizer: Recognizer, image: np.ndarray, boxes: List[Box]) -> FrameResult:
    class Given:
        def detect(self, image: np.ndarray) -> List[Box]:
            return boxes

    recognizer.detector = Given()  # type: ignore[assignment]
    with recognise_film(recognizer, MadeSource([image])) as run:
        return next(iter(run))


BOXES = st.builds(
    Box, st.integers(-20, 250), st.integers(-20, 190), st.integers(5, 90), st.integers(5, 90), st.just(1.0)
)


@given(st.lists(BOXES, max_size=5), st.booleans(), st.sampled_from([(131, 131), (200, 260), (700, 300)]))
@settings(max_examples=30)
def test_no_face_is_ever_covered(film_gallery: Path, boxes: List[Box], grey: bool, size: Tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, size if grey else (*size, 3), dtype=np.uint8)
    inside = [b for b in boxes if b.x < size[1] and b.y < size[0] and b.x + b.width > 0 and b.y + b.height > 0]
    recognizer = open_gallery(film_gallery)
    result = result_of(recognizer, image, inside)
    drawn = Annotator(recognizer.gallery).draw(result)
    blank = Annotator(recognizer.gallery).draw(result_of(recognizer, image, []))
    assert drawn.shape == blank.shape
    assert drawn.shape[0] % 2 == drawn.shape[1] % 2 == 0
    factor = max(1, -(-480 // max(size)))
    for box in inside:
        rows = slice(max(0, box.y) * factor, min(size[0], box.y + box.height) * factor)
        columns = slice(max(0, box.x) * factor, min(size[1], box.x + box.width) * factor)
        assert np.array_equal(drawn[rows, columns], blank[rows, columns])
    outside = drawn[:, : size[1] * factor] != blank[:, : size[1] * factor]
    assert outside.any() or not any(b.x > 0 or b.y > 0 for b in inside)


def test_a_card_shows_votes_and_the_nearest_face(film_gallery: Path) -> None:
    recognizer = open_gallery(film_gallery)
    result = result_of(recognizer, picture([(40, 40, 60)], (640, 480)), [Box(40, 40, 60, 60, 1.0)])
    drawn = Annotator(recognizer.gallery).draw(result)
    panel = drawn[:, 640:]
    assert panel.shape[:2] == (480, 260)
    thumbnail = recognizer.gallery.thumbnails
    assert thumbnail is not None
    expected = cv2.resize(thumbnail[result.faces[0].nearest.number], (56, 56), interpolation=cv2.INTER_CUBIC)
    assert np.array_equal(panel[28:84, -60:-4], np.repeat(expected[..., None], 3, axis=2))
    for place, emotion in enumerate(EMOTIONS):
        bar = panel[28 + 60 + 15 * place + 6, 100:252]
        filled = int((bar[:, 0] > 200).sum())
        assert filled == pytest.approx(152 * result.faces[0].scores[emotion], abs=2)


def test_drawing_without_thumbnails_in_spanish_and_for_crowds(tmp_path: Path) -> None:
    recognizer = open_gallery(make_gallery(tmp_path, thumbnails=False))
    boxes = [Box(x, y, 30, 30, 1.0) for y in (20, 80, 140) for x in (20, 80, 140, 200)]
    result = result_of(recognizer, picture([], (300, 200)), boxes)
    english = Annotator(recognizer.gallery).draw(result)
    spanish = Annotator(recognizer.gallery, {"anger": "enojo", "fear": "miedo"}, "es").draw(result)
    assert english.shape == spanish.shape
    assert (english[-14:, 602:] != 24).any(), "how many more there are"
    assert not np.array_equal(english, spanish)
    with pytest.raises(ConfigError, match="language"):
        Annotator(recognizer.gallery, language="fr")


@given(
    st.lists(BOXES, max_size=4),
    st.sampled_from([(131, 131), (200, 260), (360, 640), (700, 300)]),
    st.sampled_from([0.0, 1.5, 700.25]),
)
@settings(max_examples=25)
def test_what_is_kept_drawn_is_what_is_drawn_anew(
    film_gallery: Path, boxes: List[Box], size: Tuple[int, int], moment: float
) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    before = image.copy()
    recognizer = open_gallery(film_gallery)
    inside = [b for b in boxes if b.x < size[1] and b.y < size[0] and b.x + b.width > 0 and b.y + b.height > 0]
    result = replace(result_of(recognizer, image, inside), time=moment, fps=12.5)
    names = {"anger": "agy", "fear": "miedo"}
    annotator = Annotator(recognizer.gallery, names)
    first, again = annotator.draw(result), annotator.draw(result)
    annotate._empty_bars.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(annotate, "stamp", write)
        anew = Annotator(recognizer.gallery, names).draw(result)
    annotate._empty_bars.cache_clear()
    assert np.array_equal(first, anew)
    assert np.array_equal(again, anew)
    assert np.array_equal(image, before)
    again[:] = 0
    assert np.array_equal(annotator.draw(result), anew), "a picture that was given away is not drawn on any more"


def test_few_thumbnails_are_kept(film_gallery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotate, "_KEPT", 1)
    recognizer = open_gallery(film_gallery)
    annotator = Annotator(recognizer.gallery)
    one = result_of(recognizer, picture([(40, 40, 60)], (640, 480)), [Box(40, 40, 60, 60, 1.0)])
    (face,) = one.faces
    results = []
    for number in (3, 3, 8, 3, 11):
        neighbours = [replace(face.nearest, number=number), *face.prediction.neighbours[1:]]
        near = replace(face, prediction=replace(face.prediction, neighbours=neighbours))
        results.append(replace(one, faces=(near,)))
    for result in results:
        assert np.array_equal(annotator.draw(result), Annotator(recognizer.gallery).draw(result))
    assert len(annotator._shown) == 1
