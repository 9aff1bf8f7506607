"""``emotions train`` with a recipe that wants other runs first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL, Run, the_error
from voted_faces import voted_faces

pytest.importorskip("torch", reason="the learning part is not installed")

from emotions_cli import earlier_runs
from emotions_cli.training_options import recipe_from, request_from
from galleries.errors import ConfigError
from siamese.lineage import Before, is_trained, read_before

PLAIN = '[training]\ntower = "compact"\nloss = "cross-entropy"\nepochs = 1\nlr = 0.01\n'


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    """Three recipes: last wants middle and first, middle wants first."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    first, middle, last = (folder / f"{name}.toml" for name in ("first", "middle", "last"))
    first.write_text(PLAIN)
    middle.write_text(f'{PLAIN}\n[before]\nteachers = ["{first}"]\n')
    last.write_text(f'{PLAIN}\n[before]\nteachers = ["{first}", "{middle}"]\ninit = "{middle}"\n')
    return folder


def asked(run: Path) -> Any:
    return json.loads((run / "run.json").read_text())


def test_they_are_trained_first_and_teach(run: Run, faces: Path, recipes: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ("--recipe", recipes / "last.toml", "--split", "random", "--seed", 5, *SMALL)
    code, text, err = run("train", "--data", faces, "--out", out, *options, "--json")
    assert code == 0, err
    report = json.loads(text)
    assert err.index("run 1 of 2 before this one") < err.index("run 2 of 2 before this one")
    first, middle = (out / "before" / name for name in ("first", "middle"))
    card = json.loads((out / "card.json").read_text())
    assert [teacher["run"] for teacher in card["teachers"]] == [str(first), str(middle)]
    assert json.loads((middle / "card.json").read_text())["teachers"][0]["run"] == str(first)
    assert "teachers" not in json.loads((first / "card.json").read_text())
    assert asked(out)["init"] == str(middle)
    assert f"Started from {middle}" in "".join(err.splitlines()) or f"Started from {middle}" in " ".join(err.split())
    assert {asked(each)["training"]["seed"] for each in (first, middle, out)} == {5}
    assert {asked(each)["training"]["input_size"] for each in (first, middle, out)} == {16}
    splits = [json.loads((each / "split.json").read_text()) for each in (first, middle, out)]
    assert splits[0] == splits[1] == splits[2]
    before = {each: (each / "tower.safetensors").read_bytes() for each in (first, middle)}
    code, text, err = run("train", "--resume", out, "--json")
    assert code == 0, err
    assert "before this one" not in err
    assert json.loads(text)["test"] == report["test"]
    assert {each: (each / "tower.safetensors").read_bytes() for each in before} == before


def test_those_whose_recipe_learns_from_votes_are_given_them(run: Run, tmp_path: Path) -> None:
    data, votes = voted_faces(tmp_path)
    first, middle, last = (tmp_path / f"{name}.toml" for name in ("first", "middle", "last"))
    first.write_text(PLAIN)
    middle.write_text(f'{PLAIN}votes_share = 0.5\n[before]\nteachers = ["{first}"]\n')
    last.write_text(f'{PLAIN}[before]\nteachers = ["{middle}"]\ninit = "{middle}"\n')
    for options, expected in ((("--votes", votes), str(votes)), ((), None)):
        out = tmp_path / f"run-{len(options)}"
        code, _, err = run("train", "--data", data, "--recipe", last, "--out", out, *options, *SMALL)
        assert code == 0, err
        assert asked(out)["votes"] == expected
        assert asked(out / "before" / "middle")["votes"] == expected
        assert asked(out / "before" / "first")["votes"] is None


def test_what_comes_along_is_trained_from_nothing_by_one_command(tmp_path: Path) -> None:
    typed = {
        "data": "synthetic",
        "format": None,
        "recipe": "shipped",
        "tower": None,
        "votes": "v",
        "detector": "d",
    }
    request = request_from(typed, *recipe_from(typed))
    assert (request.config.tower, request.votes, request.detector) == ("compact_straight", "v", "d")
    request, earlier = earlier_runs.plan(typed, request, tmp_path)
    assert (request.votes, request.detector) == ("v", None)  # the run before has learned from it already
    given = {run.recipe: (run.request.votes, run.request.detector) for run in earlier}
    assert list(given) == [
        "compact",
        "shipped-first",
        "shipped-votes",
        "shipped-compact_wide",
        "shipped-pairs",
        "shipped-straight",
    ]
    assert given.pop("compact") == given.pop("shipped-first") == (None, None)
    assert given.pop("shipped-straight") == ("v", "d")
    assert set(given.values()) == {("v", None)}
    assert request.init == str(earlier[-1].folder)
    assert request.teachers == (request.init,)


def test_what_was_stopped_between_them_goes_on(
    run: Run, faces: Path, recipes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, trained = tmp_path / "run", []
    usual = earlier_runs.train_run

    def once(prepared: Any) -> Any:
        if trained:
            raise KeyboardInterrupt
        trained.append(prepared.folder)
        return usual(prepared)

    monkeypatch.setattr(earlier_runs, "train_run", once)
    code, _, _ = run("train", "--data", faces, "--recipe", recipes / "last.toml", "--out", out, *SMALL)
    assert code != 0
    assert is_trained(out / "before" / "first", 1)
    assert not is_trained(out / "before" / "middle", 1)
    monkeypatch.setattr(earlier_runs, "train_run", usual)
    code, text, err = run("train", "--resume", out, "--json")
    assert code == 0, err
    assert "run 1 of 2" not in err
    assert "run 2 of 2" in err
    assert json.loads(text)["epochs"] == 1


def test_named_teachers_take_their_place(run: Run, faces: Path, trained: Path, recipes: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = ("--recipe", recipes / "last.toml", "--teacher", trained, *SMALL)
    code, _, err = run("train", "--data", faces, "--out", out, *options)
    assert code == 0, err
    assert asked(out)["teachers"] == [str(trained)]
    assert asked(out)["init"] is None
    assert not (out / "before").exists()


def test_what_is_refused_leaves_nothing_to_resume(run: Run, faces: Path, recipes: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    (recipes / "lost.toml").write_text(f'{PLAIN}\n[before]\nteachers = ["nobody"]\n')
    (recipes / "circle.toml").write_text(f'{PLAIN}\n[before]\ninit = "{recipes / "circle.toml"}"\n')
    (recipes / "other").mkdir()
    (recipes / "other" / "first.toml").write_text(PLAIN)
    both = f'teachers = ["{recipes / "first.toml"}", "{recipes / "other" / "first.toml"}"]'
    (recipes / "twins.toml").write_text(f"{PLAIN}\n[before]\n{both}\n")
    for recipe, options, why in (
        ("twins", (), "shares its file's name"),
        ("lost", (), "'nobody'"),
        ("circle", (), "want each other first"),
        ("last", ("--emotions", "joy"), "at least two emotions"),
    ):
        shared = ("train", "--data", faces, "--recipe", recipes / f"{recipe}.toml", "--out", out, *SMALL)
        code, _, err = run(*shared, *options)
        assert code == 2, err
        assert why in the_error(err)
        assert not out.exists()
    code, _, err = run("train", "--data", faces, "--recipe", recipes / "last.toml", "--out", out, *SMALL)
    assert code == 0, err
    (out / "before" / "first" / "run.json").unlink()
    assert "is not a run" in the_error(run("train", "--resume", out)[2])


@pytest.mark.parametrize(
    "table", ['teachers = "compact"', "teachers = [3]", "init = 3", 'surprise = "x"', 'init = ["compact"]']
)
def test_a_table_of_another_kind_is_refused(tmp_path: Path, table: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f"{PLAIN}\n[before]\n{table}\n")
    with pytest.raises(ConfigError, match=r"In the recipe mine\.toml: \[before\]"):
        read_before(path)


def test_what_comes_before_is_named_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'{PLAIN}\n[before]\nteachers = ["a", "b"]\ninit = "b"\n')
    assert read_before(path) == Before(("a", "b"), "b")
    assert read_before(path).recipes == ("a", "b")
    path.write_text(PLAIN)
    assert read_before(path).recipes == ()


def test_a_teacher_that_knows_the_test_pictures_is_told_of(run: Run, faces: Path, tmp_path: Path) -> None:
    teacher, options = tmp_path / "teacher", ("--data", faces, "--split", "random", *SMALL)
    recipe = tmp_path / "plain.toml"
    recipe.write_text(PLAIN)
    assert run("train", "--recipe", recipe, "--out", teacher, "--seed", 1, *options)[0] == 0
    for seed, leaking in ((1, False), (2, True)):
        code, _, err = run(
            "train", "--recipe", recipe, "--teacher", teacher, "--out", tmp_path / str(seed), "--seed", seed, *options
        )
        assert code == 0, err
        assert ("LEAKING" in err and "of the" in err) == leaking
