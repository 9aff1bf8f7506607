from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_faces import EMOTIONS, tiny_dataset

import siamese.run
from galleries.encoder import OnnxEncoder
from galleries.errors import ConfigError, DataError, SplitError, TrainingError
from siamese.config import TrainingConfig
from siamese.enrolling import encode_rows, enrol, index_vectors
from siamese.export import export_onnx
from siamese.run import RUN_FILE, SPLIT_FILE, RunRequest, data_card, prepare_data
from siamese.towers import make_tower

REQUEST = RunRequest(
    "somewhere", TrainingConfig(epochs=3).to_json(), "compact", emotions=("anger", "fear"), split="random", init="other"
)


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever path is asked for, the tiny data set is read."""
    monkeypatch.setattr(siamese.run, "load_dataset", lambda *_, **__: tiny_dataset())


def test_a_request_survives_the_disk(tmp_path: Path) -> None:
    REQUEST.save(tmp_path / "run")
    assert RunRequest.read(tmp_path / "run").config == REQUEST.config
    found = RunRequest.read(tmp_path / "run")
    assert (found.data, found.emotions, found.split, found.init, found.soft) == (
        "somewhere",
        ("anger", "fear"),
        "random",
        "other",
        False,
    )


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"is not a run: it has no run\.json"):
        RunRequest.read(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"epoch": 3}},
        {"training": {"epochs": 0}},
        {"training": 3},
        {"data": None},
        {"format": 3},
        {"emotions": "anger"},
        {"emotions": [3]},
        {"soft": "yes"},
        {"votes": 3},
        {"before": "compact"},
        {"ratios": [70, 30]},
        {"surprise": 1},
    ],
)
def test_entries_of_the_wrong_kind_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    REQUEST.save(tmp_path)
    values = json.loads((tmp_path / RUN_FILE).read_text())
    (tmp_path / RUN_FILE).write_text(json.dumps({**values, **change}))
    with pytest.raises(TrainingError, match=r"run\.json is damaged"):
        RunRequest.read(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "3", "null", "{", "{}", "[" * 100_000])
def test_other_content_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / RUN_FILE).write_text(text)
    with pytest.raises(TrainingError, match=r"run\.json is damaged"):
        RunRequest.read(tmp_path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_request_is_told_or_still_one(tmp_path: Path, data: st.DataObject) -> None:
    REQUEST.save(tmp_path)
    content = bytearray((tmp_path / RUN_FILE).read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    (tmp_path / RUN_FILE).write_bytes(bytes(content))
    reason = RUN_FILE
    try:
        assert RunRequest.read(tmp_path).config.epochs >= 1
    except TrainingError as error:
        reason = str(error)
    assert RUN_FILE in reason


def test_data_is_split_kept_and_found_again(tmp_path: Path) -> None:
    request = RunRequest("x", REQUEST.training, split="random", ratios="60/20/20")
    dataset, split = prepare_data(request, tmp_path)
    assert (len(split.train), len(split.val), len(split.test)) == (36, 12, 12)
    again, kept = prepare_data(request, tmp_path, resume=True)
    assert kept.digest == split.digest
    assert len(again) == len(dataset)
    other = RunRequest("x", REQUEST.training, split=str(tmp_path / SPLIT_FILE))
    assert prepare_data(other, tmp_path / "other")[1].digest == split.digest
    card = data_card(dataset, split, request)
    assert sum(card["data"]["counts"]["train"].values()) == 36
    assert json.loads(json.dumps(card)) == card


def test_a_follower_writes_nothing(tmp_path: Path) -> None:
    request = RunRequest("x", REQUEST.training, split="random")
    leader = prepare_data(request, tmp_path / "leader")[1]
    follower = prepare_data(request, tmp_path / "follower", keep=False)[1]
    assert leader.digest == follower.digest
    assert not (tmp_path / "follower").exists()


def test_data_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="no validation pictures"):
        prepare_data(RunRequest("x", REQUEST.training, split="random", ratios="80/20"), tmp_path)
    with pytest.raises(DataError, match="happiness does not occur"):
        prepare_data(RunRequest("x", REQUEST.training, emotions=("happy",)), tmp_path)
    with pytest.raises(ConfigError, match="split method"):
        prepare_data(RunRequest("x", REQUEST.training, split="randomly"), tmp_path)
    with pytest.raises(SplitError, match="cannot be read"):
        prepare_data(RunRequest("x", REQUEST.training, split="random", ratios="70-30"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_changed_data_set_is_noticed_on_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = RunRequest("x", REQUEST.training, split="random")
    prepare_data(request, tmp_path)
    monkeypatch.setattr(siamese.run, "load_dataset", lambda *_, **__: tiny_dataset(33))
    with pytest.raises(SplitError):
        prepare_data(request, tmp_path, resume=True)


def test_pictures_are_enrolled_with_their_evidence(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    tower = make_tower("compact", input_size=16, embedding_dim=8)
    export_onnx(tower, tmp_path / "tower.onnx", EMOTIONS)
    encoder = OnnxEncoder(tmp_path / "tower.onnx")
    rows = np.array([5, 2, 40])
    told: list[tuple[int, int]] = []
    gallery = enrol(dataset, rows, encoder, progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 3)]
    assert len(gallery) == 3
    vectors = encode_rows(dataset, rows, encoder)
    assert vectors.dtype == np.float32
    assert list(gallery.predict(vectors, 1)) == [dataset.emotions[dataset.labels[row]] for row in rows]
    assert encode_rows(dataset, np.arange(0), encoder).shape == (0, 8)
    again = index_vectors(dataset, rows, vectors, encoder, thumbnails=False)
    assert list(again.predict(vectors, 1)) == list(gallery.predict(vectors, 1))
    with pytest.raises(DataError, match="left to enrol"):
        enrol(dataset, np.arange(0), encoder)
