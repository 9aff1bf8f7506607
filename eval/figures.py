"""Figures: functions that return a plotly Figure and write nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.language import ENGLISH, Words
from eval.metrics import Scores
from galleries.errors import require

_LINES = ("#0072B2", "#D55E00", "#009E73")
"""Colours that people with any colour vision tell apart (Okabe and Ito, "Color Universal Design", 2008)."""


@dataclass(frozen=True)
class MapLayer:
    """Points of a printed map.

    Attributes:
        places: float32 (N, 2) or (N, 3).
        codes: int64 (N,), category of each.
        names: Of the categories.
        colours: Of the categories; used in turn where there are fewer.
        symbols: plotly's names, as ``colours``.
        size: Of a point, pixels.
    """

    places: NDArray[np.float32]
    codes: NDArray[np.int64]
    names: Sequence[str]
    colours: Sequence[str]
    symbols: Sequence[str]
    size: float


def plain_layout(figure: Any, **options: Any) -> Any:
    """Give a figure the look that all of the project's figures share.

    Args:
        figure: A plotly Figure; it is changed.
        options: More of plotly's layout.

    Returns:
        The figure.
    """
    figure.update_layout(
        template="plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 14, "color": "#777"},
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        **options,
    )
    return figure


def learning_curve(history: Sequence[Mapping[str, Any]], chance: float, words: Words = ENGLISH) -> Any:
    """Validation accuracy of every epoch, with the chance floor.

    Args:
        history: Rows of ``history.csv``: ``epoch``, ``val_knn``, maybe ``val_softmax``; shares 0-1.
        chance: Accuracy of guessing, 0-1.
        words: In which language.

    Returns:
        A plotly Figure.
    """
    go = require("plotly.graph_objects", "eval")
    figure = go.Figure()
    epochs = [row["epoch"] for row in history]
    lines = (("val_knn", words("knn"), "solid", "circle"), ("val_softmax", words("softmax"), "dash", "square"))
    for colour, (key, name, dash, symbol) in zip(_LINES, lines):
        if key in history[0]:
            figure.add_scatter(
                x=epochs,
                y=[100 * row[key] for row in history],
                name=name,
                mode="lines+markers",
                line={"color": colour, "dash": dash},
                marker={"symbol": symbol, "size": 8},
            )
    figure.add_hline(y=100 * chance, line_dash="dot", line_color="#999", annotation_text=words("chance"))
    figure.update_xaxes(title=words("epoch"), dtick=max(1, len(epochs) // 12))
    figure.update_yaxes(title=words("validation"), rangemode="tozero")
    return plain_layout(figure, height=340, showlegend="val_softmax" in history[0])


def loss_curve(history: Sequence[Mapping[str, Any]], words: Words = ENGLISH) -> Any:
    """Training loss of every epoch.

    Args:
        history: Rows of ``history.csv``: ``epoch`` and ``loss``.
        words: In which language.

    Returns:
        A plotly Figure.
    """
    go = require("plotly.graph_objects", "eval")
    epochs = [row["epoch"] for row in history]
    line = {"color": _LINES[2]}
    figure = go.Figure(go.Scatter(x=epochs, y=[row["loss"] for row in history], mode="lines+markers", line=line))
    figure.update_xaxes(title=words("epoch"), dtick=max(1, len(epochs) // 12))
    figure.update_yaxes(title=words("loss"))
    return plain_layout(figure, height=280)


def confusion_matrix(scores: Scores, words: Words = ENGLISH) -> Any:
    """Rows of true emotions, columns of answers: the share of a row in colour, and the counts in the cells.

    Args:
        scores: A classification's result.
        words: In which language.

    Returns:
        A plotly Figure.
    """
    go = require("plotly.graph_objects", "eval")
    counts = scores.confusion
    names = [words.emotion(name) for name in scores.emotions]
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [[f"{100 * rate:.0f} %<br>{count}" for rate, count in zip(*row)] for row in zip(rates, counts)]
    figure = go.Figure(
        go.Heatmap(
            z=100 * rates,
            x=names,
            y=names,
            text=labels,
            texttemplate="%{text}",
            colorscale="Blues",
            zmin=0,
            zmax=100,
            colorbar={"title": words("of_row")},
            hovertemplate=f"%{{y}} {words('called')} %{{x}}: %{{z:.1f}} %<extra></extra>",
        )
    )
    figure.update_xaxes(title=words("answer"), side="bottom")
    figure.update_yaxes(title=words("truth"), autorange="reversed")
    return plain_layout(figure, height=120 + 58 * len(scores.emotions))


def growth_curve(steps: Sequence[Mapping[str, Any]], threshold: float, criterion: str) -> Any:
    """Validation accuracy over the number of emotions, every way of counting, each with its floor.

    Args:
        steps: One a set of emotions: ``emotions``, ``accuracy``, ``majority``, ``balanced_accuracy``, ``chance``,
            ``one_vs_rest_mean`` and ``one_vs_rest_floor``; shares 0-1, None where the embedding collapsed.
        threshold: Where growth stops, 0-1.
        criterion: What is held against it.

    Returns:
        A plotly Figure.
    """
    go = require("plotly.graph_objects", "eval")
    figure = go.Figure()
    counts = [len(step["emotions"]) for step in steps]
    names = [", ".join(step["emotions"]) for step in steps]
    lines = (
        ("accuracy", "k-NN vote", _LINES[0], "solid", "circle"),
        ("majority", "its floor (most frequent)", _LINES[0], "dot", None),
        ("balanced_accuracy", "balanced", _LINES[2], "solid", "diamond"),
        ("chance", "its floor (chance)", _LINES[2], "dot", None),
        ("one_vs_rest_mean", "one-vs-rest mean", _LINES[1], "solid", "square"),
        ("one_vs_rest_floor", "its floor (never yes)", _LINES[1], "dot", None),
    )
    for key, name, colour, dash, symbol in lines:
        figure.add_scatter(
            x=counts,
            y=[None if step[key] is None else 100 * step[key] for step in steps],
            name=name,
            text=names,
            mode="lines" if symbol is None else "lines+markers",
            line={"color": colour, "dash": dash},
            marker={"symbol": symbol or "circle", "size": 9},
            hovertemplate="%{text}<br>%{y:.1f} %<extra>" + name + "</extra>",
        )
    figure.add_hline(
        y=100 * threshold, line_color="#999", annotation_text=f"threshold {100 * threshold:.0f} % ({criterion})"
    )
    figure.update_xaxes(title="emotions", dtick=1)
    figure.update_yaxes(title="validation, %", range=[0, 102])
    return plain_layout(figure, height=400, legend={"orientation": "h", "y": -0.25})


def pair_heat_map(emotions: Sequence[str], pairs: Mapping[tuple[str, str], float | None]) -> Any:
    """Which emotions go well together: the accuracy of every pair trained alone.

    Args:
        emotions: Names of rows and columns.
        pairs: Two emotions to validation accuracy, 0-1; None where the embedding collapsed.

    Returns:
        A plotly Figure.
    """
    go = require("plotly.graph_objects", "eval")
    grid = [[pairs.get((a, b), pairs.get((b, a))) if a != b else None for b in emotions] for a in emotions]
    cells = [[None if value is None else 100 * value for value in row] for row in grid]
    figure = go.Figure(
        go.Heatmap(
            z=cells,
            x=list(emotions),
            y=list(emotions),
            text=[["" if value is None else f"{value:.0f} %" for value in row] for row in cells],
            texttemplate="%{text}",
            colorscale="Blues",
            zmin=50,
            zmax=100,
            colorbar={"title": "k-NN, %"},
            hovertemplate="%{y} and %{x}: %{z:.1f} %<extra></extra>",
            hoverongaps=False,
        )
    )
    figure.update_yaxes(autorange="reversed")
    return plain_layout(figure, height=120 + 50 * len(emotions))


def scatter_map(layers: Sequence[MapLayer], title: str) -> Any:
    """A map to be printed: every category of every layer with a colour and a symbol of its own.

    Args:
        layers: References first, queries (drawn hollow) after them.
        title: Above the map.

    Returns:
        A plotly Figure, white, with axes that bear no numbers: places on a map have no unit.
    """
    go = require("plotly.graph_objects", "eval")
    figure = go.Figure()
    for number, layer in enumerate(layers):
        flat = layer.places.shape[1] == 2
        for code in sorted(range(len(layer.names)), key=lambda code: -int((layer.codes == code).sum())):
            own = layer.places[layer.codes == code].T  # (n, d) -> (d, n)
            symbol, colour = layer.symbols[code % len(layer.symbols)], layer.colours[code % len(layer.colours)]
            marker = {"color": colour, "symbol": symbol, "size": layer.size, "opacity": 0.6 if number == 0 else 1.0}
            common = {"name": layer.names[code], "mode": "markers", "legendrank": 1000 + 100 * number + code}
            if own.shape[1] and flat:
                figure.add_trace(go.Scatter(x=own[0], y=own[1], marker=marker, **common))
            elif own.shape[1]:
                figure.add_trace(go.Scatter3d(x=own[0], y=own[1], z=own[2], marker=marker, **common))
    bare = {"showticklabels": False, "zeroline": False, "title": ""}
    figure.update_layout(
        template="plotly_white",
        title={"text": title, "font": {"size": 15}},
        font={"family": "sans-serif", "size": 14},
        margin={"l": 10, "r": 10, "t": 50, "b": 10},
        legend={"itemsizing": "constant"},
        xaxis=bare,
        yaxis={**bare, "scaleanchor": "x"},
        scene={"xaxis": bare, "yaxis": bare, "zaxis": bare, "aspectmode": "data"},
    )
    return figure
