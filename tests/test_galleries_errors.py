from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import galleries
from galleries import errors

ROOT = Path(__file__).resolve().parent.parent


def test_every_error_is_an_emotions_error() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) >= 9
    assert all(issubclass(kind, errors.EmotionsError) for kind in kinds)
    assert issubclass(errors.EncoderMismatch, errors.GalleryError)


def test_unknown_name_lists_all_and_the_nearest() -> None:
    error = errors.unknown_name("metric", "cosin", ["euclidean", "cosine"])
    assert isinstance(error, errors.ConfigError)
    assert str(error) == "'cosin' is not a known metric. Did you mean 'cosine'? Choose one of: cosine, euclidean."
    assert "Did you mean" not in str(errors.unknown_name("metric", "zzz", ["cosine"]))


def test_require_gives_the_module_or_names_the_extra() -> None:
    assert errors.require("json", "train").loads("1") == 1
    with pytest.raises(errors.MissingExtra, match=r"siamese-emotions\[train\]") as caught:
        errors.require("no_such_library.part", "train")
    assert "'no_such_library'" in str(caught.value)


def test_the_package_gives_its_names_and_no_others() -> None:
    assert galleries.Gallery.__name__ == "Gallery"
    assert galleries.Recognizer.__name__ == "Recognizer"
    assert {"Gallery", "Prediction", "Recognizer", "Reference"} <= set(dir(galleries))
    with pytest.raises(AttributeError, match="Nothing"):
        galleries.Nothing  # noqa: B018


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_the_package_is_light_and_the_rooms_need_no_torch() -> None:
    assert run_python("import sys, galleries; print('numpy' in sys.modules)").strip() == "False"
    code = (
        "import sys\nsys.modules['torch'] = sys.modules['sklearn'] = sys.modules['plotly'] = None\n"
        "from galleries import Gallery, Recognizer\nprint('onnxruntime' in sys.modules)"
    )
    assert run_python(code).strip() == "False"
