"""Rows of every process in each of them, with the gradient that one process holding them all would have."""

from __future__ import annotations

import torch
from torch import Tensor


def gather_across_processes(vectors: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of every process of a ``torchrun``, so that pairs form across them.

    Gradients reach this process' own rows, multiplied by the number of processes: averaging over processes, as
    DistributedDataParallel does, then gives exactly the gradient of one process holding the whole batch.

    Args:
        vectors: float32 (B, D), B alike in every process.
        labels: int64 (B,).

    Returns:
        Vectors (B * processes, D) and labels (B * processes,), in the order of the ranks.
    """
    world, rank = torch.distributed.get_world_size(), torch.distributed.get_rank()
    every_vector = [torch.empty_like(vectors) for _ in range(world)]
    every_label = [torch.empty_like(labels) for _ in range(world)]
    torch.distributed.all_gather(every_vector, vectors.detach().contiguous())
    torch.distributed.all_gather(every_label, labels.contiguous())
    own = vectors.view_as(vectors)
    if own.requires_grad:
        own.register_hook(lambda gradient: gradient * world)  # type: ignore[no-untyped-call]
    every_vector[rank] = own
    return torch.cat(every_vector), torch.cat(every_label)
