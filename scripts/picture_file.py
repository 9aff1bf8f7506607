"""Plotly figures as PNG and SVG files, by kaleido, which needs Chrome or Chromium."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Optional

from galleries.atomic import write_bytes
from galleries.errors import ConfigError, EmotionsError, MissingExtra

SUFFIXES = (".png", ".svg")


def check_drawable(*paths: Optional[Path]) -> None:
    """Refuse, before any work is done, pictures that cannot be drawn here.

    Args:
        paths: Files to be written; None where none was asked for.

    Raises:
        ConfigError: A file does not end in .png or .svg.
        MissingExtra: kaleido is not installed.
    """
    wanted = [path for path in paths if path is not None]
    for path in wanted:
        if path.suffix.lower() not in SUFFIXES:
            raise ConfigError(f"{path} should end in {' or '.join(SUFFIXES)}, the kinds of pictures drawn here.")
    if wanted and importlib.util.find_spec("kaleido") is None:
        raise MissingExtra(
            "Pictures need 'kaleido', which is not installed here. Install it with: pip install 'kaleido>=1.5' (it "
            "draws with Chrome or Chromium), or save one in the page itself with the camera button."
        )


def save_picture(figure: Any, path: Path, width: int = 1400, height: int = 1000) -> None:
    """Write a figure as a picture, atomically.

    Args:
        figure: A plotly Figure.
        path: Ends in .png (drawn at twice the size) or .svg.
        width: Pixels.
        height: Pixels.

    Raises:
        EmotionsError: The browser that draws is missing or fails, or the file cannot be written.
    """
    kind = path.suffix.lower()[1:]
    try:
        data: bytes = figure.to_image(format=kind, width=width, height=height, scale=2 if kind == "png" else 1)
    except Exception as error:  # kaleido and the browser behind it share no base class
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise EmotionsError(
            f"{path} could not be drawn ({reason}); kaleido 1.5 or newer and Chrome or Chromium are needed, or save a "
            "picture in the page itself with the camera button."
        ) from error
    write_bytes(path, data)
