from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Tuple

import numpy as np
import pytest
from made_galleries import AXES, CARD, NAMES, OTHER, full, small

from galleries.errors import ConfigError, EncoderMismatch, GalleryError
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

FER2013 = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "fer2013.csv.xz"


def test_prediction_and_its_evidence() -> None:
    gallery = full()
    query = np.array([[0.95, 0.05, 0, 0]], np.float32)
    (prediction,) = gallery.classify(query, 3)
    assert prediction.emotion == "anger"
    assert gallery.predict(query, 3) == ["anger"]
    assert prediction.confidence == max(prediction.scores.values()) > 0.9
    assert list(prediction.scores) == list(gallery.emotions)
    assert sum(prediction.scores.values()) == pytest.approx(1)
    assert [n.rank for n in prediction.neighbours] == [1, 2, 3]
    assert [n.emotion for n in prediction.neighbours] == ["anger", "anger", "fear"]
    assert prediction.neighbours[0].subject == "S1"
    distances, indices = gallery.kneighbors(query, 3)
    assert [n.distance for n in prediction.neighbours] == distances[0].tolist()
    assert [n.number for n in prediction.neighbours] == indices[0].tolist()
    shares = gallery.predict_proba(query, 3)
    assert shares.tolist() == [list(prediction.scores.values())]
    assert json.loads(json.dumps(prediction.to_json()))["neighbours"][0]["source"] == "a/0 ñ\udcff.png"
    assert gallery.predict_proba(query, 3, "majority").tolist() == [[2 / 3, 0, 1 / 3]]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("weights", ["distance", "majority"])
def test_alone_or_in_a_batch_the_prediction_is_the_same(metric: str, weights: str) -> None:
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((300, 24)).astype(np.float32)
    names = [NAMES[i % 6] for i in range(300)]
    gallery = Gallery.build(vectors, names, tower=TowerCard("t", "1", InputSpec(8, 8, 1), 24), metric=metric)
    queries = rng.standard_normal((20, 24)).astype(np.float32)
    for k in (1, 5, 15, 300):
        together = gallery.classify(queries, k, weights)
        assert [gallery.classify(query[None], k, weights)[0] for query in queries] == together
        distances, indices = gallery.kneighbors(queries[:1], k)
        assert gallery.explain(queries[:1], distances, indices, weights) == together[:1]


def test_no_queries() -> None:
    none = np.empty((0, 4), np.float32)
    assert small().predict(none) == []
    assert small().classify(none) == []
    assert small().predict_proba(none).shape == (0, 3)


def test_similar_gives_all_under_the_threshold_sorted() -> None:
    gallery = small(metric="euclidean")
    found = gallery.similar(AXES[0], 1.35)
    assert [n.number for n in found] == [0, 1, 3]
    assert [n.rank for n in found] == [1, 2, 3]
    assert found[0].distance == 0
    assert found[1].distance == pytest.approx(np.sqrt(0.02), abs=1e-6)
    assert [n.number for n in gallery.similar(AXES[0], 0)] == [0]
    assert gallery.similar(np.full(4, 9, np.float32), 0.5) == []
    for wrong in (-1, float("nan")):
        with pytest.raises(GalleryError, match="0 or more"):
            gallery.similar(AXES[0], wrong)
    with pytest.raises(GalleryError, match="one vector"):
        gallery.similar(AXES, 1)


def test_k_larger_than_the_gallery() -> None:
    with pytest.raises(GalleryError, match="7 neighbours were asked for, but the gallery holds 6; ask for at most 6"):
        small().predict(AXES, 7)
    assert DEFAULT_NEIGHBORS == 5
    with pytest.raises(ConfigError):
        small().predict(AXES, 0)
    with pytest.raises(ConfigError):
        small().predict(AXES, 3, "nearest")


def test_vectors_and_towers_that_do_not_belong_here() -> None:
    gallery = small()
    gallery.check_encoder(CARD)
    with pytest.raises(EncoderMismatch) as caught:
        gallery.check_encoder(OTHER)
    for part in ("'tiny'", "ab" * 16, "'other'", "cd" * 16):
        assert part in str(caught.value)
    for call in (gallery.kneighbors, gallery.predict, gallery.predict_proba, gallery.classify):
        call(AXES, 2, fingerprint=CARD.fingerprint)
        with pytest.raises(EncoderMismatch, match="cdcd"):
            call(AXES, 2, fingerprint=OTHER.fingerprint)
        with pytest.raises(EncoderMismatch, match="length 3"):
            call(AXES[:, :3], 2)
        with pytest.raises(GalleryError, match="shape"):
            call(AXES[0], 2)
    with pytest.raises(EncoderMismatch):
        gallery.add(AXES, NAMES, fingerprint=OTHER.fingerprint)
    with pytest.raises(EncoderMismatch):
        gallery.similar(AXES[0], 1, fingerprint=OTHER.fingerprint)
    with pytest.raises(EncoderMismatch, match="length 3"):
        Gallery.build(AXES[:, :3], NAMES, tower=CARD)


def fer_rows(count: int) -> Tuple[np.ndarray, list]:
    pictures, labels = [], []
    with lzma.open(FER2013, "rt") as lines:
        next(lines)
        for line in lines:
            label, pixels, _ = line.split(",")
            pictures.append(np.array(pixels.split(), np.uint8))
            labels.append(("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")[int(label)])
            if len(labels) == count:
                break
    return np.stack(pictures), labels


def test_real_faces_find_themselves(tmp_path: Path) -> None:
    if not FER2013.exists():
        pytest.skip(f"{FER2013} is missing (real data of this workplace)")
    pictures, labels = fer_rows(400)
    projection = np.random.default_rng(0).standard_normal((2304, 32)).astype(np.float32)
    vectors = (pictures.astype(np.float32) - 128) @ projection
    card = TowerCard("projection", "12", InputSpec(48, 48, 1), 32)
    thumbnails = pictures.reshape(-1, 48, 48)
    gallery = Gallery.build(vectors, labels, tower=card, metric="euclidean", thumbnails=thumbnails)
    gallery.save(tmp_path)
    loaded = Gallery.load(tmp_path)
    distances, indices = loaded.kneighbors(vectors, 1)
    assert (distances == 0).all()
    assert np.array_equal(pictures[indices[:, 0]], pictures)
    assert (indices[:, 0] <= np.arange(400)).all()  # of exact copies the first
    assert loaded.thumbnails is not None
    assert np.array_equal(loaded.thumbnails, thumbnails)


def test_thousands_of_queries_at_once() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((3000, 32)).astype(np.float32)
    names = [NAMES[i % 6] for i in range(3000)]
    gallery = Gallery.build(vectors, names, tower=TowerCard("t", "1", InputSpec(8, 8, 1), 32))
    predicted = gallery.predict(vectors, 1)
    assert predicted == [gallery.references[i].label for i in range(3000)]
