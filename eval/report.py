"""One self-contained HTML page: text, tables, figures and faces, readable in light and dark and on paper."""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from typing import Any, Optional, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from eval.language import ENGLISH, Words
from galleries.errors import require

_STYLE = """
:root { color-scheme: light dark;
  --ink: #1d1f23; --soft: #666; --line: #ddd; --card: #f6f6f4; --good: #00694a; --bad: #a33b00; --paper: #fff; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e6; --soft: #a0a0a0; --line: #444; --card: #24262b; --good: #3fc79a; --bad: #ff9a5c;
    --paper: #17181b; } }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink);
  background: var(--paper); max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
body.wide { max-width: 110rem; margin-top: 1rem; }
body.wide h1 { font-size: 1.25rem; margin: .4rem 0; } body.wide p.lead { margin: .4rem 0; }
h1 { font-size: 1.7rem; line-height: 1.25; }
h2 { font-size: 1.2rem; margin-top: 2.4rem; }
p.lead { color: var(--soft); }
.tiles { display: flex; flex-wrap: wrap; gap: 1rem; }
.tile { background: var(--card); border-radius: .6rem; padding: .9rem 1.2rem; flex: 1 1 14rem; }
.tile b { font-size: 1.9rem; display: block; }
.tile span { color: var(--soft); font-size: .9rem; }
table { border-collapse: collapse; }
th, td { padding: .25rem .8rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child, .facts td { text-align: left; }
.facts thead { display: none; }
h3 { font-size: 1rem; margin: 1.4rem 0 .2rem; break-after: avoid; }
.soft { color: var(--soft); font-size: .9rem; }
.query { display: flex; flex-wrap: wrap; gap: .5rem; align-items: flex-start;
  padding: .7rem 0; border-bottom: 1px solid var(--line); break-inside: avoid; }
figure { margin: 0; width: 84px; font-size: .74rem; line-height: 1.25; text-align: center; color: var(--soft); }
figure img { width: 84px; height: 84px; border-radius: .3rem; display: block; margin-bottom: .2rem; }
figure.asked { width: 150px; margin-right: 1rem; }
figure.asked img { width: 96px; height: 96px; margin: 0 auto .2rem; }
.right { color: var(--good); } .right b::before { content: "✓ "; }
.wrong { color: var(--bad); } .wrong b::before { content: "✗ "; }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } .tile { border: 1px solid var(--line); }
  table, .tile, .plotly-graph-div { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Evidence:
    """A query and the faces its answer rests on.

    Attributes:
        picture: uint8 (H, W) or (H, W, 3) RGB.
        truth: Its true emotion.
        answer: What the neighbours voted for.
        confidence: Their vote share, 0-1.
        neighbours: (picture, emotion, distance) of each, nearest first.
    """

    picture: NDArray[np.uint8]
    truth: str
    answer: str
    confidence: float
    neighbours: tuple[tuple[NDArray[np.uint8], str, float], ...]


def page(title: str, lead: str, sections: Sequence[str], language: str = "en", wide: bool = False) -> str:
    """Put a page together.

    Args:
        title: Plain text.
        lead: Plain text, one or two sentences.
        sections: HTML, in order, from the functions of this module.
        language: Of its text, for browsers and screen readers.
        wide: Whether it may take the whole window, as a map does.

    Returns:
        A whole HTML document that loads nothing from elsewhere.
    """
    return (
        f"<!doctype html>\n<html lang='{html.escape(language)}'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body class='{'wide' if wide else 'text'}'>\n"
        f"<h1>{html.escape(title)}</h1>\n<p class='lead'>{html.escape(lead)}</p>\n"
        + "\n".join(sections)
        + "\n</body>\n</html>\n"
    )


def tiles(entries: Sequence[tuple[str, str]]) -> str:
    """Large numbers in a row: (number, what it is)."""
    cells = (f"<div class='tile'><b>{html.escape(n)}</b><span>{html.escape(what)}</span></div>" for n, what in entries)
    return f"<div class='tiles'>{''.join(cells)}</div>"


def section(title: str, *parts: str, text: str = "") -> str:
    """A heading, a paragraph and HTML parts."""
    paragraph = f"<p>{html.escape(text)}</p>" if text else ""
    return f"<section><h2>{html.escape(title)}</h2>{paragraph}{''.join(parts)}</section>"


def html_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; cells after the first are aligned right."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def figures(*drawn: Optional[Any]) -> list[str]:
    """Plotly figures as HTML; plotly's own code is put into the first, so that the page needs no network."""
    io = require("plotly.io", "eval")
    out: list[str] = []
    for figure in drawn:
        if figure is not None:
            out.append(
                io.to_html(
                    figure,
                    include_plotlyjs="inline" if not out else False,
                    full_html=False,
                    config={"displayModeBar": False, "responsive": True},
                )
            )
    return out


def evidence(queries: Sequence[Evidence], words: Words = ENGLISH) -> str:
    """Each query beside the neighbours that voted, right and wrong ones marked by sign and colour."""
    out = []
    for query in queries:
        verdict = "right" if query.answer == query.truth else "wrong"
        asked = (
            f"<figure class='asked'>{_image(query.picture, words)}<span class='{verdict}'>"
            f"<b>{html.escape(words.emotion(query.answer))}</b> "
            f"({100 * query.confidence:.0f} % {words('of_the_vote')})</span>"
            f"<br>{words('is')} {html.escape(words.emotion(query.truth))}</figure>"
        )
        voters = "".join(
            f"<figure>{_image(picture, words)}{html.escape(words.emotion(emotion))}<br>"
            f"{words.number(distance, 3)}</figure>"
            for picture, emotion, distance in query.neighbours
        )
        out.append(f"<div class='query'>{asked}{voters}</div>")
    return "".join(out)


def _image(picture: NDArray[np.uint8], words: Words) -> str:
    stored = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".png", stored)
    alt = html.escape(words("face"))
    return f"<img alt='{alt}' src='data:image/png;base64,{base64.b64encode(data.tobytes()).decode()}'>"
