"""Does this machine have what the toolkit needs? Each finding says what was found and, for a problem, the remedy."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import re
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from galleries.board import Board
from galleries.errors import EmotionsError

OK, NOTE, PROBLEM = "ok", "note", "problem"
OPENCV_WHEELS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
EXTRAS: Dict[str, Tuple[str, ...]] = {
    "train": ("torch", "torchvision", "pytorch-metric-learning", "safetensors", "lightning-fabric", "onnx"),
    "eval": ("scikit-learn", "scipy", "umap-learn", "plotly"),
}
"""What the optional parts need."""

_LEAST_SPACE = 256 << 20  # bytes


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: ``"software"``, ``"extras"``, ``"machine"``, ``"places"`` or ``"self-test"``.
        name: What was looked at.
        state: ``"ok"``, ``"note"`` (works, worth knowing) or ``"problem"`` (the toolkit cannot be used so).
        told: What was found.
        remedy: What to do about it; empty if nothing.
    """

    topic: str
    name: str
    state: str
    told: str
    remedy: str = ""

    def to_json(self) -> Dict[str, str]:
        """The finding as a plain dict."""
        return asdict(self)


def check_software(board: Board) -> List[Finding]:
    """Python and the libraries that every device needs."""
    found = [_check_python(), *_check_opencv(), _check_onnxruntime(board)]
    for name, module in (("numpy", "numpy"), ("faiss-cpu", "faiss"), ("typer", "typer"), ("rich", "rich")):
        found.append(_check_library(name, module))
    return found


def check_extras() -> List[Finding]:
    """Which optional parts are there: training and judging. None of them is needed to answer."""
    if sys.version_info < (3, 10):
        told = f"Python {platform.python_version()} answers; training and judging need Python 3.10 or newer"
        return [Finding("extras", "train, eval", OK, told)]
    found = []
    for extra, names in EXTRAS.items():
        there = {name: version_of(name) for name in names}
        missing = [name for name, version in there.items() if version is None]
        told = ", ".join(f"{name} {version}" for name, version in there.items() if version is not None)
        remedy = f"to have it: pip install 'siamese-emotions[{extra}]'" if missing else ""
        told = told + (f"; missing: {', '.join(missing)}" if missing else "")
        found.append(Finding("extras", extra, NOTE if missing else OK, told.lstrip("; "), remedy))
    return found


def check_machine(board: Board, maps: Path = Path("/proc/self/maps")) -> List[Finding]:
    """Processor, memory, Jetson, and how many OpenMP runtimes the libraries brought along.

    Args:
        board: The machine.
        maps: Where Linux lists what this process has loaded.
    """
    found = [Finding("machine", "processor", OK, f"{board.architecture}, {board.cores} cores, {board.system}")]
    if sys.maxsize < 1 << 32:
        remedy = "install a 64-bit Python: there is no FAISS or ONNX Runtime for 32 bits"
        found.append(Finding("machine", "word size", PROBLEM, "a 32-bit Python", remedy))
    if board.memory is not None:
        free = "" if board.available is None else f", {board.available / 2**30:.1f} GiB free"
        short = board.available is not None and board.available < 512 << 20
        remedy = "end other programs, or use a gallery without thumbnails" if short else ""
        told = f"{board.memory / 2**30:.1f} GiB{free}"
        found.append(Finding("machine", "memory", NOTE if short else OK, told, remedy))
    if board.jetson is not None:
        pack = "unknown JetPack" if board.jetpack is None else f"JetPack {board.jetpack} (Jetson Linux {board.l4t})"
        found.append(Finding("machine", "Jetson", OK, f"{board.jetson}, {pack}"))
    runtimes = sorted(set(re.findall(r"/\S*lib(?:gomp|omp|iomp5)[^/\s]*\.so\S*", _text(maps))))
    if len(runtimes) > 1:
        remedy = "mostly harmless; if it is slow or hangs, import torch before faiss, or set OMP_NUM_THREADS=1"
        found.append(Finding("machine", "OpenMP", NOTE, f"{len(runtimes)} runtimes: {', '.join(runtimes)}", remedy))
    return found


def check_places(places: Dict[str, Path]) -> List[Finding]:
    """Whether folders can be written and have room.

    Args:
        places: Each folder by what it is for; one that does not exist yet counts as its nearest parent.
    """
    found = []
    for name, folder in places.items():
        parent = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        try:
            with tempfile.TemporaryFile(dir=parent) as file:
                file.write(b"emotions")
                file.flush()
            free = shutil.disk_usage(parent).free
        except OSError as error:
            remedy = "give yourself the right to write there, or choose another place"
            told = f"{folder} cannot be written ({error.strerror or error})"
            found.append(Finding("places", name, PROBLEM if name == "temporary files" else NOTE, told, remedy))
            continue
        short = free < _LEAST_SPACE
        remedy = "free some space" if short else ""
        told = f"{folder}, {free / 2**30:.1f} GiB free"
        found.append(Finding("places", name, PROBLEM if short else OK, told, remedy))
    return found


def self_test() -> List[Finding]:
    """Run the search, the pictures and the face finder on random data whose answers are known."""
    tests: Dict[str, Callable[[], str]] = {
        "search (FAISS)": _try_search,
        "pictures (OpenCV)": _try_pictures,
        "faces (Haar)": _try_faces,
    }
    found = []
    for name, test in tests.items():
        try:
            found.append(Finding("self-test", name, OK, test()))
        except EmotionsError as error:
            found.append(Finding("self-test", name, PROBLEM, str(error), "follow what it says, or install anew"))
        except Exception as error:  # whatever a broken installation raises is a finding, not a crash
            told = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200]
            found.append(Finding("self-test", name, PROBLEM, told, "install the library anew in a fresh environment"))
    return found


def is_usable(findings: Iterable[Finding]) -> bool:
    """Whether nothing among the findings keeps the toolkit from working."""
    return all(finding.state != PROBLEM for finding in findings)


def version_of(distribution: str) -> Optional[str]:
    """An installed distribution's version, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _check_python() -> Finding:
    return Finding("software", "python", OK, f"{platform.python_version()} at {sys.executable}")


def _check_library(name: str, module: str) -> Finding:
    try:
        library = importlib.import_module(module)
    except Exception as error:  # a broken wheel raises what it likes
        told = f"cannot be imported ({str(error).splitlines()[0] if str(error) else type(error).__name__})"
        return Finding("software", name, PROBLEM, told[:300], f"pip install --force-reinstall {name}")
    return Finding("software", name, OK, version_of(name) or str(getattr(library, "__version__", "unknown version")))


def _check_opencv() -> List[Finding]:
    wheels = {name: version for name in OPENCV_WHEELS for version in [version_of(name)] if version is not None}
    remedy = "pip install 'opencv-python-headless>=4.8,<5'"
    imported = _check_library("opencv-python-headless", "cv2")
    if imported.state == PROBLEM:
        return [Finding("software", "opencv", PROBLEM, imported.told, remedy)]
    cv2: Any = importlib.import_module("cv2")
    told = f"{cv2.__version__} ({', '.join(f'{n} {v}' for n, v in wheels.items()) or 'not from pip'})"
    found = []
    if len(set(wheels.values())) > 1:
        advice = f"they overwrite each other: pip uninstall {' '.join(wheels)}, then {remedy}"
        found.append(Finding("software", "opencv wheels", NOTE, ", ".join(wheels), advice))
    if int(str(cv2.__version__).split(".")[0]) >= 5 or not hasattr(cv2, "CascadeClassifier"):
        told += ": it has no Haar detector"
        found.append(Finding("software", "opencv", PROBLEM, told, f"OpenCV 5 has none; {remedy}"))
    else:
        found.append(Finding("software", "opencv", OK, told))
    window = re.search(r"GUI: +(\S+)", cv2.getBuildInformation())
    if window is None or window[1] == "NONE":
        advice = "emotions video --show serves a page on localhost instead of a window"
        found.append(Finding("software", "opencv windows", OK, "none in this OpenCV", advice))
    return found


def _check_onnxruntime(board: Board) -> Finding:
    name = next((n for n in ("onnxruntime-gpu", "onnxruntime") if version_of(n) is not None), "onnxruntime")
    found = _check_library(name, "onnxruntime")
    if found.state == PROBLEM:
        return found
    offered = [p.replace("ExecutionProvider", "") for p in sys.modules["onnxruntime"].get_available_providers()]
    told = f"{found.told}, offers {', '.join(offered)}"
    if version_of("onnxruntime-gpu") is not None and version_of("onnxruntime") is not None:
        advice = "the two overwrite each other: uninstall both, then install onnxruntime-gpu alone"
        return Finding("software", name, NOTE, f"{told}; onnxruntime is installed too", advice)
    if board.jetson is not None and "CUDA" not in offered:
        advice = "its GPU lies idle: install NVIDIA's onnxruntime-gpu wheel for this JetPack"
        return Finding("software", name, NOTE, told, advice)
    return Finding("software", name, OK, told)


def _try_search() -> str:
    import numpy as np

    from galleries.index import VectorIndex

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((500, 64)).astype(np.float32)
    queries = rng.standard_normal((20, 64)).astype(np.float32)
    index = VectorIndex.build(vectors, np.arange(500, dtype=np.int64), metric="euclidean")
    distances, indices = index.search(queries, 5)
    true = np.linalg.norm(queries[:, None].astype(np.float64) - vectors[None], axis=2)  # (20, 500)
    if not np.array_equal(indices, np.argsort(true, axis=1)[:, :5]):
        raise EmotionsError("FAISS names other neighbours than a plain comparison does: pip install -U faiss-cpu.")
    gap = float(np.abs(distances - np.sort(true, axis=1)[:, :5]).max())
    if not gap < 1e-3:
        raise EmotionsError(f"FAISS's distances are wrong by {gap:.2g}: pip install -U faiss-cpu.")
    return "500 vectors, 20 queries: the same neighbours as a plain comparison"


def _try_pictures() -> str:
    import numpy as np

    from galleries.images import InputSpec, prepare_batch, read_picture

    cv2: Any = importlib.import_module("cv2")
    image = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    with tempfile.TemporaryDirectory(prefix="emotions-") as folder:
        path = Path(folder, "face.png")
        path.write_bytes(cv2.imencode(".png", image)[1].tobytes())
        read = read_picture(path)
    if not np.array_equal(prepare_batch([read], InputSpec(48, 48, 1))[0, 0], image):
        raise EmotionsError("OpenCV reads a PNG otherwise than it was written: reinstall opencv-python-headless.")
    return "a PNG is read as it was written"


def _try_faces() -> str:
    import numpy as np

    from galleries.faces import FaceDetector

    grey = np.full((120, 160), 128, np.uint8)
    if FaceDetector().detect(grey):
        raise EmotionsError("The Haar detector sees a face in a grey area: reinstall opencv-python-headless.")
    return "the detector loads and sees no face in a grey area"


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
