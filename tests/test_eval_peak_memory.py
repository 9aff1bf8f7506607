from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eval import peak_memory
from eval.peak_memory import peak_memory as peak

ROOT = Path(__file__).resolve().parents[1]
ASK = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from eval.peak_memory import peak_memory; "


def asked(code: str) -> list[int]:
    done = subprocess.run([sys.executable, "-c", ASK + code], capture_output=True, text=True, check=True)
    return [int(text) for text in done.stdout.split()]


def test_what_was_held_once_counts_when_it_is_gone() -> None:
    before, after = asked("a = peak_memory(); b = bytearray(1 << 26); del b; print(a, peak_memory())")
    assert (1 << 26) * 0.9 < after - before < (1 << 26) * 1.5


@pytest.mark.parametrize("text", [None, "VmHWM:\n", "VmHWM:\tmuch kB\n", "Name:\tpython\n"])
def test_without_linux_s_count_the_system_is_asked(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("resource", reason="this system does not tell")
    status = tmp_path / "status"
    if text is not None:
        status.write_text(text)
    monkeypatch.setattr(peak_memory, "_STATUS", status)
    found = peak()
    assert found is not None
    assert found > 1 << 22
