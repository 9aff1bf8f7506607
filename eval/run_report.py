"""A run as one HTML page to send to a supervisor: data, training, test, map, confusions and the model card."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any, Optional, Sequence

from eval import figures, report
from eval.confusions import Confusion
from eval.face_map import FaceMap
from eval.language import Words
from eval.map_page import map_part, quality_sentence
from eval.metrics import Scores
from eval.report import Evidence
from eval.run_facts import RunFacts


@dataclass(frozen=True)
class ReportParts:
    """What is shown beside the run's own facts.

    Attributes:
        drawn: The gallery's map, or None.
        no_map: Why there is none, in a sentence.
        confusions: The hardest, each with faces.
        no_examples: Why no faces are shown, in a sentence; empty where they are.
    """

    drawn: Optional[FaceMap] = None
    no_map: str = ""
    confusions: Sequence[tuple[Confusion, Sequence[Evidence]]] = ()
    no_examples: str = ""


def run_report(facts: RunFacts, parts: ReportParts, words: Words, faces: bool = True) -> str:
    """Draw the page.

    Args:
        facts: The run.
        parts: Map and confusions.
        words: In which language.
        faces: Whether faces are put in.

    Returns:
        A whole HTML document that loads nothing from elsewhere.
    """
    known = facts.scores.get("knn")
    chance = 1 / len(facts.card["emotions"])
    curve, loss, *matrix = report.figures(
        figures.learning_curve(facts.history, chance, words),
        figures.loss_curve(facts.history, words),
        None if known is None else figures.confusion_matrix(known, words),
    )
    best = facts.card.get("epoch", "?")
    told = words("report.training_text", epochs=len(facts.history), best=best)
    body = [
        report.tiles(_tiles(facts, words)),
        report.section(words("report.data"), *_audit(facts, words), _counts(facts, words), text=_data(facts, words)),
        report.section(words("report.training"), curve, loss, text=told),
    ]
    if known is not None:
        body += [
            report.section(words("report.numbers"), _table(facts, words), _per_class(known, words)),
            report.section(words("report.matrix"), *matrix, text=words("report.matrix_text")),
        ]
    body += [_map(parts, words, faces), *([] if known is None else [_confusions(parts, words)])]
    body.append(report.section(words("report.card"), _card(facts, words), text=words("report.card_text")))
    body.append(f"<footer>emotions report · {html.escape(str(facts.folder))}{_licence(parts, words, faces)}</footer>")
    return report.page(*_title(facts, words), body, language=words.language)


def _title(facts: RunFacts, words: Words) -> tuple[str, str]:
    names = {"tower": facts.card["tower"], "data": facts.card["data"]["name"]}
    known = facts.scores.get("knn")
    if known is None:
        return words("report.untested", **names), words("report.lead_untested")
    title = words("report.title", accuracy=words.percent(known.accuracy), n=words.number(known.n), **names)
    low, high = (words.percent(bound) for bound in known.interval)
    chance = words.percent(known.chance)
    leak = f" {words('report.leaking')}: {words('report.leaking_text')}." if facts.test.get("leaking") else ""
    return title, words("report.lead", k=facts.n_neighbors, low=low, high=high, chance=chance) + leak


def _tiles(facts: RunFacts, words: Words) -> list[tuple[str, str]]:
    known, clean = facts.scores.get("knn"), facts.scores.get("knn_without_leaks")
    if known is None:
        return []
    low, high = (words.percent(bound) for bound in known.interval)
    tiles = [(words.percent(known.accuracy), words("report.accuracy", low=low, high=high))]
    if clean is not None:
        low, high = (words.percent(bound) for bound in clean.interval)
        text = words("report.without", n=words.number(clean.n), low=low, high=high)
        tiles.append((words.percent(clean.accuracy), text))
    tiles.append((words.percent(known.chance), words("report.floors", majority=words.percent(known.majority))))
    if facts.test.get("leaking"):
        tiles.append((words("report.leaking"), words("report.leaking_text")))
    return tiles


def _data(facts: RunFacts, words: Words) -> str:
    data = facts.card["data"]
    pictures = sum(sum(part.values()) for part in facts.counts.values())
    return words(
        "report.data_text",
        pictures=words.number(pictures),
        data=data["name"],
        method=facts.split["method"],
        seed=facts.split["seed"],
        skipped=words.number(int(data.get("skipped", 0))),
    )


def _audit(facts: RunFacts, words: Words) -> list[str]:
    """What crosses the split, as a list."""
    leakage = facts.test.get("leakage")
    if not isinstance(leakage, dict):
        sentences = [words("report.unaudited")]
    elif words.language == "en" and leakage.get("sentences"):
        sentences = [str(sentence) for sentence in leakage["sentences"]]
    else:
        sentences = _audit_sentences(leakage, words)
    notes = [str(note) for note in facts.split["notes"]]
    return [f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in [*sentences, *notes])}</ul>"]


def _audit_sentences(leakage: dict[str, Any], words: Words) -> list[str]:
    """The audit in words, from its counts."""
    sentences = []
    for key in ("subjects", "sequences"):
        found = leakage.get(key)
        count = len(found) if isinstance(found, list) else found
        sentences.append(words(f"audit.unknown_{key}") if found is None else words(f"audit.{key}", count=count))
    copies = {"test": leakage.get("test_copies", 0), "val": leakage.get("val_copies", 0)}
    sentences.append(words("audit.copies", **copies))
    groups = {"groups": leakage.get("duplicate_groups", 0), "conflicts": leakage.get("conflicting_groups", 0)}
    return [*sentences, words("audit.groups", **groups)]


def _counts(facts: RunFacts, words: Words) -> str:
    counts = facts.counts
    emotions = list(dict.fromkeys(name for part in counts.values() for name in part))
    rows = [[words.emotion(name), *(words.number(counts[part].get(name, 0)) for part in counts)] for name in emotions]
    rows.append([words("all"), *(words.number(sum(part.values())) for part in counts.values())])
    return report.html_table([words("emotion"), *(_part(part, words) for part in counts)], rows)


def _part(name: str, words: Words) -> str:
    return words(name) if name in ("train", "val", "test") else name


def _table(facts: RunFacts, words: Words) -> str:
    rows = []
    for key, scores in facts.scores.items():
        low, high = (words.percent(bound) for bound in scores.interval)
        shares = [words.percent(scores.accuracy), f"{low} – {high}", words.percent(scores.balanced_accuracy)]
        rows.append([_scored(key, words), *shares, words.number(scores.macro_f1, 3), words.number(scores.n)])
    knn = facts.scores["knn"]
    rows.append([words("chance"), words.percent(knn.chance), "", "", "", ""])
    rows.append([words("report.majority"), words.percent(knn.majority), "", "", "", ""])
    columns = [words(f"report.{key}") for key in ("share", "balanced", "macro")]
    return report.html_table(["", columns[0], "95 %", *columns[1:], words("pictures")], rows)


def _scored(key: str, words: Words) -> str:
    """What a classification is called: ``knn_without_leaks`` becomes "k-NN vote, without leaks"."""
    name, _, rest = key.partition("_")
    title = words(name) if name in ("knn", "softmax") else name
    return f"{title}, {words('report.without_leaks') if rest == 'without_leaks' else rest}" if rest else title


def _per_class(scores: Scores, words: Words) -> str:
    columns = [words(key) for key in ("emotion", "precision", "recall", "f1", "pictures")]
    rows = [
        [
            words.emotion(entry.emotion),
            *(words.number(value, 3) for value in (entry.precision, entry.recall, entry.f1)),
            words.number(entry.support),
        ]
        for entry in scores.classes
    ]
    return "<br>" + report.html_table(columns, rows)


def _map(parts: ReportParts, words: Words, faces: bool) -> str:
    if parts.drawn is None:
        return report.section(words("report.map"), text=words("report.no_map", reason=parts.no_map))
    told = quality_sentence(parts.drawn.quality, words)
    return report.section(
        words("report.map"),
        f"<div class='framed'>{map_part(parts.drawn, words, faces=faces)}</div>",
        text=f"{told[0].upper()}{told[1:]}.",
    )


def _confusions(parts: ReportParts, words: Words) -> str:
    shown = []
    for confusion, examples in parts.confusions:
        title = words(
            "report.pair",
            truth=words.emotion(confusion.truth),
            answer=words.emotion(confusion.answer),
            count=words.number(confusion.count),
            of=words.number(confusion.of),
            share=words.percent(confusion.count / confusion.of),
        )
        shown.append(f"<h3>{html.escape(title)}</h3>{report.evidence(examples, words)}")
    text = words("report.confusions_text" if shown else "report.no_confusions")
    if parts.no_examples:
        text = f"{text} {words('report.no_examples', reason=parts.no_examples)}"
    return report.section(words("report.confusions"), *shown, text=text)


def _card(facts: RunFacts, words: Words) -> str:
    card, training, result = facts.card, facts.card["training"], facts.result or {}
    pixels = card["input"]
    colours = {1: "grey", 3: "RGB"}.get(pixels.get("channels"), "?")
    rows = [
        ("tower", card["tower"]),
        ("parameters", words.number(result["parameters"]) if result else "?"),
        ("multiply_adds", words.number(result["multiply_adds"]) if "multiply_adds" in result else "?"),
        ("input", f"{pixels.get('height')} × {pixels.get('width')}, {colours}"),
        ("embedding", f"{card['embedding_dim']}, {card.get('metric', 'cosine')}"),
        ("emotions", ", ".join(words.emotion(str(name)) for name in card["emotions"])),
        ("data", f"{card['data']['name']} ({card['data'].get('format', '?')})"),
        ("recipe", card.get("recipe", "?")),
        ("loss", training.get("loss", "?")),
        ("optimizer", ", ".join(f"{key} {training.get(key)}" for key in ("optimizer", "lr", "weight_decay"))),
        ("schedule", f"{training.get('epochs')}, {training.get('batch_size')}, {training.get('schedule')}"),
        ("augment", _pairs(training.get("augment"))),
        ("seed", training.get("seed", "?")),
        ("time", _time(result, words)),
        ("fingerprint", card.get("fingerprint", "?")),
    ]
    table = report.html_table(["", ""], [[words(f"card.{key}"), value] for key, value in rows])
    return f"<div class='facts'>{table}</div>"


def _pairs(options: Any) -> str:
    return ", ".join(f"{key} {value}" for key, value in options.items()) if isinstance(options, dict) else "?"


def _time(result: dict[str, Any], words: Words) -> str:
    if not {"training_seconds", "images_per_second"} <= set(result):
        return "?"
    minutes, rate = words.number(result["training_seconds"] / 60, 1), words.number(result["images_per_second"])
    return words("card.time_value", minutes=minutes, rate=rate, precision=result.get("precision", "?"))


def _licence(parts: ReportParts, words: Words, faces: bool) -> str:
    has_map_faces = faces and parts.drawn is not None and parts.drawn.references.thumbnails is not None
    has_examples = any(examples for _, examples in parts.confusions)
    return f" · {html.escape(words('report.faces'))}" if has_map_faces or has_examples else ""
