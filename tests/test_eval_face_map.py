"""What a map tells of its faces: votes, isolation and purity against slow counting, the sprite, the page's numbers."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eval.face_map import FaceMap, make_map
from eval.language import LANGUAGES, TEXTS, Words
from eval.map_page import map_page, map_part, printed_map
from eval.map_points import Queries, choose_rows, cluster_quality, reference_points
from eval.sprite import COLUMNS, SIDE, sprite
from galleries.errors import ConfigError, GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

pytest.importorskip("sklearn", reason="the judging part is not installed")
pytest.importorskip("plotly", reason="the judging part is not installed")

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8), 4)
EMOTIONS = ("anger", "fear", "joyful")


def small_gallery(size: int = 40, seed: int = 0, metric: str = "cosine", thumbnails: bool = True) -> Gallery:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, size)
    vectors = (2 * np.eye(4)[labels] + rng.standard_normal((size, 4))).astype(np.float32)
    return Gallery.build(
        vectors,
        [EMOTIONS[label] for label in labels],
        tower=CARD,
        metric=metric,
        subjects=[None if row % 5 == 0 else f"S{row % 4}" for row in range(size)],
        thumbnails=rng.integers(0, 256, (size, 12, 10), dtype=np.uint8) if thumbnails else None,
    )


def slow_neighbours(vectors: NDArray[np.float32], row: int, k: int, metric: str) -> list[int]:
    """The k nearest others of a vector, by comparing all."""
    a = vectors.astype(np.float64)
    if metric == "cosine":
        a = a / np.linalg.norm(a, axis=1, keepdims=True)
    far = np.linalg.norm(a - a[row], axis=1)
    return [int(other) for other in np.argsort(far, kind="stable") if other != row][:k]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_votes_leave_the_face_itself_out(metric: str) -> None:
    gallery = small_gallery(metric=metric)
    rows = np.array([0, 3, 17, 39])
    points = reference_points(gallery, rows, 5, "majority")
    for place, row in enumerate(rows.tolist()):
        near = slow_neighbours(gallery.vectors, row, 5, metric)
        assert points.neighbours[place].tolist() == gallery.labels[near].tolist()
        counts = np.bincount(gallery.labels[near], minlength=3)
        assert counts[points.answers[place]] == counts.max()
    assert points.wrong.tolist() == (points.labels != points.answers).tolist()


def test_purity_silhouette_and_isolation() -> None:
    from sklearn.metrics import silhouette_score

    gallery = small_gallery(200)
    points = reference_points(gallery, choose_rows(200, None), 7)
    quality = cluster_quality(points, "cosine")
    vectors, labels = gallery.vectors, gallery.labels
    same = [labels[slow_neighbours(vectors, row, 7, "cosine")] == labels[row] for row in range(200)]
    assert quality.purity == pytest.approx(np.mean(same))
    shares = np.bincount(gallery.labels) / 200
    assert quality.purity_floor == pytest.approx((shares**2).sum())
    assert quality.silhouette == pytest.approx(silhouette_score(gallery.vectors, gallery.labels, metric="cosine"))
    assert quality.leave_one_out == pytest.approx(1 - points.wrong.mean())
    assert points.isolated.sum() == 2  # one in a hundred
    assert points.reach[points.isolated].min() > points.reach[~points.isolated].max()


def test_many_copies_are_each_others_neighbours() -> None:
    """A face among more copies than neighbours may be missing in its own list; k are left all the same."""
    vectors = np.tile(np.array([[1, 0, 0, 0]], np.float32), (12, 1))
    gallery = Gallery.build(vectors, ["anger"] * 11 + ["fear"], tower=CARD)
    points = reference_points(gallery, choose_rows(12, None), 3)
    assert points.neighbours.shape == (12, 3)
    assert not points.isolated.any()
    assert points.wrong.tolist() == [False] * 11 + [True]


def test_one_emotion_has_no_silhouette_and_a_tiny_gallery_no_map() -> None:
    one = Gallery.build(np.eye(4, dtype=np.float32), ["fear"] * 4, tower=CARD)
    assert cluster_quality(reference_points(one, choose_rows(4, None), 9), "cosine").silhouette is None
    two = Gallery.build(np.eye(4, dtype=np.float32)[:2], ["fear"] * 2, tower=CARD)
    with pytest.raises(GalleryError, match="2 references; a map needs at least 3"):
        make_map(two, method="pca")
    with pytest.raises(ConfigError, match="0 neighbours"):
        make_map(one, method="pca", n_neighbors=0)


def test_a_sample_is_seeded_rising_and_without_repeats() -> None:
    rows = choose_rows(1000, 50, seed=4)
    assert np.array_equal(rows, choose_rows(1000, 50, seed=4))
    assert (np.diff(rows) > 0).all()
    assert len(rows) == 50
    assert choose_rows(7, 50).tolist() == list(range(7))
    with pytest.raises(ConfigError):
        choose_rows(1000, 2)


# --- the sprite -------------------------------------------------------------------------------------------------------


def tile(sheets: tuple[bytes, ...], place: int) -> NDArray[Any]:
    sheet = cv2.imdecode(np.frombuffer(sheets[place // COLUMNS**2], np.uint8), cv2.IMREAD_UNCHANGED)
    assert sheet is not None
    top, left = SIDE * (place % COLUMNS**2 // COLUMNS), SIDE * (place % COLUMNS)
    return sheet[top : top + SIDE, left : left + SIDE]


def test_every_face_is_on_its_tile() -> None:
    shades = (np.arange(1100) * 37 % 251).astype(np.uint8)
    grey = np.broadcast_to(shades[:, None, None], (1100, 20, 24)).copy()
    red = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    red[..., 0] = 200
    made = sprite([grey])
    assert len(made.sheets) == 2
    for place in (0, 1, 33, 1023, 1024, 1099):
        assert np.abs(tile(made.sheets, place).astype(int) - int(shades[place])).max() <= 6
    both = sprite([grey[:40], red])
    assert both.size == 43
    inner = tile(both.sheets, 41)[2:-2, 2:-2]  # JPEG's colours run a pixel over the edge
    assert np.abs(inner.astype(int) - np.array([0, 0, 200])).max() <= 12  # BGR
    assert sprite([]).to_json()["sheets"] == []


# --- the page ---------------------------------------------------------------------------------------------------------


def page_data(page: str) -> dict[str, Any]:
    found = re.search(r"<script type='application/json' id='map-data'>(.*?)</script>", page, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def unpacked(column: dict[str, str]) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(column["data"]), f"<{column['kind']}")


def with_queries(method: str = "pca", dimensions: int = 2) -> FaceMap:
    gallery = small_gallery()
    vectors = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    faces = np.zeros((3, 48, 48), np.uint8)
    names = ("fear", "awe", "anger")
    queries = Queries(vectors, names, ("a", "b", "c"), (None, "S9", "S1"), "others, test", faces)
    return make_map(gallery, method=method, dimensions=dimensions, queries=queries)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_page_holds_the_points_as_they_are(dimensions: int) -> None:
    drawn = with_queries(dimensions=dimensions)
    data = page_data(map_part(drawn, Words("es")))
    references, queries = data["layers"]
    axes = np.stack([unpacked(axis) for axis in references["axes"]], axis=1)
    assert np.array_equal(axes, drawn.projection.places)
    names = data["categories"]["emotion"]
    assert names == ["enojo", "miedo", "joyful", "awe"]
    shown = [names[code] for code in unpacked(queries["codes"]["emotion"])]
    assert shown == ["miedo", "awe", "enojo"]
    assert unpacked(queries["codes"]["verdict"])[1] == 1, "an emotion that the gallery lacks is answered wrongly"
    people = data["categories"]["subject"]
    assert [people[code] for code in unpacked(queries["codes"]["subject"])] == ["desconocida", "S9", "S1"]
    neighbours = unpacked(references["neighbours"]).reshape(-1, references["voters"])
    assert np.array_equal(neighbours, drawn.references.neighbours)
    assert (references["firstFace"], queries["firstFace"]) == (0, 40)
    low, high = np.array(data["ranges"]).T
    assert (axes > low).all()
    assert (axes < high).all()


def test_without_faces_none_are_in_it() -> None:
    data = page_data(map_page(with_queries(), Words("en"), faces=False))
    assert data["sprite"]["sheets"] == []
    assert data["layers"][0]["firstFace"] is None
    bare = make_map(small_gallery(thumbnails=False), method="pca")
    assert page_data(map_part(bare, Words("en")))["sprite"]["sheets"] == []


@settings(max_examples=30)
@given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
def test_no_name_breaks_out_of_the_script(source: str, person: str) -> None:
    vectors = np.eye(4, dtype=np.float32)
    bad = ["</script><script>alert(1)</script>", source, "<!--", "\u2028"]
    gallery = Gallery.build(vectors, ["fear"] * 4, tower=CARD, sources=bad, subjects=[person] * 4)
    part = map_part(make_map(gallery, method="pca"), Words("en"))
    assert part.count("</script") == 2
    assert page_data(part)["layers"][0]["sources"] == bad


@pytest.mark.parametrize("colour", ["emotion", "subject", "dataset", "verdict"])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_printed_map_has_every_point_once(colour: str, dimensions: int) -> None:
    drawn = with_queries(dimensions=dimensions)
    figure = printed_map(drawn, Words("en"), colour)
    assert sum(len(trace.x) for trace in figure.data) == 43
    looks = {(trace.marker.color, trace.marker.symbol, trace.marker.size) for trace in figure.data}
    assert len(looks) == len(figure.data), "no two classes look alike"
    assert "k-NN purity" in figure.layout.title.text


def test_an_unknown_colouring() -> None:
    with pytest.raises(ConfigError, match="way to colour"):
        map_part(with_queries(), Words("en"), "hair")


# --- languages --------------------------------------------------------------------------------------------------------


def test_every_text_fills_in_the_same_in_both_languages() -> None:
    for key, texts in TEXTS.items():
        assert len(texts) == len(LANGUAGES), key
        assert all(texts), key
        fields = [sorted(re.findall(r"{(\w+)}", text)) for text in texts]
        assert fields[0] == fields[1], key


def test_numbers_and_names_in_both_languages() -> None:
    english, spanish = Words("en"), Words("es")
    assert (english.number(28697.5, 1), spanish.number(28697.5, 1)) == ("28,697.5", "28.697,5")
    assert (english.percent(0.6644), spanish.percent(0.6644)) == ("66.4\u00a0%", "66,4\u00a0%")
    assert [spanish.emotion(name) for name in ("anger", "boredom")] == ["enojo", "boredom"]
    with pytest.raises(ConfigError, match="language"):
        Words("de")
