"""Which epoch is kept, and when a run ends early."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_runs import Recorder, run
from tiny_faces import tiny_config, tiny_dataset, tiny_split

from galleries.errors import ConfigError
from siamese.checkpoint import load_checkpoint
from siamese.training import fit


def test_early_stop_and_the_best_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import siamese.trainer
    from siamese.validation import Validation

    scores = iter([0.2, 0.6, 0.5, 0.6, 0.9])
    monkeypatch.setattr(siamese.trainer.Validator, "__call__", lambda *_: Validation(next(scores), 0.1, 1.0, False))
    seen = Recorder()
    result = run(tmp_path, seen, epochs=9, early_stop=2)
    assert result.stopped == "early stop"
    assert (result.best_epoch, result.best_score) == (2, 0.6)
    assert [row["best"] for row in seen.rows] == [True, True, False, False]
    assert load_checkpoint(tmp_path).card["epoch"] == 2
    again = run(tmp_path, resume=True, epochs=9, early_stop=2)
    assert (again.stopped, len(again.history)) == ("early stop", 4)


def test_the_monitored_accuracy_may_be_the_heads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import siamese.trainer
    from siamese.validation import Validation

    scores = iter([(0.9, 0.1), (0.1, 0.9), (0.5, 0.5)])
    monkeypatch.setattr(siamese.trainer.Validator, "__call__", lambda *_: Validation(*next(scores), 1.0, False))
    result = run(tmp_path, monitor="softmax")
    assert (result.best_epoch, result.best_score) == (2, 0.9)
    with pytest.raises(ConfigError, match="needs cross-entropy"):
        run(tmp_path / "other", monitor="softmax", loss="supcon")


def test_the_last_epoch_may_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import siamese.trainer
    from siamese.validation import Validation

    scores = iter([(0.9, False), (0.4, False), (0.5, True)])

    def validate(*_: Any) -> Validation:
        knn, collapsed = next(scores)
        return Validation(knn, 0.1, 1.0, collapsed)

    monkeypatch.setattr(siamese.trainer.Validator, "__call__", validate)
    result = run(tmp_path, monitor="last")
    assert (result.best_epoch, result.best_score) == (2, 0.4)  # the last that can be used
    assert load_checkpoint(tmp_path).card["epoch"] == 2


def test_the_last_epoch_needs_no_validation_pictures(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    split = tiny_split(dataset)
    nobody = replace(split, val=split.val[:0])
    config = tiny_config(epochs=2, monitor="last")
    result = fit(dataset, nobody, config, tmp_path)
    assert (result.best_epoch, result.best_score) == (2, -1.0)
    assert load_checkpoint(tmp_path).card["validation"] == {}
    header, *rows = (tmp_path / "history.csv").read_text().splitlines()
    assert "val_" not in header
    assert len(rows) == 2
    validated = fit(dataset, split, config, tmp_path / "validated")
    assert validated.tower.fingerprint == result.tower.fingerprint  # looking on changes nothing
