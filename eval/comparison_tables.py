"""A comparison's report as tables and sentences, for the terminal and the page alike."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from eval.table import Table

Report = Mapping[str, Any]


def percent(share: Optional[float]) -> str:
    """A share 0-1 as text."""
    return "" if share is None else f"{100 * share:.1f} %"


def span(bounds: Optional[Sequence[float]], sign: str = "") -> str:
    """An interval of shares as text."""
    return "" if bounds is None else (" to " if sign else "-").join(f"{100 * bound:{sign}.1f}" for bound in bounds)


def p_text(p: float) -> str:
    """A p-value as text."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def accuracy_table(report: Report) -> Table:
    """Every tower's accuracy, the best first, with both floors, and the authors' own numbers marked as published."""
    cleaned = _is_cleaned(report)
    columns = ["tower", "k-NN vote", "95 %", *(["without leaks", "95 %"] if cleaned else [])]
    columns += ["softmax", "macro F1", _few_shot_name(report), "published"]
    rows = []
    for tower in report["towers"]:
        knn, softmax, shots = tower["heads"]["knn"], tower["heads"]["softmax"], tower["few_shot"]
        clean = knn["without_leaks"] or {"accuracy": None, "interval_95": None}
        published = tower["published"]
        rows.append(
            [
                tower["tower"],
                percent(knn["accuracy"]),
                span(knn["interval_95"]),
                *([percent(clean["accuracy"]), span(clean["interval_95"])] if cleaned else []),
                percent(softmax["accuracy"]) + ("" if tower["has_head"] else "*"),
                f"{knn['macro_f1']:.3f}",
                "" if shots is None else percent(shots["prototype"]["mean"]),
                "" if published is None else percent(published["accuracy"]),
            ]
        )
    blank = [""] * (len(columns) - 2)
    few = "" if report["few_shot"] is None else percent(report["few_shot"]["chance"])
    rows.append(["chance", percent(report["chance"]), *blank[:-2], few, ""])
    rows.append(["always the most frequent", percent(report["majority"]), *blank])
    mark = "LEAKING: " if report["leaking"] else ""
    seeds = f"{report['seeds']} {'seed' if report['seeds'] == 1 else 'seeds'}"
    return Table(f"{mark}{report['budget_told']}, {seeds}, k = {report['n_neighbors']}", columns, rows)


def against_table(report: Report, head: str) -> Table:
    """Every tower against the best with one head (``"knn"`` or ``"softmax"``)."""
    best = report["best"][head]
    rows = []
    for tower in report["towers"]:
        found = tower["heads"][head]["against_best"]
        if found is not None:
            rows.append(
                [
                    tower["tower"],
                    f"{100 * found['difference']:+.1f}",
                    span(found["difference_95"], "+"),
                    p_text(found["p_bootstrap_holm"]),
                    p_text(found["p_mcnemar_holm"]),
                ]
            )
    name = {"knn": "k-NN vote", "softmax": "softmax"}[head]
    columns = ["tower", "points", "95 %", "p, paired bootstrap", "p, McNemar"]
    return Table(f"{name}: against {best}, the best; p-values by Holm's correction", columns, rows)


def cost_table(report: Report) -> Table:
    """What every tower costs where it runs."""
    columns = ["tower", "weights", "mult-adds", "MB", "p50 ms", "p95 ms", "memory MB"]
    rows = []
    for tower in report["towers"]:
        facts, speed = tower["facts"], tower["speed"] or {}
        rows.append(
            [
                tower["tower"],
                f"{facts['parameters']:,}",
                f"{facts['multiply_adds'] / 1e6:,.1f} M",
                "" if facts["bytes"] is None else f"{facts['bytes'] / 1e6:.2f}",
                _number(speed.get("p50_ms"), 2),
                _number(speed.get("p95_ms"), 2),
                _number(speed.get("memory_mb"), 0),
            ]
        )
    return Table("costs: one face at a time, one thread, ONNX Runtime", columns, rows)


def training_table(report: Report) -> Table:
    """What every tower was trained on, mean over seeds."""
    rows = [
        [
            tower["tower"],
            tower["recipe"],
            "{width}x{height}x{channels}".format(**tower["facts"]),
            f"{tower['facts']['pictures']:,.0f}",
            f"{tower['facts']['seconds']:.0f}",
            tower["facts"]["precision"],
        ]
        for tower in report["towers"]
    ]
    return Table("training of one run", ["tower", "recipe", "input", "pictures", "seconds", "format"], rows)


def recall_table(report: Report) -> Table:
    """Recall of every emotion by the vote, mean over seeds."""
    towers = report["towers"]
    rows = [
        [emotion, *(f"{tower['heads']['knn']['recalls'][emotion]:.2f}" for tower in towers)]
        for emotion in report["emotions"]
    ]
    return Table("recall by emotion, k-NN vote", ["emotion", *(tower["tower"] for tower in towers)], rows)


def sentences(report: Report) -> list[str]:
    """What has to be said beside the numbers."""
    trained, tested = report["pictures"]["train"], report["pictures"]["test"]
    recipes = report["recipes"]
    by = report["intervals_by"]
    drawn = f"{by} and trainings are drawn" if report["seeds"] > 1 else f"{by}, not the one training, are drawn"
    how = f"the recipe {next(iter(recipes.values()))}" if report["one_recipe"] else "its own recipe"
    said = [
        f"Every tower is trained on the same {trained:,} pictures by {how}, {report['budget_told']}, and tested on the "
        f"same {tested:,} ({report['split']['method']} split); early stops are left out, the best epoch by validation "
        "is kept.",
        f"Intervals hold the truth 95 times in 100: {drawn} anew. McNemar's test takes pictures as independent, and "
        "each seed beside the best's own of that number.",
    ]
    front = [tower["tower"] for tower in report["towers"] if tower["front"]]
    if front:
        said.append(f"No other tower is both better and faster than {', '.join(front)}.")
    base = next((t["speed"]["base_mb"] for t in report["towers"] if t["speed"] and t["speed"]["base_mb"]), None)
    if base is not None:
        said.append(
            f"MB is tower.onnx; memory is the most the process held, {base:.0f} MB of it Python, OpenCV and ONNX "
            "Runtime. FLOPs are twice the multiply-adds."
        )
    if report["leaking"]:
        rest = "towers are ranked and tested without them" if _is_cleaned(report) else "no picture is left without them"
        known = f"{report['leakage']['test_leaking']:,} of {report['leakage']['test_size']:,}"
        said.append(f"LEAKING: {known} test pictures are known from training in some way; {rest}.")
    if any(not tower["has_head"] for tower in report["towers"]):
        said.append("* The tower is trained without softmax; logistic regression was fitted on its finished vectors.")
    few = report["few_shot"]
    if few is not None:
        who = f"of {few['unit']} never trained on" if few["new_people"] else "of the test, some known from training"
        said.append(
            f"{_few_shot_name(report)}: nearest mean over {few['episodes']} episodes of {few['ways']} emotions, shots "
            f"and {few['queries']} queries of each {who}; the emotions themselves are those trained on."
        )
    for tower in report["towers"]:
        if tower["fruitless"]:
            seeds = ", ".join(map(str, tower["fruitless"]))
            said.append(f"{tower['tower']} collapsed or diverged with seed {seeds}; nothing it says then is right.")
        if tower["published"] is not None:
            said.append(f"Published, not measured here: {tower['tower']}: {tower['published']['told']}.")
    return said


def _is_cleaned(report: Report) -> bool:
    return any(tower["heads"]["knn"]["without_leaks"] is not None for tower in report["towers"])


def _few_shot_name(report: Report) -> str:
    return f"{report['shots']}-shot"


def _number(value: Optional[float], digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
