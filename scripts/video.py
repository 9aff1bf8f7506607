"""``emotions video``: the emotions of a film, a camera, a stream or a folder of pictures. Needs no torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Optional

import typer

from emotions_cli import console
from galleries.errors import unknown_name

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog="Example:  emotions video film.mp4 --gallery runs/first/gallery --out seen.mp4 --csv faces.csv")
def video(
    source: str = typer.Argument(
        ..., help="A film, a camera's number such as 0, an rtsp:// or http:// address, or a folder of pictures."
    ),
    gallery: Optional[Path] = typer.Option(
        None, help="The gallery's folder, such as runs/first/gallery. [default: the toolkit's own]"
    ),
    out: Optional[Path] = typer.Option(None, help="Write the annotated film: .mp4, .avi, .webm or .mkv."),
    csv: Optional[Path] = typer.Option(None, help="Write a table, one row for every face of every frame."),
    jsonl: Optional[Path] = typer.Option(None, help="Write one line of JSON a frame, with its faces."),
    show: bool = typer.Option(False, "--show", help="Show it meanwhile: in a window, or as a page on this machine."),
    port: Optional[int] = typer.Option(None, help="With --show: as a page on this port, even if there is a window."),
    start: float = typer.Option(0.0, help="Seconds of a film to leave out."),
    seconds: Optional[float] = typer.Option(None, help="Seconds to look at. [default: all]"),
    fps: float = typer.Option(25.0, help="Frames a second of pictures, and of a film that does not say it."),
    detect_every: int = typer.Option(1, help="Look for faces in every n-th frame; between, they stay where they were."),
    batch: int = typer.Option(8, help="Frames of a film whose faces pass through the tower together."),
    smoothing: float = typer.Option(0.7, help="Share of a person's earlier votes in each vote: 0 (none) to below 1."),
    min_face: int = typer.Option(0, help="Side in pixels of the smallest face to take."),
    neighbors: Optional[int] = typer.Option(None, "--neighbors", "-k", help="How many references vote. [default: 5]"),
    weights: Optional[str] = typer.Option(
        None, help="How: by distance or majority, or mean: that of each emotion votes. [default: as the gallery does]"
    ),
    subject: Optional[str] = typer.Option(
        None, help="Who the film shows, alone: this person's own references count as nearer (see emotions query)."
    ),
    personal_weight: float = typer.Option(2.0, help="How many times nearer they count, from 1."),
    tower: Optional[Path] = typer.Option(None, help="The tower, if the gallery does not carry it."),
    detector: Optional[Path] = typer.Option(None, help="A YuNet .onnx file instead of the Haar detector."),
    margin: float = typer.Option(0.0, help="Share of a face's side that is added around it."),
    whole: bool = typer.Option(False, "--whole", help="Take each frame whole for one face; look for none."),
    language: str = typer.Option("en", help="Of the emotions' names: en or es."),
    provider: Optional[str] = typer.Option(None, help="cpu, cuda or tensorrt. [default: the best there is]"),
    threads: Optional[int] = typer.Option(None, help="CPU threads of the tower."),
    json: bool = typer.Option(False, "--json", help="Print the summary as JSON."),
) -> None:
    """Recognise the emotions of a film, a camera, a stream or a folder of pictures, person by person.

    Faces are followed from frame to frame, and each person's votes are smoothed over time. Frames of a camera are
    dropped rather than queued. Ctrl-C, a camera that vanishes and a film that ends early keep what was done so far.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what goes wrong is said once, in a sentence
    os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
    from emotions_cli.opening import open_recognizer
    from emotions_cli.video_run import Outputs, check_places, follow, tell
    from galleries.sources import Span, open_source
    from galleries.video import FilmOptions

    if language not in ("en", "es"):
        raise unknown_name("language", language, ("en", "es"))
    options = FilmOptions(detect_every, batch, smoothing, min_face)
    span = Span(start, seconds)
    places = Outputs(out, csv, jsonl, show or port is not None, port, language)
    check_places(source, places)
    recognizer = open_recognizer(gallery, tower, detector, neighbors, weights, margin, whole, provider, threads)
    if subject is not None:
        recognizer.for_person(subject, personal_weight)
    console.stop_on_terminate()
    summary, is_stopped = follow(recognizer, open_source(source, span, fps), options, places)
    tell(summary, places, json)
    if is_stopped:
        raise SystemExit(130)


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["video", *sys.argv[1:]])
