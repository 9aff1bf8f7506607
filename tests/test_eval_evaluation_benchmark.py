from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Run
from onnx_towers import write_tower
from tiny_faces import tiny_dataset, tiny_split

from eval.evaluation_benchmark import benchmark_evaluation
from galleries.encoder import OnnxEncoder
from galleries.errors import ConfigError
from siamese.enrolling import enrol

pytest.importorskip("sklearn", reason="the judging part is not installed")


def test_both_sides_are_timed_in_turns(tmp_path: Path) -> None:
    encoder = OnnxEncoder(write_tower(tmp_path / "tower.onnx"))
    dataset = tiny_dataset()
    split = tiny_split(dataset)
    gallery = enrol(dataset, split.train, encoder)
    seen: list[tuple[int, int]] = []
    speed = benchmark_evaluation(
        gallery, encoder, dataset, split.test, 3, rounds=2, progress=lambda *done: seen.append(done)
    )
    assert (speed.queries, speed.references) == (len(split.test), len(split.train))
    assert min(speed.bare, speed.voting, speed.whole) > 0
    assert len(speed.voting_ratios) == len(speed.whole_ratios) == 2
    assert seen == [(1, 2), (2, 2)]
    assert json.loads(json.dumps(speed.to_json()))["whole_ratio"] > 0
    with pytest.raises(ConfigError, match="1 or more"):
        benchmark_evaluation(gallery, encoder, dataset, split.test, 3, rounds=0)


def test_the_command(run: Run, trained: Path) -> None:
    code, out, err = run("benchmark", "evaluation", trained / "gallery", "-k", 3, "--rounds", 1)
    assert code == 0, err
    assert "bare tower + bare FAISS" in out
    assert "with MAP@R and intervals" in out
    code, _, err = run("benchmark", "evaluation", trained / "gallery", "--split", "none")
    assert code == 2
    assert "is no part of the split" in err
