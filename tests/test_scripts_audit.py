"""``emotions data --audit`` as a person uses it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from conftest import NAMES, Run, write_faces


def test_a_clean_split_is_called_clean(run: Run, faces: Path) -> None:
    code, out, err = run("data", faces, "--audit")
    assert code == 0, err
    assert "audit: CLEAN" in out
    assert "does not say which people" in out
    code, out, _ = run("data", faces, "--json")
    assert "audit" not in json.loads(out)


def test_copies_across_the_parts_are_called_leaking(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "faces"
    for seed, part in enumerate(("train", "val", "test")):
        write_faces(root / part, dict.fromkeys(NAMES, 4), seed)
    shutil.copy(root / "train" / NAMES[0] / "0.png", root / "test" / NAMES[1] / "copy.png")
    code, out, err = run("data", root, "--audit")
    assert code == 0, err
    assert "audit: LEAKING" in out
    code, out, _ = run("data", root, "--audit", "--json")
    found = json.loads(out)["audit"]
    assert (found["leaking"], found["test_copies"], found["val_copies"], found["test_leaking"]) == (True, 1, 0, 1)
    assert (found["conflicts"], found["conflicting_groups"]) == (1, 1)
    assert found["near_sought"]
    assert any("1 test and 0 val pictures are exact copies" in sentence for sentence in found["sentences"])


def test_nothing_to_audit_without_a_split(run: Run, tmp_path: Path) -> None:
    root = write_faces(tmp_path / "few", {NAMES[0]: 1, NAMES[1]: 3})
    code, _, err = run("data", root, "--audit")
    assert code == 2
    assert "has no split to be audited" in err
