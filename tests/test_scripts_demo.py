"""The demo, small: it runs, judges people never seen, keeps the new emotion out of training, and names its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emotions_cli import cli
from eval.few_shot_enrolment import draw_shots
from galleries.gallery import Gallery

pytest.importorskip("torch", reason="the learning part is not installed")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "run"
    with pytest.raises(SystemExit) as stop:
        cli.main(["demo", "--subjects", "24", "--epochs", "1", "--new-emotion", "Surprised", "--out", str(folder)])
    assert not stop.value.code
    return folder


def test_the_page_is_whole_and_names_both_accuracies(demo: Path) -> None:
    page = (demo / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert page.rstrip().endswith("</html>")
    for words in ("people never seen", "chance floor", "surprise never trained on", "Plotly.newPlot"):
        assert words in page
    assert page.count("data:image/png;base64,") > 20


def test_the_new_emotion_was_not_trained_on(demo: Path) -> None:
    assert "surprise" not in Gallery.load(demo / "gallery").emotions
    assert "surprise" not in json.loads((demo / "card.json").read_text())["emotions"]


def test_nobody_is_trained_on_and_tested(demo: Path) -> None:
    split = json.loads((demo / "split.json").read_text())
    people = {part: {name.split("/")[0] for name in split[part]} for part in ("train", "val", "test")}
    assert all(people.values())
    assert not people["train"] & people["test"]
    assert not people["train"] & people["val"]
    assert not people["val"] & people["test"]


def test_a_folder_that_is_no_demo_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(SystemExit) as stop:
        cli.main(["demo", "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert "choose another --out" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "precious"


def test_shots_are_drawn_evenly_and_without_repeats() -> None:
    import numpy as np

    labels = np.repeat(np.arange(4), 10)
    rows = np.flatnonzero(labels != 2)
    drawn = draw_shots(labels, rows, 5, np.random.default_rng(0))
    assert len(set(drawn.tolist())) == 15
    assert np.bincount(labels[drawn], minlength=4).tolist() == [5, 5, 0, 5]
