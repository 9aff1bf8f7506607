"""A short training run and someone who watches it, for the tests of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_faces import tiny_config, tiny_dataset, tiny_split

from siamese.training import FitResult, Silence, fit

TIMES = ("seconds", "pictures_per_second")


class Recorder(Silence):
    """Counts what it is told, and may stop the run."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.epochs: list[tuple[int, int, int]] = []
        self.steps = 0
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.stop_after = stop_after

    def started(self, epoch: int, epochs: int, steps: int) -> None:
        self.epochs.append((epoch, epochs, steps))

    def stepped(self, loss: float, pictures: int) -> None:
        self.steps += 1
        if self.steps == self.stop_after:
            raise KeyboardInterrupt

    def finished(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def note(self, text: str) -> None:
        self.notes.append(text)


def run(out: Path, observer: Any = None, resume: bool = False, dataset: Any = None, **options: Any) -> FitResult:
    dataset = tiny_dataset() if dataset is None else dataset
    return fit(
        dataset, tiny_split(dataset), tiny_config(**options), out, device="cpu", observer=observer, resume=resume
    )


def without_times(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key not in TIMES} for row in history]
