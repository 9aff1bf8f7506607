"""``emotions benchmark BUNDLE``: what answering costs on this machine, step by step. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import typer

from emotions_cli import console
from galleries.errors import ConfigError, GalleryError


def device(
    bundle: Path = typer.Argument(
        ..., help="A bundle (folder or .zip) or a gallery; or a benchmark.json, to compare it with --against only."
    ),
    out: Optional[Path] = typer.Option(
        None, help="Folder for benchmark.json and benchmark.md. [default: the first free runs/benchmark-N]"
    ),
    against: Optional[Path] = typer.Option(None, help="Another benchmark.json: ratios to it are printed."),
    film: Optional[Path] = typer.Option(None, help="Film for the steps and the run end to end. [default: drawn here]"),
    sizes: str = typer.Option("1000,10000,100000", help="Galleries to search, in vectors; up to 1000000 takes long."),
    indexes: str = typer.Option("flat,ivf,hnsw", help="Indexes to search them with; flat is exact."),
    batches: str = typer.Option("1,2,4,8,16,32,64", help="Faces encoded at once."),
    neighbors: Optional[int] = typer.Option(None, "--neighbors", "-k", help="How many references vote. [default: 5]"),
    tower: Optional[Path] = typer.Option(None, help="The tower, if the gallery does not carry it."),
    detector: Optional[Path] = typer.Option(None, help="A YuNet .onnx file instead of the Haar detector."),
    provider: Optional[str] = typer.Option(None, help="cpu, cuda or tensorrt. [default: the best there is]"),
    threads: Optional[int] = typer.Option(
        None, help="CPU threads of the tower and the search. [default: their choice]"
    ),
    seconds: float = typer.Option(1.0, help="For each measurement; the whole takes about a hundred times as long."),
    seed: int = typer.Option(0, help="Of the drawn film and the noise."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """What answering costs here: every step's p50, p95 and p99, batches, threads, gallery sizes, a film, memory, power.

    The toolkit's own overhead is told as a ratio to bare ONNX Runtime and FAISS, which take turns with it. On a Jetson
    the power mode, clocks, temperatures and, by tegrastats, the energy of a face are told too.
    """
    from eval.device_report import NAME, compare, differences, read_report, write_report
    from eval.device_tables import markdown, ratio_table, tables
    from galleries.atomic import write_text

    if not bundle.exists():
        raise GalleryError(
            f"{bundle} does not exist; give a bundle, a gallery or a benchmark.json, or a command that "
            "emotions benchmark --help names."
        )
    other = None if against is None else read_report(against)
    if bundle.suffix.lower() == ".json":
        if other is None:
            raise ConfigError(f"{bundle} is a benchmark and no bundle; give another one to compare it with: --against.")
        report, folder = read_report(bundle), None
    else:
        options = _options(film, sizes, indexes, batches, seconds, seed)
        opening = {"n_neighbors": neighbors, "provider": provider, "threads": threads}
        folder = console.fresh_folder(out, "benchmark")
        report = _measure(bundle, options, tower, detector, opening)
        write_report(folder / NAME, report)
    made = tables(report)
    ratios = [] if other is None else compare(report, other)
    if other is not None:
        made.append(ratio_table(ratios, str(against)))
    if folder is not None:
        write_text(folder / "benchmark.md", markdown(made, f"Benchmark of {report.subject.tower}"))
        console.say(f"wrote {folder / NAME} and {folder / 'benchmark.md'}")
    notes = [] if other is None else differences(report, other)
    if json:
        console.print_json(_as_json(report, ratios, notes))
        return
    for table in made if folder is not None else made[-1:]:
        console.table(table.title, table.columns, table.rows)
        if table.note:
            console.out.print(table.note, markup=False)
    for note in notes:
        console.warn(f"the two differ in more than speed; {note}")


def _measure(
    bundle: Path, options: Any, tower: Optional[Path], detector: Optional[Path], opening: Dict[str, Any]
) -> Any:
    from emotions_cli.opening import open_recognizer
    from eval.device_benchmark import benchmark_device, count_steps
    from eval.gallery_sizes import check_sizes
    from galleries.board import look_at_board

    recognizer = open_recognizer(bundle, tower, detector, **opening)
    board = look_at_board()
    check_sizes(options.sizes, recognizer.encoder.embedding_dim, board.available)
    total, done = count_steps(options, board.cores), 0
    with console.bar("measuring") as move:

        def progress(_: str) -> None:
            nonlocal done
            done += 1
            move(done, max(total, done))

        return benchmark_device(recognizer, bundle, options, progress)


def _options(film: Optional[Path], sizes: str, indexes: str, batches: str, seconds: float, seed: int) -> Any:
    from eval.device_benchmark import Options
    from galleries.errors import unknown_name
    from galleries.kinds import KINDS

    kinds = tuple(name.strip() for name in indexes.split(",") if name.strip())
    for name in kinds:
        if name not in KINDS:
            raise unknown_name("index", name, KINDS)
    if not 0.01 <= seconds <= 600:
        raise ConfigError(f"--seconds is {seconds!r}; give 0.01 to 600.")
    return Options(film, _numbers(sizes, "--sizes"), kinds, _numbers(batches, "--batches"), seconds, seed)


def _numbers(text: str, option: str) -> Tuple[int, ...]:
    try:
        found: List[int] = [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError(f"{option} is {text[:80]!r}; give whole numbers with commas, such as 1000,10000.") from error
    return tuple(found)


def _as_json(report: Any, ratios: Any, notes: List[str]) -> Dict[str, Any]:
    from dataclasses import asdict

    told: Dict[str, Any] = asdict(report)
    if ratios:
        told["against"] = [{**asdict(ratio), "ratio": ratio.ratio} for ratio in ratios]
        told["differences"] = notes
    return told
