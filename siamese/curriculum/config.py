"""What a curriculum is told: a frozen, checked configuration."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Mapping, Optional

from galleries.errors import ConfigError, unknown_name
from galleries.vocabulary import canonical
from siamese.config import TrainingConfig, config_from_mapping
from siamese.curriculum.similarity import MEASURES
from siamese.pair_order import ORDERS

CRITERIA = ("multi-class", "balanced", "one-vs-rest")
"""What is held against the threshold: k-NN accuracy, the mean of the emotions' recalls (which a rare emotion cannot
please by being rare), or the paper's mean of (TP + TN) / all."""

CHOICES = ("trial", "pairs")
"""How the best emotion to add is found: by a short training of each, or by its pairs with those held."""

STARTS = ("scratch", "warm-up")
"""What the pairs of stage 1 start from, each of them alike: nothing, as in the paper, or the warm-up tower."""

PAPER_ORDER = ("anger", "happiness", "surprise", "neutral", "fear", "sadness", "disgust", "contempt")
"""The siamese paper's emotions as its first network's table lists them, then its second's, then CK+'s other two."""


@dataclass(frozen=True)
class CurriculumConfig:
    """Everything that decides the numbers of a curriculum, given the data and the split.

    Attributes:
        training: What every stage is trained with; its epochs, order and bands of pairs are set by stage.
        measure: One of ``MEASURES``; not used where a ranking is given.
        bounds: Similarities from which a pair is similar and moderate; None cuts the ranking in thirds.
        growth: ``"best"``, ``"paper"``, or the emotions in the order to add them, separated by commas.
        choose: One of ``CHOICES``, for ``"best"``.
        threshold: Growth stops below it, 0-1.
        criterion: One of ``CRITERIA``.
        order: One of :data:`siamese.pair_order.ORDERS`: which pairs come first within a stage.
        warmup_epochs: Of the warm-up tower, which all emotions are ranked by.
        pair_epochs: Of each pair in stage 1.
        trial_epochs: Of each candidate that might be added.
        stage_epochs: Of each set of emotions.
        per_class: Training pictures of each emotion at most; None for all.
        pairs_from: One of ``STARTS``; a tower to begin with (``init``) takes the place of nothing.
    """

    training: TrainingConfig = field(default_factory=TrainingConfig)
    measure: str = "confusion"
    bounds: Optional[tuple[float, float]] = None
    growth: str = "best"
    choose: str = "trial"
    threshold: float = 0.70
    criterion: str = "multi-class"
    order: str = "similar-first"
    warmup_epochs: int = 3
    pair_epochs: int = 3
    trial_epochs: int = 2
    stage_epochs: int = 12
    per_class: Optional[int] = None
    pairs_from: str = "scratch"

    def __post_init__(self) -> None:
        named: tuple[tuple[str, str, tuple[str, ...]], ...] = (
            ("measure of similarity", self.measure, MEASURES),
            ("way to choose", self.choose, CHOICES),
            ("start of the pairs", self.pairs_from, STARTS),
            ("criterion", self.criterion, CRITERIA),
            ("order of pairs", self.order, ORDERS),
        )
        for kind, name, valid in named:
            if name not in valid:
                raise unknown_name(kind, str(name), valid)
        for name in ("warmup_epochs", "pair_epochs", "trial_epochs", "stage_epochs", "per_class"):
            value = getattr(self, name)
            low = 2 if name == "per_class" else 1
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < low):
                raise ConfigError(f"{name} = {value!r} was given; give a whole number from {low}.")
        if (
            isinstance(self.threshold, bool)
            or not isinstance(self.threshold, (int, float))
            or not 0 <= self.threshold <= 1
        ):
            raise ConfigError(f"threshold = {self.threshold!r} was given; give a share from 0 to 1, such as 0.7.")
        self._check_bounds()
        if not isinstance(self.growth, str) or not self.growth.strip():
            raise ConfigError(f"growth = {self.growth!r} was given; give best, paper, or emotions separated by commas.")

    def _check_bounds(self) -> None:
        if self.bounds is None:
            return
        try:
            high, low = (float(bound) for bound in self.bounds)
        except (TypeError, ValueError):
            high, low = 0.0, 1.0
        if not high >= low:
            raise ConfigError(f"bounds = {self.bounds!r} was given; give two similarities, the higher one first.")
        object.__setattr__(self, "bounds", (high, low))

    def given_order(self, emotions: tuple[str, ...]) -> Optional[tuple[str, ...]]:
        """The emotions in the order they are to be added; None for ``"best"``.

        Args:
            emotions: Those of the data set.

        Raises:
            ConfigError: A named emotion is not there, or fewer than two are named.
        """
        if self.growth == "best":
            return None
        if self.growth == "paper":
            return tuple(name for name in PAPER_ORDER if name in emotions)
        order = tuple(dict.fromkeys(canonical(name) for name in self.growth.split(",") if name.strip()))
        strangers = [name for name in order if name not in emotions]
        if strangers or len(order) < 2:
            raise ConfigError(
                f"The growth order {self.growth!r} names {', '.join(strangers) or 'too few emotions'}; give best, "
                f"paper, or two or more of: {', '.join(emotions)}."
            )
        return order

    def stage(self, epochs: int, **options: Any) -> TrainingConfig:
        """The training configuration of a stage."""
        return replace(self.training, epochs=epochs, **options)

    def to_json(self) -> dict[str, Any]:
        """The configuration as a plain dict; :func:`curriculum_from_mapping` reads it back."""
        return asdict(self)


def curriculum_from_mapping(values: Mapping[str, Any], source: str) -> CurriculumConfig:
    """Make a configuration from what :meth:`CurriculumConfig.to_json` gave.

    Raises:
        ConfigError: A key is unknown or a value is out of range.
    """
    known = {item.name for item in fields(CurriculumConfig)}
    if not isinstance(values, Mapping) or set(values) - known:
        raise ConfigError(f"In {source}: no configuration of a curriculum.")
    options = dict(values)
    if "training" in options:
        options["training"] = config_from_mapping(options["training"], source)
    try:
        return CurriculumConfig(**options)
    except (ConfigError, TypeError) as error:
        raise ConfigError(f"In {source}: {error}") from error
