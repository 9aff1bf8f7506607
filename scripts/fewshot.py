"""``emotions fewshot``: how far a few pictures of each emotion carry, on new people and emotions. Needs no torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import typer

from emotions_cli import console
from galleries.errors import ConfigError, require

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

PICTURES = ("new", "all")


@app.command(epilog="Example:  emotions fewshot runs/first --data ck-plus --ways all --shots 1,5,10 --against-gallery")
def fewshot(
    tower: Path = typer.Argument(..., help="A run, a gallery that carries its tower, an .onnx file, or 'pretrained'."),
    data: Optional[str] = typer.Option(None, help="Data set to draw from. [default: that of the tower's run]"),
    emotions: Optional[str] = typer.Option(None, help="Only these emotions, as anger,fear. [default: all there are]"),
    unseen: bool = typer.Option(False, "--unseen", help="Only emotions that the tower was not trained on."),
    pictures: str = typer.Option(
        "new", help="new: none the tower was trained or validated on, nor its people, films and copies; or all."
    ),
    ways: str = typer.Option("auto", help="Emotions in an episode, or all. [default: 5, or all if there are fewer]"),
    shots: str = typer.Option("1,5,10,20", help="Pictures of each emotion to learn from."),
    queries: int = typer.Option(15, help="Pictures of each emotion to be asked about."),
    episodes: int = typer.Option(600, help="Tasks drawn for each number of shots."),
    heads: str = typer.Option("knn,prototype,logistic", help="What answers: the vote, the nearest mean, a regression."),
    neighbors: Optional[int] = typer.Option(
        None, "--neighbors", "-k", help="Shots that vote. [default: as many as an emotion has, 5 at most]"
    ),
    against_gallery: bool = typer.Option(
        False, "--against-gallery", help="Beside it the tower's own gallery, on the queries whose emotion it knows."
    ),
    enrol: bool = typer.Option(
        False, "--enrol", help="Beside it the shots of emotions that the tower's own gallery lacks, added to it."
    ),
    taken: Optional[float] = typer.Option(None, help="With --enrol: as of emotions gallery add."),
    features: bool = typer.Option(
        False, "--features", help="Heads see what the tower sees before its last layer, as of emotions gallery build."
    ),
    closer: float = typer.Option(1.0, help="Heads see the middle of larger pictures, as of emotions gallery build."),
    seed: int = typer.Option(0, help="Of the episodes."),
    format: Optional[str] = typer.Option(None, help="Force the data set's layout (see emotions data --help)."),
    ferplus: Optional[Path] = typer.Option(None, help="FER+'s fer2013new.csv, laid over FER-2013."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Draw many small tasks (N emotions, K shots of each) and see how often a tower's vectors solve them.

    Shots and queries never share a person or film, where these are known, nor a copied picture. Intervals are 95 % over
    the episodes.
    """
    require("sklearn", "eval")
    from emotions_cli import few_shot_run
    from galleries.errors import unknown_name

    if pictures not in PICTURES:
        raise unknown_name("choice of pictures", pictures, PICTURES)
    if seed < 0:
        raise ConfigError(f"--seed {seed} was given; give 0 or more.")
    if taken is not None and not 0 < taken < 1:
        raise ConfigError(f"--taken {taken:g} was given; give a share between 0 and 1, such as 0.1.")
    wanted = few_shot_run.numbers(shots, "--shots")
    names = list(dict.fromkeys(name.strip() for name in heads.split(",")))
    _check(names, neighbors)
    options: Dict[str, Any] = {
        "data": data,
        "format": format,
        "ferplus": ferplus,
        "emotions": emotions,
        "unseen": unseen,
        "pictures": pictures,
        "against_gallery": against_gallery,
        "enrol": enrol,
        "features": features,
        "closer": closer,
    }
    task = few_shot_run.open_task(tower, options)
    drawn = few_shot_run.draw_all(task, ways, wanted, queries, episodes, seed)
    scores = few_shot_run.score_all(task, drawn, names, neighbors)
    enrolled = few_shot_run.enrol_all(task, drawn, taken) if enrol else []
    if json:
        facts = {**_facts(tower, task, scores, seed), "features": features, "closer": closer}
        console.print_json({**facts, "enrolled": [entry.to_json() for entry in enrolled]})
    else:
        _tell(task, scores, names, against_gallery)
        _tell_enrolled(task, enrolled)


def _check(heads: List[str], neighbors: Optional[int]) -> None:
    from eval.heads import HEADS
    from galleries.errors import unknown_name

    for name in heads:
        if name not in HEADS:
            raise unknown_name("few-shot head", name, HEADS)
    if neighbors is not None and neighbors < 1:
        raise ConfigError(f"--neighbors {neighbors} was given; give 1 or more.")


def _facts(path: Path, task: Any, scores: List[Any], seed: int) -> Dict[str, Any]:
    pool = task.pool
    emotions = []
    for label in pool.classes:
        name = pool.emotions[label]
        count, groups = pool.size(label)
        trained = None if task.trained is None else name in task.trained
        emotions.append({"emotion": name, "trained_on": trained, "pictures": count, "groups": groups})
    return {
        "tower": str(path),
        "fingerprint": task.encoder.fingerprint,
        "trained_on": None if task.trained is None else list(task.trained),
        "data": task.dataset.name,
        "pictures": len(pool),
        "of": len(task.dataset),
        "trained_pictures": task.n_touched,
        "leaking": task.leaking,
        "kept_apart": pool.unit,
        "emotions": emotions,
        "seed": seed,
        "results": [score.to_json() for score in scores],
        "own_gallery": None
        if task.gallery is None
        else {
            "references": len(task.gallery),
            "n_neighbors": min(task.gallery_neighbors, len(task.gallery)),
            "emotions": list(task.gallery.emotions),
        },
    }


def _tell(task: Any, scores: List[Any], heads: List[str], against_gallery: bool) -> None:
    from eval.heads import TITLES

    first = scores[0]
    rows = [[f"{score.n_shot}", *(_cell(score.heads[head].accuracy) for head in heads)] for score in scores]
    rows.append(["chance", *([console.percent(first.chance)] * len(heads))])
    leaking = " - LEAKING" if task.leaking else ""
    title = (
        f"{task.dataset.name}: accuracy of {first.n_way} ways, {first.n_episodes} episodes, {first.n_query} queries of "
        f"each emotion, shots and queries of other {task.pool.unit.replace('distinct ', '')}{leaking}"
    )
    console.table(title, ["shots", *(TITLES[head] for head in heads)], rows)
    weighted = "; ".join(
        f"{TITLES[head]} {', '.join(console.percent(score.heads[head].weighted.mean) for score in scores)}"
        for head in heads
    )
    console.say(f"With each emotion as heavy as it is frequent among the {len(task.pool):,} pictures: {weighted}.")
    if against_gallery:
        _tell_gallery(task, scores, heads)
    _tell_emotions(task, scores, heads[0])
    if "knn" in heads:
        used = ", ".join(f"{score.n_neighbors} for {_shots(score)}" for score in scores)
        console.say(f"Neighbours that vote: {used}.")
    for sentence in _sentences(task):
        console.warn(sentence)


def _tell_gallery(task: Any, scores: List[Any], heads: List[str]) -> None:
    from eval.heads import TITLES

    known = [task.pool.emotions[label] for label in task.pool.classes]
    known = [emotion for emotion in known if emotion in task.gallery.emotions]
    how = _how(task, min(task.gallery_neighbors, len(task.gallery)))
    whose = f"the tower's own gallery knows ({len(task.gallery):,} references, {how})"
    rows = [
        [f"{score.n_shot}", _cell(score.gallery), *(_cell(score.heads[head].shared) for head in heads)]
        for score in scores
    ]
    title = f"the same queries, of the {len(known)} emotions that {whose}"
    console.table(title, ["shots", "own gallery", *(TITLES[head] for head in heads)], rows)


def _how(task: Any, k: int) -> str:
    """How the tower's own gallery votes, in words."""
    from galleries.voting import MEAN

    return "by means" if task.gallery.weights == MEAN else f"k = {k}"


def _ways(task: Any, score: Any) -> List[Tuple[str, str]]:
    """How a new emotion's shots may count in the tower's own gallery, and that in words; the usual way last."""
    from galleries.voting import MEAN

    nearer = ("emphasised", f"{score.factor.mean:.1f} times nearer")
    if task.gallery.weights == MEAN:
        return [("plain", "as it is")] if score.factor.mean == 1 else [("plain", "as it is"), nearer]
    return [("plain", "as it is"), nearer, ("means", "means vote")]


def _tell_enrolled(task: Any, enrolled: List[Any]) -> None:
    if not enrolled:
        return
    first, rows = enrolled[0], []
    new = ", ".join(first.new)
    for score in enrolled:
        known, drawn = score.known or {}, score.drawn or {}
        if score is first:
            rows.append(["0", "", "-", _cell(known.get("before")), "-"])
        for way, counted in _ways(task, score):
            cells = (score.recall[way], known.get(way), drawn.get(way))
            rows.append([f"{score.n_shot}", counted, *(_cell(cell) for cell in cells)])
    console.table(
        f"shots of {new} added to the tower's own gallery ({first.n_references:,} references, "
        f"{_how(task, first.n_neighbors)}), "
        f"as emotions gallery add does; chance {console.percent(first.chance)}",
        ["shots", "counted", f"{new} right", "others right", f"others called {new}"],
        rows,
    )


def _tell_emotions(task: Any, scores: List[Any], head: str) -> None:
    from eval.heads import TITLES

    pool = task.pool
    rows = []
    for label in pool.classes:
        name = pool.emotions[label]
        trained = "?" if task.trained is None else ("yes" if name in task.trained else "no")
        found = [score.heads[head].recalls.get(name) for score in scores]
        recalls = ["-" if recall is None else console.percent(recall.mean) for recall in found]
        rows.append([name, trained, *pool.size(label), *recalls])
    columns = ["emotion", "trained on", "pictures", pool.unit.split()[0], *(_shots(score) for score in scores)]
    console.table(f"recall of each emotion, {TITLES[head]}", columns, rows)


def _shots(score: Any) -> str:
    return "1 shot" if score.n_shot == 1 else f"{score.n_shot} shots"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if value.interval is None:
        return console.percent(value.mean)
    low, high = value.interval
    return f"{console.percent(value.mean)} ± {50 * (high - low):.1f}"


def _sentences(task: Any) -> List[str]:
    """What a person has to know to read the numbers."""
    found = []
    present = [task.pool.emotions[label] for label in task.pool.classes]
    if task.trained is None:
        found.append("The tower's card does not say which emotions it was trained on.")
    else:
        new = [emotion for emotion in present if emotion not in task.trained]
        which = ", ".join(new) if new else "No emotion asked about"
        found.append(f"{which} is new to the tower; it was trained on {', '.join(task.trained)}.")
    if task.leaking:
        found.append(f"{task.n_touched:,} pictures of the data set were trained or validated on, and take part.")
    elif task.n_touched is not None:
        left = len(task.dataset) - len(task.pool)
        found.append(
            f"{left:,} of {len(task.dataset):,} pictures are left out: trained on, tied to such, or not asked."
        )
    if task.pool.unit != "people":
        found.append("It is not known who is on the pictures, so shots and queries may show one person.")
    return found


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["fewshot", *sys.argv[1:]])
