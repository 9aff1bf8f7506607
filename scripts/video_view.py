"""Showing an annotated film while it runs: a window where OpenCV has one, a page on this machine elsewhere."""

from __future__ import annotations

import os
import sys
from typing import Any, Optional, Union

import cv2

from emotions_cli import console
from galleries.live_page import LivePage

_TITLE = "emotions video (q ends)"
_ENDS = (ord("q"), 27)  # q, Escape


class Window:
    """OpenCV's own window.

    Raises:
        cv2.error: This OpenCV has none, as the headless wheels.
    """

    def __init__(self) -> None:
        cv2.namedWindow(_TITLE, cv2.WINDOW_AUTOSIZE)

    def show(self, image: Any) -> bool:
        """Show a picture, uint8 (H, W, 3) RGB; False when the person has closed the window or pressed q."""
        cv2.imshow(_TITLE, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        pressed = cv2.waitKey(1) & 0xFF in _ENDS
        return not pressed and cv2.getWindowProperty(_TITLE, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()


class Page:
    """The same as a page on 127.0.0.1; its address is said on standard error.

    Args:
        port: The port; 0 takes a free one.
    """

    def __init__(self, port: int = 0) -> None:
        self._page = LivePage(port)
        console.say(f"watch at {self._page.url} (Ctrl-C ends)")

    def show(self, image: Any) -> bool:
        """Show a picture, uint8 (H, W, 3) RGB; True: a page is never closed by its viewer."""
        self._page.show(image)
        return True

    def close(self) -> None:
        """Take the page down."""
        self._page.close()


def open_view(port: Optional[int] = None) -> Union[Window, Page]:
    """A window if there is one and no port was asked for, else a page."""
    has_display = not sys.platform.startswith("linux") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if port is None and has_display:
        try:
            return Window()
        except cv2.error:
            pass  # a headless wheel
    return Page(port or 0)
