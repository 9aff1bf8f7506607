"""``emotions video`` at work: frames come in, and go to the film, the tables and the screen that were asked for."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, List, Mapping, Optional, Tuple

from emotions_cli import console
from emotions_cli.video_behind import Behind
from emotions_cli.video_view import open_view
from galleries.annotate import Annotator
from galleries.errors import ConfigError
from galleries.film_files import (
    LIVE_FPS,
    FilmWriter,
    LineFile,
    check_ending,
    face_columns,
    face_rows,
    frame_line,
)
from galleries.recognizer import Recognizer
from galleries.sources import Source
from galleries.video import Film, FilmOptions, FilmSummary, FrameResult
from galleries.vocabulary import SPANISH

Sink = Callable[[FrameResult], None]
"""Takes a frame; raises :class:`ClosedByPerson` when the person wants no more."""


class ClosedByPerson(Exception):
    """The window was closed, or q pressed: a wish, no failure."""


@dataclass(frozen=True)
class Outputs:
    """Where results go.

    Attributes:
        out: The annotated film, or None.
        csv: The table of faces, or None.
        jsonl: The log of frames, or None.
        show: Whether it is shown meanwhile.
        port: Of the page, or None.
        language: ``"en"`` or ``"es"``.
    """

    out: Optional[Path]
    csv: Optional[Path]
    jsonl: Optional[Path]
    show: bool
    port: Optional[int]
    language: str

    @property
    def names(self) -> Mapping[str, str]:
        """Emotions' names in the language; those missing stay as they are."""
        return SPANISH if self.language == "es" else {}


def check_places(source: str, places: Outputs) -> None:
    """Refuse what would otherwise fail after the work is done.

    Raises:
        ConfigError: Two results would be written to one file, or one over the source.
        DataError: A film's name with an ending that cannot be written.
    """
    if places.out is not None:
        check_ending(places.out)
    taken = {Path(source).absolute(): "the source"} if "://" not in source else {}
    for option, path in (("--out", places.out), ("--csv", places.csv), ("--jsonl", places.jsonl)):
        if path is None:
            continue
        place = path.absolute()
        if place in taken or (place.exists() and any(other.exists() and place.samefile(other) for other in taken)):
            raise ConfigError(f"{option} {path} is also {taken.get(place, 'another file named here')}; choose another.")
        if place.is_dir():
            raise ConfigError(f"{option} {path} is a folder; give a file's name.")
        taken[place] = option


def follow(recognizer: Recognizer, source: Source, options: FilmOptions, places: Outputs) -> Tuple[FilmSummary, bool]:
    """Look at a source until it ends, or until the person ends it.

    Returns:
        What was seen; and whether a film was broken off by Ctrl-C, which is how a camera is ended.
    """
    is_stopped = False
    with ExitStack() as stack:
        film = stack.enter_context(Film(recognizer, source, options))
        sinks = _open_sinks(film, recognizer, places, stack)
        progress = stack.enter_context(console.bar(source.name)) if source.total else None
        try:
            for done, frame in enumerate(film, start=1):
                for sink in sinks:
                    sink(frame)
                if progress is not None and source.total:
                    progress(done, source.total)
        except ClosedByPerson:
            pass
        except KeyboardInterrupt:
            is_stopped = not source.is_live
        film.close()
    return film.summary(), is_stopped


def _open_sinks(film: Film, recognizer: Recognizer, places: Outputs, stack: ExitStack) -> List[Sink]:
    sinks: List[Sink] = []
    emotions, names = recognizer.gallery.emotions, places.names
    if places.csv is not None:
        table = stack.enter_context(LineFile(places.csv))
        table.add(face_columns(emotions, names))
        sinks.append(lambda frame: table.add(face_rows(frame, emotions, names)))
    if places.jsonl is not None:
        log = stack.enter_context(LineFile(places.jsonl))
        sinks.append(lambda frame: log.add(frame_line(frame, names)))
    if places.out is not None or places.show:
        draw = _drawing(film.source, Annotator(recognizer.gallery, names, places.language), places, stack)
        if not places.show:  # a window belongs to the main thread
            draw = stack.enter_context(Behind(draw, room=1 if film.source.is_live else film.options.batch))
        sinks.append(draw)
    return sinks


def _drawing(source: Source, annotator: Annotator, places: Outputs, stack: ExitStack) -> Sink:
    """Draws each frame once, for the film and for the screen."""
    writer = None
    if places.out is not None:
        rate = LIVE_FPS if source.is_live else source.fps
        writer = stack.enter_context(FilmWriter(places.out, rate, by_time=source.is_live))
    view = None
    if places.show:
        view = open_view(places.port)
        stack.callback(view.close)
    began = time.monotonic()

    def draw(frame: FrameResult) -> None:
        picture = annotator.draw(frame)
        if writer is not None:
            writer.write(picture, frame.time)
        if view is None:
            return
        ahead = frame.time - (time.monotonic() - began)
        if not source.is_live and writer is None and ahead > 0:
            time.sleep(min(ahead, 1.0))  # a film is shown no faster than it runs
        if not view.show(picture):
            raise ClosedByPerson

    return draw


def tell(summary: FilmSummary, places: Outputs, json: bool) -> None:
    """Print what was seen."""
    shares = {places.names.get(emotion, emotion): share for emotion, share in summary.shares.items()}
    written = {
        name: None if path is None or not path.exists() else str(path)
        for name, path in (("out", places.out), ("csv", places.csv), ("jsonl", places.jsonl))
    }
    if json:
        console.print_json({**summary.to_json(), "shares": shares, **written})
        return
    for note in summary.notes:
        console.warn(note)
    if summary.dropped:
        share = summary.dropped / (summary.dropped + summary.frames)
        console.warn(f"{summary.dropped} frames ({console.percent(share)}) were dropped to keep up with the camera.")
    if summary.skipped:
        console.warn(f"{summary.skipped} pictures could not be read and were skipped.")
    console.out.print(_sentence(summary), markup=False)
    if shares:
        console.table(
            "", ["emotion", "share of faces"], [[name, console.percent(part)] for name, part in shares.items()]
        )
    for path in filter(None, written.values()):
        console.out.print(f"written: {path}", markup=False)


def _sentence(summary: FilmSummary) -> str:
    """The summary in a sentence or two."""
    seen = f"{summary.frames} frames ({summary.last - summary.first:.1f} s) in {summary.seconds:.1f} s"
    if summary.faces == 0:
        return f"{summary.source}: {seen}, {summary.fps:.1f} FPS; no face was found."
    brief = f", {summary.brief} of them briefly" if summary.brief and summary.frames > 1 else ""
    people = f"{summary.people} {'person' if summary.people == 1 else 'people'}"
    return f"{summary.source}: {seen}, {summary.fps:.1f} FPS; {summary.faces} faces of {people}{brief}."
