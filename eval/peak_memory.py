"""How much memory this process has held at most."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

_STATUS = Path("/proc/self/status")


def peak_memory() -> Optional[int]:
    """Bytes that this process has held at most so far (resident); None where the system does not tell.

    Linux's own count of this program comes first: ``getrusage`` also counts what the process that started it held.
    """
    try:
        for line in _STATUS.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most) * (1 if sys.platform == "darwin" else 1024)
