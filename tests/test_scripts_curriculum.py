"""``emotions curriculum`` and ``emotions orders`` as a person uses them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import List, Tuple

import pytest
from conftest import NAMES, SMALL, Run, checksums, write_faces

pytest.importorskip("torch", reason="the learning part is not installed")

QUICK = ("--epochs", 2, "--pair-epochs", 1, "--trial-epochs", 1, "--warmup-epochs", 1)


@pytest.fixture(scope="module")
def grown(run: Run, faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuple[Path, str]:
    """A curriculum over three emotions, and what was printed."""
    folder = tmp_path_factory.mktemp("curriculum") / "course"
    code, out, err = run("curriculum", "--data", faces, "--out", folder, *QUICK, *SMALL, "--threshold", 0.1)
    assert code == 0, err
    return folder, out


def test_the_folder_tells_the_whole(run: Run, grown: Tuple[Path, str]) -> None:
    folder, out = grown
    facts = json.loads((folder / "curriculum.json").read_text())
    assert facts["finished"]
    assert set(facts["held"]) == set(NAMES)
    assert len(facts["pairs"]) == 3
    assert [len(stage["emotions"]) for stage in facts["stages"]] == [2, 3]
    for stage in facts["stages"]:
        assert stage["one_vs_rest_floor"] == pytest.approx(1 - stage["chance"])
        right = sum(stage["confusion"][i][i] for i in range(len(stage["emotions"])))
        assert stage["accuracy"] == pytest.approx(right / stage["validation_pictures"])
    page = (folder / "curriculum.html").read_text()
    assert "A curriculum that holds 3 emotions" in page
    assert page.count('class="plotly-graph-div"') == 3
    assert "TP" in page
    assert "always naming the more frequent one up to" in page
    assert not re.search(r"https?://[^\"']+\.js", page.split("plotly.js")[0])
    assert "which emotions go well together" in out
    assert "each emotion against all others" in out
    assert f"Open the report: {folder / 'curriculum.html'}" in out


def votes_of(folder: Path) -> int:
    """How many neighbours voted in the final test."""
    found: int = json.loads((folder / "final" / "result.json").read_text())["test"]["n_neighbors"]
    return found


def test_what_it_holds_is_a_gallery(run: Run, grown: Tuple[Path, str], faces: Path) -> None:
    folder, _ = grown
    picture = next((faces / NAMES[0]).iterdir())
    code, out, err = run("query", folder / "final" / "gallery", picture, "--whole", "--json")
    assert code == 0, err
    assert json.loads(out)["results"][0]["faces"][0]["emotion"] in NAMES
    test = json.loads((folder / "final" / "result.json").read_text())["test"]
    code, out, err = run("evaluate", folder / "final" / "gallery", "-k", votes_of(folder), "--json")
    assert code == 0, err
    again = json.loads(out)
    assert again["knn"]["confusion"] == test["knn"]["confusion"]
    assert again["knn"]["one_vs_rest"]["multi_class"] == test["knn"]["accuracy"]


def test_a_finished_one_resumes_to_itself(run: Run, grown: Tuple[Path, str]) -> None:
    folder, _ = grown
    before = (folder / "curriculum.json").read_text()
    code, out, err = run("curriculum", "--resume", folder, "--json")
    assert code == 0, err
    assert (folder / "curriculum.json").read_text() == before
    facts = json.loads(out)
    assert facts["test"]["test"]["knn"]["n"] > 0


def test_a_prior_ranking_and_a_given_order(run: Run, faces: Path, tmp_path: Path) -> None:
    prior = tmp_path / "prior.toml"
    prior.write_text('similar = ["anger+sad"]\nmoderate = ["happy+sad"]\ndistinct = ["anger+happy"]\n')
    options: List[object] = ["--data", faces, *QUICK, *SMALL, "--json", "--threshold", 0]
    options += ["--prior", prior, "--growth", "happy,sad,angry", "--order", "distinct-first", "--per-class", 6]
    code, out, err = run("curriculum", *options, "--out", tmp_path / "course")
    assert code == 0, err
    facts = json.loads(out)
    assert facts["warm_up"] is None
    assert [pair["band"] for pair in facts["ranking"]] == ["similar", "moderate", "distinct"]
    assert facts["held"] == ["happiness", "sadness", "anger"]
    assert facts["trials"] == []
    assert facts["stages"][-1]["training_pictures"] == 18
    card = json.loads((tmp_path / "course" / "growth" / "3-anger" / "card.json").read_text())
    assert card["training"]["pair_order"] == "distinct-first"
    assert card["training"]["pair_bands"][2] == [["anger", "happiness"]]
    prior.unlink()  # a copy stays with the curriculum
    code, out, err = run("curriculum", "--resume", tmp_path / "course", "--json")
    assert code == 0, err
    assert json.loads(out)["held"] == facts["held"]


def test_another_runs_weights_at_another_size(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    small = ["--input-size", 24, "--batch-size", 32, "--threads", 1, "--precision", "float32"]
    code, _, err = run(
        "curriculum", "--data", faces, "--init", trained, "--out", tmp_path / "course", *QUICK, *small, "--threshold", 0
    )
    assert code == 0, err
    asked = json.loads((tmp_path / "course" / "pairs" / "anger+happiness" / "run.json").read_text())
    assert asked["init"] == str(trained)
    card = json.loads((tmp_path / "course" / "final" / "card.json").read_text())
    assert card["input"]["height"] == 24


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--order", "backwards"], "not a known order of pairs"),
        (["--growth", "happy,boredom"], "boredom does not occur"),
        (["--bounds", "1"], "give two similarities such as"),
        (["--bounds", "0.1,0.5"], "the higher one first"),
        (["--threshold", 70], "give a share from 0 to 1"),
        (["--prior", "nowhere.toml"], "does not exist"),
        (["--resume", "nowhere"], "is no curriculum"),
        (["--similarity", "guess"], "not a known measure"),
        (["--emotions", "happy"], "at least two emotions"),
    ],
)
def test_bad_options_leave_nothing(run: Run, faces: Path, tmp_path: Path, options: List[object], said: str) -> None:
    out = tmp_path / "course"
    code, _, err = run("curriculum", "--data", faces, "--out", out, *QUICK, *SMALL, *options)
    assert code == 2
    assert said in " ".join(err.split())
    assert "Traceback" not in err
    assert not out.exists()


def test_a_class_too_small_is_refused_with_its_count(run: Run, tmp_path: Path) -> None:
    data = write_faces(tmp_path / "few", {"anger": 14, "fear": 2, "sadness": 14})
    code, _, err = run("curriculum", "--data", data, "--out", tmp_path / "course", *QUICK, *SMALL)
    assert code == 2
    assert re.search(r"fear (has|\()", " ".join(err.split())), err
    assert not (tmp_path / "course").exists()


def test_a_stopped_one_is_not_harmed_by_a_refusal(run: Run, grown: Tuple[Path, str], tmp_path: Path) -> None:
    before = checksums(grown[0])
    code, _, err = run("curriculum", "--out", grown[0], "--data", tmp_path / "none")
    assert code == 2
    assert "is not empty" in err
    assert checksums(grown[0]) == before


def test_orders_are_compared_at_equal_budget(run: Run, faces: Path, tmp_path: Path) -> None:
    options: List[object] = ["--data", faces, "--epochs", 2, "--warmup-epochs", 1, *SMALL]
    code, out, err = run("orders", *options, "--seeds", 2, "--out", tmp_path / "orders", "--json")
    assert code == 0, err
    facts = json.loads(out)
    assert [row["arm"] for row in facts["orders"]] == ["mixed", "similar-first", "distinct-first", "growing"]
    assert len(facts["trials"]) == 8
    assert facts["orders"][0]["difference"] is None
    assert facts["orders"][1]["difference_95"] is not None
    code, out, err = run("orders", "--resume", tmp_path / "orders", "--seeds", 1, "--arms", "mixed")
    assert code == 0, err
    assert "done before" not in out
    assert "mixed" in out
    assert "chance 33.3 %" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--arms", "best"], "not a known order to compare"),
        (["--seeds", 0], "give 1 or more"),
        (["--resume", "nowhere"], "is no curriculum"),
    ],
)
def test_bad_orders(run: Run, faces: Path, tmp_path: Path, options: List[object], said: str) -> None:
    code, _, err = run("orders", "--data", faces, "--out", tmp_path / "orders", *SMALL, *options)
    assert code == 2
    assert said in " ".join(err.split())
    assert not (tmp_path / "orders").exists()
