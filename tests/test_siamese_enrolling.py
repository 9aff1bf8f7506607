"""A data set becomes a gallery block by block, and the same gallery as from one array."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_galleries import same
from onnx_towers import DIM, SIDE, write_tower

from galleries.encoder import OnnxEncoder
from galleries.errors import GalleryError
from siamese import enrolling
from siamese.datasets.base import FaceDataset, PixelStore
from siamese.enrolling import encode_rows, enrol, index_vectors

SIZE = 300
EMOTIONS = ("anger", "fear", "sadness")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> OnnxEncoder:
    return OnnxEncoder(write_tower(tmp_path_factory.mktemp("tower") / "tower.onnx"), ["cpu"], 1)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolling, "_BATCH", 16)
    monkeypatch.setattr(enrolling, "_BLOCK", 64)


def faces() -> FaceDataset:
    """Pictures of several sizes, of people and, some of them, of films."""
    rng = np.random.default_rng(1)
    sizes = rng.integers(SIDE, 3 * SIDE, SIZE)
    store = PixelStore.from_images([rng.integers(0, 256, (side, side)).astype(np.uint8) for side in sizes])
    return FaceDataset(
        "drawn", "folder", Path("drawn"), EMOTIONS, rng.integers(0, 3, SIZE), tuple(f"{i}.png" for i in range(SIZE)),
        store, np.arange(SIZE), subjects=tuple(f"S{i % 7}" for i in range(SIZE)),
        sequences=tuple(f"film {i // 40}" for i in range(SIZE)),
    )  # fmt: skip


@pytest.mark.parametrize("thumbnails", [True, False])
@pytest.mark.parametrize("kind", ["auto", "flat", "ivf", "ivfpq"])
def test_blocks_make_what_one_array_makes(tmp_path: Path, encoder: OnnxEncoder, kind: str, thumbnails: bool) -> None:
    """Bit for bit, in memory and on the disk."""
    dataset, rows = faces(), np.random.default_rng(3).permutation(SIZE)[: SIZE - 7]
    told: list[tuple[int, int]] = []
    options: dict[str, Any] = {"index": kind, "thumbnails": thumbnails}
    scratch = tmp_path / "scratch"
    blocks = enrol(
        dataset, rows, encoder, progress=lambda done, total: told.append((done, total)), scratch=scratch, **options
    )
    assert list(scratch.iterdir()) == []
    assert told[-1] == (len(rows), len(rows))
    assert [done for done, _ in told] == [*range(16, len(rows), 16), len(rows)]
    whole = index_vectors(dataset, rows, encode_rows(dataset, rows, encoder), encoder, **options)
    assert blocks.index == whole.index == ("flat" if kind == "auto" else kind)
    assert blocks.recall is None
    assert same(blocks, whole)
    for name, gallery in (("blocks", blocks), ("whole", whole)):
        gallery.save(tmp_path / name)
    written = {path.name for path in (tmp_path / "whole").iterdir()}
    assert ("thumbnails.npy" in written, "vectors.npy" in written) == (thumbnails, kind in ("ivf", "ivfpq"))
    for name in written - {"log.jsonl", "gallery.json"}:  # which tell the time
        assert (tmp_path / "blocks" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert blocks.measure_recall() == whole.measure_recall()


def test_no_more_than_a_block_is_encoded_at_a_time(encoder: OnnxEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = FaceDataset.batch

    def batch(self: FaceDataset, rows: np.ndarray, spec: Any) -> np.ndarray:
        sizes.append(len(rows))
        return real(self, rows, spec)

    monkeypatch.setattr(FaceDataset, "batch", batch)
    assert len(enrol(faces(), np.arange(SIZE), encoder)) == SIZE
    assert max(sizes) == 64
    assert sum(sizes) == 2 * SIZE  # for the tower, and as thumbnails


def test_auto_chooses_by_the_number_of_all_blocks(encoder: OnnxEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galleries.kinds.AUTO", ((100, "flat"), (250, "hnsw")))
    kinds = [enrol(faces(), np.arange(size), encoder, index="auto").index for size in (100, 101, 251)]
    assert kinds == ["flat", "hnsw", "ivfpq"]


def test_a_tower_that_fails_late_leaves_nothing(
    tmp_path: Path, encoder: OnnxEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(10**6))

    def encode(pixels: np.ndarray) -> np.ndarray:
        return np.full((len(pixels), DIM), np.nan if next(calls) == 12 else 1.0, np.float32)

    monkeypatch.setattr(encoder, "encode", encode)
    with pytest.raises(GalleryError, match=r"16 of 64 vectors"):
        enrol(faces(), np.arange(SIZE), encoder, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_people_and_films_may_be_unknown(encoder: OnnxEncoder) -> None:
    dataset = replace(faces(), subjects=None, sequences=None)
    held = enrol(dataset, np.arange(70), encoder).references
    assert (held[69].source, held[69].subject, held[69].sequence) == ("69.png", None, None)
