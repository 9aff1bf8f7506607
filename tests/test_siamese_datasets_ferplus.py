"""FER+ over FER-2013's labels, and beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_fer2013 import USAGE, csv_text, faces, load, pack, text_of

from galleries.errors import ConfigError, DataError
from galleries.vocabulary import CANONICAL, FER2013_LABELS
from siamese.datasets import load_dataset

FERPLUS_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def ferplus(tmp_path: Path, votes: list[list[int]], usages: list[str] | None = None) -> Path:
    lines = [
        f"{(usages or USAGE * len(votes))[i]},fer{i:07d}.png,{','.join(map(str, row))}" for i, row in enumerate(votes)
    ]
    path = tmp_path / "fer2013new.csv"
    path.write_text("\n".join([FERPLUS_HEADER, *lines]) + "\n")
    return path


VOTES = [
    # neutral happiness surprise sadness anger disgust fear contempt unknown NF
    [4, 0, 0, 1, 3, 2, 0, 0, 0, 0],
    [0, 5, 5, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 9, 1, 0],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 9],
    [1, 8, 0, 0, 0, 0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0, 10, 0],
]


def test_ferplus_gives_the_majority_and_leaves_out_ties(tmp_path: Path) -> None:
    csv = pack(csv_text(6), tmp_path / "fer2013.csv")
    dataset = load(csv, ferplus=ferplus(tmp_path, VOTES), soft=True)
    assert dataset.emotions == ("contempt", "happiness", "neutral")
    assert [dataset.emotions[int(label)] for label in dataset.labels] == ["neutral", "contempt", "happiness"]
    assert dataset.ids == ("row:0", "row:2", "row:4")
    assert dataset.soft_labels is not None
    assert dataset.soft_labels == pytest.approx(np.array([[0, 0, 1], [1, 0, 0], [0.1, 0.8, 0.1]]))
    assert [entry.source for entry in dataset.skipped] == ["row:1", "row:3", "row:5"]
    assert "tied" in dataset.skipped[0].reason
    assert load(csv, ferplus=tmp_path / "fer2013new.csv").soft_labels is None


def test_ferplus_follows_the_rows_past_a_skipped_one(tmp_path: Path) -> None:
    lines = csv_text(6).splitlines()
    lines[1] = "9" + lines[1][1:]
    (tmp_path / "fer.csv").write_text("\n".join(lines))
    dataset = load(tmp_path / "fer.csv", ferplus=ferplus(tmp_path, VOTES))
    assert dataset.ids == ("row:2", "row:4")
    assert dataset.emotions == ("contempt", "happiness")


def test_ferplus_for_other_rows_is_refused(tmp_path: Path) -> None:
    csv = pack(csv_text(6), tmp_path / "fer2013.csv")
    with pytest.raises(DataError, match=r"has 5 rows of votes but .* has 6 rows"):
        load(csv, ferplus=ferplus(tmp_path, VOTES[:5]))
    with pytest.raises(DataError, match="another order"):
        load(csv, ferplus=ferplus(tmp_path, VOTES, ["Training"] * 6))
    with pytest.raises(DataError, match="gives no picture a majority"):
        load(csv, ferplus=ferplus(tmp_path, [VOTES[5]] * 6))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column"),
        ("a,b\n1,2\n", "no column anger"),
        (FERPLUS_HEADER + "\nTraining,x,1,2\n" * 6, "not whole numbers"),
        (FERPLUS_HEADER + "\nTraining,x,1,2,3,4,5,6,7,8,many,0\n" * 6, "not whole numbers"),
        (FERPLUS_HEADER + "\nTraining,x,1,2,3,4,5,6,7,8,-1,0\n" * 6, "negative votes"),
    ],
)
def test_a_malformed_ferplus_file_gives_a_sentence(tmp_path: Path, text: str, message: str) -> None:
    csv = pack(csv_text(6), tmp_path / "fer2013.csv")
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load(csv, ferplus=tmp_path / "votes.csv")
    with pytest.raises(DataError, match="cannot be read"):
        load(csv, ferplus=tmp_path / "missing.csv")
    (tmp_path / "votes.csv").write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(DataError, match="cannot be read"):
        load(csv, ferplus=tmp_path / "votes.csv")


def patterned(count: int, seed: int = 0) -> tuple[list[int], list[list[int]]]:
    """Labels, and votes of three patterns; each pattern has its own odds of the seven labels."""
    rng = np.random.default_rng(seed)
    odds = np.array([[6, 1, 1, 0, 0, 0, 2], [0, 0, 3, 3, 3, 1, 0], [1, 1, 1, 1, 1, 1, 4]]) / 10
    kinds = rng.integers(0, 3, count)
    labels = [int(rng.choice(7, p=odds[kind])) for kind in kinds]
    patterns = [[8, 0, 0, 0, 2, 0, 0, 0, 0, 0], [0, 5, 5, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0, 3, 7, 0]]
    return labels, [patterns[kind] for kind in kinds]


def labelled_csv(labels: list[int], tmp_path: Path, usages: list[str]) -> Path:
    face = text_of(faces(1)[0])
    rows = [f"{label},{face},{usage}" for label, usage in zip(labels, usages)]
    return pack("\n".join(["emotion,pixels,Usage", *rows]) + "\n", tmp_path / "fer2013.csv")


def test_votes_beside_the_labels_give_the_odds_of_each_label(tmp_path: Path) -> None:
    labels, votes = patterned(900)
    usages = ["Training"] * 600 + ["PublicTest"] * 150 + ["PrivateTest"] * 150
    csv = labelled_csv(labels, tmp_path, usages)
    dataset = load(csv, votes=ferplus(tmp_path, votes, usages), votes_share=1.0)
    assert [FER2013_LABELS[label] for label in labels] == [dataset.emotions[int(label)] for label in dataset.labels]
    assert dataset.soft_labels is not None
    assert len(dataset.emotions) == 7
    train = np.array([part == "train" for part in dataset.official or ()])
    for pattern in np.unique(np.array(votes), axis=0):
        same = (np.array(votes) == pattern).all(axis=1)
        counted = np.bincount(dataset.labels[same & train], minlength=7) / (same & train).sum()
        assert np.abs(dataset.soft_labels[same] - counted).max() < 0.03
    assert dataset.votes is not None
    counts = np.array(votes)[
        :, [FERPLUS_HEADER.split(",").index(name) - 2 for name in CANONICAL]
    ]  # the ten votes of each row
    assert dataset.votes == pytest.approx(counts / counts.sum(axis=1, keepdims=True))
    half = load(csv, votes=tmp_path / "fer2013new.csv").soft_labels
    own = np.eye(7)[dataset.labels]
    assert half == pytest.approx((own + dataset.soft_labels) / 2, abs=1e-6)
    assert load(csv, votes=tmp_path / "fer2013new.csv", votes_share=0.0).soft_labels == pytest.approx(own)


def test_what_votes_say_is_learned_from_training_alone(tmp_path: Path) -> None:
    labels, votes = patterned(300)
    usages = ["Training"] * 200 + ["PublicTest"] * 50 + ["PrivateTest"] * 50
    file = ferplus(tmp_path, votes, usages)
    before = load(labelled_csv(labels, tmp_path, usages), votes=file, votes_share=1.0).soft_labels
    other = labels[:200] + [(label + 1) % 7 for label in labels[200:]]
    after = load(labelled_csv(other, tmp_path, usages), votes=file, votes_share=1.0).soft_labels
    assert before is not None
    assert after is not None
    assert np.array_equal(before, after)


def test_votes_without_a_training_part_or_on_other_data_are_refused(tmp_path: Path) -> None:
    csv = pack(csv_text(21).replace("Training", "PublicTest"), tmp_path / "fer2013.csv")
    usages = ["PublicTest", "PublicTest", "PrivateTest"] * 7
    file = ferplus(tmp_path, VOTES[:1] * 21, usages)
    with pytest.raises(DataError, match="has none for every emotion"):
        load(csv, votes=file)
    with pytest.raises(ConfigError, match="either replace"):
        load(csv, votes=file, ferplus=file)
    with pytest.raises(DataError, match="belong to the rows"):
        load_dataset("synthetic:subjects=4", votes=file)
    with pytest.raises(DataError, match="cannot be read"):
        load(csv, votes=tmp_path / "missing.csv")
