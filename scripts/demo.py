"""``emotions demo``: the whole path on faces the project draws itself, and a page to look at."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any, List, Optional

import typer

from emotions_cli import console
from galleries.errors import ConfigError, require

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(epilog="Example:  emotions demo --out runs/demo")
def demo(
    subjects: int = typer.Option(280, help="People to draw."),
    epochs: Optional[int] = typer.Option(None, help="Passes over the training pictures. [default: the recipe's]"),
    new_emotion: str = typer.Option("surprise", help="The emotion left out of training and enrolled from a few shots."),
    shots: int = typer.Option(5, help="Pictures of each emotion in the few-shot galleries."),
    seed: int = typer.Option(0, help="Of everything random."),
    out: Path = typer.Option(Path("runs/demo"), help="Where to put the run and the page; replaced if it is a demo."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Draw faces, train the default tower with a metric loss, and classify people it has never seen.

    Then an emotion that was not in training is enrolled from five pictures. A page with the curve, the confusion
    matrix and examples with their neighbours is written; the last line names it.
    """
    console.stop_on_terminate()
    require("torch", "train")
    require("plotly", "eval")
    require("sklearn", "eval")
    began = time.perf_counter()
    _clear(out)
    facts = _demo(subjects, epochs, new_emotion, shots, seed, out, json)
    facts["seconds"] = time.perf_counter() - began
    if json:
        console.print_json(facts)
        return
    known, few = facts["known"], facts["few_shot"]
    low, high = (100 * bound for bound in known["interval_95"])
    console.out.print(
        f"\nPeople never seen, {len(known['emotions'])} emotions: k-NN {console.percent(known['accuracy'])} "
        f"(95 %: {low:.1f}-{high:.1f}; chance {console.percent(known['chance'])}; {known['n']} pictures)"
    )
    console.out.print(
        f"{shots} shots of each of {len(known['emotions']) + 1} emotions, {new_emotion} never trained on: "
        f"{console.percent(few['accuracy'])} ± {100 * few['spread']:.1f} (chance {console.percent(few['chance'])}); "
        f"of the {new_emotion} faces {console.percent(few['new_recall'])} ± {100 * few['new_recall_spread']:.1f}"
    )
    console.out.print(f"Done in {facts['seconds']:.0f} s. Try: emotions query {out / 'gallery'} PHOTO", markup=False)
    console.out.print(f"Open the report: {out / 'report.html'}", markup=False)


def _clear(out: Path) -> None:
    if out.exists():
        if any(out.iterdir()) and not (out / "demo").exists():
            raise ConfigError(f"{out} exists and is no demo's folder; choose another --out.")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / "demo").touch()


def _demo(subjects: int, epochs: Optional[int], new_emotion: str, shots: int, seed: int, out: Path, quiet: bool) -> Any:
    import numpy as np

    from emotions_cli.run_ending import finish_run
    from emotions_cli.training_run import PreparedRun, describe_data, find_config, train_run
    from eval.few_shot_enrolment import few_shot_enrolment
    from galleries.encoder import OnnxEncoder
    from galleries.gallery import Gallery
    from galleries.vocabulary import canonical
    from siamese.datasets import load_dataset
    from siamese.enrolling import encode_rows
    from siamese.run import RunRequest
    from siamese.splits import make_split

    name, config = find_config("demo", None, {"epochs": epochs, "seed": seed})
    with console.bar("drawing faces") as progress:
        everything = load_dataset(f"synthetic:subjects={subjects},seed={seed}", progress=progress)
    new = canonical(new_emotion)
    if new not in everything.emotions:
        raise ConfigError(f"{new_emotion!r} is not drawn here; choose one of: {', '.join(everything.emotions)}.")
    known = everything.select([emotion for emotion in everything.emotions if emotion != new])
    split = make_split(known, "subject", seed=seed)
    request = RunRequest(f"synthetic:subjects={subjects},seed={seed}", config.to_json(), name, emotions=known.emotions)
    request.save(out)
    split.save(out / "split.json", known)
    run = PreparedRun(out, request, config, known, split, "auto", False, quiet)
    describe_data(known, split, quiet)
    result = train_run(run)
    report = finish_run(run, result)

    encoder = OnnxEncoder(out / "tower.onnx")
    assert known.subjects is not None
    assert everything.subjects is not None
    testers = {known.subjects[row] for row in split.test}
    teachers = {known.subjects[row] for row in split.train}
    people = np.array(everything.subjects)
    support = np.flatnonzero(np.isin(people, sorted(teachers)))
    queries = np.flatnonzero(np.isin(people, sorted(testers)))
    vectors = encode_rows(everything, np.arange(len(everything)), encoder)
    few = few_shot_enrolment(everything, vectors, support, queries, encoder, new, shots, seed=seed)
    facts = {"known": report["test"]["knn"], "few_shot": vars(few), "new_emotion": new, "run": report}
    gallery = Gallery.load(out / "gallery")
    examples = _examples(known, split, gallery, encoder, config.n_neighbors)
    _write_page(out, facts, result, examples, subjects, len(testers), config.loss)
    return facts


def _examples(dataset: Any, split: Any, gallery: Any, encoder: Any, n_neighbors: int) -> List[Any]:
    """For each emotion a query the vote got right and, where there is one, a query it got wrong."""
    import numpy as np

    from eval.report import Evidence
    from siamese.enrolling import encode_rows

    answers = gallery.classify(encode_rows(dataset, split.test, encoder), n_neighbors)
    truth = np.array([dataset.emotions[label] for label in dataset.labels[split.test]])
    said = np.array([answer.emotion for answer in answers])
    rows = {source: row for row, source in enumerate(dataset.ids)}
    chosen = []
    for emotion in dataset.emotions:
        for wanted in (True, False):
            found = np.flatnonzero((truth == emotion) & ((said == truth) == wanted))
            chosen += found[:1].tolist()
    examples = []
    for position in chosen:
        answer = answers[position]
        neighbours = tuple(
            (dataset.image(rows[near.source]), near.emotion, near.distance) for near in answer.neighbours[:6]
        )
        picture = dataset.image(int(split.test[position]))
        examples.append(Evidence(picture, str(truth[position]), answer.emotion, answer.confidence, neighbours))
    return examples


def _write_page(out: Path, facts: Any, result: Any, examples: Any, subjects: int, testers: int, loss: str) -> None:
    from eval import figures, report
    from eval.metrics import scores_from_json
    from galleries.atomic import write_text

    known, few, new = scores_from_json(facts["known"]), facts["few_shot"], facts["new_emotion"]
    curve, matrix = report.figures(
        figures.learning_curve(result.history, known.chance), figures.confusion_matrix(known)
    )
    low, high = (100 * bound for bound in known.interval)
    names = [
        (f"{100 * known.accuracy:.1f} %", f"k-NN accuracy on {testers} people never seen (95 %: {low:.1f}-{high:.1f})"),
        (f"{100 * known.chance:.1f} %", f"chance floor, {len(known.emotions)} emotions"),
        (
            f"{100 * few['accuracy']:.1f} %",
            f"with {few['n_shots']} pictures of each emotion, {new} never trained on (± {100 * few['spread']:.1f}, "
            f"{few['n_draws']} draws; chance {100 * few['chance']:.1f} %)",
        ),
        (f"{100 * few['new_recall']:.1f} %", f"of the {new} faces recognised in those galleries"),
    ]
    rows = [[c.emotion, *(f"{v:.3f}" for v in (c.precision, c.recall, c.f1)), c.support] for c in known.classes]
    run = facts["run"]
    body = [
        report.tiles(names),
        report.section(
            "Learning", curve, text="Validation pictures show people who are neither trained on nor tested."
        ),
        report.section(
            "Which emotion is taken for which",
            matrix,
            text="Test people only. A row is a true emotion; a cell tells how often it was given which answer.",
        ),
        report.section("Per emotion", report.html_table(["emotion", "precision", "recall", "F1", "pictures"], rows)),
        report.section(
            "Which faces say so",
            report.evidence(examples),
            text="On the left a face of a person never seen and the vote's answer; on the right its nearest references "
            "in the gallery, with their emotion and cosine distance. One right and one wrong answer an emotion.",
        ),
        f"<footer>emotions demo · {run['tower']} tower, {run['parameters']:,} weights, trained on {loss}, "
        f"best of {run['epochs']} epochs by validation · {subjects} drawn people, split by person · "
        "drawn faces are easier than photographs: these numbers say nothing about real ones.</footer>",
    ]
    title = "Emotions by nearest neighbours: people and an emotion the tower never saw"
    lead = (
        "A tower was trained with a metric loss on drawn faces; a gallery of its vectors votes on each new face. "
        f"{new.capitalize()} was left out of training and enrolled from {few['n_shots']} pictures."
    )
    write_text(out / "report.html", report.page(title, lead, body))


if __name__ == "__main__":
    from emotions_cli.cli import main

    main(["demo", *sys.argv[1:]])
