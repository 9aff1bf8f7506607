"""The house stands as planned: imports go one way, a device needs no torch, and nothing unsafe is called anywhere."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest
from conftest import Run

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"galleries": "galleries", "siamese": "siamese", "eval": "eval", "emotions_cli": "scripts"}
SOURCES = sorted(path for folder in PACKAGES.values() for path in (ROOT / folder).rglob("*.py"))
LEARNING = ("torch", "torchvision", "pytorch_metric_learning", "sklearn", "scipy", "plotly", "umap", "lightning_fabric")
COMMANDS = (
    "data", "train", "curriculum", "orders", "folds", "compare", "gallery", "query", "video", "evaluate", "fewshot",
    "visualize", "report", "export", "benchmark", "doctor", "demo",
)  # fmt: skip

pytest.importorskip("emotions_cli", reason="the project is not installed (pip install -e .)")


def loaded_after(code: str) -> List[str]:
    """Names of the modules a fresh Python has loaded after running some code, whose output is left aside."""
    ending = "import json, sys; sys.stderr.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{ending}"], capture_output=True, cwd=ROOT / "tests")
    assert done.returncode == 0, done.stderr.decode()
    names: List[str] = json.loads(done.stderr)
    return names


def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module or name, dotted, that is imported anywhere in a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "imports are absolute"
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(tree: ast.Module) -> Iterator[Tuple[str, ast.Call]]:
    """Every call with the dotted name of what is called, as written; an empty name where it has none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            parts, called = [], node.func
            while isinstance(called, ast.Attribute):
                parts.append(called.attr)
                called = called.value
            parts.append(called.id if isinstance(called, ast.Name) else "")
            yield ".".join(reversed(parts)), node


def test_imports_go_one_way() -> None:
    pytest.importorskip("importlinter", reason="import-linter is missing (pip install import-linter)")
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT)
    report = done.stdout.decode()
    assert done.returncode == 0, report
    assert "4 kept, 0 broken" in report


def test_the_lint_would_see_a_wrong_import(tmp_path: Path) -> None:
    pytest.importorskip("importlinter", reason="import-linter is missing (pip install import-linter)")
    for package in ("upper", "lower"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("import upper\n" if package == "lower" else "")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.importlinter]\nroot_packages = ["upper", "lower"]\n'
        '[[tool.importlinter.contracts]]\nname = "x"\ntype = "layers"\nlayers = ["upper", "lower"]\n'
    )
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=tmp_path)
    assert done.returncode == 1, done.stdout.decode()


@pytest.mark.parametrize(
    "modules",
    [
        "galleries.gallery, galleries.recognizer, galleries.encoder, galleries.faces",
        "emotions_cli.query, emotions_cli.gallery, emotions_cli.opening, emotions_cli.enrolment, emotions_cli.data",
        "eval.device_benchmark, eval.device_tables, emotions_cli.benchmark",
        "siamese.datasets, siamese.datasets.contact_sheet, siamese.datasets.ferplus, siamese.splits, siamese.enrolling",
    ],
    ids=["galleries", "commands of a device", "benchmark", "data sets and splits"],
)
def test_what_a_device_uses_loads_no_learning_library(modules: str) -> None:
    loaded = loaded_after(f"import {modules}")
    assert modules.split(", ")[0] in loaded
    assert not set(LEARNING) & set(loaded)


def test_importing_a_package_costs_nothing() -> None:
    loaded = loaded_after("import galleries, siamese, emotions_cli")
    assert not {*LEARNING, "numpy", "cv2", "faiss", "onnxruntime", "typer", "rich"} & set(loaded)


def test_help_loads_nothing_heavy() -> None:
    loaded = loaded_after("from emotions_cli.cli import main; main(['--help'])")
    assert "emotions_cli.cli" in loaded
    assert not {*LEARNING, "numpy", "cv2", "faiss", "onnxruntime", "typer", "rich", "click"} & set(loaded)


def test_querying_loads_no_torch(run: Run, trained: Path, faces: Path) -> None:
    picture = next(faces.rglob("*.png"))
    code = (
        "from emotions_cli.cli import main\n"
        f"try: main(['query', {str(trained / 'gallery')!r}, {str(picture)!r}])\n"
        "except SystemExit as stop: assert not stop.code"
    )
    loaded = loaded_after(code)
    assert "galleries.recognizer" in loaded
    assert not set(LEARNING) & set(loaded)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_file(run: Run, name: str) -> None:
    done = subprocess.run([sys.executable, f"scripts/{name}.py", "--help"], capture_output=True, cwd=ROOT)
    code, out, _ = run(name, "--help")
    assert (done.returncode, code) == (0, 0), done.stderr.decode()
    assert done.stdout.decode() == out
    assert f"Usage: emotions {name}" in out


def test_these_are_all_commands() -> None:
    from emotions_cli import cli

    assert tuple(cli.COMMANDS) == COMMANDS


def test_every_room_has_an_owner() -> None:
    for path in SOURCES:
        assert path.stem not in ("util", "utils", "helper", "helpers", "common", "misc"), path
    tests = [path for path in (ROOT / "tests").rglob("*.py") if "__pycache__" not in path.parts]
    assert {path.parent for path in tests} == {ROOT / "tests"}, "tests are flat: a folder would shadow a package"
    assert not (ROOT / "tests" / "__init__.py").exists()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_unsafe_or_misplaced(path: Path) -> None:
    tree = syntax(path)
    assert ast.get_docstring(tree), "a file says what it is for"
    names = set(imports(tree)) - {"pickle.UnpicklingError"}  # what others raise may be caught
    assert not {name.split(".")[0] for name in names} & {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}
    assert "eval" not in names, "eval is a builtin too: from eval.room import name"
    is_library = path.relative_to(ROOT).parts[0] != "scripts"
    for name, call in calls(tree):
        options = {option.arg: option.value for option in call.keywords}
        assert name not in ("torch.load", "torch.save", "exec", "eval", "os.system"), f"{name} at line {call.lineno}"
        assert not (is_library and name in ("print", "logging.basicConfig", "sys.exit")), f"line {call.lineno}"
        if name in ("np.load", "np.save", "numpy.load", "numpy.save"):
            allowed = options.get("allow_pickle")
            assert isinstance(allowed, ast.Constant), f"line {call.lineno}"
            assert allowed.value is False, f"line {call.lineno}"


DEVICE = [
    *(ROOT / "galleries").glob("*.py"),
    *(ROOT / "scripts").glob("*.py"),
    *(ROOT / "siamese/datasets").glob("*.py"),
]
DEVICE += [ROOT / f"siamese/{name}.py" for name in ("splits", "split_file", "grouping", "allotting", "enrolling")]
DEVICE += [
    *(ROOT / "eval").glob("device_*.py"),
    *(ROOT / f"eval/{name}.py" for name in ("timing", "overhead", "gallery_sizes", "jetson", "tegrastats")),
]


@pytest.mark.parametrize("path", DEVICE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_device_can_parse_it(path: Path) -> None:
    """Python 3.8: no match statement, no bracketed list of contexts, and annotations that are never evaluated."""
    tree = ast.parse(path.read_text("utf-8"), str(path), feature_version=(3, 8))
    if any(isinstance(node, (ast.AnnAssign, ast.arg)) for node in ast.walk(tree)):
        assert "__future__.annotations" in set(imports(tree))
