"""A curriculum as one HTML page: how far it grew, which emotions go well together, and the test of what it holds."""

from __future__ import annotations

import html
from typing import Any, Mapping, Sequence

from eval import figures, report
from eval.metrics import one_vs_rest, scores_from_json


def curriculum_page(facts: Mapping[str, Any]) -> str:
    """Draw the page.

    Args:
        facts: What ``curriculum.json`` says, with the final run's ``result.json`` as ``"test"``.

    Returns:
        A whole HTML document.
    """
    config, stages = facts["configuration"], facts["stages"]
    measure = {"balanced": "balanced_accuracy"}.get(config["criterion"], "accuracy")
    pairs = {(entry["emotions"][0], entry["emotions"][1]): entry[measure] for entry in facts["pairs"]}
    tested = facts["test"]["test"]
    known = None if tested is None else scores_from_json(tested["knn"])
    drawn = report.figures(
        figures.growth_curve(stages, config["threshold"], config["criterion"]),
        figures.pair_heat_map(facts["emotions"], pairs),
        None if known is None else figures.confusion_matrix(known),
    )
    body = [
        report.tiles(_tiles(facts)),
        report.section("Growth", drawn[0], _stage_table(stages, facts["held"]), text=_story(facts)),
        report.section(
            "Which emotions go well together",
            drawn[1],
            text=_paired(config, facts["pairs"]),
        ),
        report.section("How similar they are", _ranking(facts["ranking"]), text=_measured(config, facts)),
    ]
    if known is not None:
        table = one_vs_rest(known)
        body += [
            report.section(
                "Each emotion against all others",
                report.html_table(
                    ["emotion", "TP", "TN", "FP", "FN", "(TP+TN)/all"],
                    [[*row[:5], f"{100 * row[5]:.1f} %"] for row in table.rows()],
                ),
                text=f"The siamese paper's table, on {known.n} test pictures. Its mean, {100 * table.mean:.1f} %, has "
                f"a floor of {100 * table.floor:.1f} % (never saying yes); the multi-class accuracy of the same answers"
                f" is {100 * table.multi_class:.1f} % (chance {100 * table.chance:.1f} %).",
            ),
            report.section(
                "Which emotion is taken for which", drawn[2], text="Test pictures; a row is a true emotion."
            ),
        ]
    request, split = facts["request"], facts["test"]["split"]["method"]
    body.append(
        f"<footer>emotions curriculum · {html.escape(facts['test']['tower'])} tower, {facts['test']['parameters']:,} "
        f"weights · {html.escape(request['data'])} · {html.escape(split)} split · pairs {config['order']} · seed "
        f"{config['training']['seed']}</footer>"
    )
    count, names = len(facts["held"]), ", ".join(facts["held"])
    lead = f"{names}: the last set at or above {100 * config['threshold']:.0f} % on validation."
    if count == 2:  # two are never dropped, whatever their accuracy
        lead = f"{names}: with a third emotion, accuracy on validation fell below {100 * config['threshold']:.0f} %."
    return report.page(f"A curriculum that holds {count} emotions", lead, body)


def _tiles(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    count, tested = len(facts["held"]), facts["test"]["test"]
    tiles = [(str(count), f"emotions held, of {len(facts['emotions'])}")]
    if tested is not None:
        scores = scores_from_json(tested["knn"])
        low, high = (100 * bound for bound in scores.interval)
        table = one_vs_rest(scores)
        tiles += [
            (
                f"{100 * scores.accuracy:.1f} %",
                f"k-NN accuracy on the test (95 %: {low:.1f}-{high:.1f}; chance {100 * scores.chance:.1f} %)",
            ),
            (f"{100 * table.mean:.1f} %", f"one-vs-rest mean (never saying yes: {100 * table.floor:.1f} %)"),
        ]
        if tested["leaking"]:
            tiles.append(("LEAKING", f"the split lets {tested['leaks']} copies or known people through"))
    return tiles


def _story(facts: Mapping[str, Any]) -> str:
    broken = facts["broken_by"]
    if broken is None:
        return "Every emotion is held: accuracy on validation never fell below the threshold."
    text = f"{broken.capitalize()} broke it."
    worst = facts["confusions_of_breaking_emotion"][:3]
    for entry in worst:
        text += (
            f" {100 * entry['taken_for']:.0f} % of its pictures were called {entry['emotion']}, and "
            f"{100 * entry['taken_from']:.0f} % of {entry['emotion']} were called {broken}."
        )
    return text


def _paired(config: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]]) -> str:
    epochs, balanced = config["pair_epochs"], config["criterion"] == "balanced"
    start = "the warm-up tower" if config["pairs_from"] == "warm-up" else "the same weights"
    text = (
        f"Every pair was trained alone from {start}, for {epochs} epoch{'s' * (epochs != 1)}, and scored on validation"
        f"{' by the mean of both recalls' * balanced}; guessing gives {'50 %' if balanced else 'about 50 %'}"
    )
    uneven = max((pair for pair in pairs if pair["majority"]), key=lambda pair: float(pair["majority"]), default=None)
    if uneven is None or balanced:
        return f"{text}."
    names = " and ".join(uneven["emotions"])
    return f"{text}, always naming the more frequent one up to {100 * uneven['majority']:.0f} % ({names})."


def _stage_table(stages: Sequence[Mapping[str, Any]], held: Sequence[str]) -> str:
    rows = []
    for stage in stages:
        if stage["accuracy"] is None:
            numbers = ["collapsed", "", "", "", "", ""]
        else:
            keys = ("accuracy", "chance", "majority", "balanced_accuracy", "one_vs_rest_mean", "one_vs_rest_floor")
            numbers = [f"{100 * stage[key]:.1f} %" for key in keys]
        verdict = "held" if len(stage["emotions"]) <= len(held) else "broken"
        again = " (begun again)" if stage["restarted"] else ""
        rows.append([", ".join(stage["emotions"]) + again, *numbers, verdict])
    heads = ["emotions", "k-NN", "chance", "most frequent", "balanced", "one-vs-rest mean", "its floor", ""]
    return report.html_table(heads, rows)


def _ranking(ranking: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            " and ".join(pair["emotions"]),
            pair["band"],
            "given" if pair["similarity"] is None else f"{pair['similarity']:.3f}",
        ]
        for pair in ranking
    ]
    return report.html_table(["pair", "band", "similarity"], rows)


def _measured(config: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    if facts["warm_up"] is None:
        return "The ranking was given by a file."
    if config["measure"] == "means":
        return "Minus the distance of the emotions' mean vectors, by a warm-up tower, on training pictures."
    told = "How often a warm-up tower's neighbours take one for the other, on training pictures"
    return f"{told} (each left out of its own vote)."
