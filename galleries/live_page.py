"""The newest picture as a page on this machine, where OpenCV has no window: MJPEG over HTTP, for 127.0.0.1 alone."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Optional, Tuple, Type

import cv2
import numpy as np
from numpy.typing import NDArray

from galleries.errors import EmotionsError

HOST = "127.0.0.1"

_BREAK = "frame"
_WAIT = 1.0
_QUALITY = 85
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>emotions video</title>
<style>body{margin:0;background:#18191d;display:flex;min-height:100vh;align-items:center;justify-content:center}
img{max-width:100vw;max-height:100vh}</style><img src="/stream.mjpg" alt="the annotated film"></html>
"""


class LivePage:
    """Serves a page that shows the newest picture. Pictures nobody is quick enough to fetch are left out.

    Only this machine can reach it, and only under its own name, so that no other site's page can read along.

    Attributes:
        url: Where to look.
        viewers: Streams being watched.

    Args:
        port: The port; 0 takes a free one.

    Raises:
        EmotionsError: The port is taken.
    """

    def __init__(self, port: int = 0) -> None:
        self._change = threading.Condition()
        self._picture: Optional[NDArray[np.uint8]] = None
        self._version = 0
        self._closed = False
        self.viewers = 0
        try:
            self._server = _Server((HOST, port), self)
        except (OSError, OverflowError) as error:
            raise EmotionsError(f"No page can be served on {HOST}:{port} ({error}); give another port.") from error
        self.port = int(self._server.server_address[1])
        self.url = f"http://{HOST}:{self.port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="emotions-page", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> LivePage:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def show(self, image: NDArray[np.uint8]) -> None:
        """Show a picture from now on.

        Args:
            image: uint8 (H, W, 3) RGB; not to be changed afterwards.
        """
        with self._change:
            self._picture, self._version = image, self._version + 1
            self._change.notify_all()

    def close(self) -> None:
        """End every stream and give the port back."""
        with self._change:
            was_closed, self._closed = self._closed, True
            self._change.notify_all()
        if was_closed:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def newer(self, version: int) -> Tuple[Optional[bytes], int]:
        """Wait for a picture newer than a version.

        Returns:
            It as JPEG with its version; None when the page is closed.
        """
        with self._change:
            while not self._closed and (self._picture is None or self._version == version):
                self._change.wait(_WAIT)
            picture, version = self._picture, self._version
            if self._closed or picture is None:
                return None, version
        quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
        return (data.tobytes() if done else None), version

    def count(self, by: int) -> None:
        """Note that a stream begins (1) or ends (-1)."""
        with self._change:
            self.viewers += by


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: Tuple[str, int], page: LivePage) -> None:
        self.page = page
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer that leaves is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_GET(self) -> None:
        own = {f"{name}:{self.server.server_address[1]}" for name in (HOST, "localhost")}
        if self.headers.get("Host") not in own:
            self.send_error(403, "only under this machine's own name")
        elif self.path == "/":
            self._answer("text/html; charset=utf-8", _PAGE)
        elif self.path == "/frame.jpg":
            data, _ = self.server.page.newer(0)
            self._answer("image/jpeg", data or b"")
        elif self.path == "/stream.mjpg":
            self._stream()
        else:
            self.send_error(404, "there are /, /frame.jpg and /stream.mjpg")

    def _answer(self, kind: str, data: bytes) -> None:
        self._begin(kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")

    def _stream(self) -> None:
        self._begin(f"multipart/x-mixed-replace; boundary={_BREAK}")
        self.end_headers()
        self.server.page.count(1)
        version = 0
        try:
            while True:
                data, version = self.server.page.newer(version)
                if data is None:
                    return
                head = f"--{_BREAK}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
        finally:
            self.server.page.count(-1)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a library prints nothing."""
