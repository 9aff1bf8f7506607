"""Which towers nobody beats in both accuracy and speed, and the chart that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Sequence

import numpy as np
from numpy.typing import NDArray

from eval.figures import plain_layout
from galleries.errors import require

_FRONT = "#0072B2"
_BEATEN = "#D55E00"  # Okabe and Ito, "Color Universal Design", 2008


def pareto_front(costs: Sequence[float], gains: Sequence[float]) -> NDArray[np.bool_]:
    """Which points no other beats: none is at least as good in both and better in one.

    Args:
        costs: N numbers, lower is better.
        gains: N numbers, higher is better.

    Returns:
        bool (N,); equal points are on the front together, or not at all.
    """
    cost, gain = np.asarray(costs, float), np.asarray(gains, float)
    no_worse = (cost[:, None] <= cost[None, :]) & (gain[:, None] >= gain[None, :])  # (other, point)
    better = (cost[:, None] < cost[None, :]) | (gain[:, None] > gain[None, :])
    beaten = (no_worse & better).any(axis=0)
    return np.logical_not(beaten, dtype=np.bool_)


@dataclass(frozen=True)
class Point:
    """A tower on the chart.

    Attributes:
        name: Its name.
        cost: Milliseconds a face.
        gain: Accuracy, 0-1.
        interval: Its 95 % interval.
        front: Whether nobody beats it.
        hover: What is told when it is pointed at, HTML.
    """

    name: str
    cost: float
    gain: float
    interval: tuple[float, float]
    front: bool
    hover: str


def pareto_chart(points: Sequence[Point], floors: Sequence[tuple[str, float]], cost: str, gain: str) -> Any:
    """Accuracy against cost, with intervals; the front is a line, who is beaten is hollow.

    Args:
        points: The towers, at least one.
        floors: Horizontal lines: a name and an accuracy 0-1.
        cost: What the horizontal axis is called; it is logarithmic.
        gain: What the vertical axis is called, in percent.

    Returns:
        A plotly Figure.
    """
    go = require("plotly.graph_objects", "eval")
    figure = go.Figure()
    front = sorted((point for point in points if point.front), key=lambda point: (point.cost, point.gain))
    figure.add_scatter(
        x=[point.cost for point in front],
        y=[100 * point.gain for point in front],
        mode="lines",
        line={"color": _FRONT, "width": 1, "dash": "dot", "shape": "hv"},
        hoverinfo="skip",
        showlegend=False,
    )
    for name, on_front, colour, symbol in (
        ("nobody beats it in both", True, _FRONT, "circle"),
        ("another is faster and better", False, _BEATEN, "circle-open"),
    ):
        own = [point for point in points if point.front == on_front]
        if own:
            figure.add_trace(_markers(go, own, name, colour, symbol))
    for number, (name, floor) in enumerate(floors):
        corner = ("bottom left", "top right")[number % 2]  # apart, where two floors are alike
        line = {"line_dash": "dot", "line_color": "#999"}
        figure.add_hline(y=100 * floor, annotation_text=name, annotation_position=corner, **line)
    figure.update_xaxes(title=cost, type="log", range=_span([point.cost for point in points]))
    figure.update_yaxes(title=gain)
    return plain_layout(figure, height=440, legend={"orientation": "h", "y": -0.22})


def _markers(go: Any, own: Sequence[Point], name: str, colour: str, symbol: str) -> Any:
    return go.Scatter(
        x=[point.cost for point in own],
        y=[100 * point.gain for point in own],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [100 * max(0.0, point.interval[1] - point.gain) for point in own],
            "arrayminus": [100 * max(0.0, point.gain - point.interval[0]) for point in own],
            "thickness": 1,
            "color": colour,
        },
        mode="markers+text",
        name=name,
        text=[point.name for point in own],
        textposition="top right",
        hovertext=[point.hover for point in own],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={"color": colour, "symbol": symbol, "size": 12, "line": {"width": 2, "color": colour}},
    )


def _span(costs: Sequence[float], room: float = 0.35) -> list[float]:
    """Decades of the logarithmic axis, with room for the names."""
    low, high = np.log10(min(costs)), np.log10(max(costs))
    return [float(low - room / 2), float(high + room)]
