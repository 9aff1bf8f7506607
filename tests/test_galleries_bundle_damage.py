"""A few hundred of the damages that ``python tests/damage_gallery.py --what bundle|zip`` tries by thousands."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Dict

import numpy as np
import pytest
from damage_bundle import ZIP_KINDS, bundle_answers, damage_zip, make_bundle
from damage_gallery import run_child

from galleries.archive import write_zip

pytest.importorskip("resource", reason="memory is limited as on Unix")


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """One bundle as a folder and as a zip."""
    root = tmp_path_factory.mktemp("whole")
    folder = root / "folder"
    make_bundle(folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    write_zip(root / "file.zip", {file.relative_to(folder).as_posix(): file for file in files})
    return {"bundle": folder, "zip": root / "file.zip"}


def test_it_has_every_file_and_answers_alike_as_folder_and_zip(wholes: Dict[str, Path]) -> None:
    held = {file.name for file in wholes["bundle"].rglob("*") if file.is_file()}
    assert held == {
        "bundle.json", "card.json", "tower.onnx", "gallery.json", "index.faiss", "references.jsonl", "thumbnails.npy",
        "log.jsonl", "calibration.json",
    }  # fmt: skip
    assert bundle_answers(wholes["bundle"]) == bundle_answers(wholes["zip"])


@pytest.mark.parametrize(("what", "least"), [("bundle", 100), ("zip", 100)])
def test_plain_damage_is_refused_or_harmless(wholes: Dict[str, Path], what: str, least: int) -> None:
    counts, problem = run_child(wholes[what], 120, 81, signed=False, what=what)
    assert not problem
    assert counts["different"] == 0
    assert counts["refused"] > least
    assert sum(counts.values()) == 120


@pytest.mark.parametrize(("what", "least"), [("bundle", 40), ("zip", 40)])
def test_signed_damage_crashes_nothing(wholes: Dict[str, Path], what: str, least: int) -> None:
    counts, problem = run_child(wholes[what], 80, 82, signed=True, what=what)
    assert not problem
    assert counts["refused"] > least
    assert counts["different"] > 0, "forged checksums are believed"
    assert sum(counts.values()) == 80


def test_every_kind_of_damage_is_done(wholes: Dict[str, Path], tmp_path: Path) -> None:
    done = set()
    for number in range(150):
        path = tmp_path / "copy.zip"
        path.write_bytes(wholes["zip"].read_bytes())
        done.add(damage_zip(path, np.random.default_rng(number), signed=False).split()[0])
    assert done == {*ZIP_KINDS}
    path.write_bytes(wholes["zip"].read_bytes())
    damage_zip(path, np.random.default_rng(3), signed=True)
    assert zipfile.is_zipfile(path)
