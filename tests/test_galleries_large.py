"""Galleries that keep their vectors in a file: built block by block, mapped and not copied, refused when damaged."""

from __future__ import annotations

import json
import mmap
import shutil
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from made_galleries import WIDE, same

from galleries import plain_files
from galleries.building import GalleryBuilder
from galleries.content import Pieces
from galleries.errors import ConfigError, DataError, EncoderMismatch, GalleryError
from galleries.gallery import Gallery
from galleries.header import HEADER, header_checksum
from galleries.images import InputSpec
from galleries.native import training_sample
from galleries.rows import Rows
from galleries.storage import read_state, write_state
from galleries.tower_card import TowerCard

RNG = np.random.default_rng(8)
MANY = RNG.standard_normal((700, 6)).astype(np.float32)
NAMES = [("anger", "fear", "sadness")[i % 3] for i in range(700)]


def built(kind: str, metric: str = "cosine", step: int = 130) -> Gallery:
    with GalleryBuilder(WIDE, metric=metric) as builder:
        for start in range(0, 700, step):
            some = slice(start, start + step)
            people = [f"S{i % 9}" for i in range(700)][some]
            builder.add_block(MANY[some], NAMES[some], subjects=people)
        return builder.finish(kind)


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few bytes count as large."""
    monkeypatch.setattr(plain_files, "MAPPED_FROM", 1000)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw", "ivfpq"])
def test_blocks_make_what_one_array_makes(kind: str, metric: str) -> None:
    blocks, whole = built(kind, metric), Gallery.build(
        MANY, NAMES, tower=WIDE, metric=metric, index=kind, subjects=[f"S{i % 9}" for i in range(700)]
    )  # fmt: skip
    assert blocks.references == whole.references
    assert blocks.references[699].source == "reference:699"
    assert np.array_equal(blocks.vectors, whole.vectors)
    assert np.array_equal(blocks.kneighbors(MANY[:40], 7)[1], whole.kneighbors(MANY[:40], 7)[1])
    assert (blocks.recall is None) == (kind == "flat")
    if blocks.recall is not None:
        assert blocks.recall.share > 0.4
        assert blocks.recall.size == 700


def test_auto_is_exact_for_few() -> None:
    assert built("auto").index == "flat"


@pytest.mark.parametrize("kind", ["ivf", "ivfpq"])
def test_vectors_of_a_saved_gallery_are_mapped_and_not_copied(kind: str, tmp_path: Path, mapped: None) -> None:
    gallery = built(kind)
    gallery.save(tmp_path / "g")
    loaded = Gallery.load(tmp_path / "g")
    assert same(loaded, gallery)
    rows = loaded._index._stored()
    assert isinstance(rows.source, memoryview)
    assert isinstance(rows.source.obj, mmap.mmap)
    assert not rows.base.flags.owndata
    assert not rows.base.flags.writeable
    inside = np.frombuffer(rows.source, np.uint8).__array_interface__["data"][0]
    assert 0 < rows.base.__array_interface__["data"][0] - inside < 200
    assert np.array_equal(np.load(tmp_path / "g" / "vectors.npy"), gallery.vectors)
    # changed and saved over itself, and undone, while the old file is still mapped
    loaded.add(MANY[:5] + 1, ["boredom"] * 5)
    loaded.remove([0, 3, 699, 702])
    kept = loaded.vectors
    loaded.save(tmp_path / "g")
    assert np.array_equal(loaded.vectors, kept)
    again = Gallery.load(tmp_path / "g")
    assert same(again, loaded)
    assert np.array_equal(again.kneighbors(MANY[:30], 5)[1], loaded.kneighbors(MANY[:30], 5)[1])
    undone = Gallery.undo(tmp_path / "g")
    assert np.array_equal(undone.vectors, gallery.vectors)
    assert np.array_equal(again.vectors, kept), "a reader keeps the state that it opened"


def test_every_large_file_may_be_mapped(tmp_path: Path, mapped: None) -> None:
    pictures = RNG.integers(0, 256, (700, 4, 4)).astype(np.uint8)
    for kind in ("flat", "hnsw"):
        gallery = Gallery.build(MANY, NAMES, tower=WIDE, index=kind, thumbnails=pictures)
        gallery.save(tmp_path / kind)
        files = read_state(tmp_path / kind)[1]
        assert {name for name, data in files.items() if isinstance(data, memoryview)} == {
            "index.faiss", "references.jsonl", "thumbnails.npy",
        }  # fmt: skip
        loaded = Gallery.load(tmp_path / kind)
        assert same(loaded, gallery)
        loaded.remove([1])
        loaded.add(MANY[:1], ["anger"], thumbnails=pictures[:1])
        loaded.save(tmp_path / kind)
        assert same(Gallery.load(tmp_path / kind), loaded)


@pytest.mark.parametrize("is_large", [True, False])
def test_a_damaged_vectors_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_large: bool) -> None:
    monkeypatch.setattr(plain_files, "MAPPED_FROM", 1000 if is_large else 1 << 30)
    built("ivfpq").save(tmp_path)
    path = tmp_path / "vectors.npy"
    whole = path.read_bytes()
    flips = [whole[:i] + bytes([whole[i] ^ 8]) + whole[i + 1 :] for i in (3, 90, 200, len(whole) - 1)]
    for damaged in [whole[:-1], whole[:-24], whole + b"\0", whole + whole[-24:], b"", *flips]:
        path.write_bytes(damaged)
        with pytest.raises(GalleryError, match=r"vectors\.npy is damaged"):
            Gallery.load(tmp_path)
    path.unlink()
    with pytest.raises(GalleryError, match=r"vectors\.npy is missing"):
        Gallery.load(tmp_path)
    (tmp_path / "elsewhere").write_bytes(whole)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GalleryError, match="it is a link"):
        Gallery.load(tmp_path)
    path.unlink()
    path.write_bytes(whole)
    Gallery.load(tmp_path)


@pytest.mark.parametrize("kind", ["ivf", "ivfpq"])
def test_another_vectors_file_with_right_checksums_is_refused(tmp_path: Path, kind: str) -> None:
    built(kind).save(tmp_path)
    header, files, _ = read_state(tmp_path)
    for other in (MANY[:-1], np.concatenate([MANY, MANY[:1]]), MANY[:, :5], MANY.reshape(-1, 12)):
        content = Pieces(Rows(np.ascontiguousarray(other)).write)
        write_state(tmp_path, header, {**files, "vectors.npy": content})
        with pytest.raises(GalleryError, match=r"vectors\.npy holds"):
            Gallery.load(tmp_path)
    without = {name: data for name, data in files.items() if name != "vectors.npy"}
    write_state(tmp_path, header, without)
    if kind == "ivfpq":
        with pytest.raises(GalleryError, match=r"vectors\.npy is missing"):
            Gallery.load(tmp_path)
    else:  # as a gallery of version 2 is: FAISS holds the vectors
        assert json.loads((tmp_path / HEADER).read_text())["version"] == 2
        old = Gallery.load(tmp_path)
        assert np.array_equal(old.vectors, built(kind).vectors)
        old.save(tmp_path)
        assert (tmp_path / "vectors.npy").is_file()


def test_the_version_is_the_lowest_that_can_say_it(tmp_path: Path) -> None:
    def version(gallery: Gallery) -> Any:
        gallery.save(tmp_path / "g")
        found: Dict[str, Any] = json.loads((tmp_path / "g" / HEADER).read_text())
        shutil.rmtree(tmp_path / "g")
        return found["version"]

    assert [version(built(kind)) for kind in ("flat", "hnsw", "ivf", "ivfpq")] == [2, 2, 3, 3]
    many = RNG.standard_normal((2100, 6)).astype(np.float32)
    graph = Gallery.build(many, ["anger"] * 2100, tower=WIDE, index="hnsw")
    graph.remove([7])
    assert graph.info()["dead"] == 1
    assert version(graph) == 3


def test_a_header_that_miscounts_the_dead_is_refused(tmp_path: Path) -> None:
    built("hnsw").save(tmp_path)
    header = json.loads((tmp_path / HEADER).read_text())
    for dead in (1, -1, "1", 0.5):
        header["dead"] = dead
        header["checksum"] = header_checksum(header)
        (tmp_path / HEADER).write_text(json.dumps(header))
        with pytest.raises(GalleryError, match=r"gallery\.json"):
            Gallery.load(tmp_path)


def test_what_a_builder_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'cosine'"):
        GalleryBuilder(WIDE, metric="cosin")
    (tmp_path / "file").touch()
    with pytest.raises(GalleryError, match="laid aside"):
        GalleryBuilder(WIDE, scratch=tmp_path / "file")
    with GalleryBuilder(WIDE, scratch=tmp_path / "deep" / "scratch") as builder:
        with pytest.raises(GalleryError, match="at least one"):
            builder.finish()
        builder.add_block(MANY[:3], NAMES[:3])
        builder.add_block(MANY[:0], [])
        pictures = RNG.integers(0, 256, (3, 2, 4)).astype(np.uint8)
        for wrong in (pictures, pictures[:2, 0]):
            with pytest.raises(GalleryError, match=r"\(2, height, width"):
                builder.add_block(MANY[:2], NAMES[:2], thumbnails=wrong)
        with pytest.raises(GalleryError, match=r"shape \(2, 4\), those before it None; give every block"):
            builder.add_block(MANY[:3], NAMES[:3], thumbnails=pictures)
        refused: List[Any] = [
            (EncoderMismatch, (MANY[:3, :5], NAMES[:3])),
            (GalleryError, (MANY[:3], NAMES[:2])),
            (GalleryError, (np.full((2, 6), np.nan), NAMES[:2])),
            (DataError, (MANY[:2], ["anger", "-"])),
        ]
        for error, block in refused:
            with pytest.raises(error):
                builder.add_block(*block)
        with pytest.raises(ConfigError, match="ivfpq"):
            builder.finish("pq")
        assert len(builder) == 3
        with pytest.raises(GalleryError, match=r"1 of 2 vectors \(first: row 4\) hold NaN"):
            builder.add_block(np.stack([MANY[0], np.full_like(MANY[0], np.nan)]), NAMES[:2])
        builder.add_block(MANY[3:5], NAMES[3:5])
        gallery = builder.finish("ivf")
        assert list((tmp_path / "deep" / "scratch").iterdir()) == []
    np.testing.assert_allclose(gallery.vectors, Gallery.build(MANY[:5], NAMES[:5], tower=WIDE).vectors)
    with pytest.raises(ConfigError, match="closed"):
        builder.finish()


def test_thumbnails_of_blocks_are_mapped_and_not_copied(tmp_path: Path) -> None:
    pictures = RNG.integers(0, 256, (700, 3, 4, 3)).astype(np.uint8)
    whole = Gallery.build(MANY, NAMES, tower=WIDE, thumbnails=pictures)
    with GalleryBuilder(WIDE, scratch=tmp_path) as builder:
        with pytest.raises(EncoderMismatch):
            builder.add_block(MANY[:5, :3], NAMES[:5], thumbnails=pictures[:5])
        for start in range(0, 700, 200):
            some = slice(start, start + 200)
            builder.add_block(MANY[some], NAMES[some], thumbnails=pictures[some])
        with pytest.raises(GalleryError, match=r"shape None, those before it \(3, 4, 3\)"):
            builder.add_block(MANY, NAMES)
        with pytest.raises(GalleryError, match=r"shape \(3, 2, 3\), those before it \(3, 4, 3\)"):
            builder.add_block(MANY, NAMES, thumbnails=pictures[:, :, :2])
        gallery = builder.finish()
    assert same(gallery, whole)
    assert gallery.thumbnails is not None
    assert not gallery.thumbnails.flags.owndata
    assert not gallery.thumbnails.flags.writeable
    gallery.save(tmp_path / "blocks")
    whole.save(tmp_path / "whole")
    for name in ("index.faiss", "references.jsonl", "thumbnails.npy"):
        assert (tmp_path / "blocks" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    gallery.remove([3])
    gallery.add(MANY[:1], ["anger"], thumbnails=pictures[:1])
    gallery.save(tmp_path / "blocks")
    assert same(Gallery.load(tmp_path / "blocks"), gallery)


def test_a_full_disk_leaves_a_builder_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = RNG.integers(0, 256, (9, 3, 4)).astype(np.uint8)
    with GalleryBuilder(WIDE) as builder:

        def full(rows: Any, first: int) -> None:
            raise GalleryError("No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(builder._vectors, "write", full)
            with pytest.raises(GalleryError, match="No space"):
                builder.add_block(MANY[:4], NAMES[:4], thumbnails=pictures[:4])
        assert len(builder) == 0
        builder.add_block(MANY[4:9], NAMES[4:9])  # without thumbnails, which nothing of the refused block forbids
        gallery = builder.finish()
    assert same(gallery, Gallery.build(MANY[4:9], NAMES[4:9], tower=WIDE))


STATUS = Path("/proc/self/status")


def resident(*kinds: str) -> int:
    """Bytes of this process that are in memory now, of some kinds."""
    lines = [line.split() for line in STATUS.read_text().splitlines()]
    return sum(1024 * int(line[1]) for line in lines if line[0].rstrip(":") in kinds)


@pytest.mark.skipif(not STATUS.exists() or "RssAnon" not in STATUS.read_text(), reason="Linux tells what is in memory")
def test_blocks_wait_on_the_disk_and_not_in_memory() -> None:
    block = RNG.standard_normal((5000, 6)).astype(np.float32)
    wide = TowerCard("wide", "ab" * 16, InputSpec(8, 8, 1), 252)
    with GalleryBuilder(wide) as builder:
        builder.add_block(np.tile(block, 42), ["anger"] * 5000)
        before, names = resident("RssAnon"), ["anger"] * 5000
        for _ in range(19):  # 96 MB
            builder.add_block(np.tile(block, 42), names)
        assert resident("RssAnon") - before < 30e6
        seen = resident("RssFile", "RssShmem")
        vectors, view = builder._vectors.read(100_000)
        rows = Rows(vectors, source=view)
        assert sum(len(some) * float(np.isfinite(some).all()) for some in rows.blocks()) == 100_000
        assert resident("RssFile", "RssShmem") - seen < 20e6, "what was read is given back"
        training_sample(rows, 1, 1)
        assert resident("RssFile", "RssShmem") - seen < 20e6, "what was read is given back"
