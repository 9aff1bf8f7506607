"""How the learning rate moves: a pure function of the step, so that a resumed run meets the same rates."""

from __future__ import annotations

import math

from siamese.config import TrainingConfig


def rate_at(config: TrainingConfig, step: int, total: int) -> float:
    """Learning rate of a step under ``constant``, ``one-cycle`` or ``cosine``.

    ``one-cycle`` rises linearly from a 25th over the warm-up, then falls linearly to ``min_lr`` (Smith, "A disciplined
    approach to neural network hyper-parameters", 2018, with one straight descent); ``cosine`` rises the same way and
    falls along half a cosine (Loshchilov and Hutter, "SGDR", 2017).

    Args:
        config: The run's configuration.
        step: 0 … total - 1, counted over all epochs.
        total: Steps of the whole run.
    """
    if config.schedule in ("constant", "plateau"):
        return config.lr
    rise = config.warmup * total
    if step < rise:
        return config.lr / 25 + (config.lr - config.lr / 25) * step / rise
    done = (step - rise) / max(1.0, total - 1 - rise)
    left = 1 - done if config.schedule == "one-cycle" else 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
    return config.min_lr + (config.lr - config.min_lr) * max(0.0, left)


class Plateau:
    """Lower the rate when the monitored accuracy has not improved for a while (as Keras' ReduceLROnPlateau).

    Args:
        config: Gives ``plateau_factor``, ``plateau_patience`` and ``min_lr``.
    """

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self.factor = 1.0
        self.best = -math.inf
        self.waited = 0

    def update(self, value: float) -> None:
        """Take an epoch's monitored accuracy into account."""
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
