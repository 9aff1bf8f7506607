"""The cache: decoded once, keyed by content, never trusted when damaged, safe for two at once."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from siamese.datasets import FaceDataset, cache, load_dataset
from siamese.datasets.reading import FolderSource

NAMES = [f"{emotion}/S0{i:02d}_00{k}_00000010.png" for i in range(4) for k, emotion in enumerate(("anger", "fear"))]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SIAMESE_EMOTIONS_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for number, name in enumerate(NAMES):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shape = (20 + number, 30) if number % 2 else (20 + number, 30, 3)
        cv2.imwrite(str(path), rng.integers(0, 256, shape, dtype=np.uint8))
    (tmp_path / "faces/anger/S099_001_00000001.png").write_text("no picture")
    return tmp_path / "faces"


def entries(root: Path) -> list[Path]:
    folder = root.parent / "cache"
    return sorted(folder.iterdir()) if folder.exists() else []


def equal(a: FaceDataset, b: FaceDataset) -> bool:
    columns = ("name", "format", "root", "emotions", "ids", "subjects", "sequences", "official", "skipped", "notes")
    return (
        all(getattr(a, column) == getattr(b, column) for column in columns)
        and np.array_equal(a.labels, b.labels)
        and a.labels.dtype == b.labels.dtype
        and all(np.array_equal(a.image(row), b.image(row)) for row in range(len(b)))
    )


def count_decoding(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    original = FolderSource.faces

    def counted(self: FolderSource, progress: object) -> object:
        calls.append(1)
        return original(self, progress)  # type: ignore[arg-type]

    monkeypatch.setattr(FolderSource, "faces", counted)
    return calls


def test_what_is_kept_equals_what_was_read_and_is_not_decoded_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = load_dataset(root, cache=False)
    assert entries(root) == []
    calls = count_decoding(monkeypatch)
    first, second = load_dataset(root), load_dataset(root)
    assert len(calls) == 1
    assert equal(first, plain)
    assert equal(second, plain)
    assert len(second.skipped) == 1
    assert len(entries(root)) == 1


def test_large_pixels_are_memory_mapped(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_dataset(root, cache=False)
    monkeypatch.setattr(cache, "MAP_ABOVE", 1000)
    for _ in range(2):
        mapped = load_dataset(root)
        assert equal(mapped, plain)
        assert not mapped.store.flat.flags.writeable
        base: object = mapped.store.flat
        while getattr(base, "base", None) is not None and not isinstance(base, np.memmap):
            base = base.base  # type: ignore[attr-defined]
        assert isinstance(base, np.memmap)


def test_the_key_follows_content_names_and_options_not_place_or_time(root: Path) -> None:
    load_dataset(root)
    moved = root.rename(root.parent / "elsewhere")
    os.utime(moved / NAMES[0], (1, 1))
    again = load_dataset(moved)
    assert len(entries(root)) == 1
    assert again.root == moved
    picture = moved / NAMES[0]
    old = picture.read_bytes()
    cv2.imwrite(str(picture), np.random.default_rng(9).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    changed = load_dataset(moved)
    assert len(entries(root)) == 2
    assert not np.array_equal(changed.image(0), again.image(0))
    picture.write_bytes(old)
    picture.rename(picture.with_name("S055_001_00000010.png"))
    assert "S055" in set(load_dataset(moved).subjects or ())
    load_dataset(moved, format="folder")
    assert len(entries(root)) == 4


def damage_first_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x55
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", ["pixels.bin", "shapes.npy", "labels.npy", "faces.json"])
@pytest.mark.parametrize("how", ["delete", "truncate", "empty", "flip", "replace"])
def test_a_damaged_entry_is_built_anew(root: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str) -> None:
    plain = load_dataset(root)
    (entry,) = entries(root)
    path = entry / name
    if how == "delete":
        path.unlink()
    elif how == "truncate":
        path.write_bytes(path.read_bytes()[:-5])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "flip":
        damage_first_byte(path)
    else:
        path.write_bytes(b'{"checksum": 1, "faces": null}')
    calls = count_decoding(monkeypatch)
    assert equal(load_dataset(root), plain)
    assert equal(load_dataset(root), plain)
    assert len(calls) == 1
    assert entries(root) == [entry]


def test_an_entry_that_is_a_file_is_replaced(root: Path) -> None:
    plain = load_dataset(root)
    (entry,) = entries(root)
    entry.rename(root.parent / "away")
    entry.write_text("in the way")
    assert equal(load_dataset(root), plain)
    assert entry.is_dir()


def test_a_cache_that_cannot_be_made_costs_only_a_note(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_dataset(root, cache=False)
    (root.parent / "file").write_text("x")
    monkeypatch.setenv("SIAMESE_EMOTIONS_CACHE", str(root.parent / "file/below"))
    dataset = load_dataset(root)
    assert dataset.ids == plain.ids
    assert "could not be kept in" in dataset.notes[-1]


def test_a_full_disk_costs_only_a_note(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache.np, "save", full)
    dataset = load_dataset(root)
    assert len(dataset) == len(NAMES)
    assert "No space left on device" in dataset.notes[-1]
    assert entries(root) == []


def test_what_a_killed_process_left_goes_after_a_day(root: Path) -> None:
    old, young = root.parent / "cache/.building-old", root.parent / "cache/.building-young"
    old.mkdir(parents=True)
    (old / "pixels.bin").write_bytes(b"half")
    young.mkdir()
    os.utime(old, (time.time() - 2 * 86400,) * 2)
    load_dataset(root)
    assert not old.exists()
    assert young.exists()


def test_if_another_process_finished_first_its_entry_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_dataset(root)
    (entry,) = entries(root)
    number = entry.stat().st_ino
    original = cache._load
    answers = iter([None])
    monkeypatch.setattr(cache, "_load", lambda *given: next(answers) if _left(answers) else original(*given))
    assert equal(load_dataset(root), plain)
    assert entry.stat().st_ino == number
    assert entries(root) == [entry]


def _left(answers: object) -> bool:
    return bool(answers.__length_hint__())  # type: ignore[attr-defined]


def test_two_processes_may_build_at_once(root: Path) -> None:
    code = (
        "import sys; from siamese.datasets import load_dataset; d = load_dataset(sys.argv[1]);"
        "print(len(d), d.notes, sum(int(d.image(i).sum()) for i in range(len(d))))"
    )
    here = Path(__file__).parents[1]
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(root)], cwd=here, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = {process.communicate(timeout=60)[0] for process in running}
    assert all(process.returncode == 0 for process in running)
    plain = load_dataset(root, cache=False)
    total = sum(int(plain.image(row).sum()) for row in range(len(plain)))
    assert answers == {f"{len(NAMES)} () {total}\n"}
    assert len(entries(root)) == 1


def test_the_place_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIAMESE_EMOTIONS_CACHE", "/a")
    assert cache.cache_folder() == Path("/a")
    monkeypatch.delenv("SIAMESE_EMOTIONS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache.cache_folder() == Path("/b/siamese-emotions")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/c")
    assert cache.cache_folder() == Path("/c/.cache/siamese-emotions")
