"""``emotions fewshot``, and what ``emotions evaluate --unknown`` does, as a person uses them; without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, List

import cv2
import numpy as np
import pytest
from conftest import Run
from onnx_towers import card, write_tower

pytest.importorskip("sklearn", reason="the judging part is not installed")

from galleries.encoder import OnnxEncoder
from siamese.datasets import load_dataset
from siamese.enrolling import enrol
from siamese.split_file import taught_by
from siamese.splits import make_split

EMOTIONS = ("anger", "contempt", "fear")
PEOPLE = 9
QUICK = ("--episodes", 20, "--queries", 4, "--shots", "1,3")


def write_people(folder: Path, first: int = 0) -> Path:
    """CK+'s layout: two frames of every person and emotion, one pattern an emotion."""
    rng = np.random.default_rng(first)
    for emotion in EMOTIONS:
        (folder / emotion).mkdir(parents=True)
        pattern = rng.integers(0, 256, (12, 12))
        for person in range(PEOPLE):
            for frame in (1, 2):
                noisy = (pattern // 2 + rng.integers(0, 128, (12, 12))).astype(np.uint8)
                cv2.imwrite(str(folder / emotion / f"S{first + person:03d}_001_{frame:08d}.png"), noisy)
    return folder


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people") / "ck")


@pytest.fixture(scope="module")
def finished(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves behind: it was trained on anger and fear of some of the people."""
    folder = tmp_path_factory.mktemp("finished")
    encoder = OnnxEncoder(write_tower(folder / "tower.onnx"))
    dataset = load_dataset(people).select(["anger", "fear"])
    split = make_split(dataset, "subject", (0.4, 0.2, 0.4))
    split.save(folder / "split.json", dataset)
    wanted = {"data": str(people), "emotions": ["anger", "fear"], "training": {"n_neighbors": 3}}
    (folder / "run.json").write_text(json.dumps(wanted))
    enrol(dataset, split.train, encoder).save(folder / "gallery")
    return folder


def facts_of(run: Run, *arguments: Any) -> Any:
    code, out, err = run("fewshot", *arguments, "--json")
    assert code == 0, err
    return json.loads(out)


def test_another_data_set(run: Run, finished: Path, tmp_path: Path) -> None:
    other = write_people(tmp_path / "other", first=100)
    facts = facts_of(run, finished / "tower.onnx", "--data", other, "--ways", "all", *QUICK)
    assert facts["trained_on"] == ["anger", "fear"]
    assert [entry["trained_on"] for entry in facts["emotions"]] == [True, False, True]
    assert {(entry["pictures"], entry["groups"]) for entry in facts["emotions"]} == {(18, 9)}
    assert (facts["kept_apart"], facts["leaking"], facts["trained_pictures"]) == ("people", False, None)
    assert [(r["n_way"], r["n_shot"], r["n_query"], r["n_episodes"]) for r in facts["results"]] == [
        (3, 1, 4, 20),
        (3, 3, 4, 20),
    ]
    for result in facts["results"]:
        assert result["chance"] == pytest.approx(1 / 3)
        for head in result["heads"].values():
            low, high = head["accuracy"]["interval_95"]
            assert low <= head["accuracy"]["mean"] <= high
            assert set(head["recalls"]) == set(EMOTIONS)
            assert head["shared"] is None


def test_what_a_person_reads(run: Run, finished: Path, tmp_path: Path) -> None:
    other = write_people(tmp_path / "other", first=100)
    code, out, err = run("fewshot", finished, "--data", other, *QUICK, "--against-gallery")
    assert code == 0, err
    said = " ".join((out + err).split())
    for wanted in (
        "chance", "k-NN vote", "nearest mean", "logistic", "own gallery", "references, k = 3",
        "2 emotions that the tower's own gallery knows", "contempt is new to the tower", "1 for 1 shot, 3 for 3 shots",
        "shots and queries of other people", "33.3 %",
    ):  # fmt: skip
        assert wanted in said
    assert "LEAKING" not in said


def test_a_new_emotion_added_to_the_tower_s_own_gallery(run: Run, finished: Path, tmp_path: Path) -> None:
    other = write_people(tmp_path / "other", first=100)
    asked = (finished, "--data", other, "--ways", "all", *QUICK, "--enrol")
    facts = facts_of(run, *asked)
    assert [entry["n_shot"] for entry in facts["enrolled"]] == [1, 3]
    for entry in facts["enrolled"]:
        assert entry["new"] == ["contempt"]
        assert entry["n_neighbors"] == 3
        assert entry["chance"] == pytest.approx(1 / 3)
        assert set(entry["recalls"]) == set(EMOTIONS)
        assert set(entry["recall"]) == {"plain", "emphasised", "means"}
    code, out, err = run("fewshot", *asked)
    assert code == 0, err
    said = " ".join(out.split())
    for wanted in (
        "shots of contempt added to the tower's own gallery", "as it is", "contempt right", "others right",
        "means vote",
    ):  # fmt: skip
        assert wanted in said
    assert "same queries" not in said  # that is --against-gallery
    assert facts_of(run, *asked[:-1])["enrolled"] == []
    known = run("fewshot", finished, "--data", other, "--emotions", "anger,fear", *QUICK, "--enrol")
    assert known[0] == 2
    assert "Nothing is new to a gallery of anger, fear" in " ".join(known[2].split())
    refused = run("fewshot", *asked, "--taken", 1.5)
    assert refused[0] == 2
    assert "between 0 and 1" in refused[2]


def test_the_tower_that_comes_along(run: Run, tmp_path: Path) -> None:
    other = write_people(tmp_path / "other", first=100)
    facts = facts_of(run, "pretrained", "--data", other, *QUICK, "--shots", 1, "--episodes", 2, "--enrol")
    assert facts["own_gallery"]["references"] > 1000
    assert facts["enrolled"][0]["new"] == ["contempt"]


def test_the_runs_own_data_without_what_was_trained_on(run: Run, finished: Path) -> None:
    facts = facts_of(run, finished, *QUICK, "--shots", 1, "--queries", 3)
    split = json.loads((finished / "split.json").read_text())
    trained = {Path(name).stem[:4] for name in (*split["train"], *split["val"])}
    left = PEOPLE - len(trained)
    assert {entry["groups"] for entry in facts["emotions"]} == {left}  # of contempt too: its people were trained on
    assert facts["pictures"] == left * 6
    assert facts["trained_pictures"] == len(split["train"]) + len(split["val"])
    assert not facts["leaking"]
    everything = facts_of(run, finished, *QUICK, "--pictures", "all")
    assert everything["pictures"] == PEOPLE * 6
    assert everything["leaking"]
    code, out, _ = run("fewshot", finished, *QUICK, "--pictures", "all")
    assert code == 0
    assert "LEAKING" in out
    elsewhere = facts_of(run, finished / "gallery", *QUICK, "--shots", 1, "--queries", 3)
    assert elsewhere["results"] == facts["results"]


def test_the_tower_s_own_file_tells_what_it_was_trained_on(run: Run, people: Path, tmp_path: Path) -> None:
    dataset = load_dataset(people)
    split, other = make_split(dataset, "subject"), make_split(dataset, "subject", seed=4)

    def taught(name: str, by: Any) -> Path:
        told = card(taught=asdict(taught_by(dataset, by)))
        return write_tower(tmp_path / name, metadata=json.dumps(told))

    own = taught("tower.onnx", split)
    facts = facts_of(run, own, "--data", people, "--ways", "all", "--pictures", "all", *QUICK)
    assert facts["trained_pictures"] == len(split.train) + len(split.val)
    assert facts["leaking"]
    code, _, err = run("fewshot", own, "--data", people, "--ways", "all", *QUICK)
    assert code == 2
    for name, count in dataset.counts(split.test).items():
        assert f"{name} ({count} pictures of" in err
    code, out, err = run("fewshot", taught("other.onnx", other), "--data", people, "--ways", "all", *QUICK, "--json")
    assert code == 0, err
    assert "which of these pictures is not known" in " ".join(err.split())
    assert json.loads(out)["trained_pictures"] is None


def test_only_new_emotions(run: Run, finished: Path, people: Path, tmp_path: Path) -> None:
    one_new = run("fewshot", finished, "--unseen", *QUICK)
    assert one_new[0] == 2
    assert "only contempt is there" in " ".join(one_new[2].split())
    stranger = write_tower(tmp_path / "tower.onnx", json.dumps(card(emotions=["fear"])))
    facts = facts_of(run, stranger, "--data", people, "--unseen", *QUICK)
    assert [entry["emotion"] for entry in facts["emotions"]] == ["anger", "contempt"]
    assert facts["results"][0]["n_way"] == 2
    unsaid = write_tower(tmp_path / "unsaid.onnx", json.dumps(card(emotions=[])))
    code, _, err = run("fewshot", unsaid, "--data", people, "--unseen")
    assert code == 2
    assert "does not say which emotions" in err
    assert facts_of(run, unsaid, "--data", people, *QUICK)["emotions"][0]["trained_on"] is None


def test_shots_that_the_pictures_do_not_suffice_for(run: Run, finished: Path, people: Path) -> None:
    asked = ("--pictures", "all", *QUICK, "--shots", "1,30", "--json")
    code, out, err = run("fewshot", finished / "tower.onnx", "--data", people, *asked)
    assert code == 0, err
    assert [result["n_shot"] for result in json.loads(out)["results"]] == [1]
    assert "30 shots are left out" in err
    assert "contempt (18 pictures of 9 people)" in " ".join(err.split())


def test_seeded(run: Run, finished: Path, people: Path) -> None:
    asked = (finished / "tower.onnx", "--data", people, *QUICK, "--heads", "knn")
    one, again, other = (facts_of(run, *asked, "--seed", seed) for seed in (1, 1, 2))
    assert one == again
    assert one["results"] != other["results"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shots", "0"], "--shots '0' was given"),
        (["--shots", "one"], "--shots 'one' was given"),
        (["--shots", "30"], "Too few pictures for 30 shots"),
        (["--ways", "four"], "--ways 'four' was given"),
        (["--ways", "9"], "9 ways were asked for and 3 emotions"),
        (["--queries", "0"], "0 queries were asked for"),
        (["--episodes", "0"], "0 episodes were asked for"),
        (["--heads", "svm"], "'svm' is not a known few-shot head"),
        (["--neighbors", "0"], "--neighbors 0 was given"),
        (["--seed", "-1"], "--seed -1 was given"),
        (["--pictures", "old"], "'old' is not a known choice of pictures"),
        (["--emotions", "boredom"], "boredom does not occur"),
        (["--emotions", "anger"], "only anger is there"),
        (["--emotions", "anger,fear", "--unseen"], "trained on every emotion asked for (anger, fear)"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_bad_options(run: Run, finished: Path, people: Path, options: List[str], said: str) -> None:
    code, _, err = run("fewshot", finished, "--data", people, "--pictures", "all", *options)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_a_tower_alone(run: Run, people: Path, tmp_path: Path) -> None:
    tower = write_tower(tmp_path / "tower.onnx")
    code, _, err = run("fewshot", tower)
    assert code == 2
    assert "say with --data" in err
    code, _, err = run("fewshot", tower, "--data", people, "--against-gallery")
    assert code == 2
    assert "holds no gallery of its own" in err
    code, _, err = run("fewshot", tmp_path / "none.onnx", "--data", people)
    assert code == 2
    assert "cannot be read as a tower" in err


def test_a_gallery_of_another_tower_is_not_compared_with(run: Run, people: Path, tmp_path: Path) -> None:
    encoder = OnnxEncoder(write_tower(tmp_path / "tower.onnx"))
    enrol(load_dataset(people), np.arange(20), encoder).save(tmp_path / "gallery")
    write_tower(tmp_path / "tower.onnx", json.dumps(card(fingerprint="cd" * 16)))
    code, _, err = run("fewshot", tmp_path, "--data", people, "--against-gallery")
    assert code == 2
    assert "not with" in err


def test_a_damaged_split_of_the_run(run: Run, finished: Path, tmp_path: Path) -> None:
    for name in ("tower.onnx", "run.json"):
        (tmp_path / name).write_bytes((finished / name).read_bytes())
    (tmp_path / "split.json").write_text("{")
    code, _, err = run("fewshot", tmp_path, *QUICK)
    assert code == 2
    assert "cannot be read as a saved split" in err


def test_no_torch_is_loaded(run: Run, finished: Path, people: Path) -> None:
    arguments = [str(value) for value in (finished, "--data", people, "--pictures", "all", "--heads", "knn", *QUICK)]
    code = (
        "import sys\nfrom emotions_cli import fewshot\n"
        f"try: fewshot.app(args={arguments!r})\n"
        "except SystemExit as stop: assert not stop.code\n"
        "assert 'eval.few_shot' in sys.modules\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=Path(__file__).parent)
    assert done.returncode == 0, done.stderr.decode()


# --- emotions left out of a gallery -----------------------------------------------------------------------------------


def opened(finished: Path, people: Path) -> Any:
    from emotions_cli.evaluation import open_test

    options = {
        "data": str(people), "split_by": None, "ratios": "70/15/15", "seed": 0, "emotions": None, "format": None,
        "ferplus": None,
    }  # fmt: skip
    return open_test(finished / "gallery", None, options)


def test_each_emotion_left_out_in_turn(run: Run, finished: Path, people: Path, capsys: Any) -> None:
    from emotions_cli.unknown_report import judge_unknown, tell_unknown, unknown_as_json

    test = opened(finished, people)
    report = judge_unknown(test, "all")
    plain = json.loads(json.dumps(unknown_as_json(report)))
    assert [entry["left_out"] for entry in plain["rounds"]] == [["anger"], ["fear"]]
    held = len(test.gallery)
    assert plain["copies_left_aside"] == held
    assert plain["rounds"][0]["n_known"] + plain["rounds"][0]["n_unknown"] == 2 * 2 * PEOPLE - held
    assert plain["intervals_by"] == "people"
    assert plain["shared_people"] > 0
    assert plain["trained_on"] == ["anger", "fear"]
    assert plain["n_neighbors"] == test.n_neighbors
    capsys.readouterr()
    tell_unknown(report)
    shown = capsys.readouterr()
    said = " ".join((shown.out + shown.err).split())
    for wanted in (
        "vote share",
        "AUROC (95 %)",
        "known right",
        "mean",
        "LEAKING",
        "over people",
        "new to the tower too",
    ):
        assert wanted in said


def test_some_emotions_left_out_together(run: Run, finished: Path, people: Path) -> None:
    from emotions_cli.unknown_report import judge_unknown
    from eval.held_out import held_out

    test = opened(finished, people)
    queries = held_out(test.gallery, test.encoder, test.dataset, test.parts["all"])
    report = judge_unknown(test, "all", "Angry", 2, "majority", queries)
    assert [scores.left_out for scores in report["rounds"]] == [("anger",)]
    assert (report["n_neighbors"], report["weights"]) == (2, "majority")


def test_emotions_that_cannot_be_left_out(run: Run, finished: Path, people: Path) -> None:
    from emotions_cli.unknown_report import judge_unknown
    from galleries.errors import ConfigError, DataError

    test = opened(finished, people)
    with pytest.raises(ConfigError, match="boredom was to be left out, but the gallery holds anger, fear"):
        judge_unknown(test, "all", "boredom")
    with pytest.raises(DataError, match="leaves 0 emotions"):
        judge_unknown(test, "all", "anger,fear")
    test.parts["all"] = test.parts["all"][test.dataset.labels == 0]
    with pytest.raises(DataError, match="needs pictures of two or more to ask about; anger is there"):
        judge_unknown(test, "all")
