"""Looking after a gallery: the commands of ``emotions gallery`` from ``check`` to ``undo``. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import List, Optional

import typer

from emotions_cli import console
from emotions_cli.gallery_facts import tell
from galleries.errors import ConfigError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


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
    """Look for suspected mislabels, duplicates, lonely references, imbalance, and emotions that one person shows.

    Where people are named it also says how well the vectors tell them apart, and how right the gallery is of a person
    whose other references are left out.
    """
    from emotions_cli import gallery_check
    from galleries.gallery import Gallery
    from galleries.hygiene import apply_fixes, check_gallery
    from galleries.identity import probe_identity, probe_own_person

    held = Gallery.load(gallery)
    if apply is not None:
        fixes = gallery_check.read_fixes(apply)
        apply_fixes(held, fixes)
        held.save(gallery)
        tell(held, gallery, json, f"Carried out {len(fixes)} fixes; emotions gallery undo takes them back.")
        return
    with console.bar("asking every reference's neighbours"):
        found = check_gallery(held, neighbors)
        people, own = probe_identity(held), probe_own_person(held, neighbors)
    if csv is not None:
        gallery_check.write_suspects(csv, held, found)
    if html is not None:
        gallery_check.write_page(html, held, found, suspects, gallery)
    if json:
        identity = None if people is None else people.to_json()
        votes = None if own is None else own.to_json()
        console.print_json({"path": str(gallery), **found.to_json(), "identity": identity, "own_person": votes})
    else:
        gallery_check.tell(held, found, suspects)
        gallery_check.tell_identity(people)
        gallery_check.tell_own_person(own)
    for path in filter(None, (csv, html)):
        console.say(f"Written: {path}")


@app.command(
    epilog="Example:  emotions gallery copy pretrained mine    "
    "(then)  emotions gallery add mine shots/bored-*.jpg --emotion boredom"
)
def copy(
    gallery: Path = typer.Argument(..., help="The gallery, a bundle, or 'pretrained': what comes with the toolkit."),
    out: Path = typer.Argument(..., help="The copy's folder; must be new or empty."),
    json: bool = typer.Option(False, "--json", help="Print what the copy holds as JSON."),
) -> None:
    """Copy a gallery with its tower, to be changed: the one that comes with the toolkit cannot be changed itself."""
    from galleries.bundle import open_gallery
    from galleries.shipped import is_shipped, open_shipped

    console.fresh_folder(out, "gallery")
    held = open_shipped().gallery if is_shipped(gallery) else open_gallery(gallery)
    held.save(out)
    tell(held, out, json, f"Next: emotions gallery add {out} PICTURES --emotion NAME; emotions query {out} PHOTO")


@app.command(epilog="Example:  emotions gallery condense runs/first/gallery --to 5% --out small")
def condense(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    to: str = typer.Option(..., help="References to keep: a number, or a share such as 5%."),
    out: Path = typer.Option(..., help="The smaller gallery's folder; must be new or empty."),
    way: str = typer.Option(
        "herding", help="herding, typical, k-centres, random, or condensed (its size follows by itself)."
    ),
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
        held.typical = held.typical or way == "typical"
    held.save(out)
    tell(held, out, json, f"Kept {len(held)} of {len(held) + len(gone)} references, by {way}.")


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
    held.calibrations.clear()  # they were fitted for the first one alone
    news = [len(held.merge(Gallery.load(path))) for path in galleries[1:]]
    held.save(out)
    added = ", ".join(f"{count} of {path}" for count, path in zip(news, galleries[1:]))
    tell(held, out, json, f"Took {galleries[0]} and added {added}.")


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
    tell(made, out, json)


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
    tell(held, gallery, json, f"Done: {held.log[-1].sentence()}.")
