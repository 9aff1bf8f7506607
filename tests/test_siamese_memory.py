"""A process that keeps its memory takes none anew in each step."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from siamese import memory

STEPS = """
import resource, sys
import torch
torch.set_num_threads(1)
if sys.argv[1] == "kept":
    from siamese.memory import keep_memory
    assert keep_memory(1 << 30)
    assert keep_memory(1 << 30)
for step in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    kept = [torch.ones(10_000_000) for _ in range(3)]
    kept.clear()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Pages that the last of four equal steps took anew."""
    done = subprocess.run([sys.executable, "-c", STEPS, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator, which Linux has")
def test_a_step_takes_no_pages_anew() -> None:
    assert faults("left alone") > 10_000  # 120 MB in pages of 4 kB are 29,000
    assert faults("kept") < 500


class _Library:
    """A C library that is not glibc."""

    def __init__(self, *names: str) -> None:
        for name in names:
            setattr(self, name, lambda *_: 0)


@pytest.mark.parametrize("names", [(), ("mallopt", "malloc", "free", "madvise")])
def test_another_library_is_left_alone(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    def cdll(_: Any) -> _Library:
        return _Library(*names)

    monkeypatch.setattr("siamese.memory.sys.platform", "linux")
    monkeypatch.setattr("siamese.memory.ctypes.CDLL", cdll)
    assert not memory.keep_memory.__wrapped__()


def test_another_system_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siamese.memory.sys.platform", "win32")
    assert not memory.keep_memory.__wrapped__()
