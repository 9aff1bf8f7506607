"""What ``tegrastats`` says of a Jetson: memory, processors, temperatures, power rails; a line of it, and a run of it.

One line an interval, whose fields differ between boards and releases. A rail is ``NAME now/average`` in milliwatts,
with or without ``mW``; a temperature is ``NAME@31.5C``; a processor is ``load%@MHz`` or ``off``.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Dict, List, Optional, Tuple, Type

TOTALS: Tuple[Tuple[str, ...], ...] = (
    ("VDD_IN",),
    ("POM_5V_IN",),
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
    ("VDD_GPU", "VDD_CPU_SOC_MSS", "VIN_SYS_5V0"),
)
"""Rails that together are a module's power: Xavier NX, TX2, Orin NX and Nano; Nano; AGX Xavier; AGX Orin; Thor."""

_RAIL = re.compile(r"(?<!\S)([A-Za-z][A-Za-z0-9_]*) (\d{1,9})(?:mW)?/(\d{1,9})(?:mW)?(?!\S)")
_HEAT = re.compile(r"(?<!\S)([A-Za-z][A-Za-z0-9_-]*)@(-?\d{1,4}(?:\.\d{1,6})?)C(?!\S)")
_MEMORY = re.compile(r"(?<!\S)RAM (\d{1,9})/(\d{1,9})MB(?!\S)")
_CORES = re.compile(r"(?<!\S)(?:CPU|cpu) \[([^\]]{0,4000})\](?:@(\d{1,7}))?(?!\S)")
_CORE = re.compile(r"(\d{1,3})%(?:@(\d{1,7}))?")
_ENGINE = re.compile(r"(?<!\S)(EMC|EMC_FREQ|GR3D|GR3D_FREQ) (\d{1,3})%(?:@\[?(\d{1,7})(?:,\d{1,7})*\]?)?(?!\S)")
_NO_SENSOR = ("PMIC", "NC")  # a constant, and a rail that is not connected
_MEMORIES = ("RAM", "SWAP", "IRAM")  # in a line that was cut off they look like rails
_OFF = -200.0  # °C; a sensor that is switched off says -256


@dataclass(frozen=True)
class Sample:
    """One line.

    Attributes:
        ram: MiB in use, and in all; None if not told.
        cores: Each processor's load in percent and its MHz (None if not told); None for one that is off.
        gpu: The GPU's load in percent and its MHz; None where not told.
        memory_clock: The memory controller's load in percent and its MHz; None where not told.
        temperatures: Sensor to °C; those that are off, and the PMIC's constant, are left out.
        rails: Power rail to milliwatts, now.
    """

    ram: Optional[Tuple[int, int]] = None
    cores: Tuple[Optional[Tuple[int, Optional[int]]], ...] = ()
    gpu: Optional[Tuple[int, Optional[int]]] = None
    memory_clock: Optional[Tuple[int, Optional[int]]] = None
    temperatures: Dict[str, float] = field(default_factory=dict)
    rails: Dict[str, int] = field(default_factory=dict)

    @property
    def power(self) -> Optional[int]:
        """Milliwatts of the whole module now; None where its rails are not known to add up to it."""
        for names in TOTALS:
            if all(name in self.rails for name in names):
                return sum(self.rails[name] for name in names)
        return None


def parse_line(line: str) -> Optional[Sample]:
    """Read a line of ``tegrastats``. What it does not know it leaves out.

    Args:
        line: Any text.

    Returns:
        The sample; None if it says nothing of memory, so is no such line.
    """
    memory = _MEMORY.search(line)
    if memory is None:
        return None
    listed = _CORES.search(line)
    engines = {match[1][:3]: (int(match[2]), _number(match[3])) for match in _ENGINE.finditer(line)}
    return Sample(
        (int(memory[1]), int(memory[2])),
        () if listed is None else tuple(_core(text, listed[2]) for text in listed[1].split(",")),
        engines.get("GR3"),
        engines.get("EMC"),
        {
            match[1]: float(match[2])
            for match in _HEAT.finditer(line)
            if match[1] not in _NO_SENSOR and float(match[2]) > _OFF
        },
        {match[1]: int(match[2]) for match in _RAIL.finditer(line) if match[1] not in _NO_SENSOR + _MEMORIES},
    )


def _core(text: str, shared: Optional[str]) -> Optional[Tuple[int, Optional[int]]]:
    match = _CORE.fullmatch(text.strip())
    return None if match is None else (int(match[1]), _number(match[2] or shared))


def _number(text: Optional[str]) -> Optional[int]:
    return None if text is None else int(text)


class Tegrastats:
    """Runs ``tegrastats`` beside other work, in a ``with`` statement, and keeps what it says.

    Attributes:
        samples: Monotonic seconds and the sample that came then.
        failure: What went wrong, in a sentence; None if nothing did.

    Args:
        interval: Milliseconds between samples.
        program: Its name on the PATH, or its path.
    """

    def __init__(self, interval: int = 100, program: str = "tegrastats") -> None:
        self.samples: List[Tuple[float, Sample]] = []
        self.failure: Optional[str] = None
        self._interval = interval
        self._program = program
        self._process: Any = None
        self._thread: Optional[threading.Thread] = None
        self._leaving = False

    def __enter__(self) -> Tegrastats:
        found = shutil.which(self._program)
        if found is None:
            self.failure = f"There is no {self._program} on this machine."
            return self
        command = [found, "--interval", str(self._interval)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            self.failure = f"{found} cannot be started ({error.strerror or error})."
            return self
        self._thread = threading.Thread(target=self._read, name="emotions-tegrastats", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._process is None:
            return
        self._leaving = True
        with contextlib.suppress(OSError):
            self._process.terminate()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._thread is not None:
            self._thread.join(2)
        self._process.stdout.close()
        if self.failure is None and not self.samples:
            self.failure = f"{self._program} said nothing that could be read."

    def between(self, began: float, ended: float) -> List[Sample]:
        """The samples of a time.

        Args:
            began: ``time.monotonic()`` then.
            ended: The same at its end.
        """
        return [sample for moment, sample in list(self.samples) if began <= moment <= ended]

    def _read(self) -> None:
        for data in self._process.stdout:
            sample = parse_line(data.decode("utf-8", "replace")) if data.endswith(b"\n") else None
            if sample is not None:
                self.samples.append((time.monotonic(), sample))
        if not self._leaving:
            code = self._process.wait()
            self.failure = f"{self._program} ended by itself (code {code}) after {len(self.samples)} samples."
