"""A benchmark on disk: ``benchmark.json``, checked when it is read, and two of them side by side as ratios."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

from eval.device_benchmark import Report
from eval.device_stages import STAGES
from galleries.atomic import write_bytes
from galleries.errors import DataError
from galleries.header import checksum
from galleries.records import parse_json, read_record

NAME = "benchmark.json"
FORMAT = "siamese-emotions benchmark"
VERSION = 1

_LIMIT = 16 << 20  # bytes
_ANEW = "make it anew with: emotions benchmark BUNDLE"


@dataclass(frozen=True)
class Ratio:
    """One figure of two benchmarks.

    Attributes:
        name: What was measured.
        unit: Its unit.
        here: The first one's value.
        there: The other's.
    """

    name: str
    unit: str
    here: float
    there: float

    @property
    def ratio(self) -> float:
        """here / there; 0 where the other is 0."""
        return self.here / self.there if self.there else 0.0


def write_report(path: Union[str, Path], report: Report) -> None:
    """Write ``benchmark.json``, atomically.

    Raises:
        EmotionsError: It cannot be written.
    """
    inner = asdict(report)
    whole = {
        "format": FORMAT,
        "version": VERSION,
        "report": inner,
        "checksum": _checksum(json.loads(json.dumps(inner))),
    }
    write_bytes(path, (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode())


def read_report(path: Union[str, Path]) -> Report:
    """Read ``benchmark.json`` back, checked.

    Args:
        path: The file, or the folder it lies in.

    Raises:
        DataError: It is missing, damaged, of another kind or version, or a value in it is not what it must be.
    """
    path = Path(path)
    path = path / NAME if path.is_dir() else path
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read as a benchmark ({error.strerror or error}); {_ANEW}.") from error
    try:
        whole = parse_json(data) if len(data) <= _LIMIT else None
        own = _checksum(whole["report"]) if isinstance(whole, dict) and "report" in whole else ""
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged: it is not JSON; {_ANEW}.") from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise DataError(f"{path} is no benchmark of this toolkit; {_ANEW}.")
    if whole.get("version") != VERSION:
        raise DataError(
            f"{path} has benchmark version {str(whole.get('version'))[:20]}, and this toolkit reads {VERSION}."
        )
    if whole.get("checksum") != own:
        raise DataError(f"{path} is damaged or was changed: its checksum differs; {_ANEW}.")
    try:
        report = read_record(Report, whole["report"], "report")
    except DataError as error:
        raise DataError(f"{path} is not what a benchmark must be: {str(error).rstrip('.')}; {_ANEW}.") from error
    return report


def compare(here: Report, there: Report) -> List[Ratio]:
    """The figures that two benchmarks share, in the order of the first."""
    others = {name: value for name, _, value in _figures(there)}
    return [Ratio(name, unit, value, others[name]) for name, unit, value in _figures(here) if name in others]


def differences(here: Report, there: Report) -> List[str]:
    """What besides speed differs between two benchmarks, a sentence each."""
    facts: Dict[str, Tuple[Any, Any]] = {
        "tower": (_tower(here), _tower(there)),
        "references": (here.subject.references, there.subject.references),
        "neighbours": (here.subject.n_neighbors, there.subject.n_neighbors),
        "machine": (_machine(here), _machine(there)),
        "provider": (here.machine.provider, there.machine.provider),
        "threads": (here.machine.threads, there.machine.threads),
        "power mode": (here.machine.state.power_mode, there.machine.state.power_mode),
        "film": (here.film, there.film),
        "detector": (here.subject.detector, there.subject.detector),
    }
    return [f"{name}: {mine} here, {other} there." for name, (mine, other) in facts.items() if mine != other]


def _figures(report: Report) -> List[Tuple[str, str, float]]:
    found: List[Tuple[str, str, float]] = []
    for stage in STAGES:
        if stage in report.stages:
            found.append((f"{stage}, p50", "ms", report.stages[stage].p50))
            found.append((f"{stage}, p95", "ms", report.stages[stage].p95))
    found.append(("one face to its vote", "ms", report.overhead.toolkit))
    found.append(("the same, bare libraries", "ms", report.overhead.bare))
    found += [(f"batches of {batch.size}", "faces/s", batch.timing.per_second) for batch in report.batches]
    for batch in report.threads:
        found.append((f"{batch.size} faces, {batch.threads} threads", "faces/s", batch.timing.per_second))
    for film in report.films:
        name = "film" if film.detection else "film, detection off"
        found.append((name, "FPS", film.fps))
        found.append((f"{name}, processor time a frame", "ms", film.cpu_per_frame))
        if film.energy is not None and film.energy.per_face is not None:
            found.append((f"{name}, energy a face", "J", film.energy.per_face))
    for size in report.sizes:
        found.append((f"{size.size:,} vectors, {size.kind}, p50", "ms", size.single.p50))
        found.append((f"{size.size:,} vectors, {size.kind}, recall@5", "", size.recall))
    if report.memory.answering is not None:
        found.append(("memory while answering", "MiB", report.memory.answering))
    return found


def _tower(report: Report) -> str:
    return f"{report.subject.tower} {report.subject.precision} {report.subject.fingerprint[:12]}"


def _machine(report: Report) -> str:
    board = report.machine.board
    return f"{board.jetson or board.processor or board.architecture}, {board.cores} cores"


def _checksum(inner: Any) -> str:
    return checksum(json.dumps(inner, sort_keys=True).encode())
