"""A film read over and over, as hours of filming would be: does memory grow, and are handles left open?

``python tests/long_film.py BUNDLE FILM --hours 2`` reads two hours of film as fast as it can: it follows, annotates,
writes the log and films what it drew, and tells memory and open files every so often. The slope is fitted over the last
two thirds. Linux only.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np
from film_fakes import Loop, megabytes

from galleries.annotate import Annotator
from galleries.film_files import FilmWriter, LineFile, frame_line
from galleries.recognizer import Recognizer
from galleries.video import Film, FilmOptions


def main() -> None:
    """Run it, and tell the slope."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("film", type=Path)
    parser.add_argument("--hours", type=float, default=2.0, help="Of film, at its own frames a second.")
    parser.add_argument("--every", type=float, default=10.0, help="Seconds between two marks.")
    parser.add_argument("--whole", action="store_true", help="Take frames for faces, and look for none.")
    asked = parser.parse_args()
    recognizer = Recognizer.load(asked.bundle, whole=asked.whole)
    hours = duration(asked.film) / 3600
    annotator, loop = Annotator(recognizer.gallery), Loop(asked.film, math.ceil(asked.hours / hours), 0.0)
    marks: List[Tuple[float, float, int]] = []  # hours of film, MiB, handles
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, Film(recognizer, loop, FilmOptions()) as run:
        out = Path(folder)
        with LineFile(out / "log.jsonl") as log, FilmWriter(out / "seen.mp4", loop.fps) as writer:
            for frame in run:
                log.add(frame_line(frame, {}))
                writer.write(annotator.draw(frame), frame.time)
                passed = time.monotonic() - began
                if passed >= len(marks) * asked.every:
                    marks.append((hours * loop.rounds, megabytes(), len(list(Path("/proc/self/fd").iterdir()))))
                    read, held, handles = marks[-1]
                    print(f"{passed:7.0f} s  {read:5.2f} h  {held:8.1f} MiB  {handles} handles", flush=True)
        seen = run.summary()
    steady = np.array(marks[len(marks) // 3 :])
    slope = float(np.polyfit(steady[:, 0], steady[:, 1], 1)[0]) if len(steady) > 2 else float("nan")
    print(
        f"{seen.frames} frames ({loop.rounds} times the film), {seen.faces} faces, {seen.fps:.1f} FPS, "
        f"{seen.seconds:.0f} s: "
        f"{slope:+.2f} MiB an hour of film, {int(steady[:, 2].min())} to {int(steady[:, 2].max())} handles"
    )


def duration(film: Path) -> float:
    """Length of a film in seconds, as its file says."""
    capture = cv2.VideoCapture(str(film))
    length = capture.get(cv2.CAP_PROP_FRAME_COUNT) / capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return float(length)


if __name__ == "__main__":
    main()
