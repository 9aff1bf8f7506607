"""A run's history: one row an epoch, as ``history.csv`` and for TensorBoard."""

from __future__ import annotations

import csv
import importlib
import io
import os
import time
from pathlib import Path
from typing import Any, BinaryIO, Optional

from galleries.errors import EmotionsError, TrainingError

HISTORY_FILE = "history.csv"
TENSORBOARD_FOLDER = "tensorboard"


def history_csv(history: list[dict[str, Any]]) -> str:
    """The history as CSV text, one row an epoch."""
    columns = list(dict.fromkeys(key for row in history for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    return out.getvalue()


def read_history(path: Path) -> list[dict[str, float]]:
    """A ``history.csv`` back as rows of numbers; what is no number is left out.

    Raises:
        TrainingError: It is missing or no such file.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [{key: float(value) for key, value in row.items() if _is_number(value)} for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise TrainingError(f"{path} cannot be read as a run's history ({error}); copy it from a good run.") from error


def _is_number(text: Optional[str]) -> bool:
    try:
        float(text or "")
    except ValueError:
        return False
    return True


class TensorBoardLog:
    """Writes a run's history where TensorBoard finds it, if TensorBoard is installed.

    The events are written here and now: TensorBoard's own writer uses a thread, in which a full disk goes unnoticed.

    Args:
        folder: The run.
        begins: The first epoch to be written (from 1); a resumed run hides what an earlier session wrote from it on.

    Raises:
        EmotionsError: The disk is full or the folder cannot be written.
    """

    def __init__(self, folder: Path, begins: int) -> None:
        self._file: Optional[BinaryIO] = None
        try:
            self._events: Any = importlib.import_module("tensorboard.compat.proto.event_pb2")
            self._summaries: Any = importlib.import_module("tensorboard.compat.proto.summary_pb2")
            records: Any = importlib.import_module("tensorboard.summary.writer.record_writer")
        except ImportError:
            return
        now = time.time()
        self._path = folder / TENSORBOARD_FOLDER / f"events.out.tfevents.{now:.6f}.{os.getpid()}"
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb", buffering=0)
        except OSError as error:
            raise self._refused(error) from error
        self._records = records.RecordWriter(self._file)
        self._write(file_version="brain.Event:2")
        session = self._events.SessionLog(status=self._events.SessionLog.START)
        self._write(step=begins, session_log=session)

    @property
    def available(self) -> bool:
        """Whether TensorBoard is installed; without it nothing is written."""
        return self._file is not None

    def write(self, row: dict[str, Any]) -> None:
        """Write the numbers of one row of the history.

        Raises:
            EmotionsError: The disk is full.
        """
        if self._file is None:
            return
        values = [
            self._summaries.Summary.Value(tag=key, simple_value=value)
            for key, value in row.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool) and key != "epoch"
        ]
        self._write(step=row["epoch"], summary=self._summaries.Summary(value=values))

    def _write(self, **content: Any) -> None:
        try:
            self._records.write(self._events.Event(wall_time=time.time(), **content).SerializeToString())
        except OSError as error:
            self.close()
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> EmotionsError:
        return EmotionsError(
            f"{self._path} could not be written ({error.strerror or error}); the run's other files are as they were. "
            "Free space, and go on with --resume."
        )

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()
