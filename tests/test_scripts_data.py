"""``emotions data``: what it recognises, counts and writes."""

from __future__ import annotations

import json
import lzma
from itertools import islice
from pathlib import Path
from typing import Dict, List

import cv2
import numpy as np
import pytest
from conftest import REAL, Run, the_error, write_faces

pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")


LAYOUTS: Dict[str, List[str]] = {
    "folder": [f"{emotion}/{n}.png" for emotion in ("joy", "Wut", "miedo") for n in range(3)],
    "ckplus": [f"{e}/S0{n}0_00{k}_0000001{n}.png" for k, e in enumerate(("anger", "contempt")) for n in range(4)],
    "jaffe": [f"{who}.{code}1.{k}.png" for who in ("KA", "KM", "NA") for k, code in enumerate(("AN", "HA", "NE"))],
    "kdef": [f"AF0{n}{code}S.png" for n in range(1, 5) for code in ("AN", "HA", "SU")],
    "rafdb": [f"{part}/{k}/{part}_0000{n}_aligned.png" for part in ("train", "test") for k in (1, 4) for n in range(3)],
    "fer2013-folder": [
        f"{part}/{emotion}/{usage}_{n}.png"
        for part, usage in (("train", "Training"), ("test", "PrivateTest"))
        for emotion in ("angry", "happy")
        for n in range(3)
    ],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_recognised_and_counted(run: Run, tmp_path: Path, layout: str) -> None:
    rng = np.random.default_rng(3)
    root = tmp_path / "faces"
    for name in LAYOUTS[layout]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), rng.integers(0, 256, (20, 20), dtype=np.uint8))
    (root / LAYOUTS[layout][0]).with_name("broken.png").write_text("no picture")
    code, out, err = run("data", root)
    assert code == 0, err
    assert f"read as {layout}" in out
    code, out, _ = run("data", root, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["format"] == layout
    assert facts["pictures"] == len(LAYOUTS[layout]) == sum(facts["counts"].values())
    parts = facts["split"]["counts"]
    assert sum(sum(part.values()) for part in parts.values()) == facts["pictures"]
    assert all(emotion in out for emotion in facts["emotions"])


def test_the_start_of_fer2013(run: Run, tmp_path: Path) -> None:
    source = REAL / "fer2013.csv.xz"
    if not source.exists():
        pytest.skip(f"{source} is missing (real data of this workplace)")
    with lzma.open(source, "rt") as file:
        lines = list(islice(file, 301))
    (tmp_path / "fer2013.csv").write_text("".join(lines))
    code, out, _ = run("data", tmp_path / "fer2013.csv", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["pictures"] == 300
    labels = [line.split(",")[0] for line in lines[1:]]
    assert facts["counts"]["happiness"] == labels.count("3")
    assert facts["counts"]["disgust"] == labels.count("1")


def test_what_data_writes(run: Run, faces: Path, tmp_path: Path) -> None:
    names = {"--sheet": "sheet.png", "--skipped": "skipped.tsv", "--save-split": "split.json"}
    paths = {option: tmp_path / "new" / name for option, name in names.items()}
    code, out, err = run("data", faces, *(word for pair in paths.items() for word in pair), "--seed", 5)
    assert code == 0
    assert out.count("│") > 10
    assert err.count("wrote ") == 3
    sheet = cv2.imread(str(paths["--sheet"]))
    assert sheet is not None
    assert sheet.shape[0] > 3 * 20
    made = json.loads(run("data", faces, "--seed", 5, "--json")[1])
    again = json.loads(run("data", faces, "--split", paths["--save-split"], "--json")[1])
    assert again["split"]["digest"] == made["split"]["digest"]
    assert made["split"]["digest"] != json.loads(run("data", faces, "--seed", 6, "--json")[1])["split"]["digest"]


def test_data_counts_what_cannot_be_split(run: Run, tmp_path: Path) -> None:
    write_faces(tmp_path / "faces", {"anger": 5, "fear": 1})
    code, out, err = run("data", tmp_path / "faces")
    assert code == 0
    assert "no split" in out
    assert "fear has only 1 picture" in err
    facts = json.loads(run("data", tmp_path / "faces", "--json")[1])
    assert facts["split"] is None
    assert facts["counts"] == {"anger": 5, "fear": 1}
    assert "fear has only 1 picture" in the_error(run("data", tmp_path / "faces", "--split", "duplicate")[2])
