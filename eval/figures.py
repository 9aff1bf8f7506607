"""Figures: functions that return a plotly Figure and write nothing."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np

from eval.metrics import Scores
from galleries.errors import require

_LINES = ("#0072B2", "#D55E00", "#009E73")
"""Colours that people with any colour vision tell apart (Okabe and Ito, "Color Universal Design", 2008)."""


def _layout(figure: Any, **options: Any) -> Any:
    figure.update_layout(
        template="plotly_white",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 14, "color": "#777"},
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        **options,
    )
    return figure


def learning_curve(history: Sequence[Mapping[str, Any]], chance: float) -> Any:
    """Validation accuracy of every epoch, with the chance floor.

    Args:
        history: Rows of ``history.csv``: ``epoch``, ``val_knn``, maybe ``val_softmax``; shares 0-1.
        chance: Accuracy of guessing, 0-1.

    Returns:
        A plotly Figure.
    """
    go = require("plotly.graph_objects", "eval")
    figure = go.Figure()
    epochs = [row["epoch"] for row in history]
    lines = (("val_knn", "k-NN vote", "solid", "circle"), ("val_softmax", "softmax", "dash", "square"))
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
    figure.add_hline(y=100 * chance, line_dash="dot", line_color="#999", annotation_text="chance")
    figure.update_xaxes(title="epoch", dtick=max(1, len(epochs) // 12))
    figure.update_yaxes(title="validation accuracy, %", rangemode="tozero")
    return _layout(figure, height=340, showlegend="val_softmax" in history[0])


def confusion_matrix(scores: Scores) -> Any:
    """Rows of true emotions, columns of answers: the share of a row in colour, and the counts in the cells.

    Args:
        scores: A classification's result.

    Returns:
        A plotly Figure.
    """
    go = require("plotly.graph_objects", "eval")
    counts = scores.confusion
    rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [[f"{100 * rate:.0f} %<br>{count}" for rate, count in zip(*row)] for row in zip(rates, counts)]
    figure = go.Figure(
        go.Heatmap(
            z=100 * rates,
            x=list(scores.emotions),
            y=list(scores.emotions),
            text=labels,
            texttemplate="%{text}",
            colorscale="Blues",
            zmin=0,
            zmax=100,
            colorbar={"title": "% of row"},
            hovertemplate="%{y} was called %{x}: %{z:.1f} %<extra></extra>",
        )
    )
    figure.update_xaxes(title="answer", side="bottom")
    figure.update_yaxes(title="true emotion", autorange="reversed")
    return _layout(figure, height=120 + 58 * len(scores.emotions))


def growth_curve(steps: Sequence[Mapping[str, Any]], threshold: float, criterion: str) -> Any:
    """Validation accuracy over the number of emotions, both ways of counting, each with its floor.

    Args:
        steps: One a set of emotions: ``emotions``, ``accuracy``, ``chance``, ``one_vs_rest_mean`` and
            ``one_vs_rest_floor``; shares 0-1, None where the embedding collapsed.
        threshold: Where growth stops, 0-1.
        criterion: Which of both it is held against.

    Returns:
        A plotly Figure.
    """
    go = require("plotly.graph_objects", "eval")
    figure = go.Figure()
    counts = [len(step["emotions"]) for step in steps]
    names = [", ".join(step["emotions"]) for step in steps]
    lines = (
        ("accuracy", "k-NN vote", _LINES[0], "solid", "circle"),
        ("chance", "its chance floor", _LINES[0], "dot", None),
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
    return _layout(figure, height=400, legend={"orientation": "h", "y": -0.25})


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
    return _layout(figure, height=120 + 50 * len(emotions))
