"""``emotions export``: what a device needs of a run, in one folder or zip, checked as it is written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

import typer

from emotions_cli import console

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog="Example:  emotions export runs/first --out device.zip --int8")
def export(
    run: Path = typer.Argument(..., help="A finished run's folder."),
    out: Optional[Path] = typer.Option(None, help="The bundle: a new folder, or a file that ends in .zip."),
    gallery: Optional[Path] = typer.Option(None, help="Another gallery of the run's tower. [default: the run's]"),
    int8: bool = typer.Option(False, "--int8", help="Store the tower in int8, calibrated on training pictures."),
    fp16: bool = typer.Option(False, "--fp16", help="Store the tower in float16, for GPUs."),
    shipped: bool = typer.Option(
        False, "--shipped", help="Make what comes with the toolkit instead: small, without pictures, with a model card."
    ),
    references: int = typer.Option(2000, min=1, help="With --shipped: references that its gallery keeps, about."),
    max_drop: float = typer.Option(
        1.0, min=0.0, help="With --int8, --fp16 or --shipped: points of validation accuracy that may be lost."
    ),
    calibrate: int = typer.Option(512, min=1, help="With --int8: training pictures to calibrate on."),
    neighbors: Optional[int] = typer.Option(
        None, "--neighbors", "-k", help="How many references vote in the check. [default: as in the run]"
    ),
    data: Optional[str] = typer.Option(None, help="Where the run's data set is now, if it was moved."),
    json: bool = typer.Option(False, "--json", help="Print what was written as JSON."),
) -> None:
    """Write a bundle: tower, gallery, card and checksums, all that query and video need without torch.

    The exported tower is compared with PyTorch's on faces of the run's validation part. A smaller tower (--int8,
    --fp16) gets a gallery of its own vectors and is refused where it loses more than --max-drop.

    --shipped replaces the tower and gallery in the installed package (or writes them to --out): weights stored as
    float16, the gallery condensed and calibrated on validation, at most 6 MB.
    """
    from emotions_cli.export_run import ExportRequest, export_run, tell
    from galleries.errors import ConfigError

    if shipped:
        if int8 or fp16 or gallery is not None:
            raise ConfigError("--shipped chooses tower and gallery itself; leave --int8, --fp16 and --gallery out.")
        from emotions_cli import shipping

        made = shipping.ship(shipping.ShipRequest(run, out, references, max_drop, data))
        console.print_json(made) if json else shipping.tell(made)
        return
    if out is None:
        raise ConfigError("No place for the bundle was given; name a new folder or a .zip with --out.")
    if int8 and fp16:
        raise ConfigError("--int8 and --fp16 exclude each other; write one bundle for each.")
    precision = "int8" if int8 else "float16" if fp16 else "float32"
    report = export_run(ExportRequest(run, out, gallery, precision, max_drop, calibrate, neighbors, data))
    if json:
        console.print_json(report)
    else:
        tell(report)


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["export", *sys.argv[1:]])
