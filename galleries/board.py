"""The machine that this runs on: processor, memory, and which Jetson it is, if it is one."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Optional

_JETPACK = {32: 4, 34: 5, 35: 5, 36: 6, 38: 7}  # by the major release of Jetson Linux, as NVIDIA's archive lists them


@dataclass(frozen=True)
class Board:
    """What a machine is.

    Attributes:
        system: Such as ``"Linux 6.1.0"``.
        architecture: Such as ``"x86_64"`` or ``"aarch64"``.
        cores: Processors this process may use.
        memory: Bytes of memory; None where it cannot be told.
        available: Bytes of it that are free to use; None where it cannot be told.
        jetson: The Jetson's model; None if it is none.
        l4t: Its release of Jetson Linux, such as ``"35.4.1"``.
        jetpack: The major JetPack of that release.
        processor: The processor's own name; None if it does not tell.
    """

    system: str
    architecture: str
    cores: int
    memory: Optional[int]
    available: Optional[int]
    jetson: Optional[str]
    l4t: Optional[str]
    jetpack: Optional[int]
    processor: Optional[str] = None

    def to_json(self) -> Dict[str, Any]:
        """The board as a plain dict."""
        return asdict(self)


def look_at_board(root: Path = Path("/")) -> Board:
    """Find out what machine this is.

    Args:
        root: Where ``/proc`` and ``/etc`` are looked for.
    """
    model = _text(root / "proc/device-tree/model").strip("\0 \n")
    release = re.search(r"# R(\d+) \(release\), REVISION: (\d+(?:\.\d+)*)", _text(root / "etc/nv_tegra_release"))
    is_jetson = release is not None or any(name in model for name in ("Jetson", "Tegra"))
    memory = _text(root / "proc/meminfo")
    processor = re.search(r"^model name\s*: *(\S[^\n]*)", _text(root / "proc/cpuinfo"), re.MULTILINE)
    return Board(
        f"{platform.system()} {platform.release()}",
        platform.machine(),
        _cores(),
        _kilobytes(memory, "MemTotal"),
        _kilobytes(memory, "MemAvailable"),
        (model or "a Jetson of unknown model") if is_jetson else None,
        None if release is None else f"{release[1]}.{release[2]}",
        None if release is None else _JETPACK.get(int(release[1])),
        None if processor is None else processor[1].strip(),
    )


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux tells
        return os.cpu_count() or 1


def _kilobytes(text: str, key: str) -> Optional[int]:
    found = re.search(rf"^{key}: +(\d{{1,15}}) kB", text, re.MULTILINE)
    return None if found is None else int(found[1]) << 10


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[: 1 << 16].decode("utf-8", "replace")
    except OSError:
        return ""
