"""How a Jetson is set, from files and nvpmodel, and what faces cost it."""

from __future__ import annotations

from pathlib import Path
from typing import Dict

import pytest
from tegrastats_fake import LINES, install

from eval.jetson import energy_of, look_at_jetson, read_power_mode
from eval.tegrastats import Sample, parse_line


def write(root: Path, files: Dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_clocks_and_temperatures(tmp_path: Path) -> None:
    cpu, gpu = "sys/devices/system/cpu/cpu{}/cpufreq/", "sys/class/devfreq/17000000.gv11b/"
    files = {"sys/class/devfreq/13e10000.host1x/cur_freq": "1\n", gpu + "cur_freq": "318750000\n"}
    files[gpu + "max_freq"] = "1377000000\n"
    files[gpu + "governor"] = "nvhost_podgov\n"
    for number, now in ((0, "1190400\n"), (10, "729600\n"), (2, "damaged\n")):
        files[cpu.format(number) + "scaling_cur_freq"] = now
        files[cpu.format(number) + "scaling_max_freq"] = "2265600\n"
        files[cpu.format(number) + "scaling_governor"] = "schedutil\n"
    for number, (name, heat) in enumerate([("CPU-therm", "41500"), ("PMIC-Die", "100000"), ("GPU-therm", "-256000")]):
        files[f"sys/class/thermal/thermal_zone{number}/type"] = f"{name}\n"
        files[f"sys/class/thermal/thermal_zone{number}/temp"] = f"{heat}\n"
    state = look_at_jetson(write(tmp_path, files))
    assert [(clock.name, clock.now, clock.most) for clock in state.clocks] == [
        ("cpu0", 1190.4, 2265.6), ("cpu10", 729.6, 2265.6), ("17000000.gv11b", 318.75, 1377.0)
    ]  # fmt: skip
    assert [clock.governor for clock in state.clocks] == ["schedutil", "schedutil", "nvhost_podgov"]
    assert state.temperatures == {"CPU-therm": 41.5}


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    state = look_at_jetson(tmp_path)
    assert (state.clocks, state.temperatures) == ([], {})


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("echo 'NV Power Mode: MAXN'; echo 0", "MAXN (0)"),
        ("echo 'NVPM VERB: Config file: /etc/x'; echo 'NV Power Mode: MODE_15W_6CORE'; echo 2", "MODE_15W_6CORE (2)"),
        ("echo 'NV Power Mode: 25W'", "25W"),
        ("echo 'NVPM ERROR: Permission denied'; exit 1", None),
        ("printf '\\377\\376'", None),
    ],
)  # fmt: skip
def test_the_power_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, mode: str) -> None:
    monkeypatch.setenv("PATH", str(install(tmp_path, said, "nvpmodel")), prepend=":")
    assert read_power_mode() == mode


def test_no_nvpmodel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_power_mode() is None


def test_energy_a_face() -> None:
    busy = [Sample(rails={"VDD_IN": 6000, "VDD_SOC": 1000}, temperatures={"CPU": heat}) for heat in (40.0, 44.0, 42.0)]
    idle = [Sample(rails={"VDD_IN": 4000, "VDD_SOC": 900})]
    found = energy_of(busy, idle, 10.0, 200, "a note")
    assert found is not None
    assert (found.power, found.idle, found.samples, found.note) == (6000, 4000, 3, "a note")
    assert found.per_face == pytest.approx(6.0 * 10 / 200)
    assert found.per_face_above_idle == pytest.approx(2.0 * 10 / 200)
    assert found.rails == {"VDD_IN": 6000, "VDD_SOC": 1000}
    assert found.temperatures == {"CPU": 44.0}


def test_energy_where_something_is_missing() -> None:
    assert energy_of([], [], 1.0, 1) is None
    unknown = energy_of([Sample(rails={"VDD_NEW": 5})], [], 1.0, 1)
    assert unknown is not None
    assert (unknown.power, unknown.per_face, unknown.rails) == (None, None, {"VDD_NEW": 5})
    real = parse_line(LINES["Nano"][0])
    assert real is not None
    no_face = energy_of([real], [], 1.0, 0)
    assert no_face is not None
    assert (no_face.power, no_face.per_face, no_face.ram, no_face.gpu_load) == (2107, None, 1513, 0)
