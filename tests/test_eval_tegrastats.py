"""What is read of tegrastats: every board's line, any text, any cut; a program that stays, dies, or is not there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tegrastats_fake import LINES, forever, install

from eval.tegrastats import Tegrastats, parse_line

NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{2,12}", fullmatch=True).filter(
    lambda name: name not in ("PMIC", "RAM", "NC", "SWAP", "IRAM")
)
NUMBERS = st.integers(0, 99_999)
CORE = st.one_of(st.none(), st.tuples(st.integers(0, 100), st.one_of(st.none(), st.integers(0, 3000))))


@pytest.mark.parametrize("board", LINES)
def test_every_board(board: str) -> None:
    line, power = LINES[board]
    sample = parse_line(line)
    assert sample is not None
    assert sample.power == power
    assert sample.ram is not None
    assert f"RAM {sample.ram[0]}/{sample.ram[1]}MB" in line
    assert len(sample.cores) == line[line.index("[") : line.index("]")].count(",") + 1
    assert sample.gpu is not None
    assert sample.memory_clock is not None
    assert "PMIC" not in sample.temperatures
    assert "NC" not in sample.rails
    assert all(20 < heat < 60 for heat in sample.temperatures.values())


def test_the_fields_of_a_line() -> None:
    xavier = parse_line(LINES["AGX Xavier, JetPack 4"][0])
    assert xavier is not None
    assert xavier.cores == ((12, 1190), (0, 1190), (3, 1190), (4, 1190), None, None, None, None)
    assert (xavier.gpu, xavier.memory_clock) == ((7, 318), (1, 665))
    assert (xavier.temperatures["GPU"], xavier.rails["GPU"]) == (32.0, 155)
    newer, orin = (parse_line(LINES[name][0]) for name in ("AGX Xavier, JetPack 5", "AGX Orin"))
    assert newer is not None
    assert orin is not None
    assert (newer.gpu, newer.memory_clock) == ((0, 510), (0, None))
    assert orin.gpu == (14, 407)
    assert "CV0" not in orin.temperatures
    assert orin.rails["VDDQ_VDD2_1V8AO"] == 301


def test_one_clock_for_all_processors() -> None:
    sample = parse_line("RAM 10/20MB (lfb 1x1MB) cpu [17%,13%,off]@408 EMC 1%@408 GR3D 3%@76")
    assert sample is not None
    assert sample.cores == ((17, 408), (13, 408), None)
    assert (sample.gpu, sample.memory_clock, sample.power) == ((3, 76), (1, 408), None)


@pytest.mark.parametrize("cut", ["SWAP 0/9", "IRAM 0/252", "SWAP 0"])
def test_a_line_cut_in_its_memory_has_no_such_rail(cut: str) -> None:
    sample = parse_line(f"RAM 10/20MB (lfb 1x1MB) {cut}")
    assert sample is not None
    assert sample.rails == {}


def write(
    ram: Tuple[int, int],
    cores: List[Optional[Tuple[int, Optional[int]]]],
    heats: Dict[str, float],
    rails: Dict[str, Tuple[int, int]],
    unit: str,
) -> str:
    """A line in the format, slowly."""
    texts = []
    for core in cores:
        if core is None:
            texts.append("off")
        else:
            texts.append(f"{core[0]}%" if core[1] is None else f"{core[0]}%@{core[1]}")
    parts = [f"RAM {ram[0]}/{ram[1]}MB (lfb 1x4MB)", "SWAP 0/9MB (cached 0MB)", f"CPU [{','.join(texts)}]"]
    parts += [f"{name}@{heat}C" for name, heat in heats.items()]
    parts += [f"{name} {now}{unit}/{average}{unit}" for name, (now, average) in rails.items()]
    return " ".join(parts)


@given(
    ram=st.tuples(NUMBERS, NUMBERS),
    cores=st.lists(CORE, min_size=1, max_size=12),
    heats=st.dictionaries(NAMES, st.integers(-40_000, 120_000).map(lambda value: value / 1000), max_size=6),
    rails=st.dictionaries(NAMES, st.tuples(NUMBERS, NUMBERS), max_size=6),
    unit=st.sampled_from(["", "mW"]),
    share=st.floats(0, 1),
)
def test_what_is_written_is_read(
    ram: Tuple[int, int],
    cores: List[Optional[Tuple[int, Optional[int]]]],
    heats: Dict[str, float],
    rails: Dict[str, Tuple[int, int]],
    unit: str,
    share: float,
) -> None:
    line = write(ram, cores, heats, rails, unit)
    sample = parse_line(line)
    assert sample is not None
    assert (sample.ram, list(sample.cores)) == (ram, cores)
    assert sample.temperatures == heats
    assert sample.rails == {name: now for name, (now, _) in rails.items()}
    cut = parse_line(line[: int(share * len(line))])
    if cut is not None:
        assert cut.ram == ram
        assert cut.rails.items() <= sample.rails.items()
        assert cut.temperatures.items() <= heats.items()
        assert cut.cores in ((), sample.cores)


@given(st.text())
def test_any_text_is_read_or_none(text: str) -> None:
    parse_line(text)
    sample = parse_line(f"RAM 1/2MB {text}")
    assert sample is not None


def test_beside_other_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line, power = LINES["Xavier NX"]
    monkeypatch.setenv("PATH", str(install(tmp_path, "echo $* > args; " + forever(line))), prepend=":")
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    with Tegrastats(50) as meter:
        while len(meter.samples) < 3 and time.monotonic() < began + 20:
            time.sleep(0.01)
        ended = time.monotonic()
    assert meter.failure is None
    assert (tmp_path / "args").read_text() == "--interval 50\n"
    seen = meter.between(began, ended)
    assert len(seen) >= 3
    assert {sample.power for sample in seen} == {power}
    assert meter.between(ended + 100, ended + 200) == []
    count = len(meter.samples)
    time.sleep(0.1)
    assert len(meter.samples) == count, "it was ended"


def test_one_that_dies_midway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = LINES["AGX Orin"][0]
    body = f"echo nonsense; echo '{line}'; echo '{line}'; printf '%s' '{line[:90]}'; exit 3"
    monkeypatch.setenv("PATH", str(install(tmp_path, body)), prepend=":")
    with Tegrastats() as meter:
        began = time.monotonic()
        while meter.failure is None and time.monotonic() < began + 20:
            time.sleep(0.01)
    assert meter.failure == "tegrastats ended by itself (code 3) after 2 samples."
    assert len(meter.samples) == 2, "half a line is no sample"


def test_one_that_ignores_being_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(install(tmp_path, "trap '' TERM; exec sleep 60")), prepend=":")
    began = time.monotonic()
    with Tegrastats() as meter:
        pass
    assert time.monotonic() - began < 30
    assert meter.failure == "tegrastats said nothing that could be read."


def test_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with Tegrastats() as meter:
        pass
    assert meter.failure == "There is no tegrastats on this machine."
    (tmp_path / "tegrastats").write_bytes(b"\x7fELF no program")
    (tmp_path / "tegrastats").chmod(0o755)
    with Tegrastats() as meter:
        pass
    assert meter.failure is not None
    assert "cannot be started" in meter.failure
