"""A gallery's evaluation as one HTML page that a person can send on."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

import numpy as np

from eval import report
from eval.assurance import ASSURANCES, Assurance
from eval.disturbed import DisturbedScores
from eval.evaluation import Evaluation, Judged
from eval.figures import confusion_matrix
from eval.metrics import FLOORS, MEASURES
from eval.neighbor_sweep import NeighborSweep
from eval.score_intervals import Interval
from eval.sweep_figure import sweep_curve
from eval.without_class import ClassStudy


def evaluation_page(facts: Mapping[str, Any]) -> str:
    """Draw the page.

    Args:
        facts: ``"evaluation"`` (:class:`eval.evaluation.Evaluation`), ``"neighbors"`` (a sweep or None), ``"without"``
            (a :class:`eval.without_class.ClassStudy` or None), ``"disturbed"``
            (:class:`eval.disturbed.DisturbedScores` or None), ``"assurance"`` (those of
            :func:`eval.assurance.judge_assurance`), the texts ``"gallery"``, ``"data"``, ``"part"`` and
            ``"split"``, and the number ``"references"``.

    Returns:
        A whole HTML document that loads nothing from elsewhere.
    """
    found: Evaluation = facts["evaluation"]
    sweep: Optional[NeighborSweep] = facts["neighbors"]
    study: Optional[ClassStudy] = facts["without"]
    mark = "LEAKING: " if found.leaking else ""
    title = f"{mark}{facts['data']}, {facts['part']}: {_percent(found.whole.scores.accuracy)} right"
    lead = (
        f"{facts['references']:,} references of {facts['gallery']} on {found.whole.scores.n:,} pictures "
        f"({facts['split']} split). {found.voters}."
    )
    drawn = report.figures(confusion_matrix(found.whole.scores), None if sweep is None else sweep_curve(sweep))
    sections = [
        report.tiles(_headline(found)),
        report.section("What crosses from the gallery into the test", text=_verdict(found)),
        report.section("All numbers", _overall(found), text=_intervals_by(found)),
        report.section("Emotion by emotion", _classes(found.whole), _one_vs_rest(found.whole)),
        report.section("Confusions", drawn[0], text="Rows are true emotions, columns answers."),
        report.section("Order of the references", _retrieval(found)),
    ]
    if facts["assurance"]:
        sections.append(_assurance(facts["assurance"]))
    if sweep is not None:
        text = (
            f"{found.n_neighbors} neighbours were the best of {sweep.tried[0]} to {sweep.tried[-1]} on "
            f"{sweep.pictures:,} validation pictures ({_percent(sweep.best)}); the test was asked with it alone."
        )
        sections.append(report.section("How many neighbours vote", drawn[1], text=text))
    if study is not None:
        sections.append(_without(study))
    if facts["disturbed"] is not None:
        sections.append(_disturbed(facts["disturbed"]))
    return report.page(title, lead, sections)


def _assurance(told: Sequence[Assurance]) -> str:
    rows = []
    for one in told:
        low, high = one.order.auroc_interval
        surest = (_percent(right) for _, right in one.right_of_surest)
        order = [f"{one.order.auroc:.3f}", f"{low:.3f}–{high:.3f}"]
        rows.append([ASSURANCES[one.by], *order, f"{one.calibration_error:.3f}", *surest])
    heads = [f"of the surest {share:.0%}" if share < 1 else "right of all" for share, _ in told[0].right_of_surest]
    text = (
        f"{told[0].answers:,} answers (those known to leak are left out). The AUROC is the chance that a right answer "
        "is told with more than a wrong one; 0.5 is guessing."
    )
    table = report.html_table(["told", "AUROC", "95 %", "calibration error", *heads], rows)
    return report.section("Does it know which answers are right?", table, text=text)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _span(bounds: Interval) -> str:
    return "" if np.isnan(bounds[0]) else f"{100 * bounds[0]:.1f}–{100 * bounds[1]:.1f}"


def _headline(found: Evaluation) -> list[tuple[str, str]]:
    whole = found.whole
    tiles = [
        (_percent(whole.scores.accuracy), f"right, 95 %: {_span(whole.intervals.overall['accuracy'])}"),
        (_percent(whole.scores.chance), "chance"),
        (_percent(whole.scores.majority), "always the most frequent emotion"),
    ]
    if found.without_leaks is not None:
        clean = found.without_leaks
        span = _span(clean.intervals.overall["accuracy"])
        tiles.insert(1, (_percent(clean.scores.accuracy), f"right without the {found.known} that leak, 95 %: {span}"))
    if found.by_others is not None:
        others = found.by_others
        tiles.insert(
            1, (_percent(others.accuracy), f"by other people's references alone, 95 %: {_span(others.interval)}")
        )
    return tiles


def _verdict(found: Evaluation) -> str:
    told = " ".join(found.leakage)
    if not found.leaking:
        return f"Nothing that can be known crosses. {told}"
    rest = "no picture is left without them." if found.without_leaks is None else "both numbers are given."
    return f"LEAKING: the gallery knows {found.known:,} of {found.whole.scores.n:,} pictures in some way; {rest} {told}"


def _intervals_by(found: Evaluation) -> str:
    whole = found.whole.intervals
    return f"Intervals hold the truth 95 times in 100: bootstrap over {whole.groups:,} {whole.by}."


def _sides(found: Evaluation) -> list[tuple[str, Judged]]:
    clean = [] if found.without_leaks is None else [("without what leaks", found.without_leaks)]
    return [("as is", found.whole), *clean]


def _overall(found: Evaluation) -> str:
    sides = _sides(found)
    rows: list[list[Any]] = []
    for key in found.whole.intervals.overall:
        row = [key.replace("_", " ")]
        for _, judged in sides:
            row += [_percent(judged.scores.overall(key)), _span(judged.intervals.overall[key])]
        rows.append(row)
    for name, key in FLOORS:
        rows.append([name, *(cell for _, j in sides for cell in (_percent(getattr(j.scores, key)), ""))])
    rows.append(["pictures", *(cell for _, j in sides for cell in (f"{j.scores.n:,}", ""))])
    return report.html_table(["", *(head for name, _ in sides for head in (name, "95 %"))], rows)


def _classes(judged: Judged) -> str:
    rows = []
    for entry in judged.scores.classes:
        bounds = judged.intervals.classes[entry.emotion]
        cells = [cell for m in MEASURES for cell in (f"{getattr(entry, m):.3f}", _span(bounds[m]))]
        rows.append([entry.emotion, *cells, entry.support])
    heads = ["emotion", "precision", "95 %", "recall", "95 %", "F1", "95 %", "pictures"]
    return report.html_table(heads, rows)


def _one_vs_rest(judged: Judged) -> str:
    table = judged.one_vs_rest
    rows = [[*row[:5], _percent(row[5])] for row in table.rows()]
    rows.append(["mean", "", "", "", "", f"{_percent(table.mean)} (never saying yes: {_percent(table.floor)})"])
    return report.html_table(["each against all others", "TP", "TN", "FP", "FN", "(TP+TN)/all"], rows)


def _retrieval(found: Evaluation) -> str:
    sides = _sides(found)
    rows = []
    for key in found.whole.retrieval.values:
        name = {"r_precision": "R-precision", "map_at_r": "MAP@R"}.get(key, key.replace("recall_at_", "recall@"))
        row = [name]
        for _, judged in sides:
            row += [_percent(judged.retrieval.values[key]), _span(judged.retrieval.intervals[key])]
        rows.append([*row, _percent(found.whole.retrieval.floors[key])])
    return report.html_table(["", *(head for name, _ in sides for head in (name, "95 %")), "random order"], rows)


def _without(study: ClassStudy) -> str:
    names = ", ".join(study.left_out)
    rows = [
        [emotion, measure, _percent(before), _percent(after), f"{100 * (after - before):+.1f}", _change(bounds)]
        for emotion, measure, before, after, bounds in study.rows()
    ]
    text = (
        f"Accuracy {_percent(study.with_them.accuracy)} with and {_percent(study.without.accuracy)} without {names} "
        f"(change {_change(study.accuracy_change)}); on the pictures of the other emotions alone "
        f"{_percent(study.same_queries.accuracy)} with and {_percent(study.without.accuracy)} without "
        f"(change {_change(study.same_change)}). Chance {_percent(study.with_them.chance)} and "
        f"{_percent(study.without.chance)}."
    )
    table = report.html_table(["emotion", "", "with", "without", "change", "95 %"], rows)
    return report.section(f"With and without {names}", table, text=text)


def _disturbed(found: DisturbedScores) -> str:
    rows = [
        [
            row.kind,
            row.strength,
            f"{_percent(row.scores.accuracy)} ({_span(row.scores.interval)})",
            _percent(row.scores.balanced_accuracy),
            f"{100 * row.change:+.1f} ({_change(row.change_interval)})" if row.strength else "",
        ]
        for row in found.rows
    ]
    table = report.html_table(["", "how much", "accuracy (95 %)", "balanced", "change (95 %)"], rows)
    text = (
        f"The {found.pictures:,} pictures that are not known to leak, changed at the size that the tower sees; "
        f"mean over the disturbances {_percent(found.mean)}."
    )
    return report.section("In worse light, and with worse cameras", table, text=text)


def _change(bounds: Interval) -> str:
    return "" if np.isnan(bounds[0]) else f"{100 * bounds[0]:+.1f} to {100 * bounds[1]:+.1f}"
