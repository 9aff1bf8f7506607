"""What ``emotions compare`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Sequence

import numpy as np

from emotions_cli import console
from eval.comparison_tables import accuracy_table, against_table, cost_table, recall_table, sentences, training_table

if TYPE_CHECKING:
    from emotions_cli.compare_run import Course
    from eval.comparison_result import Comparison
    from eval.comparison_run import Row


def as_json(course: Course, rows: Sequence[Row], found: Comparison) -> Dict[str, Any]:
    """The whole result, with every run's own numbers."""
    split, dataset = course.contest.split, course.contest.dataset
    truth = dataset.labels[split.test]
    return {
        **course.plan.facts(),
        "name": dataset.name,
        "emotions": list(dataset.emotions),
        "pictures": {part: len(places) for part, places in split.parts().items()},
        "split": {"method": split.method, "digest": split.digest},
        "references_voting": len(course.contest.voters()),
        **found.to_json(),
        "runs": [
            {
                "tower": row.tower,
                "seed": row.seed,
                "knn": float((np.array(row.knn) == truth).mean()),
                "softmax": float((np.array(row.softmax) == truth).mean()),
                "few_shot": None if row.few_shot is None else {n: m.to_json() for n, m in row.few_shot.items()},
                **vars(row.facts),
                "speed": None if row.speed is None else vars(row.speed),
            }
            for row in rows
        ],
    }


def tell(report: Dict[str, Any], folder: Path) -> None:
    """Print the result."""
    tables = [accuracy_table(report), cost_table(report), training_table(report)]
    if len(report["towers"]) > 1:
        tables += [against_table(report, "knn"), against_table(report, "softmax")]
    for table in (*tables, recall_table(report)):
        console.table(table.title, table.columns, table.rows)
    for sentence in sentences(report):
        console.out.print(sentence, markup=False)
    for sentence in report["leakage"]["sentences"]:
        console.warn(sentence)
    console.out.print(f"Everything is in {folder}.", markup=False)
