"""The model card of what comes with the toolkit: what it is, how good, when it fails, and what it is not for."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

_USE = """## What it is for

Trying the toolkit, research and teaching, and as a starting point: the tower turns a face into a vector, and a copy of
the gallery (`emotions gallery copy pretrained mine`) takes pictures of your own people and emotions with
`emotions gallery add`.

## What it must not be used for

- Decisions about people: hiring, school, credit, insurance, policing, border control, court. In the European Union,
  inferring emotions of people at work or in education is prohibited (Regulation (EU) 2024/1689, Article 5(1)(f)), with
  exceptions for medical and safety reasons.
- Diagnosis, therapy or lie detection. It names the expression that annotators saw in pictures like these, which is
  not what a person feels.
- Watching people who do not know of it or have not agreed.
- Naming who is on a picture. The vectors are not made for it; they may still carry traces of identity.
"""

_FAILURES = """
It has seen small grey web photographs, mostly near to frontal and often posed. Expect more errors with hands, masks
or glasses before the face, with heads turned away or tilted, in bad light, with children and old people, and with
people unlike those who are frequent in the data; the data says nothing of age, sex or origin, so fairness is not
measured. A face always gets one of the emotions it knows: another one (boredom, contempt, pain) is called by one of
these names, unless the calibrated answer says "unknown" or the emotion is added to a copy of the gallery. Labels of the
data are known to be noisy, and copies in it carry conflicting ones.
"""

_LICENCES = {
    "fer2013": 'FER-2013 (Goodfellow et al., "Challenges in Representation Learning", 2013) was collected by a web '
    "search; its pictures have owners of their own and come without a licence, so none is here, in any size. Ask a "
    "lawyer before commercial use.",
    "ferplus": "The votes are FER+ (Barsoum et al., 2016, MIT licence).",
}


def model_card(card: Dict[str, Any]) -> str:
    """The card as Markdown.

    Args:
        card: A run's ``card.json`` with ``shipped``: references, validation, test and result, as
            :func:`emotions_cli.shipping.ship` measured them.
    """
    shipped, data = card["shipped"], card.get("data", {})
    found, test = shipped["validation"], shipped["test"]
    spec = card["input"]
    grey = spec["channels"] == 1
    counts = {part: sum(of.values()) for part, of in data.get("counts", {}).items()}
    parts = [
        f"# The tower and gallery that come with the toolkit: {card['tower']}",
        "",
        f"A `{card['tower']}` tower ({spec['height']}x{spec['width']} pixels, {'grey' if grey else 'colour'}; vectors "
        f"of {card['embedding_dim']} numbers, {card['metric']} distance; weights stored as float16, computed in "
        f"float32) and a gallery of {shipped['references']:,} vectors: of {shipped['of']:,} those nearest to "
        f"their emotion's mean, its most typical faces. {found['n_neighbors']} neighbours vote. It knows "
        f"{', '.join(card['emotions'])}.",
        *_straightened(card.get("straightener")),
        "",
        _USE,
        "## Data and licences",
        "",
        f"Trained on {data.get('name', 'unknown data')}: "
        + ", ".join(f"{count:,} pictures {part}" for part, count in counts.items())
        + f", the {card.get('split', {}).get('method', 'unknown')} split, recipe `{card.get('recipe', '')}`. "
        f"The training part gives the weights and the gallery, the validation part {_chosen(card)}fitted the "
        "calibration; the test part was asked at the end.",
        *card.get("split", {}).get("notes", []),
        _licences(data),
        "",
        "Weights, vectors and this card are under the toolkit's licence.",
        "",
        "## How good it is",
        "",
        f"Shares of faces whose emotion is named as their label says, one face at a time, no test-time augmentation. "
        f"On validation ({found['pictures']:,} pictures) the whole gallery gets {_percent(found['before'])} "
        f"(k = {found['before_neighbors']}), the shipped one {_percent(found['after'])} (k = {found['n_neighbors']}).",
        "",
        *_test_table(shipped),
        "",
        *([] if test is None else _classes(test["knn"])),
        "## Known failures",
        *([] if test is None else ["", _confusions(test["knn"])]),
        *_disturbed(found["disturbed"]),
        _FAILURES,
        "",
    ]
    return "\n".join(parts)


def _chosen(card: Dict[str, Any]) -> str:
    return "" if card.get("training", {}).get("monitor") == "last" else "chose the epoch and "


def _straightened(lesson: Optional[Dict[str, Any]]) -> List[str]:
    if lesson is None:
        return []
    return [
        "",
        "Before anything else it moves the face upright into the middle: a small network in it has learned from "
        f"{lesson['found']:,} training pictures where a face's eyes, nose and mouth are, as the detector YuNet (Wu et "
        f"al., 2023) finds them. It is off by {_percent(lesson['error'])} of a picture's side (median), and by "
        f"{_percent(lesson['before'])} where it takes every face for upright in the middle.",
    ]


def _voted(data: Dict[str, Any]) -> bool:
    """Whether FER+'s votes are in the labels, or stood beside them."""
    return bool(data.get("ferplus") or data.get("votes"))


def _licences(data: Dict[str, Any]) -> str:
    name = str(data.get("name", ""))
    told = [text for key, text in _LICENCES.items() if key in name or (key == "ferplus" and _voted(data))]
    return " ".join(told) or "The data's own licence applies to its pictures; none of them is here."


def _test_table(shipped: Dict[str, Any]) -> List[str]:
    """Accuracy on the test part: of what is shipped, and of the run it was made of."""
    rows = []
    for title, of in (("shipped gallery", shipped["test"]), ("all references", shipped["run"])):
        for key, name in (("knn", "k-NN vote"), ("softmax", "softmax head")):
            for suffix, which in (("", "all"), ("_without_leaks", "not known from training")):
                scores: Optional[Dict[str, Any]] = None if of is None else of.get(key + suffix)
                if scores is not None:
                    low, high = scores["interval_95"]
                    accuracy = f"{_percent(scores['accuracy'])} ({100 * low:.1f}-{100 * high:.1f})"
                    rows.append(
                        f"| {title}, {name} | {which} | {accuracy} | {scores['macro_f1']:.3f} | {scores['n']:,} |"
                    )
    if not rows:
        return ["The run had no test part."]
    head = ["| what | test pictures | accuracy (95 %) | macro F1 | n |", "|---|---|---|---|---|"]
    note = 'Test pictures that are copies, exact or near, of training pictures are left out in the rows "not known".'
    return [*head, *rows, "", note]


def _classes(scores: Dict[str, Any]) -> List[str]:
    rows = [
        f"| {c['emotion']} | {c['precision']:.3f} | {c['recall']:.3f} | {c['f1']:.3f} | {c['support']:,} |"
        for c in scores["classes"]
    ]
    return ["| shipped gallery | precision | recall | F1 | n |", "|---|---|---|---|---|", *rows, ""]


def _confusions(scores: Dict[str, Any], shown: int = 4) -> str:
    """The most frequent confusions in words."""
    names, rates = scores["emotions"], scores["confusion_rates"]
    pairs = sorted(
        ((rates[a][b], names[a], names[b]) for a in range(len(names)) for b in range(len(names)) if a != b),
        reverse=True,
    )
    told = "; ".join(f"{true} called {said} ({_percent(rate)} of {true})" for rate, true, said in pairs[:shown])
    return f"Most frequent confusions on the test: {told}."


def _disturbed(found: Dict[str, Any]) -> List[str]:
    """What worse light and worse cameras cost, in words."""
    clean, *rest = found["kinds"]
    told = ", ".join(f"{entry['kind']} {_percent(entry['accuracy'])} ({entry['strength']})" for entry in rest)
    return [
        "",
        f"In worse light and with worse cameras it is right less often. Of {found['pictures']:,} validation pictures, "
        f"of none of which it has seen a copy, {_percent(clean['accuracy'])} are named rightly as they are; disturbed: "
        f"{told}.",
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
