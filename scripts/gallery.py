"""``emotions gallery``: build a gallery, add to it, take away, see what it holds; upkeep besides. Needs no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import List, Optional

import typer

from emotions_cli import console, gallery_upkeep, gallery_voting
from emotions_cli.gallery_facts import tell, warn_uncalibrated
from galleries.errors import ConfigError, GalleryError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def gallery() -> None:
    """Build a gallery of known faces, change it, or see what it holds."""


@app.command(epilog="Example:  emotions gallery build --data fer2013.csv --tower runs/first --out faces")
def build(
    data: str = typer.Option(..., help="Data set: a FER-2013 CSV, a folder in a known layout, or 'synthetic'."),
    tower: Path = typer.Option(..., help="A run's folder, another gallery, a tower's .onnx file, or 'pretrained'."),
    out: Path = typer.Option(..., help="The gallery's folder; must be new or empty."),
    part: str = typer.Option("auto", help="auto (the official training part, else all), train, val, test or all."),
    split: str = typer.Option("auto", help="auto, official, random, subject, sequence, duplicate, or a split.json."),
    ratios: str = typer.Option("70/15/15", help="Train/validation/test shares where the split is not official."),
    seed: int = typer.Option(0, help="Of the split."),
    emotions: Optional[str] = typer.Option(None, help="Only these emotions, separated by commas."),
    metric: Optional[str] = typer.Option(None, help="cosine or euclidean. [default: the tower's own]"),
    index: str = typer.Option("auto", help="flat (exact), hnsw, ivf, ivfpq (approximate), or auto: by the number."),
    features: bool = typer.Option(
        False, "--features", help="What the tower sees before its last layer: for few shots of other people."
    ),
    closer: float = typer.Option(
        1.0, help="Look at the middle of pictures so many times larger, 1-2: for faces that are cut out widely."
    ),
    thumbnails: bool = typer.Option(True, help="Keep a 48x48 grey picture of each face as evidence."),
    format: Optional[str] = typer.Option(None, help="Force the data set's layout (see emotions data --help)."),
    ferplus: Optional[Path] = typer.Option(None, help="FER+'s fer2013new.csv, laid over FER-2013."),
    soft: bool = typer.Option(False, "--soft", help="With --ferplus: each face votes as its ten annotators did."),
    votes: Optional[Path] = typer.Option(
        None, help="FER+'s fer2013new.csv beside FER-2013's labels: each face votes by its label and by theirs."
    ),
    votes_share: float = typer.Option(0.5, help="With --votes: the annotators' share of a face's vote, 0-1."),
    json: bool = typer.Option(False, "--json", help="Print what the gallery holds as JSON."),
) -> None:
    """Build a gallery: every face of a data set becomes a vector of the tower.

    --index auto is exact up to 100,000 faces, then hnsw to 300,000, ivf to 600,000, and ivfpq beyond. How often an
    approximate index finds the nearest is measured against exact search, told, and kept in the gallery.

    Where annotators' votes come along (--votes, or --ferplus with --soft) a face that six of ten called fear and four
    surprise votes for both. Its label stays what it is, and what it is counted and filtered by.

    --features takes the tower's last layer off, which was trained to tell its own emotions apart; the new gallery
    carries that tower. --closer 1.25 lets it look at the middle of the pictures, at the size it learned from. Whether
    they help your pictures says emotions fewshot with the same options.
    """
    from emotions_cli.enrolment import build_from_dataset
    from emotions_cli.tower_file import for_few_shots, open_tower
    from galleries.errors import unknown_name
    from galleries.kinds import CHOICES
    from galleries.vectors import METRICS

    if metric is not None and metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    if index not in CHOICES:
        raise unknown_name("index", index, CHOICES)
    console.fresh_folder(out, "gallery")
    encoder = for_few_shots(open_tower(tower), features, closer)
    encoder.metric = metric or encoder.metric
    options = {
        "format": format,
        "ferplus": ferplus,
        "soft": soft,
        "votes": votes,
        "votes_share": votes_share,
        "emotions": emotions,
        "part": part,
        "split": split,
        "ratios": ratios,
        "seed": seed,
    }
    place = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    made = build_from_dataset(data, encoder, index, thumbnails, options, place)
    if made.index != "flat":
        made.measure_recall()
    made.save(out)
    tell(made, out, json, f"Next: emotions query {out} PHOTO")


@app.command(
    epilog="Example:  emotions gallery add faces shots/bored-*.jpg --emotion boredom --subject Ana    "
    "(or)  emotions gallery add faces --emotion boredom --from-video bored.mp4 --subject Ana"
)
def add(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    pictures: Optional[List[Path]] = typer.Argument(None, help="Pictures, or folders of them."),
    emotion: Optional[str] = typer.Option(
        None, help="The pictures' emotion, a new one too. [default: the name of the folder each picture lies in]"
    ),
    subject: Optional[str] = typer.Option(None, help="The person on them."),
    from_video: Optional[str] = typer.Option(
        None, help="Instead of pictures: a film, a camera's number such as 0, or an address, showing this emotion."
    ),
    frames: int = typer.Option(10, help="Frames of the film to add: sharp ones, unlike one another."),
    start: float = typer.Option(0.0, help="Seconds of the film to leave out."),
    seconds: Optional[float] = typer.Option(None, help="Seconds to look at. [default: all; 20 of a camera]"),
    tower: Optional[Path] = typer.Option(None, help="The tower, if the gallery does not carry it."),
    detector: Optional[Path] = typer.Option(None, help="A YuNet .onnx file instead of the Haar detector."),
    margin: float = typer.Option(0.0, help="Share of a face's side that is added around it."),
    whole: bool = typer.Option(False, "--whole", help="Take each picture whole; look for no face."),
    taken: Optional[float] = typer.Option(
        None,
        help="Let a new, rare emotion count as nearer, as far as it takes this share of the others' references; 0: as "
        "it is. [default: let means vote]",
    ),
    json: bool = typer.Option(False, "--json", help="Print what the gallery holds as JSON."),
) -> None:
    """Add pictures: of each the largest face, or the whole picture if it is no larger than a face.

    Of a film frames with exactly one face are looked at; of the sharp ones those are added that differ most.

    A new emotion with few references among many is hardly ever among the nearest. So from then on not neighbours vote
    but the mean of each emotion (emotions gallery vote --help), where that is about as right of the gallery's own
    references. With --taken its references count as nearer instead (emotions gallery emphasise --help).
    """
    from emotions_cli.enrolment import read_faces, tell_skipped
    from emotions_cli.film_enrolment import read_film_faces
    from emotions_cli.gallery_emphasis import emphasise_rare, let_means_vote, told
    from emotions_cli.opening import open_recognizer
    from galleries.separation import separation
    from galleries.shipped import is_shipped

    if bool(pictures) == (from_video is not None):
        raise ConfigError("Give either pictures or a film with --from-video, not both and not neither.")
    if from_video is not None and emotion is None:
        raise ConfigError(f"--from-video {from_video} was given without --emotion; say which emotion it shows.")
    if is_shipped(gallery):
        raise GalleryError(
            f"{gallery} is part of the installation and is not changed; copy it first with: emotions gallery copy "
            f"{gallery} mine"
        )
    if taken is not None and not 0 <= taken < 1:
        raise ConfigError(f"--taken {taken:g} was given; give a share from 0 to 1, such as 0.1.")
    recognizer = open_recognizer(gallery, tower, detector, margin=margin, whole=whole)
    held = recognizer.gallery
    before = held.emotions
    shape = None if held.thumbnails is None else held.thumbnails.shape[1:]
    if from_video is not None and emotion is not None:
        read = read_film_faces(from_video, recognizer, emotion, frames, (start, seconds), shape)
    else:
        read = read_faces(pictures or [], recognizer, emotion, shape)
    tell_skipped(read.skipped)
    people = None if subject is None else [subject] * len(read.sources)
    films = None if read.film is None else [read.film] * len(read.sources)
    numbers = held.add(
        read.vectors, read.emotions, sources=read.sources, subjects=people, sequences=films, thumbnails=read.thumbnails
    )
    names = sorted(set(held.labels_of(numbers)))
    k = recognizer.n_neighbors
    means = taken is None and let_means_vote(held, names, before, k)
    fitted = [] if means else emphasise_rare(held, names, before, k, taken)
    held.save(gallery)
    found = [separation(held, name) for name in names]
    if json:
        facts = {"path": str(gallery), **held.info(), "added": numbers.tolist()}
        facts["emphasised"] = [change.to_json() for change in fitted]
        console.print_json({**facts, "separation": [entry.to_json() for entry in found]})
    else:
        tell(held, gallery, json, f"Added {len(numbers)} references, numbers {numbers[0]} to {numbers[-1]}.")
        if means:
            console.out.print(
                "Few references among many are hardly ever the nearest, so from now on the mean of each emotion votes "
                f"(emotions gallery vote {gallery} distance: neighbours again; --taken: the few count as nearer).",
                markup=False,
            )
        for change in fitted:
            console.out.print(told(change), markup=False)
        for entry in found:
            console.out.print(
                f"{entry.emotion}: {entry.right} of {entry.references} references ({console.percent(entry.accuracy)}) "
                "would be recognised by the others; emotions gallery undo takes the addition back.",
                markup=False,
            )
    for entry in found:
        for sentence in entry.warnings():
            console.warn(sentence)
    if held.calibration is not None:
        console.warn(
            f"{gallery} was calibrated before these were added, which promises less of the people on them; fit it anew "
            "with: emotions gallery calibrate"
        )
    warn_uncalibrated(held, gallery)


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
    tell(held, gallery, json, f"Removed {len(set(chosen))} references.")


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
    tell(held, gallery, json, f"Relabelled {len(set(numbers))} references.")


@app.command(epilog="Example:  emotions gallery info runs/first/gallery")
def info(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    list: bool = typer.Option(False, "--list", help="Print every reference: number, emotion, person, source."),
    json: bool = typer.Option(False, "--json", help="Print as JSON."),
) -> None:
    """See what a gallery holds; every byte of it is checked."""
    from galleries.bundle import open_gallery
    from galleries.shipped import is_shipped, open_shipped

    held = open_shipped().gallery if is_shipped(gallery) else open_gallery(gallery)
    if not list:
        tell(held, gallery, json)
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


app.registered_commands += gallery_upkeep.app.registered_commands + gallery_voting.app.registered_commands


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["gallery", *sys.argv[1:]])
