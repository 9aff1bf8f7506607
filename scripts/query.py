"""``emotions query``: which emotion is this face, and which faces say so? Needs no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional

import typer

from emotions_cli import console
from galleries.errors import ConfigError, DataError

if TYPE_CHECKING:
    from galleries.recognizer import Recognizer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

SHOWN = 20
"""Similar references printed for a face; --json gives them all."""


@app.command(
    epilog="Example:  emotions query photo.jpg    "
    "(or)  emotions query runs/first/gallery photo.jpg holidays/ --neighbors 10 --json"
)
def query(
    paths: List[Path] = typer.Argument(
        ...,
        metavar="[GALLERY] PICTURES...",
        help="A gallery's folder, such as runs/first/gallery (without one the toolkit's own answers), then pictures, "
        "or folders of them.",
    ),
    neighbors: Optional[int] = typer.Option(None, "--neighbors", "-k", help="How many references vote. [default: 5]"),
    weights: Optional[str] = typer.Option(
        None, help="How: by distance or majority, or mean: that of each emotion votes. [default: as the gallery does]"
    ),
    subject: Optional[str] = typer.Option(
        None, help="Who the pictures show: references of this person in the gallery count as nearer than others."
    ),
    personal_weight: Optional[float] = typer.Option(
        None, help="How many times nearer they count, from 1. [default: 2]"
    ),
    similar: Optional[float] = typer.Option(
        None, help="Instead of a vote: every reference at most this far away (cosine distance 0-2, or Euclidean)."
    ),
    tower: Optional[Path] = typer.Option(None, help="The tower, if the gallery does not carry it."),
    detector: Optional[Path] = typer.Option(None, help="A YuNet .onnx file instead of the Haar detector."),
    margin: float = typer.Option(0.0, help="Share of a face's side that is added around it."),
    whole: bool = typer.Option(False, "--whole", help="Take each picture whole; look for no face."),
    language: str = typer.Option("en", help="Of the emotions' names: en or es."),
    provider: Optional[str] = typer.Option(None, help="cpu, cuda or tensorrt. [default: the best there is]"),
    threads: Optional[int] = typer.Option(None, help="CPU threads of the tower."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Recognise the emotion of every face of pictures, and show the references that say so.

    In a picture larger than a face, faces are looked for. A file that is no picture is reported and skipped. With
    --subject every face is taken for that person's, and the answer says what the person's own references did to it;
    what a calibrated gallery promises, it promises without regard to the person, and the answer says so.
    """
    from emotions_cli.opening import gallery_first, open_recognizer
    from galleries.errors import unknown_name
    from galleries.personal import PERSONAL_WEIGHT
    from galleries.recognizer import list_pictures
    from galleries.shipped import NAME
    from galleries.vocabulary import SPANISH

    if language not in ("en", "es"):
        raise unknown_name("language", language, ("en", "es"))
    if personal_weight is not None and subject is None:
        raise ConfigError("--personal-weight says how much a person's own references count; name them with --subject.")
    if subject is not None and similar is not None:
        raise ConfigError("--similar lists references and takes no vote, so --subject has no place; leave one out.")
    names = SPANISH if language == "es" else {}
    gallery, pictures = gallery_first(paths)
    files = list_pictures(pictures)
    recognizer = open_recognizer(gallery, tower, detector, neighbors, weights, margin, whole, provider, threads)
    if subject is not None:
        recognizer.for_person(subject, PERSONAL_WEIGHT if personal_weight is None else personal_weight)
    answers = _vote(recognizer, files) if similar is None else _compare(recognizer, files, similar)
    collected, skipped = [], []
    nearer = {names.get(emotion, emotion): factor for emotion, factor in recognizer.gallery.emphasis.items()}
    for answer in answers:
        if answer["error"] is not None:
            skipped.append(answer["error"])
        if json:
            collected.append(_named(answer, names))
        elif answer["error"] is None:
            _print_answer(_named(answer, names), similar, nearer)
    for called, factor in nearer.items():
        console.say(f"{called} counts as {factor:g} times nearer than it is (emotions gallery emphasise --help).")
    if json:
        console.print_json({"gallery": str(gallery or NAME), "results": collected, "skipped": len(skipped)})
    if len(skipped) == len(files):
        raise DataError(skipped[0] if len(files) == 1 else f"None of {len(files)} files is a picture. {skipped[0]}")
    for sentence in skipped:
        console.warn(f"skipped: {sentence}")


def _vote(recognizer: Recognizer, files: List[Path]) -> Iterator[Dict[str, Any]]:
    """For each file its faces with their predictions, as plain values."""
    for result in recognizer.recognise_files(files):
        yield result.to_json()


def _compare(recognizer: Recognizer, files: List[Path], threshold: float) -> Iterator[Dict[str, Any]]:
    """For each file its faces with all references under the threshold, as plain values."""
    from galleries.recognizer import read_face_picture

    for path in files:
        try:
            image = read_face_picture(path)
        except DataError as error:
            yield {"path": str(path), "faces": [], "error": str(error)}
            continue
        faces = [
            {"box": None if box is None else box.to_json(), "similar": [reference.to_json() for reference in found]}
            for box, found in recognizer.similar(image, threshold)
        ]
        yield {"path": str(path), "faces": faces, "error": None}


def _named(value: Any, names: Dict[str, str]) -> Any:
    """The same plain values with emotions in the language asked for."""
    if isinstance(value, list):
        return [_named(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    named = {key: _named(item, names) for key, item in value.items()}
    if "emotion" in named:
        named["emotion"] = names.get(named["emotion"], named["emotion"])
    for key in ("outvoted", "winner"):
        if key in named:
            named[key] = names.get(named[key], named[key])
    if "emotions" in named:
        named["emotions"] = [names.get(emotion, emotion) for emotion in named["emotions"]]
    if named.get("votes"):
        named["votes"] = {names.get(emotion, emotion): share for emotion, share in named["votes"].items()}
    if "scores" in named:
        named["scores"] = {names.get(emotion, emotion): share for emotion, share in named["scores"].items()}
    return named


def _print_answer(answer: Dict[str, Any], threshold: Optional[float], nearer: Dict[str, float]) -> None:
    if not answer["faces"]:
        _print(f"{answer['path']}: no face found (--whole takes the whole picture)")
    for number, face in enumerate(answer["faces"], start=1):
        box = face["box"]
        where = "" if box is None else f", face {number} at {box['x']},{box['y']} ({box['width']}x{box['height']})"
        if threshold is not None:
            found = face["similar"]
            _print(f"{answer['path']}{where}: {len(found)} references within {threshold:g}")
            _print_neighbours(found[:SHOWN], {})
            if len(found) > SHOWN:
                _print(f"      … and {len(found) - SHOWN} more (--json gives all)")
            continue
        by_means = face["weights"] == "mean"
        whose = " of the emotions' means; nearest faces below" if by_means else ""
        _print(f"{answer['path']}{where}: {face['emotion']} ({console.percent(face['confidence'])} of the vote{whose})")
        if face["personal"] is not None:
            voters = len(face["scores"]) if by_means else len(face["neighbours"])
            _print(f"      {_told_personal(face['personal'], voters)}")
        if face["decision"] is not None:
            _print(f"      {_told(face)}")
        _print_neighbours(face["neighbours"], nearer)


def _told_personal(personal: Dict[str, Any], voters: int) -> str:
    """What a person's own references did to the vote, in words."""
    told = (
        f"{personal['subject']}'s own references count {personal['weight']:g} times nearer: {personal['voters']} of "
        f"{voters} voters, {console.percent(personal['share'])} of the vote"
    )
    return told if personal["outvoted"] is None else f"{told}; the ordinary vote says {personal['outvoted']}"


def _told(face: Dict[str, Any]) -> str:
    """What a calibrated gallery lets one say of a face, in words."""
    decision, personal = face["decision"], face["personal"]
    if decision["unknown"]:
        told = f"unknown: {decision['reason']}"
    else:
        several = " or ".join(decision["emotions"])
        whose = "" if decision["winner"] == face["emotion"] else f"{decision['winner']} is "
        told = f"{several} ({decision['reason']}; {whose}right with probability {decision['confidence']:.2f})"
    return told if personal is None else f"without regard to {personal['subject']}: {told}"


def _print_neighbours(neighbours: List[Dict[str, Any]], nearer: Dict[str, float]) -> None:
    for neighbour in neighbours:
        person = "" if neighbour["subject"] is None else f", person {neighbour['subject']}"
        distance, emotion = neighbour["distance"], neighbour["emotion"]
        counted = f" (counts as {distance / nearer[emotion]:.4f})" if emotion in nearer else ""
        _print(
            f"  {neighbour['rank']:>3}. {emotion:<10} distance {distance:.4f}{counted}   "
            f"#{neighbour['number']} {neighbour['source']}{person}{_told_votes(neighbour['votes'])}"
        )


def _told_votes(votes: Optional[Dict[str, float]]) -> str:
    """What a neighbour voted for, where that is not its emotion alone."""
    if votes is None:
        return ""
    return ", votes " + ", ".join(f"{emotion} {console.percent(share)}" for emotion, share in list(votes.items())[:3])


def _print(line: str) -> None:
    console.out.print(line, markup=False)


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["query", *sys.argv[1:]])
