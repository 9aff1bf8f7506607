"""A gallery's evaluation as tables at the terminal."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np

from emotions_cli import console
from galleries.voting import MEAN


def tell(report: Dict[str, Any], with_one_vs_rest: bool) -> None:
    """Print the report of :func:`emotions_cli.evaluation.judge_part`."""
    from emotions_cli.run_ending import tell_one_vs_rest

    found = report["evaluation"]
    _tell_neighbors(report)
    _tell_overall(report)
    _tell_classes(found.whole)
    _tell_confusion(found.whole.scores)
    _tell_retrieval(found)
    _tell_assurance(report["assurance"])
    for sentence in found.leakage:
        console.warn(sentence)
    if with_one_vs_rest:
        tell_one_vs_rest(found.whole.one_vs_rest)
    if report["similarity"] is not None:
        _tell_similarity(report["similarity"])
    if report["without"] is not None:
        _tell_without(report["without"])
    if report["unknown"] is not None:
        from emotions_cli.unknown_report import tell_unknown

        tell_unknown(report["unknown"])
    if report["disturbed"] is not None:
        _tell_disturbed(report["disturbed"])


def _span(bounds: Any) -> str:
    """An interval of a share in percent: ``64.1-67.9``."""
    return "" if np.isnan(bounds[0]) else f"{100 * bounds[0]:.1f}-{100 * bounds[1]:.1f}"


def _tell_neighbors(report: Dict[str, Any]) -> None:
    sweep, k = report["neighbors"], report["evaluation"].n_neighbors
    if sweep is not None:
        console.out.print(
            f"k = {k}, chosen on {sweep.pictures:,} validation pictures ({console.percent(sweep.best)} there) from "
            f"{sweep.tried[0]} to {sweep.tried[-1]}, before the test"
        )


def _tell_overall(report: Dict[str, Any]) -> None:
    from eval.metrics import FLOORS

    found = report["evaluation"]
    columns = [("as is", found.whole)]
    if found.without_leaks is not None:
        columns.append(("no leaks", found.without_leaks))
    rows: List[List[Any]] = []
    for key in found.whole.intervals.overall:
        row: List[Any] = [key.replace("_", " ")]
        for _, judged in columns:
            row += [console.percent(judged.scores.overall(key)), _span(judged.intervals.overall[key])]
        rows.append(row)
    for name, key in FLOORS:
        rows.append([name, *(c for _, judged in columns for c in (console.percent(getattr(judged.scores, key)), ""))])
    rows.append(["pictures", *(cell for _, judged in columns for cell in (f"{judged.scores.n:,}", ""))])
    leaking = " - LEAKING" if found.leaking else ""
    how = "by means" if found.weights == MEAN else f"k = {found.n_neighbors}"
    title = f"{report['data']}, {report['part']} ({report['split']} split, {how}){leaking}"
    console.table(title, ["", *(head for name, _ in columns for head in (name, "95 %"))], rows)
    console.out.print(f"intervals: bootstrap over {found.whole.intervals.groups:,} {found.whole.intervals.by}")
    others = found.by_others
    if others is not None:
        console.out.print(
            f"by other people's references alone: {console.percent(others.accuracy)} (95 %: {_span(others.interval)}; "
            f"balanced {console.percent(others.balanced_accuracy)}); what a stranger may expect"
        )


def _tell_classes(judged: Any) -> None:
    rows = []
    for entry in judged.scores.classes:
        bounds = judged.intervals.classes[entry.emotion]
        cells = [f"{100 * getattr(entry, m):.1f} ({_span(bounds[m])})" for m in ("precision", "recall", "f1")]
        rows.append([entry.emotion, *cells, entry.support])
    console.table("per emotion, %", ["emotion", "precision (95 %)", "recall (95 %)", "F1 (95 %)", "pictures"], rows)


def _tell_confusion(scores: Any) -> None:
    heads = ["", *(name[:5] for name in scores.emotions)]
    counts = [[name, *row] for name, row in zip(scores.emotions, scores.confusion.tolist())]
    console.table("confusions: true emotion in rows, answer in columns", heads, counts)
    rates = [
        [name, *(f"{100 * rate:.0f}" for rate in row)] for name, row in zip(scores.emotions, scores.rates().tolist())
    ]
    console.table("the same, % of the row", heads, rates)


def _tell_retrieval(found: Any) -> None:
    rows = []
    for key, value in found.whole.retrieval.values.items():
        name = {"r_precision": "R-precision", "map_at_r": "MAP@R"}.get(key, key.replace("recall_at_", "recall@"))
        row = [name, console.percent(value), _span(found.whole.retrieval.intervals[key])]
        if found.without_leaks is not None:
            clean = found.without_leaks.retrieval
            row += [console.percent(clean.values[key]), _span(clean.intervals[key])]
        rows.append([*row, console.percent(found.whole.retrieval.floors[key])])
    more = [] if found.without_leaks is None else ["no leaks", "95 %"]
    console.table("order of the references", ["", "as is", "95 %", *more, "random order"], rows)


def _tell_assurance(told: Any) -> None:
    from eval.assurance import ASSURANCES

    if not told:
        return
    rows = [
        ["AUROC, right against wrong", *(f"{one.order.auroc:.3f}" for one in told)],
        ["its 95 %", *("{:.3f}-{:.3f}".format(*one.order.auroc_interval) for one in told)],
        ["calibration error", *(f"{one.calibration_error:.3f}" for one in told)],
    ]
    for place, (coverage, _) in enumerate(told[0].right_of_surest):
        name = "right of all" if coverage == 1 else f"right of the surest {coverage:.0%}"
        rows.append([name, *(console.percent(one.right_of_surest[place][1]) for one in told)])
    title = f"does it know which of {told[0].answers:,} answers are right? (those known to leak are left out)"
    console.table(title, ["", *(ASSURANCES[one.by] for one in told)], rows)


def _tell_without(study: Any) -> None:
    names = ", ".join(study.left_out)
    rows = []
    for emotion, measure, before, after, bounds in study.rows():
        change = f"{100 * (after - before):+.1f}"
        reach = "" if np.isnan(bounds[0]) else f"{100 * bounds[0]:+.1f} to {100 * bounds[1]:+.1f}"
        rows.append([emotion, measure, console.percent(before), console.percent(after), change, reach])
    title = f"with and without {names}, {study.with_them.n:,} and {study.without.n:,} pictures (none that leaks)"
    console.table(title, ["emotion", "", "with", "without", "change", "95 %"], rows)
    for name, before, bounds in (
        ("accuracy", study.with_them, study.accuracy_change),
        ("accuracy on the same pictures", study.same_queries, study.same_change),
    ):
        change = 100 * (study.without.accuracy - before.accuracy)
        console.out.print(
            f"{name}: {console.percent(before.accuracy)} with, {console.percent(study.without.accuracy)} without "
            f"{names} ({change:+.1f}, 95 %: {100 * bounds[0]:+.1f} to {100 * bounds[1]:+.1f}); "
            f"chance {console.percent(before.chance)} and {console.percent(study.without.chance)}"
        )


def _tell_disturbed(found: Any) -> None:
    rows = []
    for row in found.rows:
        low, high = row.change_interval
        change = f"{100 * row.change:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})" if row.strength else ""
        accuracy = f"{console.percent(row.scores.accuracy)} ({_span(row.scores.interval)})"
        rows.append([row.kind, row.strength, accuracy, console.percent(row.scores.balanced_accuracy), change])
    title = f"the same pictures disturbed, {found.pictures:,} (those known to leak are left out)"
    console.table(title, ["", "how much", "accuracy (95 %)", "balanced", "change (95 %)"], rows)
    console.out.print(f"mean over the {len(found.rows) - 1} disturbances: {console.percent(found.mean)}")


def _tell_similarity(found: Any) -> None:
    chosen = found.chosen.threshold
    rows = [
        [f"{row.threshold:.4f}", f"{row.precision:.3f}", f"{row.recall:.3f}", f"{row.f1:.3f}", ""]
        for row in sorted({*found.curve, found.test}, key=lambda row: row.threshold)
    ]
    for row in rows:
        row[-1] = "best F1 on validation" if row[0] == f"{chosen:.4f}" else ""
    always = found.always
    rows.append(["any", f"{always.precision:.3f}", f"{always.recall:.3f}", f"{always.f1:.3f}", "calling all alike"])
    pairs = f"{found.anchors:,} anchors x {found.references:,} references"
    console.table(f"similarity mode: {pairs}", ["threshold", "precision", "recall", "F1", ""], rows)
    console.out.print(
        f"threshold {chosen:.4f}, found on validation (F1 {found.chosen.f1:.3f}): F1 {found.test.f1:.3f} on the part "
        f"asked about; emotions query --similar {chosen:.4f} uses it"
    )


__all__ = ["tell"]
