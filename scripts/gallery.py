"""``emotions gallery``: build a gallery, change it, take a change back, see what it holds. Needs no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional

import typer

from emotions_cli import console
from galleries.errors import ConfigError, GalleryError

if TYPE_CHECKING:
    from galleries.gallery import Gallery

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def gallery() -> None:
    """Build a gallery of known faces, change it, or see what it holds."""


@app.command(epilog="Example:  emotions gallery build --data fer2013.csv --tower runs/first --out faces")
def build(
    data: str = typer.Option(..., help="Data set: a FER-2013 CSV, a folder in a known layout, or 'synthetic'."),
    tower: Path = typer.Option(..., help="A run's folder, another gallery, or a tower's .onnx file."),
    out: Path = typer.Option(..., help="The gallery's folder; must be new or empty."),
    part: str = typer.Option("auto", help="auto (the official training part, else all), train, val, test or all."),
    split: str = typer.Option("auto", help="auto, official, random, subject, sequence, duplicate, or a split.json."),
    ratios: str = typer.Option("70/15/15", help="Train/validation/test shares where the split is not official."),
    seed: int = typer.Option(0, help="Of the split."),
    emotions: Optional[str] = typer.Option(None, help="Only these emotions, separated by commas."),
    metric: Optional[str] = typer.Option(None, help="cosine or euclidean. [default: the tower's own]"),
    index: str = typer.Option("flat", help="flat (exact), ivf or hnsw (approximate, for more than 100,000 faces)."),
    thumbnails: bool = typer.Option(True, help="Keep a 48x48 grey picture of each face as evidence."),
    format: Optional[str] = typer.Option(None, help="Force the data set's layout (see emotions data --help)."),
    ferplus: Optional[Path] = typer.Option(None, help="FER+'s fer2013new.csv, laid over FER-2013."),
    json: bool = typer.Option(False, "--json", help="Print what the gallery holds as JSON."),
) -> None:
    """Build a gallery: every face of a data set becomes a vector of the tower."""
    from emotions_cli.enrolment import build_from_dataset
    from galleries.encoder import load_encoder
    from galleries.errors import unknown_name
    from galleries.index import KINDS, METRICS

    if metric is not None and metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    if index not in KINDS:
        raise unknown_name("index", index, KINDS)
    console.fresh_folder(out, "gallery")
    encoder = load_encoder(tower)
    encoder.metric = metric or encoder.metric
    options = {
        "format": format,
        "ferplus": ferplus,
        "emotions": emotions,
        "part": part,
        "split": split,
        "ratios": ratios,
        "seed": seed,
    }
    made = build_from_dataset(data, encoder, index, thumbnails, options)
    made.save(out)
    _tell(made, out, json, f"Next: emotions query {out} PHOTO")


@app.command(epilog="Example:  emotions gallery add faces shots/bored-*.jpg --emotion boredom --subject Ana")
def add(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    pictures: List[Path] = typer.Argument(..., help="Pictures, or folders of them."),
    emotion: Optional[str] = typer.Option(
        None, help="The pictures' emotion, a new one too. [default: the name of the folder each picture lies in]"
    ),
    subject: Optional[str] = typer.Option(None, help="The person on them."),
    tower: Optional[Path] = typer.Option(None, help="The tower, if the gallery does not carry it."),
    detector: Optional[Path] = typer.Option(None, help="A YuNet .onnx file instead of the Haar detector."),
    margin: float = typer.Option(0.0, help="Share of a face's side that is added around it."),
    whole: bool = typer.Option(False, "--whole", help="Take each picture whole; look for no face."),
    json: bool = typer.Option(False, "--json", help="Print what the gallery holds as JSON."),
) -> None:
    """Add pictures: of each the largest face, or the whole picture if it is no larger than a face."""
    from emotions_cli.enrolment import read_faces, tell_skipped
    from emotions_cli.opening import open_recognizer
    from galleries.separation import separation

    recognizer = open_recognizer(gallery, tower, detector, margin=margin, whole=whole)
    held = recognizer.gallery
    shape = None if held.thumbnails is None else held.thumbnails.shape[1:]
    read = read_faces(pictures, recognizer, emotion, shape)
    tell_skipped(read.skipped)
    people = None if subject is None else [subject] * len(read.sources)
    numbers = held.add(read.vectors, read.emotions, sources=read.sources, subjects=people, thumbnails=read.thumbnails)
    held.save(gallery)
    found = [separation(held, name) for name in sorted(set(held.labels_of(numbers)))]
    if json:
        facts = {"path": str(gallery), **held.info(), "added": numbers.tolist()}
        console.print_json({**facts, "separation": [entry.to_json() for entry in found]})
    else:
        _tell(held, gallery, json, f"Added {len(numbers)} references, numbers {numbers[0]} to {numbers[-1]}.")
        for entry in found:
            console.out.print(
                f"{entry.emotion}: {entry.right} of {entry.references} references ({console.percent(entry.accuracy)}) "
                "would be recognised by the others; emotions gallery undo takes the addition back.",
                markup=False,
            )
    for entry in found:
        for sentence in entry.warnings():
            console.warn(sentence)


@app.command(epilog="Example:  emotions gallery remove faces 17 204   or   emotions gallery remove faces --subject Ana")
def remove(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    numbers: Optional[List[int]] = typer.Argument(None, help="Numbers of references, as query and info --list show."),
    emotion: Optional[str] = typer.Option(None, help="Every reference with this emotion."),
    subject: Optional[str] = typer.Option(None, help="Every reference of this person."),
    source: Optional[str] = typer.Option(None, help="Every reference from this source."),
    json: bool = typer.Option(False, "--json", help="Print what the gallery holds as JSON."),
) -> None:
    """Remove references; the numbers of the others stay. Given several conditions, those that meet all go."""
    from galleries.gallery import Gallery
    from galleries.vocabulary import canonical

    held = Gallery.load(gallery)
    conditions = {"label": canonical(emotion) if emotion else None, "subject": subject, "source": source}
    asked = {name: value for name, value in conditions.items() if value is not None}
    if not numbers and not asked:
        raise ConfigError("Nothing to remove was named; give numbers, --emotion, --subject or --source.")
    chosen = list(numbers or [])
    if asked:
        meeting = [
            number
            for number, reference in zip(held.numbers.tolist(), held.references)
            if all(getattr(reference, name) == value for name, value in asked.items())
        ]
        chosen = [number for number in meeting if not chosen or number in set(chosen)]
        if not chosen:
            listed = ", ".join(f"{name} {value!r}" for name, value in asked.items())
            raise GalleryError(f"No reference of {gallery} has {listed}; see: emotions gallery info {gallery} --list.")
    held.remove(chosen)
    held.save(gallery)
    _tell(held, gallery, json, f"Removed {len(set(chosen))} references.")


@app.command(epilog="Example:  emotions gallery relabel faces 17 204 --to surprise")
def relabel(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    numbers: List[int] = typer.Argument(..., help="Numbers of references, as query and info --list show."),
    to: str = typer.Option(..., help="Their emotion from now on."),
    json: bool = typer.Option(False, "--json", help="Print what the gallery holds as JSON."),
) -> None:
    """Give references another emotion."""
    from galleries.gallery import Gallery

    held = Gallery.load(gallery)
    held.relabel(numbers, to)
    held.save(gallery)
    _tell(held, gallery, json, f"Relabelled {len(set(numbers))} references.")


@app.command(epilog="Example:  emotions gallery info runs/first/gallery")
def info(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    list: bool = typer.Option(False, "--list", help="Print every reference: number, emotion, person, source."),
    json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """See what a gallery holds; every byte of it is checked."""
    from galleries.bundle import open_gallery

    held = open_gallery(gallery)
    if not list:
        _tell(held, gallery, json)
        return
    rows = [
        {"number": number, "emotion": known.label, "subject": known.subject, "source": known.source}
        for number, known in zip(held.numbers.tolist(), held.references)
    ]
    if json:
        console.print_json(rows)
        return
    for row in rows:
        sys.stdout.write(f"{row['number']}\t{row['emotion']}\t{row['subject'] or '-'}\t{row['source']}\n")


@app.command(
    epilog="Example:  emotions gallery check faces --csv fixes.csv --html check.html    "
    "(then)  emotions gallery check faces --apply fixes.csv"
)
def check(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    neighbors: int = typer.Option(15, "--neighbors", "-k", help="How many others are asked about each reference."),
    suspects: int = typer.Option(20, help="Suspected mislabels that are shown, the most suspicious first."),
    csv: Optional[Path] = typer.Option(None, help="Write every suspect here; set its action to relabel or remove."),
    html: Optional[Path] = typer.Option(None, help="Write a page with the suspects' faces and their neighbours here."),
    apply: Optional[Path] = typer.Option(None, help="Carry out the rows of this file whose action says so."),
    json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """Look for suspected mislabels, duplicates, lonely references, imbalance, and emotions that one person shows."""
    from emotions_cli import gallery_check
    from galleries.gallery import Gallery
    from galleries.hygiene import apply_fixes, check_gallery
    from galleries.identity import probe_identity

    held = Gallery.load(gallery)
    if apply is not None:
        fixes = gallery_check.read_fixes(apply)
        apply_fixes(held, fixes)
        held.save(gallery)
        _tell(held, gallery, json, f"Carried out {len(fixes)} fixes; emotions gallery undo takes them back.")
        return
    with console.bar("asking every reference's neighbours"):
        found = check_gallery(held, neighbors)
        people = probe_identity(held)
    if csv is not None:
        gallery_check.write_suspects(csv, held, found)
    if html is not None:
        gallery_check.write_page(html, held, found, suspects, gallery)
    if json:
        identity = None if people is None else people.to_json()
        console.print_json({"path": str(gallery), **found.to_json(), "identity": identity})
    else:
        gallery_check.tell(held, found, suspects)
        gallery_check.tell_identity(people)
    for path in filter(None, (csv, html)):
        console.say(f"Written: {path}")


@app.command(epilog="Example:  emotions gallery condense runs/first/gallery --to 5% --out small")
def condense(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    to: str = typer.Option(..., help="References to keep: a number, or a share such as 5%."),
    out: Path = typer.Option(..., help="The smaller gallery's folder; must be new or empty."),
    way: str = typer.Option("herding", help="herding, k-centres, random, or condensed (its size follows by itself)."),
    edited: bool = typer.Option(True, help="Leave out first what its neighbours outvote."),
    seed: int = typer.Option(0, help="Of what is random."),
    json: bool = typer.Option(False, "--json", help="Print what the smaller gallery holds as JSON."),
) -> None:
    """Make a smaller gallery that votes as well as it can; emotions evaluate says how well."""
    from emotions_cli import gallery_check
    from galleries.condensing import condense as choose
    from galleries.condensing import condensed
    from galleries.gallery import Gallery

    console.fresh_folder(out, "gallery")
    held = Gallery.load(gallery)
    size = gallery_check.read_size(to, len(held))
    with console.bar("choosing"):
        kept = condensed(held, seed, size) if way == "condensed" else choose(held, size, way, edited, seed=seed)
    gone = sorted(set(held.numbers.tolist()) - set(kept.tolist()))
    if gone:
        held.remove(gone)
    held.save(out)
    _tell(held, out, json, f"Kept {len(held)} of {len(held) + len(gone)} references, by {way}.")


@app.command(epilog="Example:  emotions gallery calibrate runs/first/gallery --target-fpr 0.05")
def calibrate(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    data: Optional[str] = typer.Option(None, help="Data set to fit on. [default: that of the gallery's run]"),
    split: str = typer.Option("val", help="The part to fit on: val, test, train or all; none of it in the gallery."),
    split_by: Optional[str] = typer.Option(None, help="How it is split. [default: as the run's, or auto]"),
    target_fpr: float = typer.Option(
        0.05, help="Share of an emotion's faces whose set may lack it, and of faces that may be called unknown."
    ),
    neighbors: Optional[int] = typer.Option(
        None, "--neighbors", "-k", help="How many vote. [default: the run's, or 5]"
    ),
    test: bool = typer.Option(True, help="Test the promise on the test part, if there is one."),
    tower: Optional[Path] = typer.Option(None, help="The tower, if the gallery does not carry it."),
    format: Optional[str] = typer.Option(None, help="Force the data set's layout (see emotions data --help)."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Fit when to say "unknown", and when several emotions cannot be told apart; kept in the gallery.

    Split conformal prediction, one threshold an emotion, beside a plain distance threshold. Of faces like those it is
    fitted on, at most the target share of each emotion gets a set that lacks it.
    """
    from emotions_cli import gallery_calibration

    options = {
        "data": data,
        "split_by": split_by,
        "ratios": "70/15/15",
        "seed": 0,
        "emotions": None,
        "format": format,
        "ferplus": None,
    }
    report = gallery_calibration.calibrate_gallery(gallery, tower, options, split, target_fpr, neighbors, test)
    if json:
        console.print_json(report)
    else:
        gallery_calibration.tell(report)


@app.command(epilog="Example:  emotions gallery merge clinic-a clinic-b --out both")
def merge(
    galleries: List[Path] = typer.Argument(..., help="Two or more galleries' folders, of one tower."),
    out: Path = typer.Option(..., help="The merged gallery's folder; must be new or empty."),
    json: bool = typer.Option(False, "--json", help="Print what the merged gallery holds as JSON."),
) -> None:
    """Put galleries of one tower together; references that stand in several are kept once."""
    from galleries.gallery import Gallery

    if len(galleries) < 2:
        raise ConfigError(f"Only {galleries[0]} was named; name two galleries or more.")
    console.fresh_folder(out, "gallery")
    held = Gallery.load(galleries[0])
    held.calibration = None  # it was fitted for the first one alone
    news = [len(held.merge(Gallery.load(path))) for path in galleries[1:]]
    held.save(out)
    added = ", ".join(f"{count} of {path}" for count, path in zip(news, galleries[1:]))
    _tell(held, out, json, f"Took {galleries[0]} and added {added}.")


@app.command(epilog="Example:  emotions gallery export runs/first/gallery --parquet faces.parquet")
def export(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    parquet: Path = typer.Option(..., help="The Parquet file to write."),
) -> None:
    """Write a gallery as one Parquet table for other tools; the tower itself does not come along."""
    from galleries.exchange import export_parquet
    from galleries.gallery import Gallery

    held = Gallery.load(gallery)
    export_parquet(held, parquet)
    console.out.print(f"{len(held)} references written to {parquet}.", markup=False)


@app.command(name="import", epilog="Example:  emotions gallery import faces.parquet --tower runs/first --out faces")
def import_table(
    table: Path = typer.Argument(..., help="A Parquet file that gallery export, or another tool in its form, wrote."),
    out: Path = typer.Option(..., help="The gallery's folder; must be new or empty."),
    tower: Optional[Path] = typer.Option(None, help="Its tower, to be carried along."),
    json: bool = typer.Option(False, "--json", help="Print what the gallery holds as JSON."),
) -> None:
    """Make a gallery of a Parquet table; references get new numbers, in the order of the rows."""
    from galleries.encoder import load_encoder
    from galleries.exchange import import_parquet

    console.fresh_folder(out, "gallery")
    made = import_parquet(table)
    if tower is not None:
        made.attach_tower(load_encoder(tower).model)
    made.save(out)
    _tell(made, out, json)


@app.command(epilog="Example:  emotions gallery log runs/first/gallery")
def log(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """See who changed a gallery, what, and when."""
    from galleries.gallery import Gallery

    entries = Gallery.load(gallery).log
    if json:
        console.print_json([entry.to_json() for entry in entries])
        return
    for entry in entries:
        console.out.print(f"{entry.time}  {entry.who}  {entry.sentence()}  -> {entry.size} references", markup=False)
    if not entries:
        console.say("Nothing is told: the gallery was last saved by a version that kept no log.")


@app.command(epilog="Example:  emotions gallery undo runs/first/gallery")
def undo(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    json: bool = typer.Option(False, "--json", help="Print what the gallery holds as JSON."),
) -> None:
    """Take the last change back; a second undo brings it again."""
    from galleries.gallery import Gallery

    held = Gallery.undo(gallery)
    _tell(held, gallery, json, f"Done: {held.log[-1].sentence()}.")


def _tell(held: Gallery, folder: Path, json: bool, news: Optional[str] = None) -> None:
    facts = held.info()
    if json:
        console.print_json({"path": str(folder), **facts})
        return
    tower = facts["tower"]
    title = f"{folder}: {facts['size']} references, {facts['metric']}, {facts['index']} index"
    console.table(title, ["emotion", "references"], [[name, count] for name, count in facts["counts"].items()])
    carried = "carried along" if facts["carries_tower"] else "not carried along"
    people = f"{facts['subjects']} people known" if facts["subjects"] else "people unknown"
    console.out.print(f"tower {tower['name']} ({tower['fingerprint']}, {carried}), {people}.", markup=False)
    if news is not None:
        console.out.print(news, markup=False)


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["gallery", *sys.argv[1:]])
