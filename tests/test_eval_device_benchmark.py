"""The whole measurement on a tiny tower, its file, the damage to it, and two of them side by side."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Callable, Dict, List

import faiss
import pytest
from film_fakes import make_gallery, moving, open_gallery, write_film
from hypothesis import given
from hypothesis import strategies as st

from eval import device_report
from eval.device_benchmark import Options, Report, benchmark_device, count_steps
from eval.device_report import NAME, compare, differences, read_report, write_report
from eval.device_stages import STAGES
from eval.device_tables import markdown, ratio_table, tables
from galleries.board import Board
from galleries.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery, a film, and a benchmark of them. Not to be changed."""
    root = tmp_path_factory.mktemp("place")
    make_gallery(root)
    write_film(root / "film.avi", moving(9))
    options = Options(root / "film.avi", (50,), ("flat", "hnsw"), (1, 3), 0.01)
    steps: List[str] = []
    report = benchmark_device(open_gallery(root / "gallery"), root / "gallery", options, steps.append)
    assert len(steps) == count_steps(options, report.machine.board.cores)
    write_report(root / NAME, report)
    return root


@pytest.fixture(scope="module")
def report(place: Path) -> Report:
    return read_report(place / NAME)


def test_everything_is_measured(place: Path, report: Report) -> None:
    assert tuple(report.stages) == STAGES
    for timing in report.stages.values():
        assert 0 < timing.p50 <= timing.p95 <= timing.p99
        assert timing.runs >= 2
    assert report.faces_found
    assert [(batch.size, batch.threads) for batch in report.batches] == [(1, 1), (3, 1)]
    assert {batch.size for batch in report.threads} == {1, 32}
    assert max(batch.threads or 0 for batch in report.threads) == report.machine.board.cores
    assert [(size.size, size.kind) for size in report.sizes] == [(50, "flat"), (50, "hnsw")]
    assert [(film.detection, film.frames, film.faces) for film in report.films] == [(True, 9, 18), (False, 9, 9)]
    assert report.overhead.references == report.subject.references == 12
    assert (report.subject.tower, report.subject.n_neighbors, report.subject.detector) == ("tiny", 3, "squares")
    assert report.overhead.bare_tower < report.overhead.bare * 2
    memory = report.memory
    if memory.all is not None:
        assert 10 < (memory.opened or 0) <= (memory.answering or 0) <= memory.all


def test_it_comes_back_the_same(place: Path, tmp_path: Path, report: Report) -> None:
    write_report(tmp_path / "again.json", report)
    assert read_report(tmp_path / "again.json") == report
    assert read_report(place) == report, "a folder means the file in it"


def test_a_flipped_bit_anywhere_is_told(place: Path, tmp_path: Path) -> None:
    good = (place / NAME).read_bytes()
    path = tmp_path / NAME
    for position in range(0, len(good) - 2, 97):
        bad = bytearray(good)
        bad[position] ^= 1 << (position % 7)
        path.write_bytes(bytes(bad))
        if json_value(bytes(bad)) == json_value(good):  # a space that became another
            continue
        assert str(path) in refused(path)
    for end in (0, 1, len(good) // 2, len(good) - 3):
        path.write_bytes(good[:end])
        assert "not JSON" in refused(path)


def json_value(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data


def refused(path: Path) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(DataError) as caught:
        read_report(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def forge(place: Path, path: Path, change: Callable[[Dict[str, Any]], Any]) -> Path:
    """Change a benchmark as someone would who knows how its checksum is made."""
    whole = json.loads((place / NAME).read_text())
    change(whole["report"])
    whole["checksum"] = device_report._checksum(whole["report"])
    path.write_text(json.dumps(whole))
    return path


FORGERIES: List[Callable[[Dict[str, Any]], Any]] = [
    lambda r: r.pop("films"),
    lambda r: r.update(odd=1),
    lambda r: r["stages"]["encode"].update(p50="fast"),
    lambda r: r["stages"].update(encode=None),
    lambda r: r["overhead"].update(ratios=[1.0]),
    lambda r: r["machine"]["board"].update(cores=2.5),
    lambda r: r["films"].append({}),
    lambda r: r.update(sizes={}),
    lambda r: r["films"][0].update(energy=3),
    lambda r: r["memory"].update(all=1e999),
]


@pytest.mark.parametrize("change", FORGERIES)
def test_a_forged_value_is_refused(place: Path, tmp_path: Path, change: Callable[[Dict[str, Any]], Any]) -> None:
    assert "not what a benchmark must be" in refused(forge(place, tmp_path / NAME, change))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"), ("[" * 100_000, "not JSON"), ("[]", "no benchmark"), ("null", "no benchmark"),
        ('{"format": "other"}', "no benchmark"),
        ('{"format": "siamese-emotions benchmark", "version": 2}', "version 2"),
        ('{"format": "siamese-emotions benchmark", "version": 1, "report": {}, "checksum": ""}', "checksum differs"),
    ],
)  # fmt: skip
def test_what_is_no_benchmark_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / NAME).write_text(text)
    assert told in refused(tmp_path / NAME)
    assert "No such file" in refused(tmp_path / "absent.json")


@given(data=st.binary(max_size=60))
def test_any_bytes_are_refused(place: Path, data: bytes) -> None:
    (place / "noise.json").write_bytes(data)
    refused(place / "noise.json")


def test_side_by_side(report: Report) -> None:
    assert {ratio.ratio for ratio in compare(report, report)} == {1.0}
    assert differences(report, report) == []
    half = {name: replace(timing, p50=timing.p50 / 2) for name, timing in report.stages.items()}
    board = replace(report.machine.board, jetson="Jetson AGX Xavier")
    other = replace(report, stages=half, sizes=[], machine=replace(report.machine, board=board))
    ratios = {ratio.name: ratio.ratio for ratio in compare(report, other)}
    assert ratios["encode, p50"] == pytest.approx(2)
    assert ratios["encode, p95"] == 1
    assert not any("vectors" in name for name in ratios), "only what both have"
    (told,) = differences(report, other)
    assert told.startswith("machine: ")
    assert told.endswith(f"here, Jetson AGX Xavier, {board.cores} cores there.")
    nothing = replace(report, stages={name: replace(timing, p50=0.0) for name, timing in half.items()})
    assert {ratio.name: ratio.ratio for ratio in compare(report, nothing)}["encode, p50"] == 0


def test_as_a_page(report: Report) -> None:
    made = tables(report)
    page = markdown([*made, ratio_table(compare(report, report), "other|.json")], "Benchmark")
    for words in (
        "| decode |",
        "| vote |",
        "530.70 FPS",
        "not measured here",
        "recall@5",
        "12 references",
        "other|.json",
    ):
        assert words in page
    for table in made:
        assert all(len(row) == len(table.columns) for row in table.rows), table.title
    lines = [line for line in page.splitlines() if line.startswith("| encode |")]
    assert len(lines) == 1
    assert f"{report.stages['encode'].runs:,}" in lines[0]


def test_a_jetson_as_a_page(report: Report) -> None:
    from eval.jetson import Energy

    board = Board("Linux 5.10", "aarch64", 8, 16 << 30, 8 << 30, "Jetson AGX Xavier", "35.4.1", 5)
    energy = Energy(5, 2.0, 9, {"CPU": 312.0}, 4430.0, None, 0.98, None, {"CPU": 41.5}, 12.0, 3000.0, "It died.")
    films = [replace(report.films[0], energy=energy)]
    page = markdown(tables(replace(report, films=films, machine=replace(report.machine, board=board))), "x")
    for words in ("Jetson AGX Xavier, Jetson Linux 35.4.1, JetPack 5", "| rail CPU | 312 mW |", "| module | 4,430 mW |",
                  "| energy a face | 0.9800 J |", "5 samples of tegrastats. It died."):  # fmt: skip
        assert words in page
    assert "idle before" not in page


def test_no_faces_in_the_film(place: Path, tmp_path: Path) -> None:
    film = write_film(tmp_path / "dark.avi", [frame * 0 + 20 for frame in moving(3)])
    found = benchmark_device(open_gallery(place / "gallery"), place, Options(film, (), (), (1,), 0.01))
    assert not found.faces_found
    assert [film.faces for film in found.films] == [0, 3]
    assert "No face in the film" in markdown(tables(found), "x")


def test_what_is_refused(place: Path, tmp_path: Path) -> None:
    recognizer = open_gallery(place / "gallery")
    threads = faiss.omp_get_max_threads()
    with pytest.raises(DataError, match="does not exist"):
        benchmark_device(recognizer, place, Options(tmp_path / "absent.mp4"))
    with pytest.raises(ConfigError, match="batch of 0"):
        benchmark_device(recognizer, place, Options(place / "film.avi", (), (), (0,), 0.01))
    assert faiss.omp_get_max_threads() == threads, "whatever was set for the measurement"


def test_a_record_is_plain(report: Report) -> None:
    json.dumps(asdict(report), allow_nan=False)
