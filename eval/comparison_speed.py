"""What a tower costs where it runs: latency and memory of its ONNX file, alone in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

import numpy as np

from eval.peak_memory import peak_memory
from eval.timing import measure as timed
from galleries.encoder import OnnxEncoder
from galleries.errors import DataError, TowerError
from galleries.records import read_record

RUNS = 200
"""Faces timed at least, one at a time; fewer where they take longer than four times :data:`SECONDS`."""

SECONDS = 0.5
"""How long a tower is timed at least, after a warm-up."""


@dataclass(frozen=True)
class TowerSpeed:
    """One face at a time on the CPU, through ONNX Runtime.

    Attributes:
        p50_ms: Median time of a face, prepared pixels to vector, milliseconds.
        p95_ms: 95th percentile.
        runs: Faces timed.
        threads: CPU threads.
        memory_mb: Most memory that the process held (resident), 10^6 bytes; None where the system does not tell.
        base_mb: What it held before the tower was opened: Python, numpy, OpenCV and ONNX Runtime.
    """

    p50_ms: float
    p95_ms: float
    runs: int
    threads: int
    memory_mb: Optional[float]
    base_mb: Optional[float]


def tower_speed(path: Path, threads: int = 1) -> TowerSpeed:
    """Measure a tower in a fresh process, so that nothing else counts as its memory.

    Args:
        path: The ONNX file.
        threads: CPU threads.

    Raises:
        TowerError: The process failed.
    """
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
        "from eval.comparison_speed import report\n"
        f"report({str(path.absolute())!r}, {threads})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    try:
        return read_record(TowerSpeed, json.loads(done.stdout))
    except (ValueError, DataError) as error:
        told = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise TowerError(f"The speed of {path} could not be measured ({told}).") from error


def report(path: str, threads: int) -> None:
    """Measure in this process and write the result to standard output, as JSON."""
    sys.stdout.write(json.dumps(asdict(measure(path, threads))))


def measure(path: str, threads: int) -> TowerSpeed:
    """Measure in this process; see :func:`tower_speed`."""
    base = _megabytes()
    encoder = OnnxEncoder(path, providers=["cpu"], threads=threads)
    spec = encoder.input_spec
    face = np.random.default_rng(0).integers(0, 256, (1, spec.channels, spec.height, spec.width), dtype=np.uint8)
    timing = timed(lambda: encoder.encode(face), SECONDS, least=RUNS)
    return TowerSpeed(timing.p50, timing.p95, timing.runs, threads, _megabytes(), base)


def _megabytes() -> Optional[float]:
    most = peak_memory()
    return None if most is None else most / 1e6
