from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any, Dict, Tuple

import faiss
import numpy as np
import pytest
from onnx_towers import card as onnx_card
from onnx_towers import write_tower

from galleries.encoder import TowerCard
from galleries.errors import ConfigError, DataError, EncoderMismatch, GalleryError, TowerError
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery, Reference
from galleries.images import InputSpec

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 4)
OTHER = TowerCard("other", "cd" * 16, InputSpec(8, 8, 1), 4)
AXES = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2, 3]]
AXES[1, :2] = AXES[3, 1:3] = 0.9, 0.1
NAMES = ["Angry", "enojo", "fear", "miedo", "boredom", "fear"]
LINE = b'{"number": %d, "emotion": %s, "source": "", "subject": null, "sequence": null}\n'
FER2013 = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "fer2013.csv.xz"


def small(**changes: Any) -> Gallery:
    options: Dict[str, Any] = {"tower": CARD, **changes}
    return Gallery.build(AXES, NAMES, **options)


def full() -> Gallery:
    return small(
        sources=[f"a/{i} ñ\udcff.png" for i in range(6)],
        subjects=["S1", "S1", "S2", None, None, "S3"],
        sequences=["q", None, None, None, None, None],
        thumbnails=np.arange(6 * 12, dtype=np.uint8).reshape(6, 3, 4),
    )


def same(a: Gallery, b: Gallery) -> bool:
    pictures = (a.thumbnails is None) == (b.thumbnails is None)
    if a.thumbnails is not None and b.thumbnails is not None:
        pictures = np.array_equal(a.thumbnails, b.thumbnails)
    return (
        pictures
        and a.info() == b.info()
        and a.references == b.references
        and np.array_equal(a.numbers, b.numbers)
        and np.array_equal(a.vectors, b.vectors)
        and a.tower_onnx == b.tower_onnx
    )


def test_what_a_gallery_holds() -> None:
    gallery = full()
    assert len(gallery) == 6
    assert gallery.emotions == ("anger", "boredom", "fear")
    assert gallery.labels.tolist() == [0, 0, 2, 2, 1, 2]
    assert gallery.references[0] == Reference("anger", "a/0 ñ\udcff.png", "S1", "q")
    info = gallery.info()
    assert info["counts"] == {"anger": 2, "boredom": 1, "fear": 3}
    assert (info["size"], info["subjects"], info["metric"], info["index"]) == (6, 3, "cosine", "flat")
    assert info["thumbnails"] == [3, 4]
    assert info["tower"]["name"] == "tiny"
    assert info["carries_tower"] is False
    assert json.loads(json.dumps(info)) == info
    assert small().references[5].source == "reference:5"


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


def test_bad_columns() -> None:
    with pytest.raises(GalleryError, match="5 emotions were given for 6 vectors"):
        Gallery.build(AXES, NAMES[:5], tower=CARD)
    with pytest.raises(GalleryError, match="1 sources"):
        small(sources=["x"])
    with pytest.raises(GalleryError, match="at least one"):
        Gallery.build(AXES[:0], [], tower=CARD)
    with pytest.raises(DataError, match="no letter"):
        Gallery.build(AXES[:1], ["!"], tower=CARD)
    for thumbnails in (np.zeros((5, 3, 4), np.uint8), np.zeros((6, 3, 4)), np.zeros((6, 3), np.uint8), "x"):
        with pytest.raises(GalleryError, match="Thumbnails"):
            small(thumbnails=thumbnails)


@pytest.mark.parametrize("index", ["flat", "ivf", "hnsw"])
def test_add_remove_relabel(index: str) -> None:
    gallery = small(index=index)
    numbers = gallery.add(np.array([[0, 0.1, 0, 0.9]], np.float32), ["joy"], sources=["new.png"])
    assert numbers.tolist() == [6]
    assert gallery.emotions == ("anger", "boredom", "fear", "happiness")
    assert gallery.predict(AXES[5:], 1) == ["fear"]
    gallery.remove([5, 0])
    assert gallery.numbers.tolist() == [1, 2, 3, 4, 6]
    assert gallery.predict(AXES[5:], 1) == ["happiness"]
    assert gallery.classify(AXES[5:], 1)[0].neighbours[0].source == "new.png"
    gallery.relabel([6], "Triste")
    assert gallery.predict(AXES[5:], 1) == ["sadness"]
    gallery.remove([6])
    assert gallery.emotions == ("anger", "boredom", "fear")
    assert gallery.add(AXES[5:], ["fear"]).tolist() == [7]  # a number is never given twice


def test_refused_changes_change_nothing() -> None:
    gallery = full()
    before = full()
    nan = np.full((1, 4), np.nan, np.float32)
    picture = np.zeros((1, 3, 4), np.uint8)
    for wrong in (
        lambda: gallery.add(nan, ["fear"], thumbnails=picture),
        lambda: gallery.add(AXES[:1], ["fear"]),
        lambda: gallery.add(AXES[:1], ["fear"], thumbnails=np.zeros((1, 4, 4), np.uint8)),
        lambda: gallery.add(AXES[:1], [], thumbnails=picture),
        lambda: gallery.remove([0, 99]),
        lambda: gallery.remove(range(6)),
        lambda: gallery.relabel([99], "fear"),
    ):
        with pytest.raises(GalleryError):
            wrong()
        assert same(gallery, before)
    with pytest.raises(GalleryError, match="keeps none"):
        small().add(AXES[:1], ["fear"], thumbnails=picture)
    with pytest.raises(GalleryError, match="no reference with number 99"):
        gallery.remove([99])


def test_thumbnails_follow_their_references() -> None:
    gallery = full()
    gallery.remove([1])
    gallery.add(AXES[:1], ["fear"], thumbnails=np.full((1, 3, 4), 250, np.uint8))
    assert gallery.thumbnails is not None
    assert gallery.thumbnails[:, 0, 0].tolist() == [0, 24, 36, 48, 60, 250]


@pytest.mark.parametrize("index", ["flat", "ivf", "hnsw"])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_saved_and_loaded_it_is_the_same(index: str, metric: str, tmp_path: Path) -> None:
    gallery = full() if (index, metric) == ("flat", "cosine") else small(index=index, metric=metric)
    gallery.remove([2])
    gallery.save(tmp_path / "g")
    loaded = Gallery.load(tmp_path / "g")
    assert same(loaded, gallery)
    assert np.array_equal(loaded.kneighbors(AXES, 5)[1], gallery.kneighbors(AXES, 5)[1])
    plain = faiss.read_index(str(tmp_path / "g" / "index.faiss"))
    assert plain.ntotal == 5
    assert plain.search(AXES[:1], 1)[1].tolist() == [[0]]
    loaded.relabel([0], "joy")
    loaded.save(tmp_path / "g")
    assert Gallery.load(tmp_path / "g").references[0].label == "happiness"
    lines = (tmp_path / "g" / "references.jsonl").read_text().splitlines()
    assert json.loads(lines[2])["number"] == 3


def test_every_file_damaged_in_turn_is_one_sentence(tmp_path: Path) -> None:
    full().save(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        whole = path.read_bytes()
        for position in np.linspace(0, len(whole) - 2, 12).astype(int):
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x20]) + whole[position + 1 :])
            with pytest.raises(GalleryError, match=path.name.replace(".", r"\.")):
                Gallery.load(tmp_path)
            path.write_bytes(whole[:position])
            with pytest.raises(GalleryError):
                Gallery.load(tmp_path)
        path.write_bytes(whole)
    assert same(Gallery.load(tmp_path), full())


def rewrite(folder: Path, header: Dict[str, Any], files: Dict[str, bytes]) -> None:
    """Write a state whose checksums are right although its content is not."""
    from galleries.storage import write_state

    write_state(folder, header, files)


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "taxi"},
        {"metric": "euclidean"},
        {"index": "hnsw"},
        {"counts": {"anger": 6}},
        {"counts": {"anger": "6"}},
        {"counts": 3},
        {"counts": {}},
        {"next_number": -1},
        {"next_number": None},
        {"tower": None},
        {"tower": {"name": "x", "fingerprint": "ab", "input": {}, "embedding_dim": 4}},
        {"tower": {**CARD.to_json(), "embedding_dim": 5}},
    ],
)
def test_a_wrong_header_with_right_checksums_is_refused(tmp_path: Path, change: Dict[str, Any]) -> None:
    from galleries.storage import read_state

    full().save(tmp_path)
    header, files, _ = read_state(tmp_path)
    rewrite(tmp_path, {**header, **change}, files)
    with pytest.raises(GalleryError):
        Gallery.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("references.jsonl", b""),
        ("references.jsonl", b"{}\n"),
        ("references.jsonl", b"[1, 2]\n"),
        ("references.jsonl", b"\xff"),
        ("references.jsonl", b"[" * 200_000),
        ("references.jsonl", LINE % (0, b'"anger"')),
        ("references.jsonl", b"".join(LINE % (i, b'["anger"]') for i in range(6))),
        ("references.jsonl", b"".join(LINE % (i, b"7") for i in range(6))),
        ("thumbnails.npy", b"no array"),
        ("thumbnails.npy", b""),
        ("index.faiss", b"IxF2"),
    ],
)
def test_wrong_files_with_right_checksums_are_refused(tmp_path: Path, name: str, data: bytes) -> None:
    from galleries.storage import read_state

    full().save(tmp_path)
    header, files, _ = read_state(tmp_path)
    rewrite(tmp_path, header, {**files, name: data})
    with pytest.raises(GalleryError, match=name.replace(".", r"\.")):
        Gallery.load(tmp_path)
    rewrite(tmp_path, header, {key: value for key, value in files.items() if key != "index.faiss"})
    with pytest.raises(GalleryError, match="lacks"):
        Gallery.load(tmp_path)


def test_two_people_change_one_gallery(tmp_path: Path) -> None:
    small().save(tmp_path)
    mine, theirs = Gallery.load(tmp_path), Gallery.load(tmp_path)
    theirs.remove([0])
    theirs.save(tmp_path)
    theirs.relabel([1], "joy")
    theirs.save(tmp_path)
    with pytest.raises(GalleryError, match="changed by someone else"):
        mine.save(tmp_path)
    assert same(Gallery.load(tmp_path), theirs)
    mine.save(tmp_path / "elsewhere")
    small().save(tmp_path)  # a fresh build replaces what is there
    assert same(Gallery.load(tmp_path), small())


def test_a_gallery_carries_its_tower(tmp_path: Path) -> None:
    gallery = small()
    path = write_tower(tmp_path / "tower.onnx")
    gallery.attach_tower(path)
    gallery.save(tmp_path / "g")
    assert (tmp_path / "g" / "tower.onnx").read_bytes() == path.read_bytes()
    loaded = Gallery.load(tmp_path / "g")
    assert same(loaded, gallery)
    other = write_tower(tmp_path / "other.onnx", metadata=json.dumps(onnx_card(fingerprint="cd" * 16)))
    with pytest.raises(EncoderMismatch):
        loaded.attach_tower(other)
    with pytest.raises(TowerError):
        loaded.attach_tower(tmp_path / "absent.onnx")
    assert same(loaded, gallery)


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
