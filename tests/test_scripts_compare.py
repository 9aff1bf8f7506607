"""``emotions compare`` as a person uses it: killed in the middle, taken up again, read as a table, JSON and a page."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest
from conftest import SMALL, Run, checksums

pytest.importorskip("torch", reason="the learning part is not installed")

TOWERS = ("compact", "liexnet")
OPTIONS: List[object] = [
    "--data", "synthetic:subjects=24", "--emotions", "happy,sad,surprise", "--towers", ",".join(TOWERS),
    "--epochs", 1, "--seeds", 2, "--shots", 1, "--episodes", 20, *SMALL,
]  # fmt: skip


def timeless(report: Dict[str, Any]) -> Dict[str, Any]:
    """A report without what a clock decides."""
    for tower in report["towers"]:
        tower.update(speed=None, front=None)
    for row in (*(tower["facts"] for tower in report["towers"]), *report["runs"]):
        row.update(seconds=None, speed=None)
    return report


def killed_half_way(out: Path) -> None:
    """Start the comparison in a process of its own and kill it while its second run trains."""
    words = [sys.executable, "-m", "emotions_cli.cli", "compare", "--out", out, *OPTIONS]
    with (out.parent / "output").open("w") as output:
        process = subprocess.Popen([str(word) for word in words], stdout=output, stderr=output)
        try:
            while process.poll() is None and not (out / TOWERS[1] / "seed-0" / "split.json").exists():
                time.sleep(0.01)
        finally:
            process.kill()
            process.wait()


def test_killed_and_taken_up_again_it_gives_the_same_table(run: Run, tmp_path: Path) -> None:
    whole, halves, page = tmp_path / "whole", tmp_path / "halves", tmp_path / "page.html"
    killed_half_way(halves)
    done = {str(path.parent.relative_to(halves)) for path in halves.rglob("row.json")}
    assert "compact/seed-0" in done, (tmp_path / "output").read_text()
    assert "liexnet/seed-1" not in done
    before = checksums(halves / "compact" / "seed-0")
    code, out, err = run("compare", "--resume", halves, "--json", "--threads", 1, "--html", page)
    assert code == 0, err
    assert checksums(halves / "compact" / "seed-0") == before
    resumed = json.loads(out)
    assert resumed == json.loads((halves / "comparison.json").read_text())

    code, out, err = run("compare", "--out", whole, *OPTIONS)
    assert code == 0, err
    assert timeless(json.loads((whole / "comparison.json").read_text())) == timeless(resumed)
    assert [(row["tower"], row["seed"]) for row in resumed["runs"]] == [(t, s) for s in (0, 1) for t in TOWERS]
    assert resumed["budget"] == {"seconds": None, "epochs": 1}
    assert resumed["few_shot"]["new_people"]
    for told in (
        "1 epoch each, 2 seeds, k = 15",
        "chance",
        "1-shot",
        "mult-adds",
        "p95 ms",
    ):
        assert told in out
    assert "Published, not measured here: liexnet: CK+" in " ".join(out.split())
    assert "LEAKING" not in out
    assert "2 towers on synthetic" in page.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--towers", "compact,nonet"], "not a known tower"),
        (["--towers", "compact,compact"], "named twice"),
        (["--towers", "compact,siamese"], "41x41"),
        (["--epochs", 2, "--seconds", 3], "--epochs and --seconds"),
        (["--seconds", 0], "seconds"),
        (["--seeds", 0], "seeds 0"),
        (["--recipe", "nothing"], "not a known recipe"),
        (["--resume", "nowhere"], "is not a comparison"),
        (["--resume", "nowhere", "--towers", "compact"], "--towers was given with --resume"),
        (["--emotions", "contempt"], "contempt"),
    ],
)
def test_what_cannot_be_is_refused(run: Run, faces: Path, tmp_path: Path, options: List[object], said: str) -> None:
    towers = [] if "--towers" in options or "--resume" in options else ["--towers", "compact"]
    code, _, err = run("compare", "--data", faces, "--out", tmp_path / "new", *SMALL, *towers, *options)
    assert code == 2
    assert said in " ".join(err.split())
    assert not (tmp_path / "new").exists()
