"""What state a Jetson is in: its power mode, clocks and temperatures; and what faces cost it in energy."""

from __future__ import annotations

import contextlib
import re
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from eval.tegrastats import Sample

_GPUS = re.compile(r"gv11b|gp10b|ga10b|gm20b|gb10b|gpu|gpc")
_MODE = re.compile(r"NV Power Mode: *(\S[^\n]{0,60})(?:\n *(\d{1,4}))?")


@dataclass(frozen=True)
class Clock:
    """A clock of the machine.

    Attributes:
        name: ``"cpu0"``, or as the kernel calls a GPU.
        now: MHz at this moment.
        most: MHz it may reach; None if not told.
        governor: Who decides; empty if not told.
    """

    name: str
    now: float
    most: Optional[float]
    governor: str


@dataclass(frozen=True)
class JetsonState:
    """How a machine is set.

    Attributes:
        power_mode: nvpmodel's mode with its number, such as ``"MAXN (0)"``; None if it does not tell.
        clocks: Processors and GPU.
        temperatures: Sensor to °C.
    """

    power_mode: Optional[str]
    clocks: List[Clock]
    temperatures: Dict[str, float]


@dataclass(frozen=True)
class Energy:
    """What a stretch of work cost, by ``tegrastats``.

    Attributes:
        samples: Lines it rests on.
        seconds: How long the work took.
        faces: Faces that were classified.
        rails: Power rail to its mean milliwatts.
        power: Mean milliwatts of the whole module; None where its rails are not known to add up to it.
        idle: The same before the work began.
        per_face: Joules a face: mean power times seconds, over faces.
        per_face_above_idle: The same, of the power above idle.
        temperatures: Sensor to its highest °C.
        gpu_load: Mean load of the GPU in percent.
        ram: Most MiB of the module's memory in use.
        note: What was wrong with the measurement; empty if nothing.
    """

    samples: int
    seconds: float
    faces: int
    rails: Dict[str, float]
    power: Optional[float]
    idle: Optional[float]
    per_face: Optional[float]
    per_face_above_idle: Optional[float]
    temperatures: Dict[str, float]
    gpu_load: Optional[float]
    ram: Optional[float]
    note: str


def look_at_jetson(root: Path = Path("/")) -> JetsonState:
    """Find out how the machine is set. What it does not tell is left out.

    Args:
        root: Where ``/sys`` is looked for.
    """
    clocks = []
    for folder in sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"), key=lambda path: int(path.name[3:])):
        clock = _clock(
            folder.name, folder / "cpufreq", ("scaling_cur_freq", "scaling_max_freq", "scaling_governor"), 1e3
        )
        clocks += [] if clock is None else [clock]
    for folder in sorted((root / "sys/class/devfreq").glob("*")):
        if _GPUS.search(folder.name):
            clock = _clock(folder.name, folder, ("cur_freq", "max_freq", "governor"), 1e6)
            clocks += [] if clock is None else [clock]
    heat = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        name, value = _text(zone / "type"), _whole(zone / "temp")
        if name and value is not None and -50_000 < value < 200_000 and "PMIC" not in name:
            heat[name] = value / 1000
    return JetsonState(read_power_mode(), clocks, heat)


def read_power_mode(program: str = "nvpmodel") -> Optional[str]:
    """What ``nvpmodel -q`` says, such as ``"MAXN (0)"``; None where there is none, or it may not be asked."""
    found = shutil.which(program)
    if found is None:
        return None
    try:
        done = subprocess.run(
            [found, "-q"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _MODE.search(done.stdout.decode("utf-8", "replace"))
    if match is None:
        return None
    return match[1].strip() if match[2] is None else f"{match[1].strip()} ({match[2]})"


def energy_of(
    busy: Sequence[Sample], idle: Sequence[Sample], seconds: float, faces: int, note: str = ""
) -> Optional[Energy]:
    """What work cost.

    Args:
        busy: Samples during it.
        idle: Samples before it.
        seconds: How long it took.
        faces: Faces that were classified.
        note: What was wrong with the measurement.

    Returns:
        None where there is no sample of the work.
    """
    if not busy:
        return None
    names = sorted(set.intersection(*(set(sample.rails) for sample in busy)))
    power, rest = _power(busy), _power(idle)
    joules = None if power is None or not faces else power / 1000 * seconds / faces
    above = None
    if power is not None and rest is not None and faces:
        above = max(0.0, power - rest) / 1000 * seconds / faces
    hot: Dict[str, float] = {}
    for sample in busy:
        for name, value in sample.temperatures.items():
            hot[name] = max(value, hot.get(name, value))
    loads = [sample.gpu[0] for sample in busy if sample.gpu is not None]
    used = [sample.ram[0] for sample in busy if sample.ram is not None]
    return Energy(
        len(busy),
        seconds,
        faces,
        {name: statistics.mean(sample.rails[name] for sample in busy) for name in names},
        power,
        rest,
        joules,
        above,
        hot,
        statistics.mean(loads) if loads else None,
        float(max(used)) if used else None,
        note,
    )


def _power(samples: Sequence[Sample]) -> Optional[float]:
    known = [sample.power for sample in samples if sample.power is not None]
    return statistics.mean(known) if known else None


def _clock(name: str, folder: Path, files: Sequence[str], unit: float) -> Optional[Clock]:
    now, most = _whole(folder / files[0]), _whole(folder / files[1])
    if now is None:
        return None
    return Clock(name, now / unit, None if most is None else most / unit, _text(folder / files[2]))


def _whole(path: Path) -> Optional[int]:
    with contextlib.suppress(ValueError):
        return int(_text(path)[:20])
    return None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(200).decode("utf-8", "replace").strip()
    except OSError:
        return ""
