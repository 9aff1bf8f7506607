from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from galleries.errors import ConfigError
from siamese.config import TrainingConfig
from siamese.losses import Objective, parse_loss
from siamese.mixing import as_targets, mix, mix_all


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def a_batch(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures whose two pixels tell their row, so that a blend can be read off."""
    images = torch.zeros(size, 1, 1, size)
    images[torch.arange(size), 0, 0, torch.arange(size)] = 200.0
    return images, torch.eye(size)


@given(size=st.integers(2, 12), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_share_is_blended_as_their_targets_are(size: int, share: float, seed: int) -> None:
    images, targets = a_batch(size)
    out = mix(images, targets, share, 0.5, seeded(seed))
    assert len(out.plain) == size - round(share * size)
    assert out.plain.tolist() == sorted(set(out.plain.tolist()))
    torch.testing.assert_close(out.images[:, 0, 0] / 200, out.targets)  # the same shares in both
    torch.testing.assert_close(out.targets.sum(1), torch.ones(size))
    assert torch.equal(out.images[out.plain], images[out.plain])
    assert torch.equal(out.targets[out.plain], targets[out.plain])
    assert ((out.targets > 0).sum(1) <= 2).all()
    assert torch.equal(images, a_batch(size)[0])
    again = mix(images, targets, share, 0.5, seeded(seed))
    assert all(torch.equal(a, b) for a, b in zip(out, again))


def test_several_targets_are_blended_alike() -> None:
    images, targets = a_batch(8)
    mixed, blended, plain = mix_all(images, (targets, None, 2 * targets[:, :3]), 0.5, 0.5, seeded())
    one = mix(images, targets, 0.5, 0.5, seeded())
    assert torch.equal(mixed, one.images)
    assert torch.equal(plain, one.plain)
    first, second, third = blended
    assert second is None
    assert first is not None
    assert third is not None
    assert torch.equal(first, one.targets)
    torch.testing.assert_close(third, 2 * first[:, :3])


def test_a_small_alpha_leaves_one_picture_nearly_alone() -> None:
    images, targets = a_batch(400)
    strong, weak = (mix(images, targets, 1.0, alpha, seeded()).targets.amax(1).mean() for alpha in (4.0, 0.1))
    assert weak > 0.93 > 0.8 > strong


def test_labels_and_votes_as_targets() -> None:
    labels, votes = torch.tensor([2, 0]), torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.1, 0.9]])
    assert as_targets(labels, None, 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert as_targets(labels, votes, 3) is votes


def test_metric_losses_see_only_plain_rows() -> None:
    vectors, scores = torch.randn(6, 4, generator=seeded()), torch.randn(6, 3, generator=seeded(1))
    labels, plain = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 1, 3])
    targets = as_targets(labels, None, 3)
    objective = Objective(parse_loss("0.5*supcon+cross-entropy"), 3, 4)
    total, parts = objective(vectors, scores, labels, targets, None, plain)
    alone, _ = Objective(parse_loss("supcon"), 3, 4)(vectors[plain], None, labels[plain])
    assert parts["supcon"] == pytest.approx(alone.item(), rel=1e-5)
    assert parts["cross-entropy"] == pytest.approx(F.cross_entropy(scores, labels).item(), rel=1e-5)
    assert total.item() == pytest.approx(0.5 * parts["supcon"] + parts["cross-entropy"], rel=1e-5)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"mixup": 0.2, "loss": "supcon"}, "the loss lacks"),
        ({"mixup": 0.6, "loss": "supcon+cross-entropy"}, "at most 0.5"),
        ({"mixup": 0.2, "loss": "triplet+cross-entropy", "sampler": "pairs"}, "another sampler than pairs"),
        ({"mixup": 1.1}, "from 0 to 1"),
        ({"mixup_alpha": 0}, "from 0 to 100"),
    ],
)
def test_what_cannot_be_mixed_is_refused(options: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        TrainingConfig(**options)  # type: ignore[arg-type]
    assert TrainingConfig(mixup=1.0, loss="cross-entropy").mixup == 1.0
