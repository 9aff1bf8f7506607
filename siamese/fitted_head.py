"""A softmax head for a trained tower that has none: a linear layer fitted to its vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from siamese.checkpoint import Checkpoint
from siamese.datasets.base import FaceDataset
from siamese.feeding import PixelFeed, encode
from siamese.mixing import as_targets
from siamese.towers import Tower

_STEPS = 200
_DECAY = 1e-5


def with_fitted_head(
    checkpoint: Checkpoint, dataset: FaceDataset, rows: NDArray[np.int64], label_smoothing: float = 0.0
) -> Checkpoint:
    """A tower and a head that says of its vectors what the labels of some pictures say.

    Args:
        checkpoint: The tower; its own head and emotions play no part.
        dataset: The faces, with shares (annotators' votes) in place of labels where it has them.
        rows: int64 (N,), the pictures to fit to.
        label_smoothing: 0-1.

    Returns:
        The same tower, the head, and the data set's emotions in its order.
    """
    feed = PixelFeed(dataset, rows, checkpoint.tower.input_spec)
    vectors = torch.from_numpy(encode(checkpoint.tower, feed))
    soft = None if feed.soft is None else torch.from_numpy(feed.soft)
    targets = as_targets(torch.from_numpy(feed.labels), soft, len(dataset.emotions))
    head = fit_head(checkpoint.tower, vectors, targets, label_smoothing)
    return replace(checkpoint, head=head, emotions=dataset.emotions)


def fit_head(tower: Tower, vectors: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> nn.Module:
    """Multinomial logistic regression with a slight weight decay, by L-BFGS; the same numbers each time.

    Args:
        tower: Makes the head.
        vectors: float32 (N, D).
        targets: float32 (N, n_classes), rows sum to 1.
        label_smoothing: 0-1.

    Returns:
        The head in evaluation mode.
    """
    head = tower.make_head(targets.shape[1]).eval()  # no dropout
    for weight in head.parameters():
        nn.init.zeros_(weight)
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(head(vectors), targets, label_smoothing=label_smoothing)
        value = value + _DECAY * torch.stack([weight.square().sum() for weight in head.parameters()]).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return head
