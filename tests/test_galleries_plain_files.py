from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Dict, List

import pytest

from galleries.errors import GalleryError
from galleries.plain_files import locked, make_folder, read_plain
from galleries.storage import read_state, write_state

OLD: Dict[str, bytes] = {"index.faiss": b"old index", "references.jsonl": b"old lines", "thumbnails.npy": b"old"}


def test_no_more_is_read_than_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    assert read_plain(tmp_path / "file", 100) == b"0123456789"
    assert read_plain(tmp_path / "file", 3) == b"0123", "one byte more tells that there is more"
    assert read_plain(tmp_path / "absent", 3) is None
    assert read_plain(tmp_path / "file" / "below", 3) is None
    with pytest.raises(GalleryError, match="not a plain file"):
        read_plain(tmp_path, 3)


@pytest.mark.skipif(os.name != "posix", reason="links and pipes as on Linux")
def test_links_pipes_and_folders_are_refused(tmp_path: Path) -> None:
    folder, secret = tmp_path / "gallery", tmp_path / "secret"
    write_state(folder, {}, OLD)
    secret.write_bytes(OLD["index.faiss"])
    (folder / "index.faiss").unlink()
    (folder / "index.faiss").symlink_to(secret)
    with pytest.raises(GalleryError, match="it is a link"):
        read_state(folder)
    (folder / "index.faiss").unlink()
    os.mkfifo(folder / "index.faiss")
    with pytest.raises(GalleryError, match="not a plain file"):
        read_state(folder)
    (folder / "index.faiss").unlink()
    (folder / "index.faiss").mkdir()
    with pytest.raises(GalleryError, match="not a plain file"):
        read_state(folder)


def test_the_folders_that_were_made_are_told(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b") == [tmp_path / "a", tmp_path / "a" / "b"]
    assert make_folder(tmp_path / "a" / "b") == []


@pytest.mark.skipif(os.name != "posix", reason="locks as on Linux")
def test_savers_wait_for_one_another(tmp_path: Path) -> None:
    order: List[str] = []

    def other() -> None:
        with locked(tmp_path):
            order.append("second")

    with locked(tmp_path):
        waiting = threading.Thread(target=other)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    with locked(tmp_path, shared=True), locked(tmp_path, shared=True):  # readers do not wait for readers
        order.append("both")
    with locked(tmp_path / "absent"):
        order.append("without a lock")
    assert order[2:] == ["both", "without a lock"]
