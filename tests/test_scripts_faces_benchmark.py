"""``emotions benchmark faces`` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import Run

QUICK = ("--seconds", 0.2, "--rounds", 3)


def test_towers_beside_each_other(run: Run, built: Path) -> None:
    code, out, err = run("benchmark", "faces", "pretrained", built, *QUICK, "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert (facts["threads"], facts["rounds"]) == (1, 3)
    shipped, own = facts["towers"]
    assert (shipped["bundle"], shipped["ratio"]) == ("pretrained", 1.0)
    assert (own["tower"], own["references"], own["n_neighbors"]) == ("tiny", 11, 5)
    assert own["ratios"][0] <= own["ratio"] <= own["ratios"][1]
    code, out, err = run("benchmark", "faces", "pretrained", built, *QUICK)
    assert code == 0, err
    assert "prepared pixels to its vote" in out


def test_what_cannot_be_is_refused(run: Run, built: Path, tmp_path: Path) -> None:
    assert run("benchmark", "faces", tmp_path / "nothing", *QUICK)[0] == 2
    code, _, err = run("benchmark", "faces", built, "--seconds", 0)
    assert code == 2
    assert "give 0.01 to 600" in err
    assert run("benchmark", "faces")[0] == 2
