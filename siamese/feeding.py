"""Training pictures as tensors: prepared once where they fit in memory, on the fly by threads where they do not."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Iterator, Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from galleries.images import InputSpec
from siamese.datasets.base import FaceDataset

DENSE_BYTES = 2 << 30
"""Prepared pictures up to this many bytes are kept in memory whole."""


class PixelFeed:
    """Some pictures of a data set, prepared for a tower.

    Args:
        dataset: Where they come from.
        indices: int64 (N,), which; position i of the feed is picture ``indices[i]``.
        spec: The tower's input.
    """

    def __init__(self, dataset: FaceDataset, indices: NDArray[np.int64], spec: InputSpec) -> None:
        self.dataset = dataset
        self.indices = indices
        self.spec = spec
        self.labels: NDArray[np.int64] = dataset.labels[indices]
        self.soft = None if dataset.soft_labels is None else dataset.soft_labels[indices]
        self.votes = None if dataset.votes is None else dataset.votes[indices]
        size = len(indices) * spec.channels * spec.height * spec.width
        self._dense: NDArray[np.uint8] | None = dataset.batch(indices, spec) if size <= DENSE_BYTES else None

    def __len__(self) -> int:
        return len(self.indices)

    def pixels(self, rows: NDArray[np.int64]) -> Tensor:
        """Positions ``rows`` of the feed: uint8 (B, C, H, W)."""
        if self._dense is not None:
            return torch.from_numpy(self._dense[rows])
        return torch.from_numpy(self.dataset.batch(self.indices[rows], self.spec))

    def targets(
        self, rows: NDArray[np.int64], device: torch.device
    ) -> tuple[Tensor, Optional[Tensor], Optional[Tensor]]:
        """What positions ``rows`` teach: labels int64 (B,), shares float32 (B, n) if any, and votes (B, 8) if any."""
        labels, soft, votes = (
            None if column is None else torch.from_numpy(column[rows]).to(device)
            for column in (self.labels, self.soft, self.votes)
        )
        assert labels is not None
        return labels, soft, votes

    def batches(self, plan: Sequence[NDArray[np.int64]]) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
        """The pixels of each batch of a plan, with its positions; read ahead by threads when they are not in memory."""
        if self._dense is not None:
            for rows in plan:
                yield self.pixels(rows), rows
            return
        with ThreadPoolExecutor(max_workers=2) as pool:
            ahead: deque[tuple[Future[Tensor], NDArray[np.int64]]] = deque()
            for rows in plan:
                ahead.append((pool.submit(self.pixels, rows), rows))
                if len(ahead) > 3:
                    future, ready = ahead.popleft()
                    yield future.result(), ready
            while ahead:
                future, ready = ahead.popleft()
                yield future.result(), ready

    def in_order(self, batch_size: int = 128) -> Iterator[Tensor]:
        """All pictures in their order, in batches."""
        plan = [np.arange(start, min(start + batch_size, len(self))) for start in range(0, len(self), batch_size)]
        for pixels, _ in self.batches(plan):
            yield pixels


def encode(
    tower: torch.nn.Module, feed: PixelFeed, device: torch.device | str = "cpu", batch_size: int = 128
) -> NDArray[np.float32]:
    """Vectors of a feed's pictures, in order: float32 (N, D). The tower is put in evaluation mode for the while."""
    was_training = tower.training
    tower.eval()
    out = []
    with torch.inference_mode():
        for pixels in feed.in_order(batch_size):
            out.append(tower(pixels.to(device)).float().cpu().numpy())
    tower.train(was_training)
    dim = int(getattr(tower, "embedding_dim", 0))
    return np.concatenate(out) if out else np.zeros((0, dim), np.float32)
