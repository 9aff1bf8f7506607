"""A comparison as one HTML page that a person can send on."""

from __future__ import annotations

import html

from eval import report as pages
from eval.comparison_tables import (
    Report,
    accuracy_table,
    against_table,
    cost_table,
    percent,
    recall_table,
    sentences,
    span,
    training_table,
)
from eval.pareto import Point, pareto_chart
from eval.table import Table


def comparison_page(report: Report) -> str:
    """Draw the page.

    Args:
        report: What ``comparison.json`` says.

    Returns:
        A whole HTML document that loads nothing from elsewhere.
    """
    mark = "LEAKING: " if report["leaking"] else ""
    best = report["towers"][0]
    cleaned = "" if best["heads"]["knn"]["without_leaks"] is None else " without what leaks"
    reached = f"{best['tower']} {percent(_ranked(best)[0])}{cleaned}"
    title = f"{mark}{len(report['towers'])} towers on {report['name']}: {reached}"
    notes = sentences(report)
    points = _points(report)
    floors = [("chance", report["chance"]), ("always the most frequent", report["majority"])]
    sections = [
        pages.tiles(
            [
                (percent(_ranked(best)[0]), f"{best['tower']}, the best vote{cleaned}, 95 %: {span(_ranked(best)[1])}"),
                (percent(report["chance"]), "chance"),
                (percent(report["majority"]), "always the most frequent emotion"),
            ]
        ),
        pages.section("Accuracy", _table(accuracy_table(report)), _list(notes[1:])),
    ]
    if points:
        latency = "milliseconds a face, one thread (median)"
        drawn = pages.figures(pareto_chart(points, floors, latency, "k-NN accuracy, %"))
        text = "Who is on the line is beaten by nobody in both accuracy and speed."
        sections.append(pages.section("Accuracy against latency", drawn[0], text=text))
    sections.append(pages.section("Costs", _table(cost_table(report)), _table(training_table(report))))
    if len(report["towers"]) > 1:
        tests = [_table(against_table(report, head)) for head in ("knn", "softmax")]
        sections.append(pages.section("Against the best", *tests))
    sections.append(pages.section("Emotion by emotion", _table(recall_table(report))))
    sections.append(pages.section("What crosses the split", _list(report["leakage"]["sentences"])))
    return pages.page(title, notes[0], sections, wide=True)


def _ranked(tower: Report) -> tuple[float, list[float]]:
    """The accuracy that towers are ranked by, and its interval."""
    found = tower["heads"]["knn"]
    found = found["without_leaks"] or found
    return found["accuracy"], found["interval_95"]


def _points(report: Report) -> list[Point]:
    points = []
    for tower in report["towers"]:
        if tower["speed"] is None:
            continue
        accuracy, (low, high) = _ranked(tower)
        cost = tower["speed"]["p50_ms"]
        name = html.escape(tower["tower"])
        hover = f"{name}<br>{percent(accuracy)} ({span((low, high))})<br>{cost:.2f} ms a face<br>"
        hover += f"{tower['facts']['parameters']:,} weights"
        points.append(Point(name, cost, accuracy, (low, high), tower["front"], hover))
    return points


def _table(table: Table) -> str:
    heading = f"<h3>{html.escape(table.title)}</h3>"
    return f"{heading}<div style='overflow-x:auto'>{pages.html_table(table.columns, table.rows)}</div>"


def _list(texts: list[str]) -> str:
    return "<ul class='soft'>" + "".join(f"<li>{html.escape(text)}</li>" for text in texts) + "</ul>"
