"""``emotions benchmark``: how fast things are here, as ratios to a named reference in the same run."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, List, Optional

import typer
from typer.core import TyperGroup

from emotions_cli import console
from emotions_cli.device_benchmark import device
from emotions_cli.faces_benchmark import faces
from emotions_cli.sizes_benchmark import sizes
from emotions_cli.upkeep_benchmark import upkeep
from galleries.errors import ConfigError, require


class _DeviceUnlessNamed(TyperGroup):
    """A group whose command ``device`` is meant where no command is named."""

    def parse_args(self, ctx: Any, args: List[str]) -> List[str]:
        if args and args[0] not in (*self.commands, "--help"):
            args = ["device", *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    cls=_DeviceUnlessNamed,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)


@app.callback(
    epilog="Example:  emotions benchmark runs/first/gallery --against other/benchmark.json   "
    "(the same as: emotions benchmark device ...; emotions benchmark device --help tells its options)"
)
def benchmark() -> None:
    """How fast things are on this machine, as ratios to a named reference in the same run.

    emotions benchmark BUNDLE measures what answering costs; the other commands are named.
    """


app.command("device", epilog="Example:  emotions benchmark runs/first/gallery --sizes 1000,10000")(device)


@app.command(epilog="Example:  emotions benchmark training --data synthetic --tower compact")
def training(
    data: str = typer.Option("synthetic:subjects=100", help="Data set to take pictures from."),
    tower: Optional[str] = typer.Option(None, help="The tower. [default: compact]"),
    recipe: Optional[str] = typer.Option(None, help="The recipe. [default: the tower's own]"),
    batch_size: Optional[int] = typer.Option(None, help="Pictures in a batch. [default: the recipe's]"),
    precision: Optional[str] = typer.Option(None, help="auto, float32, bfloat16 or float16."),
    device: str = typer.Option("auto", help="auto, cpu, cuda or cuda:N."),
    rounds: int = typer.Option(5, help="Pairs of measurements."),
    steps: int = typer.Option(10, help="Training steps in each."),
    threads: Optional[int] = typer.Option(None, help="CPU threads. [default: PyTorch's choice]"),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Training throughput against a bare PyTorch loop over the same tensors, network and precision.

    The two take turns, so that other work on the machine slows both. The toolkit's side includes reading batches,
    augmentation and weight averaging; the bare loop has none of them.
    """
    require("torch", "train")
    from emotions_cli.training_run import find_config, prepare_run
    from eval.training_benchmark import benchmark_training
    from siamese.run import RunRequest
    from siamese.training import Trainer

    options = {"tower": tower, "batch_size": batch_size, "precision": precision}
    name, config = find_config(recipe, tower, options)
    with tempfile.TemporaryDirectory(prefix="emotions-benchmark-") as folder:
        request = RunRequest(data, config.to_json(), name)
        run = prepare_run(request, Path(folder), device, threads, resume=False, json=True)
        trainer = Trainer(run.dataset, run.split, config, Path(folder), device)
        with console.bar("measuring") as progress:
            speed = benchmark_training(trainer, rounds, steps, progress)
    if json:
        console.print_json(speed.to_json())
        return
    console.out.print(
        f"{config.tower}, batch {speed.batch_size}, {speed.precision}, {speed.threads} threads, "
        f"{rounds} rounds of {steps} steps"
    )
    console.table(
        "training",
        ["", "images/s (median)"],
        [["emotions train", f"{speed.toolkit:.0f}"], ["bare PyTorch loop", f"{speed.bare:.0f}"]],
    )
    spread = f"{min(speed.ratios):.2f}-{max(speed.ratios):.2f}"
    console.out.print(f"ratio {speed.ratio:.2f} (rounds: {spread}); 1.00 would be no overhead at all.")


@app.command(epilog="Example:  emotions benchmark evaluation runs/first/gallery")
def evaluation(
    gallery: Path = typer.Argument(..., help="The gallery's folder, such as runs/first/gallery."),
    data: Optional[str] = typer.Option(None, help="Data set to ask about. [default: that of the gallery's run]"),
    split: str = typer.Option("test", help="The part to ask about: test, val, train or all."),
    neighbors: int = typer.Option(15, "--neighbors", "-k", help="How many references are searched for."),
    rounds: int = typer.Option(3, help="Measurements of each side."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Evaluating a gallery, against its bare tower on prepared batches and a bare FAISS search.

    All take turns, so that other work on the machine slows each. The toolkit's side audits, prepares pictures, runs the
    tower, votes and scores; the last row adds MAP@R and the bootstrap intervals.
    """
    require("sklearn", "eval")
    from emotions_cli.evaluation import PLAIN, open_test
    from eval.evaluation_benchmark import benchmark_evaluation

    test = open_test(gallery, None, {**PLAIN, "data": data})
    if split not in test.parts or not len(test.parts[split]):
        raise ConfigError(f"{split!r} is no part of the split, or an empty one; choose test, val, train or all.")
    with console.bar("measuring") as progress:
        speed = benchmark_evaluation(
            test.gallery, test.encoder, test.dataset, test.parts[split], neighbors, rounds, progress
        )
    if json:
        console.print_json(speed.to_json())
        return
    rows = [["bare tower + bare FAISS", f"{speed.bare:.2f}", "1.00", ""]]
    for name, seconds, ratios in (
        ("audit, tower, vote, scores", speed.voting, speed.voting_ratios),
        ("with MAP@R and intervals", speed.whole, speed.whole_ratios),
    ):
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        rows.append([name, f"{seconds:.2f}", f"{statistics.median(ratios):.2f}", spread])
    title = f"{speed.queries:,} pictures on {speed.references:,} references, k = {speed.n_neighbors}, {rounds} rounds"
    console.table(title, ["", "seconds (median)", "ratio", "rounds"], rows)


app.command("faces", epilog="Example:  emotions benchmark faces pretrained runs/first/gallery")(faces)
app.command("upkeep", epilog="Example:  emotions benchmark upkeep runs/first/gallery --noise 10 --sizes 5")(upkeep)
app.command("sizes", epilog="Example:  emotions benchmark sizes runs/first/gallery --size 20000")(sizes)


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["benchmark", *sys.argv[1:]])
