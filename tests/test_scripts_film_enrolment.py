"""``emotions gallery add --from-video`` as a person uses it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import Run
from film_fakes import make_gallery, three_scenes, write_film

from galleries.gallery import Gallery


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_gallery(tmp_path_factory.mktemp("gallery"))


def test_a_film_s_faces_are_added_at_the_terminal(folder: Path, tmp_path: Path, run: Run) -> None:
    gallery = tmp_path / "g"
    shutil.copytree(folder, gallery)
    film = write_film(
        tmp_path / "bored.avi", [frame[40:100, 80:140] for frame in three_scenes()[:6] + three_scenes()[15:21]]
    )
    options = ["--emotion", "boredom", "--from-video", film, "--subject", "Ana", "--frames", 2]
    code, out, err = run("gallery", "add", gallery, *options)
    assert code == 0, err
    assert "Added 2 references, numbers 12 to 13" in out
    assert "12 frames looked at, 12 with one face alone, 0 with several; 2 chosen" in " ".join(err.split())
    held = Gallery.load(gallery)
    new = held.references[-2:]
    assert {(known.label, known.subject, known.sequence) for known in new} == {("boredom", "Ana", str(film))}
    assert [known.source for known in new] == sorted(known.source for known in new)
    assert all(known.source.startswith(f"{film}@") for known in new)
    assert held.thumbnails is not None
    assert len(held.thumbnails) == 14
    code, out, _ = run("gallery", "undo", gallery)
    assert "add boredom (2), person Ana" in out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "Give either pictures or a film"),
        (["a.png", "--from-video", "b.avi", "--emotion", "fear"], "Give either pictures or a film"),
        (["--from-video", "b.avi"], "say which emotion it shows"),
        (["--from-video", "/nowhere.avi", "--emotion", "fear"], "/nowhere.avi does not exist"),
        (["--from-video", "FILM", "--emotion", "fear", "--frames", "0"], "from 1"),
        (["--from-video", "FILM", "--emotion", "fear", "--start", "99"], "earlier start"),
        (["--from-video", "FILM", "--emotion", "!!"], "letter or digit"),
    ],
)
def test_what_cannot_be_added(folder: Path, tmp_path: Path, run: Run, options: list, sentence: str) -> None:
    film = write_film(tmp_path / "film.avi", three_scenes()[:3])
    before = (folder / "gallery.json").read_bytes()
    code, out, err = run("gallery", "add", folder, *[film if word == "FILM" else word for word in options])
    assert (code, out) == (2, "")
    assert sentence in " ".join(err.split())
    assert "Traceback" not in err
    assert (folder / "gallery.json").read_bytes() == before
