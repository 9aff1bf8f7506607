"""A gallery's folder: several plain files that change together or not at all.

A state is ``gallery.json`` and the payload files it names, each with its size and BLAKE2b checksum. Saving goes so:

1. every payload file that changed is written beside its place as ``NAME.CHECKSUM.next`` and flushed to the disk;
2. ``gallery.json`` is replaced by a rename — this is the moment of change;
3. the ``.next`` files are moved over their plain names.

The files of the state before stay in ``previous/`` (as further names of the same bytes where the file system can), so
that the last change can be undone.

A kill before 2 leaves the old state (the ``.next`` files are litter, cleared by the next save); a kill after it leaves
the new one, since a reader takes the plain file or the ``.next`` one, whichever has the checksum that ``gallery.json``
states, and the next save finishes the moves. ``index.faiss`` is a whole index that plain FAISS opens at every moment.
A reader that meets a save in progress waits for its end. Savers wait for one another by a lock on the folder.

Checksums are verified before any other library sees a byte. Only the names in :data:`galleries.header.PAYLOAD` are ever
opened, and never through a link, so a gallery from a stranger cannot point elsewhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from galleries.atomic import sync
from galleries.content import Content, Read, measure, measure_file, put_content
from galleries.errors import GalleryError
from galleries.header import BOOKKEEPING, FORMAT, HEADER, PAYLOAD, header_checksum, read_header, version_of
from galleries.plain_files import locked, make_folder, read_checked

PREVIOUS = "previous"
"""The folder of the state before the last change."""


def read_state(folder: Path) -> Tuple[Dict[str, Any], Dict[str, Read], str]:
    """Read a gallery's folder, every byte verified.

    Args:
        folder: The gallery.

    Returns:
        The header without its bookkeeping, the payload files by name (large ones as views of the mapped file), and the
        state's name (64 hex digits).

    Raises:
        GalleryError: It is missing, no gallery, damaged, or of a newer version.
    """
    try:
        return _read_once(folder)
    except GalleryError:  # damage, or a save in progress: the lock tells which
        if not folder.is_dir():
            raise
        with locked(folder, shared=True):
            return _read_once(folder)


def _read_once(folder: Path) -> Tuple[Dict[str, Any], Dict[str, Read], str]:
    header = read_header(folder)
    files = {name: _read_payload(folder, name, entry) for name, entry in header["files"].items()}
    return {key: value for key, value in header.items() if key not in BOOKKEEPING}, files, header["checksum"]


def write_state(
    folder: Path, described: Mapping[str, Any], files: Mapping[str, Content], expected: Optional[str] = None
) -> str:
    """Replace a gallery's whole state, or leave it as it was.

    Args:
        folder: The gallery; made if missing.
        described: What the header says beside the bookkeeping; JSON values.
        files: Payload files by name, keys of :data:`galleries.header.PAYLOAD`.
        expected: The state's name this one follows; None replaces whatever is there.

    Returns:
        The new state's name.

    Raises:
        GalleryError: The disk is full, the folder cannot be written, or the state is not the expected one.
    """
    assert set(files) <= set(PAYLOAD)
    measured = {name: measure(data) for name, data in files.items()}
    entries = {name: {"size": size, "blake2b": digest} for name, (size, digest) in measured.items()}
    version = version_of(described, files)
    header: Dict[str, Any] = {"format": FORMAT, "version": version, **described, "files": entries}
    made: List[Path] = []
    try:
        made = make_folder(folder)
        with locked(folder):
            return _write_locked(folder, header, files, expected)
    except OSError as error:
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir()  # only succeeds while empty
        raise GalleryError(
            f"{folder} could not be saved ({error.strerror or error}); what was there before is unchanged. "
            f"Free some space or choose another folder."
        ) from error


def _write_locked(folder: Path, header: Dict[str, Any], files: Mapping[str, Content], expected: Optional[str]) -> str:
    old = _settle(folder)
    if expected is not None and old.get("checksum") != expected:
        raise GalleryError(
            f"{folder} was changed by someone else since it was loaded, so it was not overwritten; load it again."
        )
    header["follows"] = old.get("checksum")
    header["checksum"] = header_checksum(header)
    entries: Mapping[str, Dict[str, Any]] = header["files"]
    changed = {name: entry for name, entry in entries.items() if not _holds(folder / name, entry)}
    fresh = folder / (HEADER + ".next")
    try:
        _keep(folder, old)
        for name, entry in changed.items():
            _write(_next_path(folder, name, entry), files[name])
        _write(fresh, (json.dumps(header, indent=1) + "\n").encode())
        sync(folder)
        fresh.replace(folder / HEADER)
    except BaseException:
        if not _is_current(folder, header):  # an interruption may come just after the moment of change
            for path in [fresh, *(_next_path(folder, name, entry) for name, entry in changed.items())]:
                with contextlib.suppress(OSError):
                    path.unlink()
            shutil.rmtree(folder / f"{PREVIOUS}.next", ignore_errors=True)
        raise
    with contextlib.suppress(OSError):  # the new state stands; readers find what could not be moved yet
        sync(folder)
        _settle(folder)
    return str(header["checksum"])


def _keep(folder: Path, old: Mapping[str, Any]) -> None:
    """Give the settled state's files further names in ``previous.next/``, if there is a state yet."""
    if not old["files"]:
        return
    kept = folder / f"{PREVIOUS}.next"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    for name in (HEADER, *old["files"]):
        try:
            os.link(folder / name, kept / name, follow_symlinks=False)
        except OSError:  # a file system without links, or a file that is damaged or gone
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(folder / name, kept / name, follow_symlinks=False)


def undo_state(folder: Path, mend: Callable[[Dict[str, Any], Dict[str, Any]], None]) -> str:
    """Put the state before the last change back; the one it takes the place of becomes the previous one.

    Args:
        folder: The gallery.
        mend: Called with the present and the previous state, each ``{"described": …, "files": …}``; may change what the
            previous one is to say before it is written.

    Returns:
        The state's name.

    Raises:
        GalleryError: There is no previous state, or one of both is damaged.
    """
    described, files, state = read_state(folder)
    follows = read_header(folder).get("follows")
    kept = next((path for path in _previous_places(folder) if _state_of(path) == follows), None)
    if follows is None or kept is None:
        raise GalleryError(f"{folder} keeps no state before its last change, so there is nothing to undo.")
    before_described, before_files, _ = read_state(kept)
    before = {"described": before_described, "files": before_files}
    mend({"described": described, "files": files}, before)
    return write_state(folder, before["described"], before["files"], state)


def _is_current(folder: Path, header: Mapping[str, Any]) -> bool:
    return _state_of(folder) == str(header["checksum"])


def _state_of(folder: Path) -> Optional[str]:
    """The name of the state in a folder; None if there is none, or a damaged one."""
    try:
        return str(read_header(folder)["checksum"])
    except GalleryError:
        return None


def _previous_places(folder: Path) -> Tuple[Path, Path]:
    """Where the state before the last change may be: in its place, or where a save that was cut off left it."""
    return folder / PREVIOUS, folder / f"{PREVIOUS}.next"


def _settle(folder: Path) -> Dict[str, Any]:
    """Finish a save that was cut off: move its files, clear litter. Returns the header, empty if there is none."""
    try:
        header = read_header(folder)
    except GalleryError:
        header = {"files": {}}  # none, or a damaged one about to be replaced
    for name, entry in header["files"].items():
        fresh = _next_path(folder, name, entry)
        if _holds(fresh, entry):
            fresh.replace(folder / name)
    place, waiting = _previous_places(folder)
    if waiting.is_dir():
        if _state_of(waiting) == header.get("follows"):
            shutil.rmtree(place, ignore_errors=True)
            waiting.replace(place)
        shutil.rmtree(waiting, ignore_errors=True)
    for path in folder.glob("*.next"):
        if path.name == HEADER + ".next" or path.name.split(".next")[0].rpartition(".")[0] in PAYLOAD:
            path.unlink()
    if header["files"]:
        for name in set(PAYLOAD) - set(header["files"]):
            with contextlib.suppress(FileNotFoundError):
                (folder / name).unlink()
    return header


def _read_payload(folder: Path, name: str, entry: Mapping[str, Any]) -> Read:
    found = False
    for path in (folder / name, _next_path(folder, name, entry)):
        try:
            data = read_checked(path, entry["size"], entry["blake2b"])
        except ValueError:
            found = True
            continue
        if data is not None:
            return data
    what = "is damaged: its checksum differs" if found else "is missing"
    raise GalleryError(f"{folder / name} {what}; restore the folder from a copy or build the gallery anew.")


def _holds(path: Path, entry: Mapping[str, Any]) -> bool:
    try:
        if path.is_symlink() or path.stat().st_size != entry["size"]:
            return False
        with path.open("rb") as file:
            return measure_file(file)[1] == str(entry["blake2b"])
    except OSError:
        return False


def _next_path(folder: Path, name: str, entry: Mapping[str, Any]) -> Path:
    return folder / f"{name}.{str(entry['blake2b'])[:16]}.next"


def _write(path: Path, data: Content) -> None:
    with path.open("wb") as file:
        put_content(data, file.write)
    sync(path)
