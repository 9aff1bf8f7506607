"""Kill a process that changes a gallery, again and again: the gallery opens each time, at a state that was committed.

    python tests/kill_gallery.py --kills 200 --readers 8 --seed 0

A writer loads the gallery, adds or removes references, saves, and says so, as fast as it can; it is killed (SIGKILL) at
a random moment. What then opens must be the last state it told of or the one it was just saving. Meanwhile readers
open the gallery over and over; each must see a whole state: every reference's vector, emotion and source belong
together, and the header's counts are theirs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List

import numpy as np

from galleries.errors import GalleryError
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 6)
NAMES = ("anger", "fear", "sadness", "surprise")


def vector(number: int) -> np.ndarray:
    """The vector of reference ``number``: everything about a reference follows from its number."""
    made = np.random.default_rng([9, number]).normal(size=6)
    return (made / np.linalg.norm(made)).astype(np.float32)


def make(folder: Path, size: int, index: str = "flat") -> None:
    numbers = range(size)
    Gallery.build(
        np.stack([vector(n) for n in numbers]),
        [NAMES[n % 4] for n in numbers],
        tower=CARD,
        index=index,
        sources=[f"row:{n}" for n in numbers],
        thumbnails=np.stack([np.full((4, 4), n % 256, np.uint8) for n in numbers]),
    ).save(folder)


def check(gallery: Gallery) -> None:
    """Refuse a gallery whose parts do not belong together.

    Raises:
        AssertionError: A torn state.
    """
    assert gallery.thumbnails is not None
    for n, found, known, picture in zip(gallery.numbers, gallery.vectors, gallery.references, gallery.thumbnails):
        assert np.allclose(found, vector(int(n)), atol=1e-5), f"vector of {n}"
        assert (known.label, known.source) == (NAMES[n % 4], f"row:{n}"), f"reference {n}"
        assert (picture == n % 256).all(), f"thumbnail of {n}"


def write(folder: Path, seed: int) -> None:
    """Change and save for ever, telling the numbers held after each save."""
    rng = np.random.default_rng(seed)
    gallery = Gallery.load(folder)
    while True:
        if len(gallery) < 30 or (len(gallery) < 60 and rng.random() < 0.5):
            first = gallery.info()["next_number"]
            numbers = range(first, first + int(rng.integers(1, 8)))
            gallery.add(
                np.stack([vector(n) for n in numbers]),
                [NAMES[n % 4] for n in numbers],
                sources=[f"row:{n}" for n in numbers],
                thumbnails=np.stack([np.full((4, 4), n % 256, np.uint8) for n in numbers]),
            )
        else:
            gallery.remove(rng.choice(gallery.numbers, int(rng.integers(1, 8)), replace=False).tolist())
        print(json.dumps({"saving": gallery.numbers.tolist()}), flush=True)
        gallery.save(folder)
        print(json.dumps({"saved": gallery.numbers.tolist()}), flush=True)


def read(folder: Path, seconds: float) -> None:
    """Open and check for so many seconds; tells how often."""
    until, times = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        check(Gallery.load(folder))
        times += 1
    print(times)


def kill_once(folder: Path, seed: int, rng: np.random.Generator) -> str:
    """Start a writer, kill it at a random moment, and look; what is wrong, or nothing."""
    command = [sys.executable, __file__, "--write", str(folder), "--seed", str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told: List[str] = [writer.stdout.readline()]  # it is at work
        time.sleep(float(rng.exponential(0.03)))
        writer.kill()
        told += writer.stdout.read().splitlines()
    whole = [json.loads(line) for line in map(str.strip, told) if line.endswith("}")]
    saved = [entry["saved"] for entry in whole if "saved" in entry]
    saving = [entry["saving"] for entry in whole if "saving" in entry]
    try:
        gallery = Gallery.load(folder)
        check(gallery)
    except (GalleryError, AssertionError) as error:
        return f"seed {seed}: {error}"
    held = gallery.numbers.tolist()
    if saved and held not in (saved[-1], *saving[-1:]):
        return f"seed {seed}: holds neither what was saved last nor what was being saved"
    return ""


def main() -> int:
    """Run from the command line; exit code 1 if a state was torn or lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--readers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--index", default="flat", choices=("flat", "hnsw", "ivf", "ivfpq"))
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=20.0, help="for how long the readers read beside one writer")
    given = parser.parse_args()
    if given.write is not None:
        write(given.write, given.seed)
    if given.read is not None:
        read(given.read, given.seconds)
        return 0
    problems = run(given.kills, given.readers, given.seconds, given.seed, given.index)
    print(f"{given.kills} kills, {given.readers} readers: {len(problems)} problems")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def run(kills: int, readers: int, seconds: float, seed: int, index: str = "flat") -> List[str]:
    """All kills, then all readers beside one writer; what went wrong."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "gallery"
        make(folder, 40, index)
        problems = [kill_once(folder, seed * 100_000 + number, rng) for number in range(kills)]
        script = [sys.executable, __file__]
        writer = subprocess.Popen([*script, "--write", str(folder), "--seed", str(seed)], stdout=subprocess.DEVNULL)
        started = [
            subprocess.Popen(
                [*script, "--read", str(folder), "--seconds", str(seconds)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(readers)
        ]
        for reader in started:
            out, err = reader.communicate()
            if reader.returncode or not int(out or 0):
                problems.append(f"a reader failed: {err.strip().splitlines()[-1:]}")
        writer.kill()
        writer.wait()
    return [problem for problem in problems if problem]


if __name__ == "__main__":
    sys.exit(main())
