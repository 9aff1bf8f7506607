"""The newest picture as a page for this machine alone."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from typing import Any

import cv2
import numpy as np
import pytest

from galleries.errors import EmotionsError
from galleries.live_page import LivePage

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def test_the_page_shows_the_newest_picture() -> None:
    with LivePage() as page:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", page.url)
        with OPENER.open(page.url, timeout=30) as answer:
            assert b"/stream.mjpg" in answer.read()
        page.show(np.full((40, 60, 3), (250, 0, 0), np.uint8))
        with OPENER.open(page.url + "frame.jpg", timeout=30) as answer:
            assert answer.headers["Content-Type"] == "image/jpeg"
            shown = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)
        assert shown.shape == (40, 60, 3)
        assert shown[20, 20, 2] > 200  # red, in OpenCV's order
        with OPENER.open(page.url + "stream.mjpg", timeout=30) as stream:
            first = read_part(stream)
            page.show(np.full((40, 60, 3), (0, 0, 250), np.uint8))
            second = read_part(stream)
            assert page.viewers == 1
        assert first[20, 20, 2] > 200
        assert second[20, 20, 0] > 200
        url = page.url
    with pytest.raises(urllib.error.URLError):
        OPENER.open(url, timeout=5)


def read_part(stream: Any) -> np.ndarray:
    """The next picture of a multipart stream."""
    length = 0
    while True:
        line = stream.readline().strip()
        if line.startswith(b"Content-Length:"):
            length = int(line.split(b":")[1])
        if not line and length:
            data = stream.read(length)
            return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize(("path", "host", "code"), [("absent", None, 404), ("frame.jpg", "evil.example", 403)])
def test_the_page_refuses_the_rest(path: str, host: Any, code: int) -> None:
    with LivePage() as page:
        request = urllib.request.Request(page.url + path, headers={} if host is None else {"Host": host})
        with pytest.raises(urllib.error.HTTPError) as error:
            OPENER.open(request, timeout=30)
        assert error.value.code == code
        error.value.close()
        with pytest.raises(EmotionsError, match="another port"):
            LivePage(page.port)
