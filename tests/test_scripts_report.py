"""``emotions report`` as a person uses it, and its page in a real browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from browser import ask
from conftest import NAMES, Run

from galleries.errors import EmotionsError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

pytest.importorskip("sklearn", reason="the judging part is not installed")
pytest.importorskip("plotly", reason="the judging part is not installed")

from eval.confusions import SHOWN, confusion_examples, hardest_confusions
from eval.metrics import score
from eval.run_facts import read_run

LOOK = """
const plot = document.getElementById("map-plot");
while (!plot.dataset.ready) await wait(20);
const drawn = [...document.querySelectorAll(".js-plotly-plot")].map(figure => figure.data.map(trace => trace.type));
const loaded = [...document.querySelectorAll("[src], link[href]")].map(item => item.src || item.href);
const faces = [...document.querySelectorAll("figure img")].map(picture => picture.naturalWidth);
return {drawn: drawn, loaded: loaded.filter(address => !address.startsWith("data:")), faces: faces,
  titles: [...document.querySelectorAll("h2")].map(title => title.textContent), text: document.body.innerText};
"""


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A run that may be damaged."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def test_the_report_in_a_browser(run: Run, trained: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    code, out, err = run("report", trained, "--method", "pca", "--out", page, "--json")
    assert code == 0, err
    facts = json.loads(out)
    result = json.loads((trained / "result.json").read_text())["test"]
    assert facts["scores"]["knn"]["confusion"] == result["knn"]["confusion"]
    seen = ask(page, LOOK, tmp_path)
    assert seen.troubles == []
    assert seen.found["loaded"] == []
    assert [len(traces) for traces in seen.found["drawn"]][:3] == [len(seen.found["drawn"][0]), 1, 1]
    assert seen.found["drawn"][2] == ["heatmap"]
    assert len(seen.found["drawn"]) == 4
    assert set(seen.found["titles"]) >= {"Data and split", "Training", "Map of the gallery", "Model card"}
    assert all(width > 0 for width in seen.found["faces"])
    shown = sum(confusion["faces"] for confusion in facts["confusions"])
    assert len(seen.found["faces"]) == (1 + SHOWN) * shown
    text = seen.found["text"].replace("\u00a0", " ")
    low, high = (100 * bound for bound in result["knn"]["interval_95"])
    assert f"95 %: {low:.1f} % to {high:.1f} %" in text
    for sentence in result["leakage"]["sentences"]:
        assert sentence in text
    assert json.loads((trained / "card.json").read_text())["fingerprint"] in text


def test_the_report_in_spanish_without_faces(run: Run, trained: Path, tmp_path: Path) -> None:
    page = tmp_path / "informe.html"
    code, out, err = run(
        "report", trained, "--method", "pca", "--no-faces", "--language", "es", "--out", page
    )  # fmt: skip
    assert code == 0, err
    assert f"Open the report: {page}" in out
    text = page.read_text(encoding="utf-8")
    for words in ("<html lang='es'>", "Ficha del modelo", "Datos y partición", "enojo", "emoción verdadera"):
        assert words in text
    for words in ("true emotion", "pictures are exact copies", "<td>anger</td>"):
        assert words not in text
    assert "<img alt='rostro'" not in text
    assert '"sheets": []' in text


def test_it_goes_into_the_run_unless_told(run: Run, copied: Path) -> None:
    code, _, err = run("report", copied, "--method", "pca", "--confusions", 0)
    assert code == 0, err
    assert (copied / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_without_its_data_and_gallery_the_rest_is_told(run: Run, copied: Path) -> None:
    request = json.loads((copied / "run.json").read_text())
    request["data"] = "/nowhere/faces"
    (copied / "run.json").write_text(json.dumps(request))
    result = json.loads((copied / "result.json").read_text())
    result["test"]["knn"] = score(list(NAMES), [NAMES[1], NAMES[1], NAMES[2]], NAMES).to_json()  # one confusion
    result["test"]["leaking"] = True
    (copied / "result.json").write_text(json.dumps(result))
    code, _, err = run("report", copied, "--method", "pca")
    assert code == 0
    assert "/nowhere/faces" in err
    text = (copied / "report.html").read_text(encoding="utf-8")
    assert f"{NAMES[0]} taken for {NAMES[1]}: 1 of 1" in text
    assert "No faces can be shown" in text
    assert "LEAKING" in text
    shutil.rmtree(copied / "gallery")
    code, _, err = run("report", copied, "--method", "pca", "--no-faces")
    assert code == 0
    assert "There is no map" in (copied / "report.html").read_text(encoding="utf-8")


def test_a_run_that_has_not_ended(run: Run, copied: Path) -> None:
    (copied / "result.json").unlink()
    code, _, err = run("report", copied, "--method", "pca")
    assert code == 0, err
    text = (copied / "report.html").read_text(encoding="utf-8")
    assert "not tested" in text
    assert "Hardest confusions" not in text


@pytest.mark.parametrize("name", ["run.json", "card.json", "split.json", "result.json", "history.csv"])
@pytest.mark.parametrize("damage", ["", "{", "[1]", "{}", '{"test": {"knn": {"confusion": 1}}, "data": 3}', "\x00"])
def test_a_damaged_file_is_named(copied: Path, name: str, damage: str) -> None:
    (copied / name).write_text(damage)
    with pytest.raises(EmotionsError, match=name.replace(".", r"\.")):
        read_run(copied)


@pytest.mark.parametrize("change", ["confusion", "classes", "interval_95", "emotions", "n"])
def test_a_damaged_test_is_named(copied: Path, change: str) -> None:
    result = json.loads((copied / "result.json").read_text())
    result["test"]["knn"][change] = [] if change != "n" else 0
    (copied / "result.json").write_text(json.dumps(result))
    if change == "classes":
        return  # an empty table is still a table
    with pytest.raises(EmotionsError, match=r"result\.json"):
        read_run(copied)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--method", "umpa"], "Did you mean 'umap'"),
        (["--language", "fr"], "language"),
        (["--confusions", -1], "-1 confusions"),
        (["--sample", 2], "2 faces"),
    ],
)
def test_bad_options(run: Run, trained: Path, tmp_path: Path, options: list[object], said: str) -> None:
    code, _, err = run("report", trained, "--out", tmp_path / "report.html", *options)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_no_run(run: Run, tmp_path: Path) -> None:
    code, _, err = run("report", tmp_path)
    assert code == 2
    assert "is not a run" in err


# --- which confusions, and which faces --------------------------------------------------------------------------------


def test_the_hardest_confusions_by_share() -> None:
    truth = ["a"] * 10 + ["b"] * 4 + ["c"] * 5
    said = ["a"] * 7 + ["b"] * 3 + ["b", "b", "c", "c"] + ["c"] * 4 + ["a"]
    found = hardest_confusions(score(truth, said, ["a", "b", "c"]), 3)
    assert [(c.truth, c.answer, c.count, c.of) for c in found] == [
        ("b", "c", 2, 4),
        ("a", "b", 3, 10),
        ("c", "a", 1, 5),
    ]
    assert hardest_confusions(score(["a", "b"], ["a", "b"], ["a", "b"])) == []


def test_examples_are_the_clearest_errors_without_copies() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], np.float32)
    card = TowerCard("tiny", "ab" * 16, InputSpec(8, 8), 2)
    gallery = Gallery.build(vectors, ["a", "a", "b", "b"], tower=card, metric="euclidean")
    queries = np.array([[0.2, 0.8], [0, 1], [0.4, 0.55], [1, 0.01]], np.float32)
    (confusion,) = hardest_confusions(score(["a"] * 4, ["b", "b", "b", "a"], ["a", "b"]))
    pictures = [np.full((8, 8), shade, np.uint8) for shade in range(4)]
    found = confusion_examples(
        gallery, queries, ["a"] * 4, confusion, pictures.__getitem__, lambda index: pictures[index], 3
    )  # fmt: skip
    assert [int(example.picture[0, 0]) for example in found] == [0, 2], "1 is a copy of a reference, 3 is right"
    assert found[0].confidence > found[1].confidence
    assert [(int(face[0, 0]), emotion) for face, emotion, _ in found[0].neighbours][:2] == [(3, "b"), (2, "b")]
