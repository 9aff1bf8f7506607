"""``emotions doctor``: what it finds on machines that are well, and on such that are not."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Callable, Dict, Optional

import pytest
from conftest import Run

from galleries import checkup
from galleries.board import Board, look_at_board
from galleries.checkup import NOTE, OK, PROBLEM, Finding

PC = Board("Linux 6.1", "x86_64", 8, 16 << 30, 8 << 30, None, None, None)
XAVIER = Board("Linux 5.10", "aarch64", 8, 16 << 30, 8 << 30, "Jetson AGX Xavier", "35.4.1", 5)


def by_name(findings: Any) -> Dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Pretend that exactly these distributions are installed."""

    def pretend(**versions: str) -> None:
        known = {name.replace("_", "-"): version for name, version in versions.items()}

        def version(name: str) -> str:
            if name not in known:
                raise metadata.PackageNotFoundError(name)
            return known[name]

        monkeypatch.setattr(checkup.metadata, "version", version)

    return pretend


def test_this_machine_can_be_used(run: Run) -> None:
    code, out, err = run("doctor", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert told["usable"]
    assert told["board"]["cores"] >= 1
    found = {(finding["topic"], finding["name"]): finding for finding in told["findings"]}
    assert found["software", "numpy"]["told"] == metadata.version("numpy")
    for name in ("search (FAISS)", "pictures (OpenCV)", "faces (Haar)"):
        assert found["self-test", name]["state"] == OK
    assert all(finding["remedy"] for finding in told["findings"] if finding["state"] != OK)


def test_what_is_wrong_is_told_with_its_remedy(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    monkeypatch.setattr(cv2, "__version__", "5.0.0")
    monkeypatch.delattr(cv2, "CascadeClassifier")
    code, out, _ = run("doctor")
    assert code == 2
    assert "problem opencv: 5.0.0" in out
    assert "-> OpenCV 5 has none; pip install 'opencv-python-headless>=4.8,<5'" in out
    assert "problem faces (Haar)" in out
    assert "2 problem(s) keep the toolkit from working here." in out


def write(root: Path, files: Dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MEMORY = "MemTotal:       31895712 kB\nMemFree:         123 kB\nMemAvailable:   20000000 kB\n"
RELEASE = "# R{} (release), REVISION: {}, GCID: 33958178, BOARD: t186ref, EABI: aarch64\n"


@pytest.mark.parametrize(
    ("model", "release", "expected"),
    [
        ("Jetson-AGX\0", RELEASE.format(32, "7.1"), ("Jetson-AGX", "32.7.1", 4)),
        ("NVIDIA Jetson Xavier NX Developer Kit\0", RELEASE.format(35, "4.1"), (None, "35.4.1", 5)),
        ("NVIDIA Jetson AGX Orin\0", RELEASE.format(36, "3.0"), (None, "36.3.0", 6)),
        ("NVIDIA Jetson AGX Orin\0", "", (None, None, None)),
        ("", RELEASE.format(99, "1"), ("a Jetson of unknown model", "99.1", None)),
    ],
)
def test_jetsons_are_known(tmp_path: Path, model: str, release: str, expected: Any) -> None:
    files = {"proc/device-tree/model": model, "etc/nv_tegra_release": release, "proc/meminfo": MEMORY}
    board = look_at_board(write(tmp_path, files))
    assert (board.jetson, board.l4t, board.jetpack) == (expected[0] or model.strip("\0"), *expected[1:])
    assert (board.memory, board.available) == (31895712 << 10, 20000000 << 10)
    (told,) = [finding.told for finding in checkup.check_machine(board) if finding.name == "Jetson"]
    assert str(expected[1]) in told or "unknown JetPack" in told


def test_a_raspberry_or_an_empty_machine_is_no_jetson(tmp_path: Path) -> None:
    for model in ("Raspberry Pi 5 Model B Rev 1.0\0", ""):
        board = look_at_board(write(tmp_path, {"proc/device-tree/model": model}))
        assert (board.jetson, board.l4t, board.memory) == (None, None, None)
        assert checkup.is_usable(checkup.check_machine(board))


def test_little_memory_is_noted() -> None:
    board = Board("Linux", "aarch64", 4, 4 << 30, 100 << 20, None, None, None)
    assert by_name(checkup.check_machine(board))["memory"].state == NOTE


def test_two_openmp_runtimes_are_noted(tmp_path: Path) -> None:
    line = "7f00-7f01 r-xp 00000000 00:00 1 {}\n"
    maps = tmp_path / "maps"
    maps.write_text("".join(map(line.format, ("/a/libgomp-e98.so.1.0.0", "/b/libiomp5.so", "/a/libgomp-e98.so.1.0.0"))))
    found = by_name(checkup.check_machine(PC, maps))["OpenMP"]
    assert found.told == "2 runtimes: /a/libgomp-e98.so.1.0.0, /b/libiomp5.so"
    maps.write_text(line.format("/a/libgomp.so.1"))
    assert "OpenMP" not in by_name(checkup.check_machine(PC, maps))


def test_several_opencv_wheels_are_noted(installed: Callable[..., None]) -> None:
    installed(opencv_python="4.10.0.84", opencv_contrib_python="4.8.0.76")
    found = by_name(checkup.check_software(PC))
    assert "pip uninstall opencv-python opencv-contrib-python" in found["opencv wheels"].remedy
    installed(opencv_python="4.10.0.84")
    assert "opencv wheels" not in by_name(checkup.check_software(PC))


def test_a_jetsons_idle_gpu_is_noted(installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = pytest.importorskip("onnxruntime")
    monkeypatch.setattr(runtime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    installed(onnxruntime="1.19.2")
    assert "GPU lies idle" in by_name(checkup.check_software(XAVIER))["onnxruntime"].remedy
    assert by_name(checkup.check_software(PC))["onnxruntime"].state == OK
    installed(onnxruntime="1.19.2", onnxruntime_gpu="1.19.2")
    assert "overwrite each other" in by_name(checkup.check_software(PC))["onnxruntime-gpu"].remedy


@pytest.mark.parametrize("module", ["faiss", "cv2", "onnxruntime", "rich"])
def test_a_broken_library_is_a_problem(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    real = checkup.importlib.import_module

    def broken(name: str, package: Optional[str] = None) -> ModuleType:
        if name == module:
            raise OSError("libGL.so.1: cannot open shared object file\nand more")
        return real(name, package)

    monkeypatch.setattr(checkup.importlib, "import_module", broken)
    wrong = [finding for finding in checkup.check_software(PC) if finding.state == PROBLEM]
    assert len(wrong) == 1
    assert "libGL.so.1" in wrong[0].told
    assert "pip install" in wrong[0].remedy
    assert not checkup.is_usable(wrong)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the extras need Python 3.10")
def test_a_missing_extra_is_noted_with_its_pip_line(installed: Callable[..., None]) -> None:
    installed(torch="2.15.0")
    found = by_name(checkup.check_extras())
    assert "missing: torchvision" in found["train"].told
    assert found["train"].remedy == "to have it: pip install 'siamese-emotions[train]'"
    assert checkup.is_usable(found.values())


def test_an_old_python_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 8, 18, "final", 0))
    (found,) = checkup.check_extras()
    assert "need Python 3.10" in found.told


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = by_name(checkup.check_places({"results": tmp_path / "not" / "yet", "temporary files": tmp_path}))
    assert {finding.state for finding in found.values()} == {OK}
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    assert by_name(checkup.check_places({"results": tmp_path}))["results"].state == PROBLEM

    def forbidden(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkup.tempfile, "TemporaryFile", forbidden)
    found = by_name(checkup.check_places({"results": tmp_path, "temporary files": tmp_path}))
    assert [finding.state for finding in found.values()] == [NOTE, PROBLEM]


def test_wrong_neighbours_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from galleries.index import VectorIndex

    real = VectorIndex.search

    def wrong(self: VectorIndex, queries: Any, k: int) -> Any:
        distances, indices = real(self, queries, k)
        return distances, indices[:, ::-1]

    monkeypatch.setattr(VectorIndex, "search", wrong)
    assert "other neighbours" in by_name(checkup.self_test())["search (FAISS)"].told
    monkeypatch.setattr(VectorIndex, "search", lambda *_: 1 / 0)
    assert by_name(checkup.self_test())["search (FAISS)"].told == "ZeroDivisionError: division by zero"
