"""How the learning rate moves: a pure function of the step, so that a resumed run meets the same rates."""

from __future__ import annotations

import math

from siamese.config import TrainingConfig


def rate_at(config: TrainingConfig, step: int, total: int, factor: float = 1.0) -> float:
    """Learning rate of a step.

    ``one-cycle`` rises linearly from a 25th over the warm-up, then falls linearly to ``min_lr`` (Smith, "A disciplined
    approach to neural network hyper-parameters", 2018, with one straight descent); ``cosine`` rises the same way and
    falls along half a cosine (Loshchilov and Hutter, "SGDR", 2017). ``plateau`` multiplies the rate with ``factor``.

    Args:
        config: The run's configuration.
        step: 0 … total - 1, counted over all epochs.
        total: Steps of the whole run.
        factor: What :class:`Plateau` has come to; the other schedules take no notice.

    Returns:
        The rate: never above ``lr``, and below ``min_lr`` only while ``one-cycle`` or ``cosine`` rise.
    """
    floor = min(config.min_lr, config.lr)
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "plateau":
        return max(config.lr * factor, floor)
    rise = config.warmup * total
    if step < rise:
        return config.lr / 25 + (config.lr - config.lr / 25) * step / rise
    done = min(1.0, (step - rise) / max(1.0, total - 1 - rise))
    left = 1 - done if config.schedule == "one-cycle" else 0.5 * (1 + math.cos(math.pi * done))
    return floor + (config.lr - floor) * left


class Plateau:
    """Lower the rate when the monitored accuracy has not improved for a while (as PyTorch's ReduceLROnPlateau).

    Args:
        config: Gives ``plateau_factor`` and ``plateau_patience``.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self.factor = 1.0
        self.best = -1.0
        self.waited = 0

    def update(self, value: float) -> None:
        """Take an epoch's monitored accuracy, 0-1, into account."""
        if value > self.best:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited > self.config.plateau_patience:
            self.factor, self.waited = self.factor * self.config.plateau_factor, 0

    def state(self) -> dict[str, float]:
        """What a resumed run needs."""
        return {"factor": self.factor, "best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, float]) -> None:
        """Take up where :meth:`state` was taken."""
        self.factor, self.best, self.waited = state["factor"], state["best"], int(state["waited"])
