"""Writing a file so that a reader sees the old content or the new, never half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Callable, Union

from galleries.errors import EmotionsError


def write_bytes(path: Union[str, Path], data: bytes) -> None:
    """Replace a file's content atomically: temporary file in the same folder, fsync, rename.

    Args:
        path: The file; its folder is made if missing.
        data: The new content.

    Raises:
        EmotionsError: The disk is full, or the place cannot be written. What was there before is untouched.
    """

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:  # noqa: PTH123 - tests replace the builtin to fill the disk
            file.write(data)

    write_with(path, write)


def write_text(path: Union[str, Path], text: str) -> None:
    """Replace a text file's content atomically, in UTF-8. Raises as :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_with(path: Union[str, Path], write: Callable[[Path], None]) -> None:
    """Replace a file atomically by one that ``write`` makes.

    Args:
        path: The file; its folder is made if missing.
        write: Is given a temporary path in the same folder, and writes the new content there.

    Raises:
        EmotionsError: The disk is full, or the place cannot be written. What was there before is untouched.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        sync(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        raise EmotionsError(
            f"{path} could not be written ({reason}); what was there before is unharmed. Free space or choose "
            "another place, and run the command again."
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    handle = os.open(str(path), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
