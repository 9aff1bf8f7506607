"""The page: whole, self-contained, and safe with any text."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eval import figures, report
from eval.metrics import score

VOID = {"meta", "img", "br"}


class Balance(HTMLParser):
    """Collects text, and notes tags that are closed in the wrong order and addresses that are loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.loaded: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(document: str) -> Balance:
    parser = Balance()
    parser.feed(document)
    parser.close()
    return parser


@given(
    st.text(max_size=40),
    st.text(max_size=40),
    st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=3),
)
def test_any_text_is_shown_as_text(title: str, lead: str, numbers: list[tuple[str, str]]) -> None:
    document = report.page(title, lead, [report.tiles(numbers), report.html_table([title], [[lead]])])
    seen = parsed(document)
    assert not seen.wrong
    assert not seen.open
    flat = re.sub(r"\s+", "", seen.text.replace("\x00", ""))
    for text in (title, lead):
        assert re.sub(r"\s+", "", text.replace("\x00", "")) in flat or "\r" in text


def test_a_page_with_figures_and_faces_loads_nothing_from_elsewhere() -> None:
    scores = score(["a", "b", "b"], ["a", "b", "a"], ["a", "b"])
    history = [{"epoch": 1, "val_knn": 0.4}, {"epoch": 2, "val_knn": 0.6}]
    drawn = report.figures(figures.learning_curve(history, 0.5), None, figures.confusion_matrix(scores))
    face = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48)
    shown = report.evidence([report.Evidence(face, "a", "b", 0.75, ((face, "b", 0.125),))])
    seen = parsed(report.page("t", "l", [*drawn, shown]))
    assert len(drawn) == 2
    assert seen.loaded
    assert all(address.startswith("data:image/png;base64,") for address in seen.loaded)
    assert "75 % of the vote" in seen.text
    assert "0.125" in seen.text


def test_faces_are_put_in_unchanged() -> None:
    face = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    markup = report.evidence([report.Evidence(face, "a", "a", 1.0, ())])
    data = base64.b64decode(re.search(r"base64,([^']+)'", markup)[1])  # type: ignore[index]
    stored = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(stored[..., ::-1], face)


def test_right_and_wrong_answers_are_told_apart_without_colour() -> None:
    face = np.zeros((8, 8), np.uint8)
    right = report.evidence([report.Evidence(face, "a", "a", 1.0, ())])
    wrong = report.evidence([report.Evidence(face, "a", "b", 1.0, ())])
    assert "class='right'" in right
    assert "class='wrong'" in wrong
    page = report.page("t", "l", [])
    assert "✓" in page
    assert "✗" in page
