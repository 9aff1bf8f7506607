"""What comes with the toolkit: it answers offline, holds no pictures, is small, and says so when it is damaged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import REAL

from galleries.bundle import Bundle
from galleries.errors import GalleryError
from galleries.gallery import DEFAULT_NEIGHBORS
from galleries.images import read_picture
from galleries.recognizer import Recognizer
from galleries.shipped import CARD, FOLDER, NAME, is_shipped, open_shipped

FILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file())
BUNDLED = [name for name in FILES if name != CARD]


def a_face(seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return open_shipped()


def test_it_answers_without_being_told_anything() -> None:
    recognizer = Recognizer.pretrained()
    (answer,) = recognizer.recognise(a_face())
    assert answer.box is None
    assert answer.prediction.emotion in recognizer.gallery.emotions
    assert len(answer.prediction.neighbours) == recognizer.n_neighbors == DEFAULT_NEIGHBORS
    assert answer.prediction.decision is not None  # calibrated
    assert Recognizer.pretrained(n_neighbors=3).n_neighbors == 3


def test_it_is_small_and_holds_no_pictures(shipped: Bundle) -> None:
    assert sum((FOLDER / name).stat().st_size for name in FILES) <= 6_000_000
    assert not any("thumbnail" in name for name in FILES)
    assert shipped.gallery.thumbnails is None
    assert all(known.subject is None and known.sequence is None for known in shipped.gallery.references)
    assert shipped.encoder.precision == "float16"
    assert shipped.gallery.typical
    assert len(shipped.gallery.emotions) >= 7
    assert shipped.checked["validation"]["n_neighbors"] == DEFAULT_NEIGHBORS


def test_its_card_tells_what_was_measured(shipped: Bundle) -> None:
    text = (FOLDER / CARD).read_text("utf-8")
    test = shipped.card["shipped"]["test"]["knn"]
    assert f"{100 * test['accuracy']:.1f} %" in text
    assert f"| {test['n']:,} |" in text
    for heading in (
        "What it is for",
        "What it must not be used for",
        "Data and licences",
        "How good",
        "Known failures",
    ):
        assert f"\n## {heading}" in text
    for row in test["classes"]:
        assert f"| {row['emotion']} | {row['precision']:.3f} | {row['recall']:.3f} |" in text
    assert "/" not in shipped.card["data"]["path"]  # nobody's folders


def test_real_faces() -> None:
    picture = REAL / "media" / "multi_face.jpg"
    if not picture.exists():
        pytest.skip(f"{picture} is missing (real data of this workplace)")
    answers = Recognizer.pretrained().recognise(read_picture(picture))
    assert len(answers) == 5
    assert "happiness" in {answer.prediction.emotion for answer in answers}


def test_a_new_emotion_is_added_to_it(shipped: Bundle) -> None:
    gallery = open_shipped().gallery
    pattern = a_face(1).astype(int)
    noise = np.random.default_rng(2).integers(-9, 10, (8, 48, 48))
    faces = (pattern + noise).clip(0, 255).astype(np.uint8)[:, None]
    vectors = shipped.encoder.encode(faces)
    gallery.add(vectors[:5], ["boredom"] * 5)
    assert gallery.predict(vectors[5:], 5) == ["boredom"] * 3
    assert "boredom" not in shipped.gallery.emotions


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_damaged_package_data_is_told_in_one_sentence(tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / NAME
    shutil.copytree(FOLDER, folder)
    data = bytearray((folder / name).read_bytes())
    if damage == "gone":
        (folder / name).unlink()
    else:
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data if damage == "flipped" else data[: len(data) // 2])
    with pytest.raises(GalleryError, match=r"^[^\n]*damaged[^\n]*install siamese-emotions again, or name a gallery\.$"):
        open_shipped(folder=folder)


def test_an_installation_without_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match=r"has no gallery of its own .* install siamese-emotions again"):
        open_shipped(folder=tmp_path / "nothing")


def test_its_name_is_not_taken_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_shipped(NAME)
    assert is_shipped(Path(NAME))
    assert not is_shipped(f"./elsewhere/{NAME}")
    (tmp_path / NAME).mkdir()
    assert not is_shipped(NAME)
