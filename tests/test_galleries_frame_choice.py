"""Faces chosen from a film: of one person alone, sharp, and unlike one another."""

from __future__ import annotations

from pathlib import Path
from typing import List

import cv2
import numpy as np
import pytest
from film_fakes import MadeSource, picture, three_scenes

from galleries.errors import ConfigError, DataError
from galleries.frame_choice import choose, choose_faces, sharpness
from galleries.recognizer import Recognizer
from galleries.sources import open_source

MEDIA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "media"


def test_a_blurred_face_is_less_sharp() -> None:
    face = three_scenes()[0][30:110, 70:150]
    values = [sharpness(face)] + [sharpness(cv2.GaussianBlur(face, (0, 0), sigma)) for sigma in (1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert sharpness(np.full((40, 40), 7, np.uint8)) == 0
    small = cv2.resize(face, (20, 20), interpolation=cv2.INTER_AREA)
    assert sharpness(small) < sharpness(face)


def test_sharp_varied_faces_of_one_person_alone_are_chosen(film_recognizer: Recognizer) -> None:
    source = MadeSource(three_scenes())
    told: List[int] = []
    found = choose_faces(film_recognizer, source, 3, lambda done, total: told.append(done))
    assert (found.looked, found.single, found.several) == (45, 36, 6)
    numbers = [round(time * 10) for time in found.times]
    assert [number // 15 for number in numbers] == [0, 1, 2], "one of each scene"
    assert all(number % 15 < 6 for number in numbers), "sharp ones"
    assert found.vectors.shape == (3, film_recognizer.gallery.tower.embedding_dim)
    assert np.allclose(
        found.vectors, film_recognizer.embed([film_recognizer.find(three_scenes()[n])[0][1] for n in numbers])
    )
    assert told[-1] == 45
    assert source.closed == 1


def test_there_are_no_more_faces_than_differ(film_recognizer: Recognizer) -> None:
    assert len(choose_faces(film_recognizer, MadeSource(three_scenes()), 10).times) == 3
    assert len(choose_faces(film_recognizer, MadeSource([three_scenes()[0]]), 10).times) == 1


def test_the_choice_against_plain_loops() -> None:
    """Those sharp enough; then, from the one nearest to the mean, always the one farthest from all chosen."""
    rng = np.random.default_rng(0)
    vectors, sharp = rng.normal(size=(41, 5)).astype(np.float32), rng.random(41)
    sharp_ones = [row for row in range(41) if sharp[row] >= sorted(sharp)[36] / 2]
    assert 10 < len(sharp_ones) < 30
    mean = vectors[sharp_ones].astype(float).mean(axis=0)
    expected = [min(sharp_ones, key=lambda row: float(np.linalg.norm(vectors[row] - mean)))]
    while len(expected) < 6:
        expected.append(
            max(sharp_ones, key=lambda row: min(float(np.linalg.norm(vectors[row] - vectors[e])) for e in expected))
        )
    assert choose(vectors, sharp, 6).tolist() == sorted(expected)
    assert len(choose(vectors, sharp, 30)) == 30, "where many are wanted, less sharp ones too"
    assert len(choose(vectors, sharp, 100)) == 41
    assert choose(vectors[:1], sharp[:1], 5).tolist() == [0]


def test_a_long_film_takes_little_memory(film_recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galleries.frame_choice._MOST", 8)
    found = choose_faces(film_recognizer, MadeSource(three_scenes()), 3)
    assert found.single == 36
    assert all(round(time * 10) % 15 < 6 for time in found.times)


def test_a_camera_is_looked_at_for_a_while(film_recognizer: Recognizer) -> None:
    class Clock(MadeSource):
        def read(self):  # type: ignore[no-untyped-def]
            if self.given == len(self._frames):
                self.given = 0
            frame = super().read()
            self.clock = getattr(self, "clock", 0.0) + 0.1
            return None if frame is None else type(frame)(frame.number, self.clock, frame.image)

    source = Clock(three_scenes(), is_live=True, wait=0.001)
    found = choose_faces(film_recognizer, source, 3, live_seconds=5.0)
    assert 0 < max(found.times) < 5.0
    assert source.closed == 1


def test_a_film_that_dies_gives_what_was_seen(film_recognizer: Recognizer) -> None:
    found = choose_faces(film_recognizer, MadeSource(three_scenes()[:10], dies=OSError("unplugged")), 3)
    assert len(found.times) == 1
    assert found.notes == ["made broke off: unplugged"]


def test_films_without_such_frames(film_recognizer: Recognizer) -> None:
    with pytest.raises(DataError, match=r"None of 3 frames of made shows one face alone \(0 show several\)"):
        choose_faces(film_recognizer, MadeSource([picture([])] * 3), 3)
    with pytest.raises(DataError, match="2 show several"):
        choose_faces(film_recognizer, MadeSource([picture([(10, 20, 50), (170, 90, 40)])] * 2), 3)
    with pytest.raises(ConfigError, match="from 1"):
        choose_faces(film_recognizer, MadeSource(three_scenes()), 0)


def test_a_real_film_of_one_face(film_gallery: Path) -> None:
    film = MEDIA / "single_face.mp4"
    if not film.exists():
        pytest.skip(f"{film} is missing (real data of this workplace)")
    real = Recognizer.load(film_gallery, n_neighbors=3, providers=["cpu"], threads=1)
    found = choose_faces(real, open_source(film), 2)
    assert len(found.times) == 2
    assert found.times == sorted(found.times)
    assert found.looked == 24, "every third of 72"
