"""A map as one self-contained HTML page, or as a part of another: points by WebGL, faces from a sprite."""

from __future__ import annotations

import base64
import html
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval import figures, report
from eval.face_map import FaceMap
from eval.language import Words
from eval.map_points import ClusterQuality, MapPoints
from eval.map_script import SCRIPT, STYLE
from eval.sprite import sprite
from galleries.errors import require, unknown_name

COLOURINGS = ("emotion", "subject", "dataset", "verdict")
"""What points can be coloured by; ``verdict`` is whether the neighbours are right."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#A05195", "#7F7F7F")
"""Told apart with any colour vision (after Okabe and Ito, "Color Universal Design", 2008)."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "triangle-down")
SYMBOLS_3D = ("circle", "square", "diamond", "cross", "x", "circle-open", "square-open", "diamond-open")
VERDICT_COLOURS = ("#009E73", "#D55E00")

MOST = 24
"""Entries of a legend; of more people than these the most pictured are named."""


def map_page(drawn: FaceMap, words: Words, colour: str = "emotion", faces: bool = True) -> str:
    """The map as a page of its own.

    Args:
        drawn: What to show.
        words: In which language.
        colour: One of :data:`COLOURINGS`; buttons in the page change it.
        faces: Whether the faces themselves are put in, where they are known.

    Returns:
        A whole HTML document that loads nothing from elsewhere.

    Raises:
        ConfigError: The colouring is unknown.
    """
    code = require("plotly.offline", "eval").get_plotlyjs()
    body = [f"<script>{code}</script>", map_part(drawn, words, colour, faces)]
    return report.page(heading(drawn, words), words("map.lead"), body, language=words.language, wide=True)


def heading(drawn: FaceMap, words: Words) -> str:
    """How many faces, and the cluster numbers."""
    title = words("map.title", faces=words.number(len(drawn.references)), emotions=len(drawn.references.emotions))
    return f"{title}: {quality_sentence(drawn.quality, words)}"


def map_part(drawn: FaceMap, words: Words, colour: str = "emotion", faces: bool = True) -> str:
    """The map as a part of a page that holds plotly's code before it; at most one a page. As :func:`map_page`."""
    if colour not in COLOURINGS:
        raise unknown_name("way to colour a map", colour, COLOURINGS)
    data = json.dumps(_data(drawn, words, colour, faces), allow_nan=False).replace("<", "\\u003c")
    notes = html.escape(" ".join(map_notes(drawn, words, faces)))
    return (
        f"<style>{STYLE}</style>{_controls(drawn, words, colour)}<div id='map-plot'></div>"
        "<div id='map-card' hidden><div id='map-face'></div></div>"
        f"<p class='soft'>{notes}</p>"
        f"<script type='application/json' id='map-data'>{data}</script><script>{SCRIPT}</script>"
    )


def quality_sentence(quality: ClusterQuality, words: Words) -> str:
    """The cluster numbers in a sentence."""
    silhouette = quality.silhouette
    return words(
        "map.quality",
        purity=words.percent(quality.purity),
        floor=words.percent(quality.purity_floor),
        silhouette=words("map.no_silhouette") if silhouette is None else words.number(silhouette, 2),
        vote=words.percent(quality.leave_one_out),
        k=quality.n_neighbors,
    )


def map_notes(drawn: FaceMap, words: Words, faces: bool = True) -> list[str]:
    """How the map was made and what to keep in mind, in sentences."""
    made = drawn.projection
    notes = [] if made.reason is None else [words(f"map.{made.reason}")]
    variance = "100 %" if made.variance is None else words.percent(made.variance)
    notes.append(words(f"map.{made.method}", seed=drawn.seed, variance=variance))
    if len(drawn.references) < drawn.held:
        some, every = words.number(len(drawn.references)), words.number(drawn.held)
        notes.append(words("map.sampled", drawn=some, all=every))
    if drawn.queries is not None:
        right = words.percent(1 - float(drawn.queries.wrong.mean()))
        count = words.number(len(drawn.queries))
        notes.append(words("map.queries", count=count, dataset=drawn.queries.datasets[0], right=right))
    notes += [words("map.measured", sample=words.number(drawn.quality.silhouette_n)), words("map.no_test")]
    return [*notes, words("map.licence")] if faces and drawn.references.thumbnails is not None else notes


def printed_map(drawn: FaceMap, words: Words, colour: str = "emotion") -> Any:
    """The map as a plotly Figure for a picture file: coloured in one way, all points.

    Raises:
        ConfigError: The colouring is unknown.
    """
    if colour not in COLOURINGS:
        raise unknown_name("way to colour a map", colour, COLOURINGS)
    names, layers = _categories(drawn, words)[colour], []
    verdict = colour == "verdict"
    for number, (points, places) in enumerate(drawn.layers):
        symbols: tuple[str, ...] = SYMBOLS if drawn.dimensions == 2 else SYMBOLS_3D
        symbols = ("circle", "x") if verdict else symbols
        if number == 1 and drawn.dimensions == 2:
            symbols = tuple(f"{symbol}-open" for symbol in symbols)
        shown = [f"{name} ({words('map.query')})" if number == 1 else name for name in names]
        colours: tuple[str, ...] = VERDICT_COLOURS if verdict else COLOURS
        size = _point_size(len(drawn.references)) + 5 * number
        layers.append(figures.MapLayer(places, _codes(points, drawn)[colour], shown, colours, symbols, size))
    return figures.scatter_map(layers, heading(drawn, words))


def _controls(drawn: FaceMap, words: Words, colour: str) -> str:
    layers = [points for points, _ in drawn.layers]
    people = {name for points in layers for name in points.subjects if name is not None}
    known = {"emotion": True, "subject": bool(people), "dataset": True, "verdict": True}
    colours = [(key, words(f"map.{key}"), known[key]) for key in COLOURINGS]
    wrong = sum(int(points.wrong.sum()) for points in layers)
    isolated = sum(int(points.isolated.sum()) for points in layers)
    shown = [
        ("all", words("map.all"), True),
        ("wrong", words("map.wrong_only", count=words.number(wrong)), wrong > 0),
        ("isolated", words("map.isolated_only", count=words.number(isolated)), isolated > 0),
    ]
    groups = (("colour", words("map.colour"), colours, colour), ("only", words("map.only"), shown, "all"))
    return f"<div class='controls'>{''.join(_buttons(*group) for group in groups)}</div>"


def _buttons(choice: str, title: str, entries: list[tuple[str, str, bool]], pressed: str) -> str:
    made = [
        f"<button type='button' data-choice='{choice}' data-value='{value}' "
        f"aria-pressed='{'true' if value == pressed else 'false'}'{'' if possible else ' disabled'}>"
        f"{html.escape(text)}</button>"
        for value, text, possible in entries
    ]
    return f"<fieldset><legend>{html.escape(title)}</legend>{''.join(made)}</fieldset>"


def _data(drawn: FaceMap, words: Words, colour: str, faces: bool) -> dict[str, Any]:
    """What the script needs."""
    size = len(drawn.references)
    texts = ("others", "query", "vote", "neighbours", "isolated", "subject")
    layers, groups, first = [], [], 0
    for number, (points, places) in enumerate(drawn.layers):
        pictures = points.thumbnails if faces else None
        layers.append(
            {
                "isQuery": number == 1,
                "firstFace": None if pictures is None else first,
                **_layer(points, places, drawn),
            }
        )
        if pictures is not None:
            groups.append(pictures)
            first += len(pictures)
    return {
        "dimensions": drawn.dimensions,
        "ranges": _ranges(np.concatenate([places for _, places in drawn.layers])),
        "colour": colour,
        "colours": COLOURS,
        "verdictColours": VERDICT_COLOURS,
        "symbols": SYMBOLS,
        "symbols3d": SYMBOLS_3D,
        "size": _point_size(size),
        "opacity": 0.6 if size > 4000 else 0.8,
        "most": MOST,
        "words": {key: words(f"map.{key}") for key in texts},
        "categories": _categories(drawn, words),
        "layers": layers,
        "sprite": sprite(groups).to_json(),
    }


def _people(drawn: FaceMap) -> list[str]:
    return sorted({name for points, _ in drawn.layers for name in points.subjects if name is not None})


def _datasets(drawn: FaceMap) -> list[str]:
    return list(dict.fromkeys(name for points, _ in drawn.layers for name in points.datasets))


def _categories(drawn: FaceMap, words: Words) -> dict[str, list[str]]:
    """Of each way to colour the names of its codes."""
    return {
        "emotion": [words.emotion(name) for name in drawn.emotions],
        "subject": [words("map.unknown"), *_people(drawn)],
        "dataset": _datasets(drawn),
        "verdict": [words("map.right"), words("map.wrong")],
    }


def _codes(points: MapPoints, drawn: FaceMap) -> dict[str, NDArray[np.int64]]:
    """Of each way to colour the points' codes, int64 (N,)."""
    person = {name: place for place, name in enumerate(_people(drawn), start=1)}
    dataset = {name: place for place, name in enumerate(_datasets(drawn))}
    return {
        "emotion": _emotion_codes(points, drawn)[points.labels],
        "subject": np.array([0 if name is None else person[name] for name in points.subjects], np.int64),
        "dataset": np.array([dataset[name] for name in points.datasets], np.int64),
        "verdict": points.wrong.astype(np.int64),
    }


def _emotion_codes(points: MapPoints, drawn: FaceMap) -> NDArray[np.int64]:
    """A layer's codes of emotions as the map's."""
    return np.array([drawn.emotions.index(name) for name in points.emotions], np.int64)


def _layer(points: MapPoints, places: NDArray[np.float32], drawn: FaceMap) -> dict[str, Any]:
    code = _emotion_codes(points, drawn)
    return {
        "size": len(points),
        "voters": points.neighbours.shape[1],
        "axes": [_packed(places[:, axis]) for axis in range(places.shape[1])],
        "codes": {key: _packed(values) for key, values in _codes(points, drawn).items()},
        "answers": _packed(code[points.answers]),
        "neighbours": _packed(code[points.neighbours].reshape(-1)),  # (N, k) -> (N * k,)
        "isolated": _packed(points.isolated),
        "sources": points.sources,
    }


def _point_size(count: int) -> int:
    """Pixels of a point among so many."""
    return 4 if count > 20_000 else 5 if count > 4000 else 7


def _packed(values: NDArray[Any]) -> dict[str, str]:
    """Numbers for a typed array of the browser: little-endian bytes as base64, and their kind."""
    if values.dtype.kind == "f":
        kind = "f4"
    else:
        top = int(values.max(initial=0))
        kind = "u1" if top < 1 << 8 else "u2" if top < 1 << 16 else "u4"
    return {"kind": kind, "data": base64.b64encode(values.astype(f"<{kind}").tobytes()).decode()}


def _ranges(places: NDArray[np.float32]) -> list[list[float]]:
    """Of each axis the range that shows every point, with a margin."""
    low, high = places.min(axis=0), places.max(axis=0)
    margin = np.maximum(0.04 * (high - low), 1e-3)
    return [[float(a), float(b)] for a, b in zip(low - margin, high + margin)]
