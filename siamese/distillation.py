"""Distillation: a tower learns from others that were trained before: from their class probabilities, and from how alike
they find the faces of a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galleries.errors import ConfigError, TrainingError
from galleries.images import InputSpec
from siamese.checkpoint import Checkpoint, load_checkpoint
from siamese.towers.base import grey

PAIR_TEMPERATURE = 0.1
"""What cosines are divided by where teachers say which faces are alike, as supcon's are."""


class Teachers(nn.Module):
    """Trained towers with softmax heads that say what a batch shows.

    They answer in evaluation mode and are never changed. A batch of another size or colour than a teacher takes is
    scaled and converted for it, since it is augmented only once, for all. A teacher that knows more emotions than the
    student says which of the student's it sees.

    Args:
        checkpoints: The runs as read.
        names: Their folders, for the card and errors.
        emotions: The student's, in its order.

    Raises:
        ConfigError: A run has no head, or does not know an emotion of the student's.
    """

    def __init__(self, checkpoints: Sequence[Checkpoint], names: Sequence[str], emotions: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self.cards: tuple[dict[str, Any], ...] = tuple(checkpoint.card for checkpoint in checkpoints)
        self.towers, self.heads = nn.ModuleList(), nn.ModuleList()
        self.columns: list[list[int]] = []
        for name, checkpoint in zip(names, checkpoints):
            if checkpoint.head is None:
                raise ConfigError(
                    f"The teacher {name} has no softmax head, so it gives no class probabilities; give a run with "
                    "cross-entropy in its loss."
                )
            unknown = [emotion for emotion in emotions if emotion not in checkpoint.emotions]
            if unknown:
                raise ConfigError(
                    f"The teacher {name} knows {', '.join(checkpoint.emotions)}, but the data has "
                    f"{', '.join(emotions)}; give a teacher that knows {', '.join(unknown)}, too, or name the emotions "
                    "with --emotions."
                )
            self.columns.append([checkpoint.emotions.index(emotion) for emotion in emotions])
            self.towers.append(checkpoint.tower)
            self.heads.append(checkpoint.head)
        self.requires_grad_(False).eval()

    @classmethod
    def load(
        cls,
        runs: Sequence[str | Path],
        emotions: Sequence[str],
        fit: Optional[Callable[[Checkpoint], Checkpoint]] = None,
    ) -> Teachers:
        """Read the runs.

        Args:
            runs: Their folders, or ``"pretrained"``.
            emotions: The student's, in its order.
            fit: Gives a tower without a head one of these emotions (:func:`siamese.fitted_head.with_fitted_head`).

        Raises:
            TowerError: A run is missing or damaged.
            ConfigError: As for the class.
        """
        checkpoints = [load_checkpoint(run) for run in runs]
        if fit is not None:
            checkpoints = [fit(found) if found.head is None else found for found in checkpoints]
        return cls(checkpoints, [str(run) for run in runs], emotions)

    def about(self) -> list[dict[str, str]]:
        """Who they are, as plain values: run, tower, and the checksum of its weights."""
        return [
            {"run": name, "tower": str(card["tower"]), "sha256": str(card["weights"]["sha256"])}
            for name, card in zip(self.names, self.cards)
        ]

    def forward(self, images: Tensor, temperature: float) -> Tensor:
        """What the teachers see, softened, on average.

        Args:
            images: float32 (B, C, H, W), values 0-255.
            temperature: What class scores are divided by, above 0.

        Returns:
            float32 (B, n), rows sum to 1, columns in the order of the student's emotions.
        """
        return self.classes_and_pairs(images, temperature)[0]

    def classes_and_pairs(self, images: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """What the teachers see, as :meth:`forward` says it, and how alike they find the faces of the batch.

        Args:
            images: float32 (B, C, H, W), values 0-255.
            temperature: What class scores are divided by, above 0.

        Returns:
            float32 (B, n) as of :meth:`forward`, and float32 (B, B), each pair's cosine on average over the teachers,
            which is the cosine of their vectors put side by side.
        """
        total = alike = torch.zeros((), device=images.device)
        for tower, head, columns in zip(self.towers, self.heads, self.columns):
            spec = tower.input_spec
            assert isinstance(spec, InputSpec)
            vectors = tower(fit_to(images, spec))
            total = total + F.softmax(head(vectors).float()[:, columns] / temperature, dim=1)
            alike = alike + cosines(vectors)
        return total / len(self.towers), alike / len(self.towers)


def ask_once(teachers: Teachers, batches: Iterable[Tensor], temperature: float) -> Tensor:
    """What the teachers see in pictures that are not varied, the mean of each picture and its mirror image.

    Args:
        teachers: On their device.
        batches: uint8 or float (B, C, H, W), values 0-255.
        temperature: What class scores are divided by, above 0.

    Returns:
        float32 (N, n), rows sum to 1, on the teachers' device.
    """
    device = next(teachers.parameters()).device
    said = []
    with torch.no_grad():
        for pixels in batches:
            images = pixels.to(device).float().contiguous(memory_format=torch.channels_last)
            said.append((teachers(images, temperature) + teachers(images.flip(3), temperature)) / 2)
    return torch.cat(said)


def check_same(teachers: Optional[Teachers], known: Sequence[dict[str, str]], run: Path) -> None:
    """Refuse to go on with other teachers than a run began with.

    Args:
        teachers: Those of now.
        known: What :meth:`Teachers.about` said when the run began.
        run: Its folder, for the error.

    Raises:
        TrainingError: They are others, or have been trained since.
    """
    now = [] if teachers is None else teachers.about()
    if [entry["sha256"] for entry in now] != [entry["sha256"] for entry in known]:
        told = ", ".join(entry["run"] for entry in known) or "nobody"
        raise TrainingError(
            f"{run} was taught by {told}, and its teachers are not the same any more; put them back, or start the run "
            "anew."
        )


def fit_to(images: Tensor, spec: InputSpec) -> Tensor:
    """A batch float32 (B, C, H, W) as a tower takes it: grey and colour converted, scaled without aliasing."""
    if images.shape[1] == 3 and spec.channels == 1:
        images = grey(images)
    elif images.shape[1] != spec.channels:
        images = images.expand(-1, spec.channels, -1, -1)
    if images.shape[2:] != (spec.height, spec.width):
        size = (spec.height, spec.width)
        images = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
    return images


def cosines(vectors: Tensor) -> Tensor:
    """The cosine of every pair of vectors (B, D), float32 (B, B) under any autocast."""
    with torch.autocast(vectors.device.type, enabled=False):
        directions = F.normalize(vectors.float(), dim=1)
        return directions @ directions.T


def pairs_loss(vectors: Tensor, alike: Tensor, temperature: float = PAIR_TEMPERATURE) -> Tensor:
    """How far a student is from finding the same faces alike as its teachers do.

    Each face's cosines to all others of the batch, softened, are a distribution over who is near; the loss is the
    Kullback-Leibler divergence of the student's from the teachers' (Passalis and Tefas, "Learning Deep Representations
    with Probabilistic Knowledge Transfer", 2018, with the softmax of Koohpayegani, Tejankar and Pirsiavash,
    "CompRess", 2020). It is what a vote among neighbours goes by.

    Args:
        vectors: float (B, D), the student's, B at least 2.
        alike: float32 (B, B) of :meth:`Teachers.classes_and_pairs`.
        temperature: What cosines are divided by.

    Returns:
        A float32 scalar, 0 where both agree.
    """
    count = len(vectors)
    others = ~torch.eye(count, dtype=torch.bool, device=vectors.device)
    said = F.log_softmax(cosines(vectors)[others].view(count, count - 1) / temperature, dim=1)
    told = F.softmax(alike[others].view(count, count - 1) / temperature, dim=1)
    return F.kl_div(said, told, reduction="batchmean")


def distillation_loss(scores: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """How far a student's softened answers are from the teachers' (Hinton, Vinyals and Dean, "Distilling the Knowledge
    in a Neural Network", 2015): T² times the Kullback-Leibler divergence, so that gradients keep their size.

    Args:
        scores: float32 (B, n), the student's.
        taught: float32 (B, n) of :class:`Teachers` at the same temperature.
        temperature: T.

    Returns:
        A float32 scalar, 0 where both agree.
    """
    said = F.log_softmax(scores / temperature, dim=1)
    return temperature**2 * F.kl_div(said, taught, reduction="batchmean")
