"""A benchmark as tables, for a terminal and as Markdown, beside what the published systems told of their own."""

from __future__ import annotations

from typing import List, Optional, Sequence, Tuple

from eval.device_benchmark import Report
from eval.device_report import Ratio
from eval.device_stages import STAGES
from eval.table import Table
from galleries.board import Board

PUBLISHED: Tuple[Tuple[str, str], ...] = (
    ("siamese network, PC and Jetson AGX Xavier", "about 1 s a classification"),
    ("LiExNet, Jetson TX2, from an MP4", "530.70 FPS, 75.48 % CPU, 3.5 of 7.8 GB"),
)
"""What the authors published of their own systems on their machines; nothing of it was measured here."""


def tables(report: Report) -> List[Table]:
    """Everything a benchmark tells, in order."""
    subject = report.subject
    made = [
        Table("machine", ("", "machine"), _machine(report)),
        Table(
            "one frame or face at a time",
            ("step", "p50 ms", "p95 ms", "p99 ms", "a second", "runs"),
            [
                [name, *(_number(value) for value in (timing.p50, timing.p95, timing.p99)),
                 f"{timing.per_second:,.0f}", f"{timing.runs:,}"]
                for name in STAGES for timing in [report.stages.get(name)] if timing is not None
            ],
            "" if report.faces_found else "No face in the film's first frames: whole ones were prepared and encoded.",
        ),
        _overhead(report),
        Table(
            "films, end to end",
            ("film", "frames", "faces", "FPS", "CPU", "CPU ms a frame"),
            [
                [_film_name(report.film, film.detection), str(film.frames), str(film.faces), f"{film.fps:.1f}",
                 f"{100 * film.cpu_share:.0f} %", f"{film.cpu_per_frame:.1f}"]
                for film in report.films
            ],
            "CPU is processor time as a share of what all cores could give.",
        ),
        Table(
            "faces at once",
            ("faces", "threads", "p50 ms", "p95 ms", "faces/s"),
            [
                [str(batch.size), "own choice" if batch.threads is None else str(batch.threads),
                 _number(batch.timing.p50), _number(batch.timing.p95), f"{batch.timing.per_second:,.0f}"]
                for batch in (*report.batches, *report.threads)
            ],
        ),
        Table(
            "galleries by size, k = 5",
            ("vectors", "index", "p50 ms", "p99 ms", "queries/s", "recall@5", "/ plain FAISS", "built in s"),
            [
                [f"{size.size:,}", size.kind, _number(size.single.p50), _number(size.single.p99), f"{size.batch:,.0f}",
                 f"{size.recall:.3f}", f"{size.ratio:.2f}", f"{size.build:.1f}"]
                for size in report.sizes
            ],
            f"Vectors of {subject.dim} numbers: the gallery's own, repeated with noise.",
        ),
        *_energy(report),
        Table("published by others, not measured here", ("system", "published"), [list(row) for row in PUBLISHED]),
    ]  # fmt: skip
    return [table for table in made if table.rows]


def ratio_table(ratios: Sequence[Ratio], other: str) -> Table:
    """Two benchmarks side by side."""
    rows = [
        [ratio.name, ratio.unit, _number(ratio.here), _number(ratio.there), f"{ratio.ratio:.2f}"] for ratio in ratios
    ]
    return Table(f"against {other}", ("", "unit", "here", "there", "here / there"), rows)


def markdown(made: Sequence[Table], title: str) -> str:
    """Tables as a Markdown page."""
    parts = [f"# {title}\n"]
    for table in made:
        lines = [_row(table.columns), _row(["---", *["---:"] * (len(table.columns) - 1)])]
        lines += [_row(row) for row in table.rows]
        parts.append(f"## {table.title[:1].upper()}{table.title[1:]}\n\n" + "\n".join(lines) + "\n")
        if table.note:
            parts.append(f"{table.note}\n")
    return "\n".join(parts)


def _machine(report: Report) -> List[List[str]]:
    machine, subject, memory = report.machine, report.subject, report.memory
    board = machine.board
    rows = [
        ["processor", f"{board.processor or board.architecture}, {board.cores} cores, {board.system}"],
        ["memory", _size(None if board.memory is None else board.memory / 2**20)],
        ["Jetson", _jetson(board)],
        ["power mode", machine.state.power_mode or ""],
        ["clocks", ", ".join(_clock(c.name, c.now, c.most, c.governor) for c in machine.state.clocks[:16])],
        ["temperatures", ", ".join(f"{name} {heat:.0f} °C" for name, heat in machine.state.temperatures.items())],
        ["Python", f"{machine.python}; " + ", ".join(f"{name} {v}" for name, v in machine.libraries.items())],
        ["tower", f"{subject.tower}, {subject.precision}, {subject.pixels} in, {subject.dim} numbers out"],
        ["runs on", f"{machine.provider}, threads: {machine.threads or 'its own choice'}"],
        ["gallery", f"{subject.path}: {subject.references:,} references, {subject.index}, k = {subject.n_neighbors}"],
        ["this process at most", f"opened {_size(memory.opened)}, answering {_size(memory.answering)}, "
         f"with the galleries below {_size(memory.all)}"],
        ["made", f"{report.made}, siamese-emotions {report.toolkit}"],
    ]  # fmt: skip
    return [row for row in rows if row[1]]


def _jetson(board: Board) -> str:
    return "" if board.jetson is None else f"{board.jetson}, Jetson Linux {board.l4t}, JetPack {board.jetpack}"


def _overhead(report: Report) -> Table:
    found = report.overhead
    rows = [
        ["emotions: tower, search, vote, evidence", _number(found.toolkit), f"{found.ratio:.2f}"],
        ["ONNX Runtime + FAISS", _number(found.bare), "1.00"],
        ["ONNX Runtime alone", _number(found.bare_tower), ""],
    ]
    note = (
        f"In turns; the ratio is the median of the rounds, which lie between {found.ratios[0]:.2f} and "
        f"{found.ratios[1]:.2f}. {found.references:,} references, k = {found.n_neighbors}."
    )
    return Table("one face, prepared pixels to a vote", ("", "ms (median)", "ratio"), rows, note)


def _energy(report: Report) -> List[Table]:
    made = []
    for film in report.films:
        found = film.energy
        if found is None:
            continue
        rows = [[f"rail {name}", f"{power:,.0f} mW"] for name, power in found.rails.items()]
        rows += [
            ["module", _unit(found.power, "mW", 0)],
            ["module, idle before", _unit(found.idle, "mW", 0)],
            ["energy a face", _unit(found.per_face, "J", 4)],
            ["energy a face above idle", _unit(found.per_face_above_idle, "J", 4)],
            ["GPU", _unit(found.gpu_load, "%", 0)],
            ["memory of the module", _size(found.ram)],
            *([f"{name}, hottest", f"{heat:.1f} °C"] for name, heat in found.temperatures.items()),
        ]
        note = f"{found.samples} samples of tegrastats. {found.note}".strip()
        title = f"power: {_film_name(report.film, film.detection)}"
        made.append(Table(title, ("", "mean"), [row for row in rows if row[1]], note))
    return made


def _film_name(film: str, detection: bool) -> str:
    return film if detection else f"{film}, detection off"


def _clock(name: str, now: float, most: Optional[float], governor: str) -> str:
    limit = "" if most is None else f" of {most:.0f}"
    return f"{name} {now:.0f}{limit} MHz{f' ({governor})' if governor else ''}"


def _size(mebibytes: Optional[float]) -> str:
    if mebibytes is None:
        return "unknown"
    return f"{mebibytes:.0f} MiB" if mebibytes < 10_240 else f"{mebibytes / 1024:.1f} GiB"


def _unit(value: Optional[float], unit: str, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f} {unit}"


def _number(value: float) -> str:
    """A number with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
