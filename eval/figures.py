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
