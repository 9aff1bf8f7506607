"""The end of a training run: export, gallery, test, and what the person is told of it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional

from emotions_cli import console
from emotions_cli.training_run import RESULT_FILE, PreparedRun
from galleries.atomic import write_text

if TYPE_CHECKING:
    from eval.metrics import OneVsRest


def finish_run(run: PreparedRun, result: Any, thumbnails: bool = True) -> Dict[str, Any]:
    """Export the best tower, build the gallery of the training pictures, and judge it on the test pictures.

    Returns:
        What ``result.json`` says.
    """
    from eval.judgement import judge
    from galleries.encoder import OnnxEncoder
    from siamese.enrolling import encode_rows, enrol
    from siamese.export import export_onnx
    from siamese.split_file import taught_by
    from siamese.towers import count_multiply_adds, count_parameters

    tower, dataset, split = result.tower, run.dataset, run.split
    faces = dataset.batch(split.val[:16], tower.input_spec)
    difference = export_onnx(tower, run.folder / "tower.onnx", dataset.emotions, faces, taught_by(dataset, split))
    encoder = OnnxEncoder(run.folder / "tower.onnx")
    with console.bar("building the gallery") as progress:
        gallery = enrol(dataset, split.train, encoder, thumbnails=thumbnails, progress=progress, scratch=run.folder)
    gallery.save(run.folder / "gallery")
    report: Dict[str, Any] = {
        "run": str(run.folder),
        "tower": tower.name,
        "parameters": count_parameters(tower),
        "multiply_adds": count_multiply_adds(tower),
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "stopped": result.stopped,
        "precision": result.precision,
        "training_seconds": result.seconds,
        "images_per_second": statistics.median(row["pictures_per_second"] for row in result.history),
        "validation": {"knn" if run.config.monitor == "last" else run.config.monitor: result.best_score},
        "onnx_difference": difference,
        "split": {"method": split.method, "digest": split.digest},
        "cleaning": cleaning(run.folder),
        "test": None,
    }
    if len(split.test):
        with console.bar("testing") as progress:
            queries = encode_rows(dataset, split.test, encoder, progress)
        k = min(run.config.n_neighbors, len(gallery))
        report["test"] = judge(dataset, split, gallery, queries, k, head_scores(result.head, queries)).to_json()
    save_json(run.folder / RESULT_FILE, report)
    return report


def cleaning(folder: Path) -> Optional[Dict[str, int]]:
    """How many training pictures were left out for which reason; None where the run was not cleaned."""
    from siamese.cleaning import CLEANED_FILE, count_dropped, read_dropped

    path = folder / CLEANED_FILE
    return count_dropped(read_dropped(path)) if path.is_file() else None


def head_scores(head: Any, vectors: Any) -> Any:
    """A softmax head's scores float32 (N, C) of vectors (N, D), or None without a head."""
    if head is None:
        return None
    import torch

    with torch.inference_mode():
        return head(torch.from_numpy(vectors)).numpy()


def save_json(path: Path, value: Any) -> None:
    """Write a result as JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_report(report: Dict[str, Any], folder: Path) -> None:
    """Tell a run's result, with its floors, and what can be done next."""
    minutes = report["training_seconds"] / 60
    console.out.print(
        f"{report['tower']}: {report['parameters']:,} weights, epoch {report['best_epoch']} of "
        f"{report['epochs']} kept, {minutes:.1f} min of training, {report['images_per_second']:.0f} images/s "
        f"({report['precision']})."
    )
    if report["cleaning"] is not None:
        counts = ", ".join(f"{count} ({reason})" for reason, count in report["cleaning"].items())
        console.out.print(f"Left out of training: {counts}; cleaned.tsv lists them.", markup=False)
    test = report["test"]
    if test is None:
        console.warn("the split has no test pictures, so nothing was tested.")
    else:
        rows = []
        for name, key in (("k-NN vote", "knn"), ("softmax", "softmax")):
            for suffix, label in (("", ""), ("_without_leaks", ", without leaks")):
                found = test[key + suffix]
                if found is not None:
                    low, high = found["interval_95"]
                    rows.append(
                        [
                            name + label,
                            console.percent(found["accuracy"]),
                            f"{100 * low:.1f}-{100 * high:.1f}",
                            console.percent(found["balanced_accuracy"]),
                            f"{found['macro_f1']:.3f}",
                            found["n"],
                        ]
                    )
        knn = test["knn"]
        rows.append(["chance", console.percent(knn["chance"]), "", "", "", ""])
        rows.append(["always the most frequent", console.percent(knn["majority"]), "", "", "", ""])
        leaking = " - LEAKING SPLIT" if test["leaking"] else ""
        console.table(
            f"test ({report['split']['method']} split, k = {test['n_neighbors']}){leaking}",
            ["", "accuracy", "95 %", "balanced", "macro F1", "pictures"],
            rows,
        )
        console.table(
            "k-NN vote, per emotion",
            ["emotion", "precision", "recall", "F1", "pictures"],
            [
                [c["emotion"], *(f"{c[key]:.3f}" for key in ("precision", "recall", "f1")), c["support"]]
                for c in knn["classes"]
            ],
        )
        for sentence in test["leakage"].get("sentences", []):
            console.warn(sentence)
    console.out.print(f"Everything is in {folder}. Next: emotions query {folder / 'gallery'} PHOTO", markup=False)


def tell_one_vs_rest(table: OneVsRest) -> None:
    """Print the siamese paper's table, with the multi-class accuracy and both floors beside its mean."""
    console.table(
        "each emotion against all others (the siamese paper's table)",
        ["emotion", "TP", "TN", "FP", "FN", "(TP+TN)/all"],
        [[*row[:5], console.percent(row[5])] for row in table.rows()],
    )
    console.out.print(
        f"one-vs-rest mean {console.percent(table.mean)} (never saying yes: {console.percent(table.floor)}); "
        f"multi-class accuracy {console.percent(table.multi_class)} (chance {console.percent(table.chance)})"
    )
