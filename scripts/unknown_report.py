"""A gallery and emotions it lacks, at the terminal: what ``emotions evaluate --unknown`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import numpy as np

from emotions_cli import console
from galleries.errors import ConfigError, DataError
from galleries.voting import MEAN

if TYPE_CHECKING:
    from emotions_cli.evaluation import GalleryTest
    from eval.held_out import HeldOut


def judge_unknown(
    test: GalleryTest,
    part: str = "test",
    leave_out: Optional[str] = None,
    neighbors: Optional[int] = None,
    weights: Optional[str] = None,
    queries: Optional[HeldOut] = None,
) -> Dict[str, Any]:
    """Leave emotions out of a gallery, and see whether their pictures look strange to the rest.

    Pictures that the gallery holds, or copies of which it holds, are not asked about.

    Args:
        test: The gallery and its data.
        part: ``"test"``, ``"val"``, ``"train"`` or ``"all"``.
        leave_out: Emotions to leave out together, as ``"disgust,surprise"``; None leaves out each in turn.
        neighbors: How many vote; None takes the test's own number.
        weights: Of the vote; None for the gallery's own.
        queries: The part's queries, if they are encoded already.

    Returns:
        ``"rounds"``: a list of :class:`eval.open_set.OpenSetScores`; beside it plain values that say what was asked.
    """
    from eval.held_out import held_out
    from eval.open_set import open_set

    rows = test.parts[part]
    if queries is None:
        with console.bar("encoding faces") as progress:
            queries = held_out(test.gallery, test.encoder, test.dataset, rows, progress, test.learned)
    fresh = np.flatnonzero(~queries.seen)
    truth = [queries.truth[int(place)] for place in fresh]
    known = test.dataset.subjects
    people = None if known is None else [known[int(row)] for row in rows[fresh]]
    k = test.n_neighbors if neighbors is None else neighbors
    rounds = []
    wanted = _rounds(test, truth, leave_out)
    with console.bar("leaving emotions out") as progress:
        for done, left_out in enumerate(wanted, start=1):
            rounds.append(
                open_set(test.gallery, queries.vectors[fresh], truth, left_out, k, weights=weights, people=people)
            )
            progress(done, len(wanted))
    trained = test.encoder.emotions
    return {
        "gallery": str(test.path),
        "data": test.dataset.name,
        "part": part,
        "n_neighbors": k,
        "weights": test.gallery.way(weights),
        "copies_left_aside": int(queries.seen.sum()),
        "shared_people": None if queries.people is None else len(queries.people),
        "intervals_by": "pictures" if people is None else "people",
        "trained_on": sorted({emotion for left_out in wanted for emotion in left_out if emotion in trained}),
        "rounds": rounds,
    }


def _rounds(test: GalleryTest, truth: List[str], leave_out: Optional[str]) -> List[List[str]]:
    """What is left out, time after time."""
    from galleries.vocabulary import canonical_list

    if leave_out is not None:
        names = canonical_list(leave_out.split(","))
        strangers = [name for name in names if name not in test.gallery.emotions and name not in truth]
        if strangers:
            raise ConfigError(
                f"{', '.join(strangers)} was to be left out, but the gallery holds {', '.join(test.gallery.emotions)}; "
                "choose among these."
            )
        return [names]
    asked = [emotion for emotion in test.gallery.emotions if emotion in truth]
    silent = [emotion for emotion in test.gallery.emotions if emotion not in truth]
    if len(asked) < 2:
        there = ", ".join(asked) or "none of them"
        raise DataError(
            f"Leaving out each emotion in turn needs pictures of two or more to ask about; {there} is there."
        )
    if silent:
        console.warn(f"{', '.join(silent)} is not left out: no picture asked about shows it.")
    return [[emotion] for emotion in asked]


def unknown_as_json(report: Dict[str, Any]) -> Dict[str, Any]:
    """The report as plain values."""
    return {**report, "rounds": [scores.to_json() for scores in report["rounds"]]}


def tell_unknown(report: Dict[str, Any]) -> None:
    """Print the report."""
    from eval.open_set import NOVELTY

    rounds = report["rounds"]
    rows = [[", ".join(scores.left_out), *_row(name, scores.scores[name])] for scores in rounds for name in NOVELTY]
    if len(rounds) > 1:
        for name in NOVELTY:
            found = [scores.scores[name] for scores in rounds]
            means = {
                key: float(np.mean([getattr(score, key) for score in found])) for key in ("auroc", "fpr95", "aurc")
            }
            rows.append(
                ["mean", name, f"{means['auroc']:.3f}", console.percent(means["fpr95"]), "", f"{means['aurc']:.3f}"]
            )
    how = "by means" if report["weights"] == MEAN else f"k = {report['n_neighbors']}"
    title = f"{report['data']}, {report['part']}: emotions left out of the gallery, {how}"
    console.table(title, ["left out", "told by", "AUROC (95 %)", "FPR95", "AUPR", "AURC"], rows)
    floors = [[", ".join(scores.left_out), *_floors(scores)] for scores in rounds]
    console.table(
        "what to hold them against: the least possible AURC, and guessing",
        ["left out", "unknown", "known right", "least AURC", "AURC", "AUPR"],
        floors,
    )
    steps = (20, 40, 60, 80, 100)
    console.table(
        "wrong answers among the most trusted, by the score with the least AURC",
        ["left out", "trusted by", *(f"{step} %" for step in steps)],
        [[", ".join(scores.left_out), *_risks(scores, steps)] for scores in rounds],
    )
    for sentence in _sentences(report):
        console.warn(sentence)


def _row(name: str, found: Any) -> List[str]:
    low, high = found.auroc_interval
    auroc = f"{found.auroc:.3f} ({low:.3f}-{high:.3f})"
    return [name, auroc, console.percent(found.fpr95), f"{found.aupr:.3f}", f"{found.aurc:.3f}"]


def _floors(scores: Any) -> List[str]:
    one = next(iter(scores.scores.values()))
    return [
        f"{scores.n_unknown:,} of {scores.n_known + scores.n_unknown:,}",
        console.percent(scores.accuracy),
        f"{one.aurc_best:.3f}",
        f"{one.risk_at_all:.3f}",
        f"{one.aupr_floor:.3f}",
    ]


def _risks(scores: Any, steps: Sequence[int]) -> List[str]:
    best = min(scores.scores, key=lambda name: scores.scores[name].aurc)
    coverage, risk = np.array(scores.scores[best].curve).T
    return [best, *(console.percent(float(np.interp(step / 100, coverage, risk))) for step in steps)]


def _sentences(report: Dict[str, Any]) -> List[str]:
    """What a person has to know to read the numbers."""
    found = [
        "Guessing gives AUROC 0.5, and accepts 95 % of the unknown where it accepts 95 % of the known (FPR95); any "
        "answer to an unknown face counts as wrong."
    ]
    if report["trained_on"]:
        named = ", ".join(report["trained_on"])
        found.append(
            f"The tower itself was trained on {named}: only the gallery lacks them, so these numbers do not speak for "
            "emotions that are new to the tower too."
        )
    if report["copies_left_aside"]:
        found.append(f"{report['copies_left_aside']} pictures that stand in the gallery, or copies, were left aside.")
    if report["shared_people"]:
        found.append(f"{report['shared_people']} people stand in the gallery and in the test: LEAKING.")
    found.append(f"Intervals are by bootstrap over {report['intervals_by']}.")
    return found


__all__ = ["judge_unknown", "tell_unknown", "unknown_as_json"]
