"""Damage a gallery or bundle in thousands of ways: each either loads to the same answers or ends in one clear error.

    python tests/damage_gallery.py --damages 10000 --seed 0
    python tests/damage_gallery.py --damages 10000 --what zip

Two kinds of damage are tried: plain (bit flips, truncations, swaps, deletions, other bytes, and of a zip also its
headers), and signed, where the checksums are made to fit again, as somebody with bad intentions would. What is signed
may answer differently, since nothing tells it from a real one; it must neither crash nor hang nor take much memory.
The work is done in a child process with limited memory and time, so that a crash is seen and counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import numpy as np
from damage_bundle import bundle_answers, damage_bundle, damage_zip, make_bundle
from damages import KINDS, forge, spoil

from galleries.errors import EmotionsError
from galleries.gallery import Gallery
from galleries.header import HEADER
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

MEMORY = 3 << 30
"""Bytes of address space that a child may take."""

SECONDS_EACH = 2.0
"""Mean time for one damage after which a child counts as hanging."""

KINDS_OF_INDEX = ("flat", "hnsw", "ivf", "ivfpq")
"""Indexes that a gallery may have; the last two keep their vectors in ``vectors.npy``."""


def make_gallery(folder: Path, index: str = "flat") -> None:
    """A gallery with every file that one can have, and a state before the last change."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 60)
    vectors = (np.eye(3, 8)[labels] + rng.normal(0, 0.4, (60, 8))).astype(np.float32)
    names = [("anger", "fear", "sadness")[label] for label in labels]
    gallery = Gallery.build(
        vectors,
        names,
        tower=TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 8),
        index=index,
        sources=[f"S{i}/{i}.png" for i in range(60)],
        subjects=[f"S{i % 7}" for i in range(60)],
        thumbnails=rng.integers(0, 256, (60, 6, 6)).astype(np.uint8),
    )
    gallery.save(folder)
    gallery.relabel([3], "fear")
    gallery.save(folder)


def answers(folder: Path) -> str:
    """All that a gallery says, as text that can be compared."""
    gallery = Gallery.load(folder)
    queries = np.random.default_rng(6).normal(size=(20, 8)).astype(np.float32)
    distances, indices = gallery.kneighbors(queries, min(5, len(gallery)))
    said = [gallery.predict(queries), np.round(distances, 5).tolist(), indices.tolist(), gallery.numbers.tolist()]
    pictures = "" if gallery.thumbnails is None else gallery.thumbnails.tobytes().hex()
    return json.dumps([said, [vars(r) for r in gallery.references], pictures, [e.to_json() for e in gallery.log]])


def damage(folder: Path, rng: np.random.Generator, signed: bool) -> str:
    """Damage one file of a gallery; says what was done."""
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not (signed and path.name == HEADER))
    path = paths[rng.integers(len(paths))]
    kind = KINDS[rng.integers(len(KINDS))]
    data = bytearray(path.read_bytes())
    place = spoil(data, kind, rng)
    if kind == "swap":
        other = paths[rng.integers(len(paths))]
        data = bytearray(other.read_bytes())
    if kind == "delete" and not signed:
        path.unlink()
    else:
        path.write_bytes(bytes(data))
    if signed:
        forge(folder / HEADER, path, path.name)
    return f"{kind} in {path.name} at {place}"


WHATS: Dict[str, Tuple[Callable[..., None], Callable[[Path], str], Callable[..., str]]] = {
    "gallery": (make_gallery, answers, damage),
    "bundle": (make_bundle, bundle_answers, damage_bundle),
    "zip": (make_bundle, bundle_answers, damage_zip),
}
"""What may be damaged: how it is made, what it answers, and how it is damaged."""


def work(whole: Path, damages: int, seed: int, signed: bool, what: str = "gallery") -> Dict[str, int]:
    """Damage copies of a gallery or bundle one after another, in this process; the counts of what came of it.

    Raises:
        AssertionError: A damaged one answered differently without being signed.
    """
    _, ask, spoil_copy = WHATS[what]
    expected = ask(whole)
    counts = {"same": 0, "refused": 0, "different": 0}
    with tempfile.TemporaryDirectory() as place:
        for number in range(damages):
            path = Path(place) / f"{number}{whole.suffix}"
            (shutil.copytree if whole.is_dir() else shutil.copyfile)(whole, path)
            done = spoil_copy(path, np.random.default_rng([seed, number, int(signed)]), signed)
            try:
                same = ask(path) == expected
            except EmotionsError as error:
                counts["refused"] += 1
                if "\n" in str(error) or len(str(error)) > 600:
                    raise AssertionError(f"damage {number} ({done}): no one sentence: {error}") from error
            except BaseException as error:
                raise AssertionError(f"damage {number} ({done}): {type(error).__name__}: {error}") from error
            else:
                counts["same" if same else "different"] += 1
                if not same and not signed:
                    raise AssertionError(f"damage {number} ({done}) was read without complaint and answers differently")
            if whole.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    return counts


def run_child(whole: Path, damages: int, seed: int, signed: bool, what: str = "gallery") -> Tuple[Dict[str, int], str]:
    """:func:`work` in a child with limited memory and time; its counts, and what went wrong or nothing."""
    command = [sys.executable, __file__, "--child", str(whole), "--damages", str(damages), "--seed", str(seed)]
    command += ["--what", what, *(["--signed"] if signed else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30 + SECONDS_EACH * damages)
    except subprocess.TimeoutExpired:
        return {}, f"seed {seed}: hangs"
    if done.returncode:
        return {}, f"seed {seed}: ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"
    counts: Dict[str, int] = json.loads(done.stdout)
    return counts, ""


def main() -> int:
    """Run from the command line; exit code 1 if anything crashed, hung, or answered wrongly."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damages", type=int, default=10_000, help="in all, half of them signed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--what", default="gallery", choices=sorted(WHATS))
    parser.add_argument("--index", default="flat", choices=KINDS_OF_INDEX)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--signed", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        print(json.dumps(work(given.child, given.damages, given.seed, given.signed, given.what)))
        return 0
    problems: List[str] = []
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / ("whole.zip" if given.what == "zip" else "whole")
        WHATS[given.what][0](whole, given.index)
        for signed in (False, True):
            total: Dict[str, int] = {}
            for part in range(max(1, given.damages // 1000)):
                each = min(500, given.damages // 2)
                counts, problem = run_child(whole, each, given.seed + part, signed, given.what)
                total = {key: total.get(key, 0) + value for key, value in counts.items()} if counts else total
                problems += [problem] if problem else []
            print(f"{'signed' if signed else 'plain'} damages: {total}", flush=True)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
