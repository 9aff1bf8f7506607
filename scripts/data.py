"""``emotions data``: what a data set is, what is in it, and what it looks like."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import typer

from emotions_cli import console

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog="Example:  emotions data synthetic --sheet sheet.png")
def data(
    path: str = typer.Argument(..., help="A folder, a FER-2013 CSV, 'synthetic' or 'synthetic:subjects=200,seed=3'."),
    format: Optional[str] = typer.Option(None, help="Force the layout; an unknown name lists them all."),
    ferplus: Optional[Path] = typer.Option(None, help="FER+'s fer2013new.csv, laid over FER-2013."),
    split: str = typer.Option("auto", help="auto, official, random, subject, sequence, duplicate, or a split.json."),
    ratios: str = typer.Option("70/15/15", help="Train/validation/test shares where the split is not official."),
    seed: int = typer.Option(0, help="Of the split and of the sheet's choice."),
    sheet: Optional[Path] = typer.Option(None, help="Write a contact sheet (PNG): a row of faces an emotion."),
    skipped: Optional[Path] = typer.Option(None, help="Write the skipped pictures and why (tab-separated)."),
    save_split: Optional[Path] = typer.Option(None, help="Write the split (JSON) for --split of other commands."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Recognise a data set, and count its pictures per emotion and part of the split."""
    from siamese.datasets import load_dataset, write_skip_report
    from siamese.splits import load_split, make_split, parse_ratios

    with console.bar("reading pictures") as progress:
        dataset = load_dataset(path, format, ferplus=ferplus, progress=progress)
    made = (
        load_split(split, dataset)
        if split.endswith(".json")
        else make_split(dataset, split, parse_ratios(ratios), seed)
    )
    written: List[str] = []
    if sheet is not None:
        _write_sheet(dataset, sheet, seed)
        written.append(str(sheet))
    if skipped is not None:
        write_skip_report(dataset, skipped)
        written.append(str(skipped))
    if save_split is not None:
        made.save(save_split, dataset)
        written.append(str(save_split))
    if json:
        console.print_json(_facts(dataset, made, path, written))
        return
    people = "unknown" if dataset.subjects is None else str(len(set(dataset.subjects)))
    films = "unknown" if dataset.sequences is None else str(len(set(dataset.sequences)))
    parts = {name: dataset.counts(rows) for name, rows in made.parts().items()}
    counts = [[e, *(parts[part][e] for part in parts), dataset.counts()[e]] for e in dataset.emotions]
    counts.append(["all", *(len(rows) for rows in made.parts().values()), len(dataset)])
    title = f"{dataset.name}: read as {dataset.format}, {made.method} split, people: {people}, sequences: {films}"
    console.table(title, ["emotion", *parts, "all"], counts)
    for note in [*dataset.notes, *made.notes]:
        console.warn(note)
    if dataset.skipped:
        where = f"; the list is in {skipped}" if skipped else "; --skipped FILE writes the list"
        first = dataset.skipped[0]
        console.warn(f"{len(dataset.skipped)} pictures skipped, the first: {first.source}: {first.reason}{where}.")
    for name in written:
        console.say(f"wrote {name}")


def _facts(dataset: Any, split: Any, path: str, written: List[str]) -> Dict[str, Any]:
    return {
        "path": path,
        "name": dataset.name,
        "format": dataset.format,
        "pictures": len(dataset),
        "emotions": list(dataset.emotions),
        "subjects": None if dataset.subjects is None else len(set(dataset.subjects)),
        "sequences": None if dataset.sequences is None else len(set(dataset.sequences)),
        "counts": dataset.counts(),
        "split": {
            "method": split.method,
            "digest": split.digest,
            "counts": {name: dataset.counts(rows) for name, rows in split.parts().items()},
        },
        "skipped": [vars(entry) for entry in dataset.skipped],
        "notes": [*dataset.notes, *split.notes],
        "written": written,
    }


def _write_sheet(dataset: Any, path: Path, seed: int) -> None:
    import cv2

    from galleries.atomic import write_bytes
    from siamese.datasets.contact_sheet import contact_sheet

    picture = contact_sheet(dataset, seed=seed)
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    write_bytes(path, data.tobytes())


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["data", *sys.argv[1:]])
