"""``emotions data``: what a data set is, what is in it, and what it looks like."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional

import typer

from emotions_cli import console
from galleries.errors import ConfigError, SplitError

if TYPE_CHECKING:
    from eval.leakage import LeakageReport
    from siamese.datasets import FaceDataset
    from siamese.datasets.framing import Framing
    from siamese.splits import Split

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
    audit: bool = typer.Option(
        False, "--audit", help="What crosses the split: people, sequences, copies, near copies; conflicting labels."
    ),
    framing: bool = typer.Option(
        False,
        "--framing",
        help="How widely the faces are cut out, as a detector finds them, and what that asks for.",
    ),
    detector: Optional[Path] = typer.Option(None, help="Of --framing: a YuNet .onnx file instead of Haar."),
    save_split: Optional[Path] = typer.Option(None, help="Write the split (JSON) for --split of other commands."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Recognise a data set, and count its pictures per emotion and part of the split."""
    from siamese.datasets import load_dataset, write_skip_report
    from siamese.splits import find_split

    if detector is not None and not framing:
        raise ConfigError(
            "--detector belongs to --framing, which measures how widely faces are cut out; give both, or neither."
        )
    with console.bar("reading pictures") as progress:
        dataset = load_dataset(path, format, ferplus=ferplus, progress=progress)
    made: Optional[Split] = None
    notes = list(dataset.notes)
    try:
        made = find_split(dataset, split, ratios, seed)
        notes.extend(made.notes)
    except SplitError as error:
        if split != "auto" or save_split is not None:
            raise
        notes.append(f"No split: {error}")
    written: List[Path] = []
    if sheet is not None:
        _write_sheet(dataset, sheet, seed)
        written.append(sheet)
    if skipped is not None:
        write_skip_report(dataset, skipped)
        written.append(skipped)
    if save_split is not None and made is not None:
        made.save(save_split, dataset)
        written.append(save_split)
    found = _audit(dataset, made) if audit else None
    faces = _framing(dataset, detector, seed) if framing else None
    if json:
        told = {} if found is None else {"audit": found.to_json()}
        if faces is not None:
            told["framing"] = faces.to_json()
        console.print_json(
            {"path": path, **_facts(dataset, made), **told, "notes": notes, "written": list(map(str, written))}
        )
        return
    _print_counts(dataset, made)
    for note in notes:
        console.warn(note)
    if dataset.skipped:
        where = f"; the list is in {skipped}" if skipped else "; --skipped FILE writes the list"
        first = dataset.skipped[0]
        console.warn(f"{len(dataset.skipped)} pictures skipped, the first: {first.source}: {first.reason}{where}.")
    if found is not None:
        _tell_audit(found)
    if faces is not None:
        console.out.print(faces.sentence(), markup=False)
    for name in written:
        console.say(f"wrote {name}")


def _audit(dataset: FaceDataset, made: Optional[Split]) -> LeakageReport:
    """What crosses the split, near copies too."""
    from eval.leakage import audit

    if made is None:
        raise SplitError(f"{dataset.name} has no split to be audited; choose one with --split.")
    return audit(dataset, made, near=True)


def _tell_audit(found: LeakageReport) -> None:
    rows = [
        ["exact copies of training pictures", found.val_copies, found.test_copies],
        ["near copies", found.val_near, found.test_near],
        ["known in any way", len(found.leaking) - found.test_leaking, found.test_leaking],
    ]
    console.table("audit: CLEAN" if found.is_clean else "audit: LEAKING", ["", "val", "test"], rows)
    for sentence in found.sentences():
        console.out.print(sentence, markup=False)


def _framing(dataset: FaceDataset, detector: Optional[Path], seed: int) -> Framing:
    from galleries.faces import FaceDetector
    from siamese.datasets.framing import measure_framing

    finder = FaceDetector(detector)
    with console.bar("finding faces") as progress:
        return measure_framing(dataset, finder, seed, progress)


def _print_counts(dataset: FaceDataset, split: Optional[Split]) -> None:
    people = "unknown" if dataset.subjects is None else str(len(set(dataset.subjects)))
    films = "unknown" if dataset.sequences is None else str(len(set(dataset.sequences)))
    parts = {} if split is None else {name: dataset.counts(rows) for name, rows in split.parts().items()}
    parts["all"] = dataset.counts()
    counts = [[emotion, *(part[emotion] for part in parts.values())] for emotion in dataset.emotions]
    counts.append(["all", *(sum(part.values()) for part in parts.values())])
    how = "no" if split is None else split.method
    title = f"{dataset.name}: read as {dataset.format}, {how} split, people: {people}, sequences: {films}"
    console.table(title, ["emotion", *parts], counts)


def _facts(dataset: FaceDataset, split: Optional[Split]) -> Dict[str, Any]:
    return {
        "name": dataset.name,
        "format": dataset.format,
        "pictures": len(dataset),
        "emotions": list(dataset.emotions),
        "subjects": None if dataset.subjects is None else len(set(dataset.subjects)),
        "sequences": None if dataset.sequences is None else len(set(dataset.sequences)),
        "counts": dataset.counts(),
        "split": None
        if split is None
        else {
            "method": split.method,
            "digest": split.digest,
            "counts": {name: dataset.counts(rows) for name, rows in split.parts().items()},
        },
        "skipped": [vars(entry) for entry in dataset.skipped],
    }


def _write_sheet(dataset: FaceDataset, path: Path, seed: int) -> None:
    import cv2

    from galleries.atomic import write_bytes
    from siamese.datasets.contact_sheet import contact_sheet

    picture = contact_sheet(dataset, seed=seed)
    _, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    write_bytes(path, data.tobytes())


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["data", *sys.argv[1:]])
