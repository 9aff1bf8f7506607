"""``emotions train``: what a run leaves behind, and how it is taken up again."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import NAMES, SMALL, Run, checksums, the_error

pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")


RUN_FILES = {
    "card.json", "history.csv", "result.json", "run.json", "split.json", "state.safetensors", "tower.onnx",
    "tower.safetensors",
}  # fmt: skip


def test_a_run_is_a_folder_of_plain_files(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} >= RUN_FILES
    assert {path.name for path in (trained / "gallery").iterdir()} == {
        "gallery.json", "index.faiss", "references.jsonl", "thumbnails.npy", "tower.onnx", "log.jsonl"
    }  # fmt: skip
    result = json.loads((trained / "result.json").read_text())
    split = json.loads((trained / "split.json").read_text())
    card = json.loads((trained / "card.json").read_text())
    history = list(csv.DictReader((trained / "history.csv").read_text().splitlines()))
    assert result["tower"] == card["tower"] == "compact"
    assert result["epochs"] == len(history) == 2
    assert 1 <= result["best_epoch"] <= 2
    assert result["test"]["knn"]["n"] == len(split["test"]) > 0
    assert 0 <= result["test"]["knn"]["accuracy"] <= 1
    assert result["test"]["knn"]["chance"] == pytest.approx(1 / 3)
    assert result["onnx_difference"] < 1e-3
    assert result["split"]["digest"] == split["digest"]
    assert card["emotions"] == list(NAMES)
    header = json.loads((trained / "gallery" / "gallery.json").read_text())
    assert header["size"] == len(split["train"])
    assert header["tower"]["fingerprint"] == card["fingerprint"]
    assert {len(split[part]) for part in ("train", "val", "test")} == {30, 6}


def test_a_run_with_the_person_s_own_choices(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[about]\ntitle = "mine"\n[training]\nloss = "triplet"\nsampler = "pk"\nlr = 0.01\nema = 0.0\n')
    shared = ["--data", faces, "--recipe", recipe, "--epochs", 1, "--emotions", "Joy, sad", "--json", *SMALL]
    code, out, err = run("train", *shared, "--out", tmp_path / "a", "--seed", 1)
    assert code == 0, err
    report = json.loads(out)
    assert "softmax" not in report["validation"]
    assert report["test"]["softmax"] is None
    asked = json.loads((tmp_path / "a" / "run.json").read_text())
    assert (asked["recipe"], asked["training"]["loss"], asked["training"]["lr"]) == ("mine", "triplet", 0.01)
    assert json.loads((tmp_path / "a" / "card.json").read_text())["emotions"] == ["happiness", "sadness"]
    split = tmp_path / "a" / "split.json"
    code, out, err = run("train", *shared, "--out", tmp_path / "b", "--seed", 2, "--split", split, "--no-thumbnails")
    assert code == 0, err
    assert json.loads(out)["split"]["digest"] == report["split"]["digest"]
    assert not (tmp_path / "b" / "gallery" / "thumbnails.npy").exists()
    code, _, err = run("train", "--data", faces, "--split", trained / "split.json", "--emotions", "sad,joy",
                       "--out", tmp_path / "c", *SMALL)  # fmt: skip
    assert code == 2
    assert "it was made for other data or other emotions" in the_error(err)


def test_resuming_a_finished_run_changes_no_number(run: Run, trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    code, out, err = run("train", "--resume", folder, "--json")
    assert code == 0, err
    before, after = json.loads((trained / "result.json").read_text()), json.loads(out)
    assert after["test"] == before["test"]
    assert after["epochs"] == before["epochs"]
    assert (folder / "tower.safetensors").read_bytes() == (trained / "tower.safetensors").read_bytes()


@pytest.mark.parametrize("moment", ["stepped", "finished"], ids=["in the first epoch", "after the first epoch"])
def test_a_stopped_run_resumes_to_the_same_numbers(
    run: Run, trained: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    from emotions_cli.training_run import TerminalObserver

    def stop(_self: TerminalObserver, *news: Any) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(TerminalObserver, moment, stop)
        code, _, err = run("train", "--data", faces, "--epochs", 2, "--out", folder, *SMALL)
    assert code == 130
    assert f"emotions train --resume {folder}" in err
    assert "Traceback" not in err
    assert not (folder / "result.json").exists()
    code, _, err = run("train", "--resume", folder)
    assert code == 0, err
    before, after = (json.loads((place / "result.json").read_text()) for place in (trained, folder))
    assert after["test"] == before["test"]
    assert after["validation"] == before["validation"]
    assert (folder / "tower.safetensors").read_bytes() == (trained / "tower.safetensors").read_bytes()


def test_an_output_that_is_taken(run: Run, trained: Path, faces: Path) -> None:
    before = checksums(trained)
    code, _, err = run("train", "--data", faces, "--out", trained, *SMALL)
    assert code == 2
    assert "not empty" in the_error(err)
    assert checksums(trained) == before
