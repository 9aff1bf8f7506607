"""The ``emotions`` command as a person uses it: help, data sets, a whole run, its gallery, and what is said when."""

from __future__ import annotations

import csv
import importlib
import json
import lzma
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any, Dict, List, Tuple

import cv2
import numpy as np
import pytest
from conftest import NAMES, SMALL, Run, checksums, write_faces

typer = pytest.importorskip("typer")
pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")

from emotions_cli.cli import COMMANDS  # noqa: E402 - only where it is installed

REAL = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
RUN_FILES = {
    "card.json", "history.csv", "result.json", "run.json", "split.json", "state.safetensors", "tower.onnx",
    "tower.safetensors",
}  # fmt: skip


def parsers() -> Dict[Tuple[str, ...], Any]:
    """Every command and subcommand by the words that call it."""
    found: Dict[Tuple[str, ...], Any] = {}
    for name in COMMANDS:
        command = typer.main.get_command(importlib.import_module(f"emotions_cli.{name}").app)
        found[(name,)] = command
        for subname, subcommand in getattr(command, "commands", {}).items():
            found[(name, subname)] = subcommand
    return found


def examples() -> List[str]:
    """The command lines in the commands' epilogs."""
    parts = [part for command in parsers().values() for part in re.split(r"\s{2,}", command.epilog or "")]
    return [part for part in parts if part.startswith("emotions ")]


def the_error(err: str) -> str:
    """The one sentence of a refusal on standard error; notes and counts may stand before it."""
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, err
    assert "Traceback" not in err
    return errors[0]


# --- help and mistakes in typing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", list(parsers()), ids=" ".join)
def test_help(run: Run, words: Tuple[str, ...]) -> None:
    code, out, err = run(*words, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: emotions {' '.join(words)}")
    if len(words) == 2 or words[0] not in ("gallery", "benchmark"):
        assert "Example:  emotions" in out


@pytest.mark.parametrize("example", examples())
def test_the_example_of_the_help_parses(example: str) -> None:
    words = shlex.split(example)[1:]
    known = parsers()
    name = tuple(words[:2]) if tuple(words[:2]) in known else (words[0],)
    context = known[name].make_context(" ".join(name), words[len(name) :])
    assert context.params


def test_every_command_has_an_example() -> None:
    told = {example.split()[1] for example in examples()}
    assert told == set(COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]])
def test_the_list_of_commands(run: Run, arguments: List[str]) -> None:
    code, out, _ = run(*arguments)
    assert code == 0
    assert all(f"  {name} " in out for name in COMMANDS)


def test_version(run: Run) -> None:
    assert re.fullmatch(r"siamese-emotions \d+\.\d+\.\d+\n", run("--version")[1])


def test_a_misspelt_command(run: Run) -> None:
    code, _, err = run("tran")
    assert code == 2
    assert "Did you mean 'train'?" in the_error(err)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["data"], "Missing argument"),
        (["query"], "Missing argument"),
        (["train", "--epochs", "many"], "'--epochs'"),
        (["train", "--epoch", "3"], "--epochs"),
        (["gallery", "inf"], "'info'"),
        (["gallery", "build", "--data", "x"], "'--tower'"),
    ],
)
def test_wrong_usage(run: Run, arguments: List[str], sentence: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.count("Error: ") == 1
    assert sentence in err
    assert "--help' for help" in err


@pytest.mark.parametrize(
    ("options", "nearest"),
    [
        (["--tower", "compct"], "Did you mean 'compact'?"),
        (["--loss", "tripplet"], "Did you mean 'triplet'?"),
        (["--loss", "supcon+arcfce"], "Did you mean 'arcface'?"),
        (["--recipe", "liexnt"], "Did you mean 'liexnet'?"),
        (["--optimizer", "adamv"], "Did you mean"),
        (["--sampler", "pair"], "Did you mean 'pairs'?"),
        (["--precision", "bfloat"], "Did you mean 'bfloat16'?"),
        (["--format", "rafbd"], "Did you mean 'rafdb'?"),
        (["--split", "subjects"], "Did you mean 'subject'?"),
        (["--class-weights", "balance"], "Did you mean 'balanced'?"),
        (["--miner", "batchhard"], "Did you mean"),
    ],
)
def test_an_unknown_name_lists_the_known_and_the_nearest(
    run: Run, faces: Path, tmp_path: Path, options: List[str], nearest: str
) -> None:
    pytest.importorskip("torch", reason="the learning part is not installed")
    code, _, err = run("train", "--data", faces, "--out", tmp_path / "run", *options)
    assert code == 2
    assert nearest in the_error(err)
    assert "Choose one of: " in err
    assert not (tmp_path / "run").exists(), "a refused run leaves nothing, so that --out can be given again"


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        (["train"], "torch", "train"),
        (["benchmark", "training"], "torch", "train"),
        (["demo"], "torch", "train"),
        (["demo"], "plotly", "eval"),
        (["demo"], "sklearn", "eval"),
    ],
)
def test_a_missing_extra_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: List[str], module: str, extra: str
) -> None:
    if module != "torch":
        pytest.importorskip("torch", reason="the learning part is not installed")
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*command)
    assert (code, out) == (2, "")
    sentence = the_error(err)
    assert f"'{module}'" in sentence
    assert f"pip install 'siamese-emotions[{extra}]'" in sentence
    assert not list(tmp_path.iterdir())


# --- data sets --------------------------------------------------------------------------------------------------------

LAYOUTS: Dict[str, List[str]] = {
    "folder": [f"{emotion}/{n}.png" for emotion in ("joy", "Wut", "miedo") for n in range(3)],
    "ckplus": [f"{e}/S0{n}0_00{k}_0000001{n}.png" for k, e in enumerate(("anger", "contempt")) for n in range(4)],
    "jaffe": [f"{who}.{code}1.{k}.png" for who in ("KA", "KM", "NA") for k, code in enumerate(("AN", "HA", "NE"))],
    "kdef": [f"AF0{n}{code}S.png" for n in range(1, 5) for code in ("AN", "HA", "SU")],
    "rafdb": [f"{part}/{k}/{part}_0000{n}_aligned.png" for part in ("train", "test") for k in (1, 4) for n in range(3)],
    "fer2013-folder": [
        f"{part}/{emotion}/{usage}_{n}.png"
        for part, usage in (("train", "Training"), ("test", "PrivateTest"))
        for emotion in ("angry", "happy")
        for n in range(3)
    ],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_recognised_and_counted(run: Run, tmp_path: Path, layout: str) -> None:
    rng = np.random.default_rng(3)
    root = tmp_path / "faces"
    for name in LAYOUTS[layout]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), rng.integers(0, 256, (20, 20), dtype=np.uint8))
    (root / LAYOUTS[layout][0]).with_name("broken.png").write_text("no picture")
    code, out, err = run("data", root)
    assert code == 0, err
    assert f"read as {layout}" in out
    code, out, _ = run("data", root, "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["format"] == layout
    assert facts["pictures"] == len(LAYOUTS[layout]) == sum(facts["counts"].values())
    parts = facts["split"]["counts"]
    assert sum(sum(part.values()) for part in parts.values()) == facts["pictures"]
    assert all(emotion in out for emotion in facts["emotions"])


def test_the_start_of_fer2013(run: Run, tmp_path: Path) -> None:
    source = REAL / "fer2013.csv.xz"
    if not source.exists():
        pytest.skip(f"{source} is missing (real data of this workplace)")
    with lzma.open(source, "rt") as file:
        lines = list(islice(file, 301))
    (tmp_path / "fer2013.csv").write_text("".join(lines))
    code, out, _ = run("data", tmp_path / "fer2013.csv", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["pictures"] == 300
    labels = [line.split(",")[0] for line in lines[1:]]
    assert facts["counts"]["happiness"] == labels.count("3")
    assert facts["counts"]["disgust"] == labels.count("1")


def test_what_data_writes(run: Run, faces: Path, tmp_path: Path) -> None:
    names = {"--sheet": "sheet.png", "--skipped": "skipped.tsv", "--save-split": "split.json"}
    paths = {option: tmp_path / "new" / name for option, name in names.items()}
    code, out, err = run("data", faces, *(word for pair in paths.items() for word in pair), "--seed", 5)
    assert code == 0
    assert out.count("│") > 10
    assert err.count("wrote ") == 3
    sheet = cv2.imread(str(paths["--sheet"]))
    assert sheet is not None
    assert sheet.shape[0] > 3 * 20
    made = json.loads(run("data", faces, "--seed", 5, "--json")[1])
    again = json.loads(run("data", faces, "--split", paths["--save-split"], "--json")[1])
    assert again["split"]["digest"] == made["split"]["digest"]
    assert made["split"]["digest"] != json.loads(run("data", faces, "--seed", 6, "--json")[1])["split"]["digest"]


def test_data_counts_what_cannot_be_split(run: Run, tmp_path: Path) -> None:
    write_faces(tmp_path / "faces", {"anger": 5, "fear": 1})
    code, out, err = run("data", tmp_path / "faces")
    assert code == 0
    assert "no split" in out
    assert "fear has only 1 picture" in err
    facts = json.loads(run("data", tmp_path / "faces", "--json")[1])
    assert facts["split"] is None
    assert facts["counts"] == {"anger": 5, "fear": 1}
    assert "fear has only 1 picture" in the_error(run("data", tmp_path / "faces", "--split", "duplicate")[2])


# --- a run ------------------------------------------------------------------------------------------------------------


def test_a_run_is_a_folder_of_plain_files(trained: Path) -> None:
    assert {path.name for path in trained.iterdir()} >= RUN_FILES
    assert {path.name for path in (trained / "gallery").iterdir()} == {
        "gallery.json", "index.faiss", "references.jsonl", "thumbnails.npy", "tower.onnx", "log.jsonl"
    }  # fmt: skip
    result = json.loads((trained / "result.json").read_text())
    split = json.loads((trained / "split.json").read_text())
    card = json.loads((trained / "card.json").read_text())
    history = list(csv.DictReader((trained / "history.csv").read_text().splitlines()))
    assert result["tower"] == card["tower"] == "compact"
    assert result["epochs"] == len(history) == 2
    assert 1 <= result["best_epoch"] <= 2
    assert result["test"]["knn"]["n"] == len(split["test"]) > 0
    assert 0 <= result["test"]["knn"]["accuracy"] <= 1
    assert result["test"]["knn"]["chance"] == pytest.approx(1 / 3)
    assert result["onnx_difference"] < 1e-3
    assert result["split"]["digest"] == split["digest"]
    assert card["emotions"] == list(NAMES)
    header = json.loads((trained / "gallery" / "gallery.json").read_text())
    assert header["size"] == len(split["train"])
    assert header["tower"]["fingerprint"] == card["fingerprint"]
    assert {len(split[part]) for part in ("train", "val", "test")} == {30, 6}


def test_a_run_with_the_person_s_own_choices(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[about]\ntitle = "mine"\n[training]\nloss = "triplet"\nsampler = "pk"\nlr = 0.01\nema = 0.0\n')
    shared = ["--data", faces, "--recipe", recipe, "--epochs", 1, "--emotions", "Joy, sad", "--json", *SMALL]
    code, out, err = run("train", *shared, "--out", tmp_path / "a", "--seed", 1)
    assert code == 0, err
    report = json.loads(out)
    assert "softmax" not in report["validation"]
    assert report["test"]["softmax"] is None
    asked = json.loads((tmp_path / "a" / "run.json").read_text())
    assert (asked["recipe"], asked["training"]["loss"], asked["training"]["lr"]) == ("mine", "triplet", 0.01)
    assert json.loads((tmp_path / "a" / "card.json").read_text())["emotions"] == ["happiness", "sadness"]
    split = tmp_path / "a" / "split.json"
    code, out, err = run("train", *shared, "--out", tmp_path / "b", "--seed", 2, "--split", split, "--no-thumbnails")
    assert code == 0, err
    assert json.loads(out)["split"]["digest"] == report["split"]["digest"]
    assert not (tmp_path / "b" / "gallery" / "thumbnails.npy").exists()
    code, _, err = run("train", "--data", faces, "--split", trained / "split.json", "--emotions", "sad,joy",
                       "--out", tmp_path / "c", *SMALL)  # fmt: skip
    assert code == 2
    assert "it was made for other data or other emotions" in the_error(err)


def test_resuming_a_finished_run_changes_no_number(run: Run, trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained, folder)
    code, out, err = run("train", "--resume", folder, "--json")
    assert code == 0, err
    before, after = json.loads((trained / "result.json").read_text()), json.loads(out)
    assert after["test"] == before["test"]
    assert after["epochs"] == before["epochs"]
    assert (folder / "tower.safetensors").read_bytes() == (trained / "tower.safetensors").read_bytes()


@pytest.mark.parametrize("moment", ["stepped", "finished"], ids=["in the first epoch", "after the first epoch"])
def test_a_stopped_run_resumes_to_the_same_numbers(
    run: Run, trained: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    from emotions_cli.training_run import TerminalObserver

    def stop(_self: TerminalObserver, *news: Any) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(TerminalObserver, moment, stop)
        code, _, err = run("train", "--data", faces, "--epochs", 2, "--out", folder, *SMALL)
    assert code == 130
    assert f"emotions train --resume {folder}" in err
    assert "Traceback" not in err
    assert not (folder / "result.json").exists()
    code, _, err = run("train", "--resume", folder)
    assert code == 0, err
    before, after = (json.loads((place / "result.json").read_text()) for place in (trained, folder))
    assert after["test"] == before["test"]
    assert after["validation"] == before["validation"]
    assert (folder / "tower.safetensors").read_bytes() == (trained / "tower.safetensors").read_bytes()


def test_an_output_that_is_taken(run: Run, trained: Path, faces: Path) -> None:
    before = checksums(trained)
    code, _, err = run("train", "--data", faces, "--out", trained, *SMALL)
    assert code == 2
    assert "not empty" in the_error(err)
    assert checksums(trained) == before


# --- asking -----------------------------------------------------------------------------------------------------------


def test_which_emotion_and_which_faces_say_so(run: Run, trained: Path, faces: Path) -> None:
    gallery, picture = trained / "gallery", faces / "happiness" / "3.png"
    code, out, err = run("query", gallery, picture, "-k", 3)
    assert (code, err) == (0, "")
    assert re.match(rf"{re.escape(str(picture))}: \w+ \(\d+\.\d % of the vote\)\n", out)
    assert len(out.splitlines()) == 4
    code, out, _ = run("query", gallery, faces, "--json", "-k", 3)
    answer = json.loads(out)
    assert code == 0
    assert len(answer["results"]) == 42
    for result in answer["results"]:
        (face,) = result["faces"]
        assert sum(face["scores"].values()) == pytest.approx(1)
        assert len(face["neighbours"]) == 3
        assert face["emotion"] in NAMES


def test_the_faces_like_this_one(run: Run, trained: Path, faces: Path) -> None:
    gallery = trained / "gallery"
    source = json.loads((gallery / "references.jsonl").read_text().splitlines()[0])["source"]
    code, out, _ = run("query", gallery, faces / source, "--similar", 0.001)
    assert code == 0
    assert source in out
    found = json.loads(run("query", gallery, faces / source, "--similar", 2, "--json")[1])
    assert len(found["results"][0]["faces"][0]["similar"]) == 30


def test_a_real_photograph(run: Run, trained: Path) -> None:
    picture = REAL / "media" / "multi_face.jpg"
    if not picture.exists():
        pytest.skip(f"{picture} is missing (real data of this workplace)")
    code, out, _ = run("query", trained / "gallery", picture, "--json", "-k", 1)
    assert code == 0
    assert len(json.loads(out)["results"][0]["faces"]) == 5


def test_a_gallery_changes(run: Run, trained: Path, faces: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    code, out, _ = run("gallery", "build", "--data", faces, "--tower", trained, "--out", gallery, "--json")
    assert code == 0
    assert json.loads(out)["size"] == 42
    code, out, _ = run("gallery", "add", gallery, faces / "anger" / "0.png", "--emotion", "boredom", "--json")
    assert json.loads(out)["counts"]["boredom"] == 1
    code, out, _ = run("query", gallery, faces / "anger" / "0.png", "-k", 2, "--json")
    neighbours = json.loads(out)["results"][0]["faces"][0]["neighbours"]
    assert [(found["emotion"], found["distance"]) for found in neighbours] == [("anger", 0), ("boredom", 0)]
    assert run("gallery", "remove", gallery, "--emotion", "boredom")[0] == 0
    code, out, _ = run("gallery", "info", gallery, "--json")
    assert json.loads(out)["counts"] == dict.fromkeys(NAMES, 14)


# --- the terminal -----------------------------------------------------------------------------------------------------


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell line in which ``$EMOTIONS`` starts the command."""
    own = {"EMOTIONS": f"{sys.executable} -m emotions_cli.cli", "PYTHONUNBUFFERED": ""}
    env = {**os.environ, **own, **environment}
    return subprocess.run(["bash", "-c", script], env=env, capture_output=True)


@pytest.mark.parametrize("arguments", ["--help", "data --help", "gallery info $GALLERY --list", "data $DATA --json"])
def test_a_reader_that_leaves(trained: Path, faces: Path, arguments: str) -> None:
    done = shell(f"$EMOTIONS {arguments} | true", GALLERY=str(trained / "gallery"), DATA=str(faces))
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", ["--help", "data $DATA", "data $DATA --json"])
def test_an_output_that_is_full(faces: Path, arguments: str) -> None:
    done = shell(f"$EMOTIONS {arguments} > /dev/full", DATA=str(faces))
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems want names in UTF-8")
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_a_name_that_is_no_text(trained: Path, faces: Path, tmp_path: Path, encoding: str) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9 \xc3\xa9 :boom: [red].png"
    shutil.copy(os.fsencode(faces / "anger" / "0.png"), odd)
    done = shell("$EMOTIONS query $GALLERY $FOLDER --json; $EMOTIONS query $GALLERY $FOLDER",
                 GALLERY=str(trained / "gallery"), FOLDER=str(tmp_path), PYTHONIOENCODING=encoding)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    text, _, human = done.stdout.decode().partition("\n}\n")
    (result,) = json.loads(text + "\n}")["results"]
    assert os.fsencode(result["path"]) == odd
    assert ":boom: [red].png: anger" in human
