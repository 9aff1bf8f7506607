"""The curve of validation accuracy over the number of neighbours that vote."""

from __future__ import annotations

from typing import Any

from eval.figures import plain_layout
from eval.neighbor_sweep import NeighborSweep
from galleries.errors import require


def sweep_curve(sweep: NeighborSweep) -> Any:
    """Validation accuracy of every number of neighbours, the chosen one marked.

    Returns:
        A plotly Figure.
    """
    go = require("plotly.graph_objects", "eval")
    figure = go.Figure()
    shares = [100 * accuracy for accuracy in sweep.accuracies]
    figure.add_scatter(
        x=list(sweep.tried), y=shares, mode="lines+markers", name="validation", line={"color": "#0072B2"}
    )
    figure.add_scatter(
        x=[sweep.chosen],
        y=[100 * sweep.best],
        mode="markers+text",
        name="chosen",
        text=[f"k = {sweep.chosen}"],
        textposition="bottom center",
        marker={"symbol": "diamond", "size": 14, "color": "#D55E00"},
    )
    figure.update_xaxes(title="neighbours that vote")
    figure.update_yaxes(title="validation accuracy, %")
    return plain_layout(figure, height=340, showlegend=False)
