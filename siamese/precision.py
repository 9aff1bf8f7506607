"""Which number format trains fastest here: timed on the spot, since bfloat16 helps some CPUs and ruins others."""

from __future__ import annotations

import copy
import time

import numpy as np
import torch
from torch import nn

from siamese.config import TrainingConfig
from siamese.feeding import PixelFeed
from siamese.processes import world_size


def choose_precision(config: TrainingConfig, learner: nn.Module, feed: PixelFeed, device: str) -> str:
    """``config.precision``, with ``"auto"`` decided: bfloat16 where it is at least a tenth faster, else float32.

    On a GPU: bfloat16 where it is supported. On a CPU: small steps of the very network are timed in both, on one
    thread, by the CPU time they take and the best of three each, so that other work on the machine does not decide:
    of several threads some would wait for a core, and waiting counts as CPU time. Several CPU processes, whose timings
    might disagree, take float32.

    Args:
        config: Its ``precision`` and ``batch_size``.
        learner: The module that trains; it is copied, not changed.
        feed: Where the timed pictures come from.
        device: ``"cpu"`` or ``"cuda…"``.
    """
    if config.precision != "auto":
        return config.precision
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    if world_size() > 1:
        return "float32"
    state = torch.get_rng_state()
    rows = np.arange(min(16, len(feed)))
    pixels = feed.pixels(rows)
    labels = torch.from_numpy(feed.labels[rows])
    soft = None if feed.soft is None else torch.from_numpy(feed.soft[rows])
    trial = copy.deepcopy(learner).train().to(memory_format=torch.channels_last)
    best = {"float32": float("inf"), "bfloat16": float("inf")}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for attempt in range(4):  # the first one warms up
        for name in best:
            began = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=name == "bfloat16"):
                loss, _ = trial(pixels, labels, soft)
            loss.backward()
            if attempt:
                best[name] = min(best[name], time.process_time() - began)
        if best["bfloat16"] > 5 * best["float32"]:
            break
    torch.set_num_threads(threads)
    torch.set_rng_state(state)
    return "bfloat16" if best["bfloat16"] < 0.9 * best["float32"] else "float32"
