"""What training minimises: metric losses on vectors, cross-entropy on class scores, or a weighted sum of both."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any, Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galleries.errors import ConfigError, require, unknown_name
from siamese.contrastive import ContrastiveLoss
from siamese.distillation import distillation_loss, pairs_loss
from siamese.gathering import gather_across_processes


def _pml(name: str) -> Callable[..., nn.Module]:
    def make(**options: Any) -> nn.Module:
        kind = getattr(require("pytorch_metric_learning.losses", "train"), name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # SphereFace meets NumPy 2 with one
            loss: nn.Module = kind(**options)
        return loss

    return make


LOSSES: dict[str, Callable[..., nn.Module]] = {
    "contrastive": ContrastiveLoss,
    "triplet": _pml("TripletMarginLoss"),
    "supcon": _pml("SupConLoss"),
    "ntxent": _pml("NTXentLoss"),
    "multi-similarity": _pml("MultiSimilarityLoss"),
    "circle": _pml("CircleLoss"),
    "lifted": _pml("GeneralizedLiftedStructureLoss"),
    "n-pairs": _pml("NPairsLoss"),
    "arcface": _pml("ArcFaceLoss"),
    "cosface": _pml("CosFaceLoss"),
    "sphereface": _pml("SphereFaceLoss"),
    "subcenter-arcface": _pml("SubCenterArcFaceLoss"),
    "normalized-softmax": _pml("NormalizedSoftmaxLoss"),
    "proxy-anchor": _pml("ProxyAnchorLoss"),
    "proxy-nca": _pml("ProxyNCALoss"),
    "soft-triple": _pml("SoftTripleLoss"),
}
"""Metric losses: eq. 3, and pytorch-metric-learning's by name. ``cross-entropy`` is the softmax baseline's."""

CLASSIFYING = {
    "arcface",
    "cosface",
    "sphereface",
    "subcenter-arcface",
    "normalized-softmax",
    "proxy-anchor",
    "proxy-nca",
    "soft-triple",
}
"""Losses with weights of their own, one or more proxies a class."""

MINERS: dict[str, str] = {
    "batch-hard": "BatchHardMiner",
    "batch-easy-hard": "BatchEasyHardMiner",
    "semihard": "TripletMarginMiner",
    "multi-similarity": "MultiSimilarityMiner",
    "pair-margin": "PairMarginMiner",
    "angular": "AngularMiner",
}
"""Miners that choose a batch's pairs or triplets, by pytorch-metric-learning's class."""

MINED = {"triplet", "supcon", "ntxent", "multi-similarity", "circle", "lifted", "n-pairs"}
"""Losses that take a miner's pairs or triplets."""

CROSS_ENTROPY = "cross-entropy"


@dataclass(frozen=True)
class Term:
    """One weighted loss of a sum: ``0.5*supcon``."""

    name: str
    weight: float = 1.0


def parse_loss(text: str) -> tuple[Term, ...]:
    """Read a loss as the command line writes it.

    Args:
        text: ``"supcon"``, ``"cross-entropy"``, or a sum: ``"0.5*supcon+cross-entropy"``.

    Returns:
        The terms, in order.

    Raises:
        ConfigError: A name is unknown, a weight is not above 0, or a term is written twice.
    """
    terms = []
    for part in text.split("+"):
        match = re.fullmatch(r"\s*(?:(\d+\.?\d*(?:e-?\d+)?|\.\d+)\s*\*)?\s*([a-z][a-z-]*)\s*", part.lower())
        if match is None:
            raise ConfigError(f"{text!r} is not a loss; write a name or a sum such as '0.5*supcon+cross-entropy'.")
        weight, name = float(match[1] or 1.0), match[2]
        name = CROSS_ENTROPY if name in ("softmax", "crossentropy") else name
        if name != CROSS_ENTROPY and name not in LOSSES:
            raise unknown_name("loss", name, [*LOSSES, CROSS_ENTROPY])
        if not weight > 0:
            raise ConfigError(f"The loss {text!r} gives {name} the weight {weight:g}; it must be above 0.")
        terms.append(Term(name, weight))
    if len({term.name for term in terms}) != len(terms):
        raise ConfigError(f"The loss {text!r} names a term twice; give each once, with its weight.")
    return tuple(terms)


class Objective(nn.Module):
    """A sum of weighted losses over one batch, gathered over processes when several train together.

    Args:
        terms: From :func:`parse_loss`.
        n_classes: Number of emotions.
        embedding_dim: Length of the vectors.
        options: Keyword arguments by loss name, such as ``{"contrastive": {"margin": 1.0}}``.
        miner: A name of :data:`MINERS` for the metric losses of pairs or triplets, or None.
        miner_options: The miner's keyword arguments.
        class_weights: float32 (n_classes,) for cross-entropy, or None.
        label_smoothing: 0-1, for cross-entropy.
        distributed: Whether pairs are formed across the processes of a ``torchrun``.
        distil_weight: The teachers' share of the cross-entropy term, 0-1, where they are heard.
        distil_temperature: That of their answers.
        distil_pairs: Weight of what they say of pairs, where they are asked.
    """

    def __init__(
        self,
        terms: tuple[Term, ...],
        n_classes: int,
        embedding_dim: int,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        miner: str | None = None,
        miner_options: Mapping[str, Any] | None = None,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        distributed: bool = False,
        distil_weight: float = 0.0,
        distil_temperature: float = 1.0,
        distil_pairs: float = 0.0,
    ) -> None:
        super().__init__()
        self.terms = terms
        self.distil_weight, self.distil_temperature = distil_weight, distil_temperature
        self.distil_pairs = distil_pairs
        self.distributed = distributed
        self.label_smoothing = label_smoothing
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.class_weights: Tensor | None
        self.miner = _make_miner(miner, miner_options or {}) if miner else None
        if miner and not any(term.name in MINED for term in terms):
            raise ConfigError(
                f"The miner {miner!r} was given, but {_join(terms)} takes none; leave it out or choose one of "
                f"{', '.join(sorted(MINED))}."
            )
        self.metric = nn.ModuleDict()
        for term in terms:
            if term.name == CROSS_ENTROPY:
                continue
            loss = _make_loss(term.name, dict((options or {}).get(term.name, {})), n_classes, embedding_dim)
            self.metric[term.name] = loss

    @property
    def needs_head(self) -> bool:
        """Whether class scores are part of the sum."""
        return any(term.name == CROSS_ENTROPY for term in self.terms)

    def forward(
        self,
        vectors: Tensor,
        scores: Tensor | None,
        labels: Tensor,
        soft: Tensor | None = None,
        taught: Tensor | None = None,
        plain: Tensor | None = None,
        alike: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch.

        Args:
            vectors: float (B, D).
            scores: float (B, n_classes) from a head, or None if no term needs them.
            labels: int64 (B,).
            soft: float32 (B, n_classes), shares (annotators' votes, blended labels) that cross-entropy takes in place
                of the labels.
            taught: float32 (B, n_classes), what teachers see, softened; None without teachers.
            plain: int64 (P,), the rows that metric losses see; None for all.
            alike: float32 (B, B), how alike teachers find the faces; None without them.

        Returns:
            The sum as a float32 scalar, computed in float32 under any autocast, and each term's unweighted value.
        """
        with torch.autocast(vectors.device.type, enabled=False):  # distances need all their digits
            floats = None if scores is None else scores.float()
            total, parts = self._sum(vectors.float(), floats, labels, soft, taught, plain)
            if alike is not None:
                value = pairs_loss(vectors, alike)
                total = total + self.distil_pairs * value
                parts["pairs"] = float(value.detach())
            return total, parts

    def _sum(
        self,
        vectors: Tensor,
        scores: Tensor | None,
        labels: Tensor,
        soft: Tensor | None,
        taught: Tensor | None,
        plain: Tensor | None,
    ) -> tuple[Tensor, dict[str, float]]:
        total = vectors.new_zeros(())
        parts: dict[str, float] = {}
        rows, row_labels = (vectors, labels) if plain is None else (vectors[plain], labels[plain])
        if self.distributed and len(self.metric):
            rows, row_labels = gather_across_processes(rows, row_labels)
        mined = self.miner(rows, row_labels) if self.miner is not None else None
        for term in self.terms:
            if term.name == CROSS_ENTROPY:
                if scores is None:
                    raise ConfigError("Cross-entropy needs a head on the tower; none was made.")
                target = labels if soft is None else soft
                value = F.cross_entropy(scores, target, weight=self.class_weights, label_smoothing=self.label_smoothing)
                if taught is not None:
                    lesson = distillation_loss(scores, taught, self.distil_temperature)
                    parts["distillation"] = float(lesson.detach())
                    total = total + term.weight * self.distil_weight * (lesson - value)
            elif mined is not None and term.name in MINED:
                value = self.metric[term.name](rows, row_labels, mined)
            else:
                value = self.metric[term.name](rows, row_labels)
            total = total + term.weight * value
            parts[term.name] = float(value.detach())
        return total, parts


def _join(terms: tuple[Term, ...]) -> str:
    return "+".join(term.name for term in terms)


def _make_loss(name: str, options: dict[str, Any], n_classes: int, embedding_dim: int) -> nn.Module:
    if name in CLASSIFYING:
        options = {"num_classes": n_classes, "embedding_size": embedding_dim, **options}
    try:
        loss = LOSSES[name](**options)
        with torch.no_grad():  # some options are only looked at when the loss is used
            loss(torch.eye(4, embedding_dim), torch.tensor([0, 0, n_classes - 1, n_classes - 1]))
    except (TypeError, ValueError, AttributeError, AssertionError, IndexError, RuntimeError) as error:
        raise ConfigError(f"The loss {name!r} does not take the options {options}: {error}.") from error
    return loss


def _make_miner(name: str, options: Mapping[str, Any]) -> nn.Module:
    if name not in MINERS:
        raise unknown_name("miner", name, MINERS)
    defaults = {"type_of_triplets": "semihard"} if name == "semihard" else {}
    try:
        kind = getattr(require("pytorch_metric_learning.miners", "train"), MINERS[name])
        miner: nn.Module = kind(**{**defaults, **options})
        miner(torch.eye(4), torch.tensor([0, 0, 1, 1]))  # some options are only looked at when it is used
    except (TypeError, ValueError, AttributeError, AssertionError, RuntimeError) as error:
        raise ConfigError(f"The miner {name!r} does not take the options {dict(options)}: {error}.") from error
    return miner


__all__ = [
    "CLASSIFYING",
    "CROSS_ENTROPY",
    "LOSSES",
    "MINED",
    "MINERS",
    "ContrastiveLoss",
    "Objective",
    "Term",
    "gather_across_processes",
    "parse_loss",
]
