from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.errors import ConfigError
from siamese.losses import (
    CLASSIFYING,
    CROSS_ENTROPY,
    LOSSES,
    MINED,
    MINERS,
    ContrastiveLoss,
    Objective,
    Term,
    parse_loss,
)


def batch(size: int = 12, dim: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, dim, generator=generator, requires_grad=True), torch.arange(size) % 3


def eq3(distance: float, different: int, margin: float) -> float:
    return (1 - different) * 0.5 * distance**2 + different * 0.5 * max(0.0, margin - distance) ** 2


def test_eq3_by_hand() -> None:
    loss = ContrastiveLoss(margin=2.0, pairing="adjacent")
    vectors = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0], [0.0, 1.5], [1.0, 0.0], [8.0, 0.0]])
    same, near, far = torch.tensor([0, 0, 0, 1, 0, 1]), 0.5 * 0.5**2, 0.0
    assert loss(vectors, same).item() == pytest.approx((0.5 * 25 + near + far) / 3, rel=1e-6)
    pairs = loss.pair_losses(torch.tensor([5.0, 1.5, 7.0]), torch.tensor([0.0, 1.0, 1.0]))
    assert pairs.tolist() == [12.5, 0.125, 0.0]


@pytest.mark.parametrize("margin", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("seed", range(3))
def test_both_pairings_against_plain_loops(margin: float, seed: int) -> None:
    vectors, labels = batch(11, seed=seed)
    points, names = vectors.detach().double().numpy(), labels.numpy()

    def pair(i: int, j: int) -> float:
        return eq3(float(np.linalg.norm(points[i] - points[j])), int(names[i] != names[j]), margin)

    adjacent = [pair(i, i + 1) for i in range(0, 10, 2)]
    assert ContrastiveLoss(margin, "adjacent")(vectors, labels).item() == pytest.approx(np.mean(adjacent), rel=1e-5)
    every = [(pair(i, j), names[i] == names[j]) for i in range(11) for j in range(i)]
    pull, push = (np.mean([value for value, alike in every if alike == kind]) for kind in (True, False))
    assert ContrastiveLoss(margin, "all")(vectors, labels).item() == pytest.approx((pull + push) / 2, rel=1e-5)


def test_eq3_against_pytorch_metric_learning() -> None:
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    distances = pytest.importorskip("pytorch_metric_learning.distances")
    reducers = pytest.importorskip("pytorch_metric_learning.reducers")
    vectors, labels = batch(14, seed=4)
    # theirs is max(0, D - 0) and max(0, m - D), not squared; squared and halved by power 2 of each pair's loss
    theirs = losses.ContrastiveLoss(
        pos_margin=0,
        neg_margin=1.7,
        distance=distances.LpDistance(normalize_embeddings=False, p=2, power=1),
        reducer=reducers.DoNothingReducer(),
    )(vectors, labels)
    pull, push = (0.5 * theirs[key]["losses"].square() for key in ("pos_loss", "neg_loss"))
    assert (push > 0).any()
    ours = ContrastiveLoss(1.7, "all")(vectors, labels)
    assert ours.item() == pytest.approx(0.5 * (pull.mean() + push.mean()).item(), rel=1e-5)
    upper = torch.triu_indices(14, 14, 1)
    gaps = (vectors[upper[0]] - vectors[upper[1]]).norm(dim=1)
    each = ContrastiveLoss(1.7).pair_losses(gaps, (labels[upper[0]] != labels[upper[1]]).float())
    assert each.sum().item() == pytest.approx(0.5 * (pull.sum() + push.sum()).item(), rel=1e-5)


@pytest.mark.parametrize("pairing", ["all", "adjacent"])
def test_gradients_are_finite_where_vectors_coincide(pairing: str) -> None:
    vectors = torch.ones(6, 4, requires_grad=True)
    loss = ContrastiveLoss(1.0, pairing)(vectors, torch.tensor([0, 0, 0, 1, 1, 2]))
    loss.backward()
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()
    assert torch.isfinite(loss)


@pytest.mark.parametrize("pairing", ["all", "adjacent"])
def test_the_gradient_against_finite_differences(pairing: str) -> None:
    vectors, labels = batch(6, 3)
    double = vectors.detach().double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: ContrastiveLoss(2.0, pairing)(x, labels), (double,), eps=1e-6)


def test_no_pair_no_loss() -> None:
    for pairing in ("all", "adjacent"):
        loss = ContrastiveLoss(1.0, pairing)(torch.ones(1, 3, requires_grad=True), torch.tensor([0]))
        assert loss.item() == 0
        loss.backward()
    same = ContrastiveLoss(1.0, "all")(torch.zeros(3, 2), torch.tensor([1, 1, 1]))
    assert same.item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("options", [{"margin": 0}, {"margin": -1.0}, {"margin": math.nan}, {"margin": "x"}])
def test_a_margin_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="margin"):
        ContrastiveLoss(**options)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'adjacent'"):
        ContrastiveLoss(pairing="adjacant")


@pytest.mark.parametrize("name", list(LOSSES))
def test_every_loss_goes_one_step_down(name: str) -> None:
    torch.manual_seed(0)
    objective = Objective(parse_loss(name), 3, 6)
    vectors, labels = batch(24)
    optimizer = torch.optim.SGD([vectors, *objective.parameters()], lr=1e-3)
    before, parts = objective(vectors, None, labels)
    assert before.dtype == torch.float32
    assert parts == {name: pytest.approx(before.item())}
    before.backward()
    assert vectors.grad is not None
    assert vectors.grad.abs().sum() > 0
    assert torch.isfinite(vectors.grad).all()
    optimizer.step()
    after, _ = objective(vectors, None, labels)
    assert after.item() < before.item()
    assert bool(list(objective.parameters())) == (name in CLASSIFYING)


@pytest.mark.parametrize("miner", list(MINERS))
@pytest.mark.parametrize("loss", sorted(MINED))
def test_every_miner_with_every_loss_that_takes_it(miner: str, loss: str) -> None:
    objective = Objective(parse_loss(f"{loss}+cross-entropy"), 3, 6, miner=miner)
    vectors, labels = batch(24)
    total, parts = objective(vectors, torch.zeros(24, 3), labels)
    total.backward()
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()
    assert parts["cross-entropy"] == pytest.approx(math.log(3))


@pytest.mark.parametrize("loss", ["cross-entropy", "arcface", "contrastive", "contrastive+cross-entropy"])
def test_a_miner_without_a_loss_that_takes_it_is_refused(loss: str) -> None:
    with pytest.raises(ConfigError, match="takes none"):
        Objective(parse_loss(loss), 3, 6, miner="batch-hard")


def test_options_that_do_not_fit_are_refused() -> None:
    for name, options in (
        ("supcon", {"temperatur": 0.1}),
        ("supcon", {"temperature": "warm"}),
        ("triplet", {"distance": "cosine"}),
        ("contrastive", {"pairing": "all", "m": 1}),
        ("arcface", {"num_classes": 2}),
    ):
        with pytest.raises(ConfigError, match="does not take the options"):
            Objective(parse_loss(name), 3, 6, {name: options})
    with pytest.raises(ConfigError, match="'batch-hard'"):
        Objective(parse_loss("triplet"), 3, 6, miner="batch_hard")
    with pytest.raises(ConfigError, match="does not take the options"):
        Objective(parse_loss("triplet"), 3, 6, miner="semihard", miner_options={"margin": "wide"})
    with pytest.raises(ConfigError, match="needs a head"):
        Objective(parse_loss("cross-entropy"), 3, 6)(*batch(6)[:1], None, batch(6)[1])


def test_a_sum_weighs_its_terms() -> None:
    vectors, labels = batch(12)
    scores = torch.randn(12, 3, generator=torch.Generator().manual_seed(1))
    weights = torch.tensor([1.0, 2.0, 0.5])
    objective = Objective(
        parse_loss("0.25*contrastive + 2*cross-entropy"),
        3,
        6,
        {"contrastive": {"margin": 3.0}},
        class_weights=weights,
        label_smoothing=0.1,
    )
    total, parts = objective(vectors, scores, labels)
    metric = ContrastiveLoss(3.0)(vectors, labels)
    entropy = torch.nn.functional.cross_entropy(scores, labels, weight=weights, label_smoothing=0.1)
    assert total.item() == pytest.approx(0.25 * metric.item() + 2 * entropy.item(), rel=1e-6)
    assert parts == {"contrastive": pytest.approx(metric.item()), "cross-entropy": pytest.approx(entropy.item())}


def test_votes_take_the_place_of_labels() -> None:
    votes = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8]])
    scores = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]])
    total, _ = Objective(parse_loss("softmax"), 3, 4)(torch.zeros(2, 4), scores, torch.tensor([0, 0]), votes)
    by_hand = -(votes * torch.log_softmax(scores, 1)).sum(1).mean()
    assert total.item() == pytest.approx(by_hand.item(), rel=1e-6)


def test_distances_keep_their_digits_under_autocast() -> None:
    vectors, labels = batch(24, 64)
    close = (vectors.detach() * 0.01 + 1).requires_grad_()
    for name in ("contrastive", "supcon", "triplet"):
        objective = Objective(parse_loss(name), 3, 64)
        plain, _ = objective(close, None, labels)
        with torch.autocast("cpu", torch.bfloat16):
            mixed, _ = objective(close, None, labels)
        assert mixed.item() == plain.item()


NAMES = st.sampled_from([*LOSSES, CROSS_ENTROPY])
WEIGHTS = st.floats(1e-4, 1000).map(lambda x: float(f"{x:.4f}")).filter(lambda x: x > 0)


@given(st.lists(st.tuples(NAMES, WEIGHTS), min_size=1, max_size=4, unique_by=lambda term: term[0]), st.booleans())
def test_a_loss_is_read_as_written(terms: list[tuple[str, float]], spaces: bool) -> None:
    gap = " " if spaces else ""
    text = f"{gap}+{gap}".join(f"{weight!r}{gap}*{gap}{name}" for name, weight in terms)
    assert parse_loss(text) == tuple(Term(name, weight) for name, weight in terms)


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=30), st.text("0123456789.*+-e supcontrile", max_size=30)))
def test_any_text_is_a_loss_or_a_clear_refusal(text: str) -> None:
    try:
        terms = parse_loss(text)
    except ConfigError:
        return
    assert terms
    assert all(0 < term.weight < math.inf for term in terms)


def test_losses_that_are_none() -> None:
    for text, hint in (
        ("supcom", "Did you mean 'supcon'"),
        ("0*supcon", "above 0"),
        ("supcon+supcon", "twice"),
        ("softmax+cross-entropy", "twice"),
        ("", "not a loss"),
        ("2supcon", "not a loss"),
    ):
        with pytest.raises(ConfigError, match=hint.replace("+", r"\+")):
            parse_loss(text)
    assert parse_loss("Softmax") == (Term("cross-entropy"),)
