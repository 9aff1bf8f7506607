from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from galleries.errors import ConfigError
from galleries.images import is_blank
from galleries.vocabulary import CANONICAL
from siamese.datasets.action_units import (
    ACTION_UNITS,
    Expression,
    prototype,
    unit_vector,
)
from siamese.datasets.base import FaceDataset, PixelStore
from siamese.datasets.contact_sheet import contact_sheet
from siamese.datasets.face_canvas import Canvas, View, head_light, place, smooth
from siamese.datasets.synthetic import draw_face, draw_picture, load_synthetic, make_person, photograph


@pytest.fixture(scope="module")
def faces() -> FaceDataset:
    return load_synthetic(subjects=80, pictures_per_subject=14, size=48, seed=5)


# --- drawing ----------------------------------------------------------------------------------------------------------


def test_smooth_curve_agrees_with_the_formula_of_catmull_and_rom() -> None:
    points = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0], [4.0, 4.0]])
    curve = smooth(points, closed=True, steps=4)
    assert curve.shape == (16, 2)
    for segment in range(4):
        a, b, c, d = (points[(segment + k) % 4] for k in (-1, 0, 1, 2))
        for step in range(4):
            t = step / 4
            cubic = (-a + 3 * b - 3 * c + d) * t**3 + (2 * a - 5 * b + 4 * c - d) * t**2 + (c - a) * t + 2 * b
            np.testing.assert_allclose(curve[4 * segment + step], 0.5 * cubic, atol=1e-12)
    opened = smooth(points, steps=4)
    np.testing.assert_allclose(opened[::4], points)  # passes through every point, ends included


def test_turned_heads_move_the_nose_more_than_the_ears() -> None:
    points, depths = np.array([[0.0, 20.0], [70.0, 0.0]]), np.array([95.0, 10.0])
    front, turned = (place(points, depths, View(yaw=yaw), 200) for yaw in (0.0, 0.3))
    nose, ear = (turned - front)[:, 0]
    assert nose > 15.0
    assert nose > 2 * abs(ear)


def test_light_falls_on_the_side_it_comes_from() -> None:
    light = head_light(View(light=(-0.6, 0.0, 0.8), ambient=0.4), 192, 70.0)
    assert light[24, 14] > 1.2 * light[24, 34]
    assert light[:, 14].argmax() == pytest.approx(19, abs=2)  # level with the middle of the head


def test_person_covers_the_background_and_light_leaves_it_alone() -> None:
    canvas = Canvas(View())
    canvas.body(np.array([[-40.0, -40], [40, -40], [40, 40], [-40, 40]]), 100, 0.0)
    canvas.blob(0, 0, 10, 10, -0.3)
    background = np.full((96, 96), 180, np.uint8)
    image = canvas.render(background, 70.0)
    assert (image[:5] == 180).all()
    assert image[48, 48] < 180
    assert (background == 180).all()


@pytest.mark.parametrize(
    ("units", "rows", "columns"),
    [
        ({1: 1, 2: 1}, (0.15, 0.35), (0.2, 0.8)),
        ({12: 1}, (0.6, 0.9), (0.3, 0.7)),
        ({5: 1}, (0.3, 0.5), (0.2, 0.8)),
        ({26: 1, 25: 1}, (0.65, 1.0), (0.2, 0.8)),
        ({9: 1}, (0.25, 0.65), (0.3, 0.7)),
    ],
)
def test_action_units_change_the_part_of_the_face_they_belong_to(
    units: dict[int, float], rows: tuple[float, float], columns: tuple[float, float]
) -> None:
    person = make_person(0, 5)
    rest = draw_face(person, prototype("neutral", 0.0), 96).astype(int)
    moved = draw_face(person, Expression(np.tile(unit_vector(units), (2, 1))), 96).astype(int)
    change = np.abs(moved - rest)
    inside = np.zeros((96, 96), bool)
    inside[int(rows[0] * 96) : int(rows[1] * 96), int(columns[0] * 96) : int(columns[1] * 96)] = True
    assert change[inside].mean() > 3 * change[~inside].mean()
    assert change.max() > 40


def test_intensity_moves_a_face_away_from_neutral_step_by_step() -> None:
    person = make_person(0, 1)
    neutral = draw_face(person, prototype("neutral", 0.0), 64).astype(int)
    for emotion in set(CANONICAL) - {"neutral"}:
        away = [np.abs(draw_face(person, prototype(emotion, i), 64) - neutral).mean() for i in (0.0, 0.3, 0.6, 1.0)]
        assert away[0] == 0.0
        assert away == sorted(away)
        assert away[-1] > 1.0


@settings(max_examples=60)
@given(
    arrays(np.float64, (2, len(ACTION_UNITS)), elements=st.floats(0, 1)),
    st.integers(0, 10_000),
    st.tuples(st.floats(-0.5, 0.5), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(0.7, 1.3)),
    st.sampled_from([24, 48, 63]),
)
def test_any_person_can_make_any_face(
    values: np.ndarray, subject: int, pose: tuple[float, float, float, float], size: int
) -> None:
    yaw, pitch, roll, scale = pose
    view = View(yaw=yaw, pitch=pitch, roll=roll, scale=scale)
    image = draw_face(make_person(3, subject), Expression(values), size, view)
    assert image.shape == (size, size)
    assert image.dtype == np.uint8
    assert image.std() > 5


def test_photograph_keeps_size_and_adds_grain() -> None:
    flat = np.full((192, 192), 120, np.uint8)
    image = photograph(flat, 64, np.random.default_rng(0))
    assert image.shape == (64, 64)
    assert image.dtype == np.uint8
    assert 0.3 < image.std() < 15
    assert 60 < image.mean() < 200


# --- data set ---------------------------------------------------------------------------------------------------------


def test_counts_subjects_and_names(faces: FaceDataset) -> None:
    assert faces.emotions == CANONICAL
    assert set(faces.counts().values()) == {140}
    assert len(set(faces.ids)) == len(faces) == 80 * 14
    assert faces.subjects is not None
    assert len(set(faces.subjects)) == 80
    assert faces.subjects.count("s0003") == 14
    assert "subject0003/happiness/00" in faces.ids
    for index in (0, 17, 500):
        subject, emotion, _ = faces.ids[index].split("/")
        assert faces.emotions[faces.labels[index]] == emotion
        assert faces.subjects[index] == subject.replace("subject", "s")
    assert faces.format == faces.name == "synthetic"
    assert faces.official is None
    assert faces.skipped == ()


def test_no_picture_is_blank_or_drawn_twice(faces: FaceDataset) -> None:
    assert not any(is_blank(faces.image(k)) for k in range(len(faces)))
    assert min(faces.image(k).std() for k in range(len(faces))) > 4
    assert len(set(faces.digests())) == len(faces)


def test_a_picture_depends_on_its_seed_and_name_alone(faces: FaceDataset) -> None:
    by_name = dict(zip(faces.ids, faces.digests()))
    few = load_synthetic(subjects=2, pictures_per_subject=5, size=48, seed=5, emotions=("joy", "Fear"))
    assert few.emotions == ("fear", "happiness")
    common = set(few.ids) & set(by_name)
    assert len(common) >= 4
    assert all(by_name[name] == digest for name, digest in zip(few.ids, few.digests()) if name in common)
    other = load_synthetic(subjects=2, pictures_per_subject=5, size=48, seed=6, emotions=("joy", "Fear"))
    assert not set(other.digests()) & set(few.digests())


def test_drawing_repeats_with_the_same_generator_state() -> None:
    person = make_person(1, 2)
    one, two, three = (draw_picture(person, "anger", 40, np.random.default_rng(k)) for k in (7, 7, 8))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, three)


def test_fewer_pictures_than_emotions_keep_only_those_that_occur() -> None:
    tiny = load_synthetic(subjects=1, pictures_per_subject=3, size=32)
    assert tiny.emotions == ("anger", "contempt", "disgust")
    assert tiny.labels.tolist() == [0, 1, 2]


def test_progress_is_told_after_each_person() -> None:
    seen: list[tuple[int, int]] = []
    load_synthetic(subjects=3, pictures_per_subject=1, size=24, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": 0}, "0 subjects"),
        ({"pictures_per_subject": 0}, "0 pictures"),
        ({"size": 16}, "16 pixels"),
        ({"size": 300}, "300 pixels"),
        ({"seed": -1}, "seed is -1"),
        ({"emotions": ()}, "No emotion"),
        ({"emotions": ("fear", "boredom")}, "'boredom' is not a known"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_synthetic(**{"subjects": 1, "pictures_per_subject": 1, **options})  # type: ignore[arg-type]


def test_emotions_can_be_told_on_new_people_but_not_perfectly(faces: FaceDataset) -> None:
    pytest.importorskip("sklearn", reason="the learning part is not installed")
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    hog = cv2.HOGDescriptor((48, 48), (16, 16), (8, 8), (8, 8), 9)
    X = np.stack([np.ravel(hog.compute(faces.image(k))) for k in range(len(faces))])
    train = np.arange(len(faces)) < 60 * 14  # the first 60 people; the other 20 are new
    scaler = StandardScaler().fit(X[train])
    model = LogisticRegression(C=1e-3, max_iter=300).fit(scaler.transform(X[train]), faces.labels[train])
    accuracy = model.score(scaler.transform(X[~train]), faces.labels[~train])
    assert 0.35 < accuracy < 0.95  # chance is 0.125


# --- contact sheet ----------------------------------------------------------------------------------------------------


def test_sheet_has_a_row_for_each_emotion(faces: FaceDataset) -> None:
    sheet = contact_sheet(faces, per_emotion=5, size=48)
    assert sheet.shape == (8 * 50 + 2, 80 + 5 * 50 + 2, 3)
    assert sheet.dtype == np.uint8
    for row in range(8):
        band = sheet[2 + 50 * row : 50 + 50 * row]
        assert band[:, :80].min() < 128  # the name
        assert all(band[:, 82 + 50 * k : 130 + 50 * k].std() > 4 for k in range(5))
    np.testing.assert_array_equal(sheet, contact_sheet(faces, per_emotion=5, size=48))
    assert not np.array_equal(sheet, contact_sheet(faces, per_emotion=5, size=48, seed=1))


def test_sheet_shows_pictures_unchanged_at_their_own_size(faces: FaceDataset) -> None:
    sheet = contact_sheet(faces, per_emotion=1, size=48)
    shown = sheet[2:50, 82:130]
    anger = np.flatnonzero(faces.labels == 0)
    assert any(np.array_equal(shown[..., 0], faces.image(int(k))) for k in anger)


def test_sheet_of_colour_pictures_of_any_shape_and_few_of_them() -> None:
    images = [np.full((30, 60, 3), (200, 10, 10), np.uint8), np.full((90, 20), 60, np.uint8)]
    names = ("a_very_long_name_of_an_emotion", "fear")
    dataset = FaceDataset(
        "x", "folder", Path("x"), names, np.array([0, 1]), ("a", "b"), PixelStore.from_images(images), np.arange(2)
    )
    sheet = contact_sheet(dataset, per_emotion=3, size=32)
    assert sheet.shape == (2 * 34 + 2, 80 + 3 * 34 + 2, 3)
    assert sheet[18, 98].tolist() == [200, 10, 10]
    assert sheet[3, 98].tolist() == [250, 250, 250]  # proportions are kept: paper above a wide picture
    assert sheet[52, 98].tolist() == [60, 60, 60]
    assert (sheet[:, 82 + 34 :] == 250).all()  # no second picture


def test_sheet_shows_different_people_first() -> None:
    drawn = load_synthetic(subjects=4, pictures_per_subject=6, size=32, emotions=("fear",))
    sheet = contact_sheet(drawn, per_emotion=4, size=32)
    tiles = {sheet[2:34, 82 + 34 * k : 114 + 34 * k, 0].tobytes() for k in range(4)}
    who = {drawn.subjects[k] for k in range(len(drawn)) if drawn.image(k).tobytes() in tiles}  # type: ignore[index]
    assert len(who) == 4


@pytest.mark.parametrize("options", [{"per_emotion": 0}, {"size": 8}, {"size": 1000}])
def test_impossible_sheets_are_refused(faces: FaceDataset, options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="pictures a row"):
        contact_sheet(faces, **options)
