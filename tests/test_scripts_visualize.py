"""``emotions visualize`` as a person uses it, and its page in a real browser."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Dict, List

import cv2
import numpy as np
import pytest
from browser import ask
from conftest import NAMES, Run, write_faces
from onnx_towers import write_tower

from galleries.gallery import Gallery

pytest.importorskip("sklearn", reason="the judging part is not installed")
pytest.importorskip("plotly", reason="the judging part is not installed")

READY = """
const plot = document.getElementById("map-plot"), card = document.getElementById("map-card");
while (!plot.dataset.ready) await wait(20);
const sizes = () => Object.fromEntries(plot.data.map(trace => [trace.name, trace.x.length]));
const press = async (choice, value) => {
  document.querySelector(`button[data-choice=${choice}][data-value=${value}]`).click();
  await wait(100);
};
"""

LOOK = (
    READY
    + """
const found = {sizes: sizes(), types: plot.data.map(trace => trace.type), title: document.title};
const trace = plot.data[0], full = plot._fullLayout, frame = plot.getBoundingClientRect();
const x = frame.left + full.xaxis._offset + full.xaxis.l2p(trace.x[0]);
const y = frame.top + full.yaxis._offset + full.yaxis.l2p(trace.y[0]);
const drag = plot.querySelector(".nsewdrag"), at = {clientX: x, clientY: y, bubbles: true};
drag.dispatchEvent(new MouseEvent("mousemove", at));
await wait(200);
const face = document.getElementById("map-face").style, box = card.getBoundingClientRect();
found.hover = {hidden: card.hidden, text: card.innerText, picture: face.backgroundImage, size: face.backgroundSize,
  place: face.backgroundPosition, isInside: box.left >= 0 && box.right <= innerWidth && box.top >= 0,
  distance: Math.min(Math.abs(box.left - x), Math.abs(box.right - x))};
const sheet = new Image();
sheet.src = face.backgroundImage.slice(5, -2);
await new Promise(done => { sheet.onload = done; sheet.onerror = done; });  // decode() would stop virtual time
found.sheet = [sheet.naturalWidth, sheet.naturalHeight];
const canvas = document.createElement("canvas");
canvas.width = canvas.height = 48;
const [left, top] = face.backgroundPosition.split(" ").map(text => -parseFloat(text) / 2);
canvas.getContext("2d").drawImage(sheet, left, top, 48, 48, 0, 0, 48, 48);
found.pixels = Array.from(canvas.getContext("2d").getImageData(0, 0, 48, 48).data).filter((_, i) => i % 4 === 0);
const toggle = plot.querySelector(".legendtoggle"), name = toggle.parentNode.textContent;
for (const kind of ["mousedown", "mouseup"]) toggle.dispatchEvent(new MouseEvent(kind, {bubbles: true}));
await wait(700);
found.hidden = plot.data.filter(trace => trace.visible === "legendonly").map(trace => trace.name);
found.clicked = name;
await press("only", "wrong");
found.wrong = sizes();
await press("only", "isolated");
found.isolated = sizes();
await press("only", "all");
await press("colour", "verdict");
found.verdict = sizes();
return found;
"""
)

LOOK_3D = (
    READY
    + """
const trace = plot.data[0], bbox = {x0: 10, x1: 12, y0: 20, y1: 22};
plot.emit("plotly_hover", {points: [{data: trace, customdata: trace.customdata[2], bbox: bbox}]});
return {sizes: sizes(), types: plot.data.map(trace => trace.type), deep: trace.z.length, text: card.innerText};
"""
)


@pytest.fixture(scope="module")
def place(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a gallery ``g`` of 36 faces and other ``faces``; a tiny tower."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "run").mkdir()
    write_tower(folder / "run" / "tower.onnx")
    write_faces(folder / "own", {NAMES[0]: 14, NAMES[1]: 12, NAMES[2]: 10}, seed=2)
    write_faces(folder / "faces", {NAMES[0]: 5, NAMES[1]: 4, "fear": 3}, seed=9)
    code, _, err = run("gallery", "build", "--data", folder / "own", "--tower", folder / "run", "--out", folder / "g")
    assert code == 0, err
    return folder


def test_the_map_in_a_browser(run: Run, place: Path, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    code, out, err = run("visualize", place / "g", "--method", "pca", "--out", page, "--json")
    assert code == 0, err
    facts = json.loads(out)
    seen = ask(page, LOOK, tmp_path)
    found: Dict[str, Any] = seen.found
    assert seen.troubles == []
    assert found["sizes"] == {NAMES[0]: 14, NAMES[1]: 12, NAMES[2]: 10}
    assert set(found["types"]) <= {"scattergl", "scatter"}
    assert "k-NN purity" in found["title"]

    hover = found["hover"]
    assert not hover["hidden"]
    assert hover["isInside"]
    assert hover["distance"] < 40
    assert hover["picture"].startswith('url("blob:')
    assert re.search(r"(✓|✗) the neighbours say: \w+\nneighbours: \d × ", hover["text"])
    assert found["sheet"] == [32 * 48, 2 * 48]
    gallery = Gallery.load(place / "g")
    row = [reference.source in hover["text"] for reference in gallery.references].index(True)
    assert hover["text"].startswith(gallery.references[row].label)
    assert gallery.thumbnails is not None
    shown = np.array(found["pixels"], float).reshape(48, 48)
    errors = [float(np.abs(shown - face).mean()) for face in gallery.thumbnails]
    assert int(np.argmin(errors)) == row, "the hover box shows the face that is pointed at"

    assert found["hidden"] == [found["clicked"]], "a click on the legend hides that class alone"
    wrong, isolated = facts["misclassified"], facts["isolated"]
    assert sum(found["wrong"].values()) == 36
    assert found["wrong"].get("others", 0) == 36 - wrong
    assert found["isolated"]["others"] == 36 - isolated
    assert found["verdict"].get("wrong", 0) == wrong
    assert found["verdict"].get("right", 0) == 36 - wrong


def test_queries_in_three_dimensions_and_in_spanish(run: Run, place: Path, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    code, out, err = run(
        "visualize", place / "g", "--method", "pca", "--dimensions", 3, "--queries", place / "faces", "--split", "all",
        "--language", "es", "--color", "emotion", "--out", page,
    )  # fmt: skip
    assert code == 0, err
    assert "pureza k-NN" in out
    assert f"Open the map: {page}" in out
    assert "fear of" in " ".join(err.split()), "what the gallery does not hold is said"
    seen = ask(page, LOOK_3D, tmp_path)
    assert seen.troubles == []
    assert seen.found["sizes"] == {
        "enojo": 14, "felicidad": 12, "tristeza": 10, "enojo (consulta)": 5, "felicidad (consulta)": 4,
    }  # fmt: skip
    assert set(seen.found["types"]) == {"scatter3d"}
    assert "los vecinos dicen" in seen.found["text"]
    assert "<html lang='es'>" in page.read_text(encoding="utf-8")


def test_numbers_as_json_a_sample_and_no_faces(run: Run, place: Path, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    arguments = ["visualize", place / "g", "--method", "tsne", "--sample", 20, "--no-faces", "--out", page, "--json"]
    facts = []
    for _ in range(2):
        code, out, err = run(*arguments)
        assert code == 0, err
        facts.append((json.loads(out), page.read_bytes()))
    assert facts[0] == facts[1], "the same seed gives the same page"
    found = facts[0][0]
    assert (found["drawn"], found["references"], found["method"], found["queries"]) == (20, 36, "tsne", None)
    assert found["page"] == str(page)
    assert found["clusters"]["n"] == 20
    assert b'"sheets": []' in facts[0][1]


def test_a_runs_gallery_tells_where_its_faces_come_from(run: Run, trained: Path, tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    code, out, err = run(
        "visualize", trained / "gallery", "--method", "pca", "--split", "test", "--color", "dataset", "--out", page,
        "--json",
    )  # fmt: skip
    assert code == 0, err
    result = json.loads((trained / "result.json").read_text())["test"]
    found = json.loads(out)["queries"]
    assert found["drawn"] == result["knn"]["n"]
    assert found["misclassified"] == found["drawn"] - round(result["knn"]["accuracy"] * found["drawn"])
    assert '"dataset": ["faces, train", "faces, test"]' in page.read_text(encoding="utf-8")


def test_without_umap_it_says_so(run: Run, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    code, _, err = run("visualize", place / "g", "--out", tmp_path / "map.html")
    assert code == 0
    assert "umap-learn is not installed" in err
    assert "Map: PCA" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--method", "umpa"], "Did you mean 'umap'"),
        (["--dimensions", 5], "choose 2 or 3"),
        (["--color", "hair"], "way to colour"),
        (["--language", "de"], "language"),
        (["--split", "holdout"], "no part of a split"),
        (["--split", "test"], "say with --data"),
        (["--sample", 1], "at least 3"),
        (["-k", 0], "0 neighbours"),
        (["--png", "map.jpg"], "should end in .png or .svg"),
        (["--queries", "/nowhere"], "/nowhere"),
    ],
)
def test_bad_options(run: Run, place: Path, tmp_path: Path, options: List[object], said: str) -> None:
    code, _, err = run("visualize", place / "g", "--method", "pca", "--out", tmp_path / "map.html", *options)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_a_picture_without_kaleido_names_what_to_install(
    run: Run, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run("visualize", place / "g", "--out", tmp_path / "map.html", "--png", tmp_path / "map.png")
    assert code == 2
    assert "pip install 'kaleido>=1.5'" in " ".join(err.split())
    assert not list(tmp_path.iterdir())


def test_pictures_are_drawn(run: Run, place: Path, tmp_path: Path) -> None:
    pytest.importorskip("kaleido", reason="kaleido is not installed (pip install 'kaleido>=1.5')")
    png, svg = tmp_path / "map.png", tmp_path / "map.svg"
    code, _, err = run(
        "visualize", place / "g", "--method", "pca", "--out", tmp_path / "map.html", "--png", png, "--svg", svg
    )  # fmt: skip
    assert code == 0, err
    picture = cv2.imread(str(png))
    assert picture is not None
    assert picture.shape[:2] == (2000, 2800)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10
    assert "<svg" in svg.read_text(encoding="utf-8")
