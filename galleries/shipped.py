"""The tower and the gallery that come with the toolkit, so that a photograph gets an answer from the first install.

They are a bundle in the package's folder ``pretrained/``, vectors and no pictures, which ``emotions export --shipped``
writes; every byte is checked before it is used. ``card.md`` beside them says what they are for and what not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Sequence, Union

from galleries.bundle import Bundle, open_bundle
from galleries.errors import GalleryError

NAME = "pretrained"
"""What a person writes where a gallery's folder is expected."""

FOLDER = Path(__file__).parent / NAME
"""Where they lie."""

CARD = "card.md"
"""The model card, for people."""


def is_shipped(path: Union[str, Path]) -> bool:
    """Whether a path means the gallery that comes with the toolkit: its name, unless there is such a file or folder."""
    return str(path) == NAME and not Path(path).exists()


def open_shipped(
    providers: Optional[Sequence[str]] = None, threads: Optional[int] = None, folder: Optional[Path] = None
) -> Bundle:
    """Open the tower and the gallery that come with the toolkit.

    Args:
        providers: As :class:`galleries.encoder.OnnxEncoder`.
        threads: As :class:`galleries.encoder.OnnxEncoder`.
        folder: Where they lie; the package's own by default.

    Raises:
        GalleryError: This installation lacks them, or they are damaged.
        TowerError: The tower cannot be opened here.
        ConfigError: A provider or number of threads that cannot be had.
    """
    folder = FOLDER if folder is None else folder
    if not folder.is_dir():
        raise GalleryError(
            f"This installation has no gallery of its own ({folder} is missing); install siamese-emotions again, or "
            "name a gallery."
        )
    try:
        return open_bundle(folder, providers, threads)
    except GalleryError as error:
        raise GalleryError(
            f"The gallery that comes with the toolkit is damaged ({str(error).split(';')[0].rstrip('.')}); install "
            "siamese-emotions again, or name a gallery."
        ) from error
