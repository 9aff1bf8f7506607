from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galleries.errors import EmotionsError, GalleryError
from galleries.exchange import KEY, export_parquet, import_parquet
from galleries.gallery import Gallery
from galleries.images import InputSpec
from galleries.tower_card import TowerCard

arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed (pip install 'siamese-emotions[tables]')")
parquet = pytest.importorskip("pyarrow.parquet")

CARD = TowerCard("tiny", "ab" * 16, InputSpec(8, 8, 1), 4)


def scene(colour: bool = False, metric: str = "cosine") -> Gallery:
    rng = np.random.default_rng(0)
    return Gallery.build(
        rng.normal(size=(9, 4)).astype(np.float32),
        ["fear", "anger", "boredom"] * 3,
        tower=CARD,
        metric=metric,
        sources=[f"ñ/{i}\udcff.png" for i in range(9)],
        subjects=["Ana", None, "Li"] * 3,
        thumbnails=rng.integers(0, 256, (9, 5, 6, 3) if colour else (9, 5, 6)).astype(np.uint8),
    )


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_what_is_exported_is_imported(tmp_path: Path, colour: bool, metric: str) -> None:
    gallery = scene(colour, metric)
    export_parquet(gallery, tmp_path / "g.parquet")
    back = import_parquet(tmp_path / "g.parquet")
    assert np.allclose(back.vectors, gallery.vectors, atol=1e-6)
    assert [(r.label, r.subject, r.sequence) for r in back.references] == [
        (r.label, r.subject, r.sequence) for r in gallery.references
    ]
    assert back.references[0].source == "ñ/0\\udcff.png"
    assert (back.metric, back.index, back.tower) == (gallery.metric, gallery.index, gallery.tower)
    assert np.array_equal(back.thumbnails, gallery.thumbnails)


def test_another_tool_reads_the_table(tmp_path: Path) -> None:
    export_parquet(scene(), tmp_path / "g.parquet")
    table = parquet.read_table(tmp_path / "g.parquet")
    assert table.column_names == ["number", "emotion", "source", "subject", "sequence", "vector", "thumbnail"]
    assert table.column("emotion").to_pylist()[:3] == ["fear", "anger", "boredom"]
    assert len(table.column("vector")[0].as_py()) == 4


def test_divided_votes_come_along(tmp_path: Path) -> None:
    votes = [{"fear": 0.6, "anger": 0.4}, None, {"anger": 1.0}] * 3
    gallery = Gallery.build(scene().vectors, ["fear", "anger", "boredom"] * 3, tower=CARD, votes=votes)
    export_parquet(gallery, tmp_path / "g.parquet")
    back = import_parquet(tmp_path / "g.parquet")
    assert [known.votes for known in back.references] == votes
    table = parquet.read_table(tmp_path / "g.parquet")
    for wrong, why in (("{", "no JSON objects"), ("3", "votes for 3")):
        place = table.column_names.index("votes")
        parquet.write_table(table.set_column(place, "votes", arrow.array([wrong] * 9)), tmp_path / "wrong.parquet")
        with pytest.raises(GalleryError, match=why):
            import_parquet(tmp_path / "wrong.parquet")


def change(tmp_path: Path, **columns: Any) -> Path:
    """The exported table with columns replaced, or dropped where None."""
    export_parquet(scene(), tmp_path / "g.parquet")
    table = parquet.read_table(tmp_path / "g.parquet")
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.remove_column(place)
        if values is not None:
            table = table.append_column(name, arrow.array(values))
    parquet.write_table(table, tmp_path / "changed.parquet")
    return tmp_path / "changed.parquet"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"vector": None}, "lacks vector"),
        ({"emotion": None, "subject": None}, "lacks emotion, subject"),
        ({"emotion": [None] * 9}, "without an emotion"),
        ({"emotion": list(range(9))}, "without an emotion"),
        ({"vector": [[1.0, 2.0]] * 9}, "its tower gives 4 numbers"),
        ({"vector": [[1.0]] * 8 + [[1.0, 2.0]]}, "several lengths"),
        ({"vector": [None] * 9}, "vectors"),
        ({"vector": ["x"] * 9}, "vectors"),
        ({"vector": [[float("nan")] * 4] * 9}, "."),
        ({"thumbnail": [b"no picture"] * 9}, "no 8-bit picture"),
        ({"thumbnail": [b""] * 9}, "no 8-bit picture"),
        ({"thumbnail": [3] * 9}, "no 8-bit picture"),
    ],
)
def test_what_no_gallery_can_hold_is_refused(tmp_path: Path, columns: dict, said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(GalleryError, match=said):
        import_parquet(change(tmp_path, **columns))


@pytest.mark.parametrize("about", [b"{", b"{}", b"[]", b'{"tower": 3, "metric": "cosine", "index": "flat"}', None])
def test_a_table_without_its_tower_is_refused(tmp_path: Path, about: Any) -> None:
    export_parquet(scene(), tmp_path / "g.parquet")
    table = parquet.read_table(tmp_path / "g.parquet")
    parquet.write_table(table.replace_schema_metadata({KEY: about} if about else {}), tmp_path / "x.parquet")
    with pytest.raises(GalleryError, match="does not say which tower"):
        import_parquet(tmp_path / "x.parquet")


def test_an_unknown_metric_is_refused(tmp_path: Path) -> None:
    export_parquet(scene(), tmp_path / "g.parquet")
    table = parquet.read_table(tmp_path / "g.parquet")
    about = json.loads(table.schema.metadata[KEY])
    parquet.write_table(
        table.replace_schema_metadata({KEY: json.dumps({**about, "metric": "manhattan"}).encode()}),
        tmp_path / "x.parquet",
    )
    with pytest.raises(EmotionsError, match="manhattan"):
        import_parquet(tmp_path / "x.parquet")


def test_damaged_tables_are_refused_or_read_alike(tmp_path: Path) -> None:
    export_parquet(scene(), tmp_path / "g.parquet")
    whole = (tmp_path / "g.parquet").read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        place = int(rng.integers(len(data)))
        if rng.random() < 0.3:
            del data[place:]
        else:
            data[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "d.parquet").write_bytes(bytes(data))
        try:
            import_parquet(tmp_path / "d.parquet")
        except EmotionsError:
            refused += 1
    assert refused > 50
    for data in (b"", b"PAR1", whole[:50]):
        (tmp_path / "d.parquet").write_bytes(data)
        with pytest.raises(GalleryError, match="cannot be read as a Parquet table"):
            import_parquet(tmp_path / "d.parquet")
    with pytest.raises(GalleryError, match="cannot be read"):
        import_parquet(tmp_path / "missing.parquet")
