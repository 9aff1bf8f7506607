from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Dict, List

import pytest

from galleries import storage
from galleries.errors import GalleryError
from galleries.header import HEADER
from galleries.storage import read_state, undo_state, write_state

ROOT = Path(__file__).resolve().parent.parent
OLD: Dict[str, bytes] = {"index.faiss": b"old index", "references.jsonl": b"old lines", "thumbnails.npy": b"old"}
NEW: Dict[str, bytes] = {"index.faiss": b"new index", "references.jsonl": b"new lines", "tower.onnx": b"tower"}


def names(folder: Path) -> List[str]:
    """The files of a gallery; the state before the last change left aside."""
    return sorted(path.name for path in folder.iterdir() if path.name != "previous")


def test_what_is_written_is_read_and_the_folder_is_tidy(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "gallery"
    state = write_state(folder, {"metric": "cosine", "counts": {"anger": 2}}, OLD)
    assert read_state(folder) == ({"metric": "cosine", "counts": {"anger": 2}}, OLD, state)
    assert names(folder) == ["gallery.json", "index.faiss", "references.jsonl", "thumbnails.npy"]
    (folder / "notes.txt").write_text("mine")
    write_state(folder, {}, NEW)
    assert read_state(folder)[1] == NEW
    assert names(folder) == ["gallery.json", "index.faiss", "notes.txt", "references.jsonl", "tower.onnx"]


def test_an_unchanged_file_is_not_written_again(tmp_path: Path) -> None:
    write_state(tmp_path, {}, OLD)
    before = (tmp_path / "index.faiss").stat()
    write_state(tmp_path, {}, {**OLD, "references.jsonl": b"other"})
    after = (tmp_path / "index.faiss").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_every_damaged_byte_is_noticed(tmp_path: Path) -> None:
    write_state(tmp_path, {"metric": "cosine"}, OLD)
    for name in names(tmp_path):
        path = tmp_path / name
        whole = path.read_bytes()
        flipped = [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in range(len(whole))]
        for damaged in [whole[:-1], whole + b" ", b"", *flipped]:
            path.write_bytes(damaged)
            try:
                assert read_state(tmp_path)[1] == OLD  # white space of the header alone may differ
                assert name == HEADER
                assert json.loads(damaged) == json.loads(whole)
            except GalleryError as error:
                assert str(tmp_path) in str(error)  # noqa: PT017 - most of these raise, a few may not
        path.unlink()
        with pytest.raises(GalleryError, match=r"missing|no gallery\.json"):
            read_state(tmp_path)
        path.write_bytes(whole)
    assert read_state(tmp_path)[1] == OLD


@pytest.mark.parametrize("step", ["write", "sync", "replace"])
@pytest.mark.parametrize("first", [True, False])
def test_a_full_disk_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, first: bool
) -> None:
    folder = tmp_path / "gallery"
    if not first:
        write_state(folder, {}, OLD)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if step == "write":
            real = storage._write
            late = lambda path, data: full() if "references" in path.name else real(path, data)  # noqa: E731
            patch.setattr(storage, "_write", late)
        elif step == "sync":
            patch.setattr(storage, "sync", full)
        else:
            patch.setattr(Path, "replace", full)
        with pytest.raises(GalleryError, match=r"No space left on device.*unchanged"):
            write_state(folder, {}, NEW)
    assert not list(tmp_path.glob("**/*.next"))
    if first:
        assert not folder.exists()
    else:
        assert read_state(folder)[1] == OLD
    write_state(folder, {}, NEW)
    assert read_state(folder)[1] == NEW


KILLED = """
import os, sys
from pathlib import Path
from galleries import storage
left = int(sys.argv[2])
def dying(real):
    def step(*args):
        global left
        if left == 0:
            os._exit(9)
        left -= 1
        return real(*args)
    return step
storage.sync = dying(storage.sync)
Path.replace = dying(Path.replace)
Path.unlink = dying(Path.unlink)
files = {"index.faiss": b"new index", "references.jsonl": b"new lines", "tower.onnx": b"tower"}
storage.write_state(Path(sys.argv[1]), {"state": "new"}, files)
"""


def test_a_kill_at_any_moment_leaves_a_whole_state(tmp_path: Path) -> None:
    seen, code, step = [], 9, 0
    while code == 9:
        folder = tmp_path / str(step)
        write_state(folder, {"state": "old"}, OLD)
        code = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(step)], cwd=ROOT).returncode
        header, files, _ = read_state(folder)
        assert files == (OLD if header["state"] == "old" else NEW)
        assert (folder / "index.faiss").read_bytes() in (OLD["index.faiss"], NEW["index.faiss"])
        seen.append(header["state"])
        if header["state"] == "new":  # what was before can be brought back, whatever was cut off
            undo_state(folder, lambda now, before: None)
            assert read_state(folder)[:2] == ({"state": "old"}, OLD)
        write_state(folder, {"state": "third"}, {"index.faiss": b"third"})  # the next save tidies up
        assert read_state(folder)[1] == {"index.faiss": b"third"}
        assert names(folder) == ["gallery.json", "index.faiss"]
        step += 1
    assert code == 0
    assert seen == sorted(seen, reverse=True)  # old … old new … new
    assert seen.count("old") >= 4
    assert seen.count("new") >= 4


def test_a_save_over_a_change_of_someone_else_is_refused(tmp_path: Path) -> None:
    state = write_state(tmp_path, {"n": 1}, OLD)
    write_state(tmp_path, {"n": 2}, NEW, expected=state)
    with pytest.raises(GalleryError, match="changed by someone else"):
        write_state(tmp_path, {"n": 3}, OLD, expected=state)
    assert read_state(tmp_path)[0] == {"n": 2}


def test_readers_during_saves_see_whole_states(tmp_path: Path) -> None:
    states = [{"index.faiss": bytes([i]) * 5000, "references.jsonl": bytes([i]) * 300} for i in range(8)]
    write_state(tmp_path, {"i": 0}, states[0])
    done = threading.Event()
    problems: List[str] = []

    def read() -> None:
        while not done.is_set():
            try:
                header, files, _ = read_state(tmp_path)
            except GalleryError as error:
                problems.append(str(error))
            else:
                if files != states[header["i"]]:
                    problems.append(str(header))

    def write(first: int) -> None:
        for turn in range(24):
            i = (first + turn) % 8
            write_state(tmp_path, {"i": i}, states[i])

    writers = [threading.Thread(target=write, args=(i,)) for i in (0, 3)]
    reader = threading.Thread(target=read)
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert not problems
    assert names(tmp_path) == ["gallery.json", "index.faiss", "references.jsonl"]


def test_ctrl_c_just_after_the_moment_of_change_keeps_the_new_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(tmp_path, {}, OLD)
    real = Path.replace

    def interrupted(path: Path, target: Path) -> None:
        real(path, target)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_state(tmp_path, {}, NEW)
    assert read_state(tmp_path)[1] == NEW


def nothing(_now: Dict[str, Any], _before: Dict[str, Any]) -> None:
    """Leave the state before as it was."""


def test_the_last_change_can_be_taken_back_and_brought_again(tmp_path: Path) -> None:
    write_state(tmp_path, {"n": 1}, OLD)
    with pytest.raises(GalleryError, match="nothing to undo"):
        undo_state(tmp_path, nothing)
    write_state(tmp_path, {"n": 2}, NEW)
    undo_state(tmp_path, nothing)
    assert read_state(tmp_path)[:2] == ({"n": 1}, OLD)
    undo_state(tmp_path, nothing)
    assert read_state(tmp_path)[:2] == ({"n": 2}, NEW)


def test_a_damaged_state_before_is_not_brought_back(tmp_path: Path) -> None:
    write_state(tmp_path, {"n": 1}, OLD)
    write_state(tmp_path, {"n": 2}, NEW)
    kept = tmp_path / "previous"
    for name in sorted(path.name for path in kept.iterdir()):
        whole = (kept / name).read_bytes()
        (kept / name).unlink()  # the same bytes may have a name in the gallery too
        for damaged in (b"", whole[:-2], bytes([whole[0] ^ 4]) + whole[1:]):
            (kept / name).write_bytes(damaged)
            with pytest.raises(GalleryError):
                undo_state(tmp_path, nothing)
            assert read_state(tmp_path)[:2] == ({"n": 2}, NEW)
        (kept / name).write_bytes(whole)
    undo_state(tmp_path, nothing)


def test_a_state_before_of_another_gallery_is_not_taken(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_state(tmp_path / name, {"n": name}, OLD)
        write_state(tmp_path / name, {"n": name * 2}, NEW)
    shutil.rmtree(tmp_path / "a" / "previous")
    shutil.copytree(tmp_path / "b" / "previous", tmp_path / "a" / "previous")
    with pytest.raises(GalleryError, match="nothing to undo"):
        undo_state(tmp_path / "a", nothing)


def test_no_links_on_the_disk_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuses)
    write_state(tmp_path, {"n": 1}, OLD)
    write_state(tmp_path, {"n": 2}, NEW)
    undo_state(tmp_path, nothing)
    assert read_state(tmp_path)[:2] == ({"n": 1}, OLD)
