"""What answering costs on this machine: every step, batches, threads, gallery sizes, a film, memory and power."""

from __future__ import annotations

import platform
import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

import faiss

from eval.device_film import FilmSpeed, draw_film, time_film
from eval.device_stages import STAGES, Batch, Material, time_batches, time_stages, time_threads
from eval.gallery_sizes import SizeSpeed, time_sizes
from eval.jetson import JetsonState, look_at_jetson
from eval.overhead import Overhead, onnx_encoder, time_overhead
from eval.peak_memory import peak_memory
from eval.timing import Timing
from galleries.board import Board, look_at_board
from galleries.encoder import OnnxEncoder
from galleries.recognizer import Recognizer

LIBRARIES = ("numpy", "opencv-python-headless", "opencv-python", "faiss-cpu", "onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        film: A film's path; None has one drawn.
        sizes: Vectors of the galleries that are searched.
        kinds: Indexes to compare.
        batches: Faces encoded at once.
        seconds: For each measurement.
        seed: Of the drawn film and the noise.
    """

    film: Optional[Path] = None
    sizes: Tuple[int, ...] = (1_000, 10_000, 100_000)
    kinds: Tuple[str, ...] = ("flat", "ivf", "hnsw")
    batches: Tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    seconds: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Machine:
    """What it ran on.

    Attributes:
        board: Processor, memory, Jetson.
        state: Power mode, clocks and temperatures when it began.
        python: Python's version.
        libraries: Library to version.
        provider: What the tower ran on.
        threads: CPU threads of the tower and of FAISS; None where they chose.
    """

    board: Board
    state: JetsonState
    python: str
    libraries: Dict[str, str]
    provider: str
    threads: Optional[int]


@dataclass(frozen=True)
class Subject:
    """What was measured.

    Attributes:
        path: The bundle or gallery.
        tower: Its tower's name.
        fingerprint: The tower's.
        precision: ``"float32"``, ``"float16"`` or ``"int8"``.
        pixels: The tower's input, height x width x channels.
        dim: Length of its vectors.
        references: In the gallery.
        index: The gallery's index.
        n_neighbors: How many vote.
        detector: What finds faces.
    """

    path: str
    tower: str
    fingerprint: str
    precision: str
    pixels: str
    dim: int
    references: int
    index: str
    n_neighbors: int
    detector: str


@dataclass(frozen=True)
class Memory:
    """Memory of this process.

    Attributes:
        opened: MiB at most until the gallery and its tower were open; None where the system does not tell.
        answering: The same until faces had been found and answered, one by one and on the film.
        all: The same at the end, with the larger galleries.
    """

    opened: Optional[float]
    answering: Optional[float]
    all: Optional[float]


@dataclass(frozen=True)
class Report:
    """A benchmark.

    Attributes:
        made: When, UTC, ISO 8601.
        toolkit: Its version.
        film: The film, or ``"drawn"``.
        faces_found: Whether the film showed faces.
        machine: What it ran on.
        subject: What was measured.
        stages: Step to its timing, one frame or face at a time.
        batches: Faces at once.
        threads: One and 32 faces, by CPU threads.
        sizes: Searches, by the gallery's size.
        films: End to end, with and without looking for faces.
        overhead: Against the bare libraries.
        memory: Of this process.
    """

    made: str
    toolkit: str
    film: str
    faces_found: bool
    machine: Machine
    subject: Subject
    stages: Dict[str, Timing]
    batches: List[Batch]
    threads: List[Batch]
    sizes: List[SizeSpeed]
    films: List[FilmSpeed]
    overhead: Overhead
    memory: Memory


def benchmark_device(
    recognizer: Recognizer,
    path: Path,
    options: Optional[Options] = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Measure everything. FAISS gets as many CPU threads as the tower was opened with.

    Args:
        recognizer: A gallery with its tower, opened by :class:`galleries.encoder.OnnxEncoder`.
        path: Where it came from.
        options: What to measure.
        progress: Called with the name of what is next.

    Raises:
        DataError: The film cannot be read.
        TowerError: The tower is not run by ONNX Runtime.
        ConfigError: A size, batch or number of seconds out of range.
    """
    options = options or Options()
    encoder = onnx_encoder(recognizer)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(encoder.threads or before)
    try:
        return _measure(recognizer, encoder, path, options, progress)
    finally:
        faiss.omp_set_num_threads(before)


def _measure(
    recognizer: Recognizer, encoder: OnnxEncoder, path: Path, options: Options, progress: Callable[[str], None]
) -> Report:
    board = look_at_board()
    machine = describe_machine(board, encoder)
    opened = _mebibytes()
    seconds = options.seconds
    with tempfile.TemporaryDirectory(prefix="emotions-benchmark-") as folder:
        progress("a film")
        film = options.film or draw_film(Path(folder, "drawn.mp4"), seed=options.seed)
        material = Material(film, recognizer)
        stages = time_stages(recognizer, material, seconds, progress)
        progress("overhead")
        overhead = time_overhead(recognizer, encoder, material.pixels, 6 * seconds)
        films = []
        for detection in (True, False):
            progress("the film" if detection else "the film, detection off")
            films.append(time_film(recognizer, film, board.cores, detection))
    answering = _mebibytes()
    batches = time_batches(encoder, material.pixels, options.batches, seconds, progress)
    threads = time_threads(encoder, material.pixels, board.cores, seconds / 2, progress)
    gallery = recognizer.gallery
    sizes = time_sizes(
        gallery.vectors, gallery.metric, options.sizes, options.kinds, seconds / 2, options.seed, progress
    )
    return Report(
        made=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        toolkit=_version("siamese-emotions") or "unknown",
        film="drawn" if options.film is None else str(options.film),
        faces_found=material.found,
        machine=machine,
        subject=_describe(recognizer, encoder, path, material.detector.name),
        stages=stages,
        batches=batches,
        threads=threads,
        sizes=sizes,
        films=films,
        overhead=overhead,
        memory=Memory(opened, answering, _mebibytes()),
    )


def count_steps(options: Options, cores: int) -> int:
    """How many times ``progress`` will be called, for a bar."""
    threads = len({min(2**power, cores) for power in range(cores.bit_length() + 1)})
    return 4 + len(STAGES) + len(options.batches) + 2 * threads + len(options.sizes) * len(options.kinds)


def describe_machine(board: Board, encoder: OnnxEncoder) -> Machine:
    """What this machine is, and what the tower runs on."""
    versions = {name: version for name in LIBRARIES for version in [_version(name)] if version is not None}
    return Machine(board, look_at_jetson(), platform.python_version(), versions, encoder.provider, encoder.threads)


def _mebibytes() -> Optional[float]:
    most = peak_memory()
    return None if most is None else most / 2**20


def _describe(recognizer: Recognizer, encoder: OnnxEncoder, path: Path, detector: str) -> Subject:
    gallery = recognizer.gallery
    return Subject(
        str(path), encoder.name, encoder.fingerprint, encoder.precision, str(encoder.input_spec),
        encoder.embedding_dim, len(gallery), gallery.index, recognizer.n_neighbors, detector,
    )  # fmt: skip


def _version(name: str) -> Optional[str]:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
