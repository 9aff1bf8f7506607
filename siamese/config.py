"""What a training run is told: a frozen, checked configuration, and the TOML recipes it is read from."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Mapping, Optional

from galleries.errors import ConfigError, unknown_name
from siamese.augment import Augmentation
from siamese.losses import CROSS_ENTROPY, LOSSES, MINERS, parse_loss
from siamese.pair_order import BANDS, ORDERS, PairName, read_pair
from siamese.sampling import SAMPLERS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "one-cycle", "cosine", "plateau")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
MONITORS = ("knn", "softmax", "last")
CLASS_WEIGHTS = ("none", "balanced", "sqrt")
CLEANINGS = ("none", "training", "held-out")


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that decides the numbers of a run, given the data and the split.

    Attributes:
        tower: A name of ``siamese.towers.tower_names()``.
        input_size: Sides of a square input in pixels; None for the tower's own.
        embedding_dim: Length of the vectors; None for the tower's own.
        weights: ``"imagenet"`` for a torchvision tower's pretrained weights, else None.
        loss: A loss or a sum of them: ``"supcon"``, ``"0.5*supcon+cross-entropy"``.
        loss_options: Keyword arguments by loss name.
        miner: A name of ``siamese.losses.MINERS``, or None.
        miner_options: The miner's keyword arguments.
        sampler: ``"shuffle"``, ``"pk"`` or ``"pairs"``.
        classes_per_batch: P of ``pk``; None for all.
        pair_order: ``"mixed"``, ``"similar-first"`` or ``"distinct-first"``: which pairs of emotions come when, over
            the epochs; the last two need ``pair_bands`` and a sampler that pairs emotions.
        pair_bands: The pairs of emotions that are similar, moderately similar and distinct, for ``pair_order``.
        pair_focus: Share of the draws that the band in turn gets, 0-1.
        epochs: Passes over the training pictures, 1 or more.
        seconds: Time to train for, without validation, if the epochs are not through before; the last epoch is cut
            short, and the schedule goes by the time used. None for all epochs.
        batch_size: Pictures in a batch, over all processes.
        optimizer: ``"sgd"`` (Nesterov), ``"adam"`` or ``"adamw"``.
        lr: Highest learning rate.
        momentum: SGD's momentum, Adam's beta 1.
        weight_decay: On weights of two or more dimensions; biases and norms are left alone.
        schedule: ``"constant"``, ``"one-cycle"``, ``"cosine"`` or ``"plateau"`` (ReduceLROnPlateau on the monitor).
        warmup: Fraction of the steps over which ``one-cycle`` and ``cosine`` rise.
        plateau_factor: What ``plateau`` multiplies the rate with.
        plateau_patience: Epochs without a better value that ``plateau`` waits.
        min_lr: Lowest rate.
        early_stop: Epochs without a better value after which training ends; None for never.
        monitor: ``"knn"`` or ``"softmax"``: the validation accuracy that chooses the best checkpoint. ``"last"``: the
            last epoch is kept, where there are too few pictures to choose by; folds then validate on none.
        label_smoothing: For cross-entropy, 0-1.
        mixup: Share of a batch's pictures that are blended with another and their labels with them, 0-1. Cross-entropy
            sees them all, metric losses those that are as they were, of which there must be half or more.
        mixup_alpha: Of the Beta distribution that says how much of each; small values leave one nearly alone.
        distil_weight: Where there are teachers, their share of the cross-entropy term, 0-1.
        distil_temperature: What class scores are divided by for it, 1 or more.
        distil_once: Teachers see every picture once, plain and mirrored, before the training, not every varied batch.
        distil_pairs: Weight of finding the same faces of a batch alike as teachers do, asked of every batch, or 0.
        votes_share: Where FER+ votes stand beside FER-2013's labels, their share of what cross-entropy learns, 0-1.
        votes_head: Weight of a second head that learns those votes themselves, and is dropped after; 0 for none.
        clean: ``"none"``; ``"training"``: of pictures of the training part that are copies of each other, exact or
            near, one is kept, or none where their labels conflict; ``"held-out"``: copies of validation and test
            pictures are left out of it, too.
        class_weights: ``"none"``, ``"balanced"`` (N / (C n)) or ``"sqrt"`` of it, for cross-entropy.
        ema: Decay of the weight average (e.g. 0.998), 0 for none; after n steps it is at most (1 + n) / (10 + n).
            Validation and the saved tower use the average.
        gradient_clip: Largest gradient norm, 0 for no limit.
        precision: ``"auto"`` (the faster of float32 and bfloat16, timed on the spot), or by name.
        n_neighbors: k of the validation vote.
        val_references: Training pictures, chosen by class share, that validation searches; None for all.
        seed: Of everything random.
        augment: The batch augmentation.
    """

    tower: str = "compact"
    input_size: Optional[int] = None
    embedding_dim: Optional[int] = None
    weights: Optional[str] = None
    loss: str = "0.5*supcon+cross-entropy"
    loss_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    miner: Optional[str] = None
    miner_options: Mapping[str, Any] = field(default_factory=dict)
    sampler: str = "shuffle"
    classes_per_batch: Optional[int] = None
    pair_order: str = "mixed"
    pair_bands: tuple[tuple[PairName, ...], ...] = ()
    pair_focus: float = 0.8
    epochs: int = 30
    seconds: Optional[float] = None
    batch_size: int = 128
    optimizer: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    schedule: str = "one-cycle"
    warmup: float = 0.2
    plateau_factor: float = 0.1
    plateau_patience: int = 5
    min_lr: float = 1e-6
    early_stop: Optional[int] = None
    monitor: str = "knn"
    label_smoothing: float = 0.1
    mixup: float = 0.0
    mixup_alpha: float = 0.2
    distil_weight: float = 0.7
    distil_temperature: float = 4.0
    distil_once: bool = False
    distil_pairs: float = 0.0
    votes_share: float = 0.5
    votes_head: float = 0.0
    clean: str = "none"
    class_weights: str = "none"
    ema: float = 0.998
    gradient_clip: float = 5.0
    precision: str = "auto"
    n_neighbors: int = 15
    val_references: Optional[int] = 5000
    seed: int = 0
    augment: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        for name in ("tower", "loss"):
            if not isinstance(getattr(self, name), str):
                raise ConfigError(f"{name} = {getattr(self, name)!r} was given; give a name in quotes.")
        parse_loss(self.loss)
        self._check_options()
        named: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
            ("sampler", self.sampler, SAMPLERS),
            ("order of pairs", self.pair_order, ORDERS),
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("schedule", self.schedule, SCHEDULES),
            ("precision", self.precision, PRECISIONS),
            ("monitor", self.monitor, MONITORS),
            ("class weighting", self.class_weights, CLASS_WEIGHTS),
            ("cleaning", self.clean, CLEANINGS),
            ("miner", self.miner, (None, *MINERS)),
            ("kind of pretrained weights", self.weights, (None, "imagenet", "none")),
        )
        for kind, name, valid in named:
            if name not in valid:
                raise unknown_name(kind, str(name), filter(None, valid))
        self._whole("epochs", 1)
        self._whole("batch_size", 2)
        self._whole("n_neighbors", 1)
        self._whole("plateau_patience", 0)
        self._whole("seed", 0, 2**31 - 1)
        for name in ("input_size", "embedding_dim", "early_stop", "val_references", "classes_per_batch"):
            if getattr(self, name) is not None:
                self._whole(name, 1)
        self._within("lr", 0, 100, open_low=True)
        if self.seconds is not None:
            self._within("seconds", 0, 1e9, open_low=True)
        if self.monitor == "last" and (self.early_stop is not None or self.schedule == "plateau"):
            raise ConfigError("monitor = 'last' asks no validation; leave out early_stop and schedule = 'plateau'.")
        self._check_pairs()
        shares = ("mixup", "distil_weight", "votes_share")
        for name in ("momentum", "label_smoothing", "ema", "plateau_factor", "warmup", "pair_focus", *shares):
            self._within(name, 0, 1)
        self._within("mixup_alpha", 0, 100, open_low=True)
        self._within("distil_temperature", 1, 100)
        if not isinstance(self.distil_once, bool):
            raise ConfigError(f"distil_once = {self.distil_once!r} was given; give true or false.")
        if self.distil_once and self.distil_pairs:
            raise ConfigError(
                f"distil_pairs = {self.distil_pairs:g} needs teachers that see every batch; set distil_once = false "
                "(--distil-always)."
            )
        self._check_mixup()
        for name in ("weight_decay", "gradient_clip", "min_lr", "distil_pairs", "votes_head"):
            self._within(name, 0, 1e6)

    def _check_options(self) -> None:
        if not isinstance(self.loss_options, Mapping) or not isinstance(self.miner_options, Mapping):
            raise ConfigError("loss_options and miner_options are tables, such as { supcon = { temperature = 0.1 } }.")
        for name, options in self.loss_options.items():
            if name not in LOSSES:
                raise unknown_name("loss with options", str(name), LOSSES)
            if not isinstance(options, Mapping):
                raise ConfigError(f"The options of {name} are {options!r}; give a table such as {{ margin = 1.0 }}.")
        if not isinstance(self.augment, Augmentation):
            raise ConfigError(f"augment is {self.augment!r}; give an Augmentation.")

    def _check_mixup(self) -> None:
        names = [term.name for term in parse_loss(self.loss)]
        if not self.mixup:
            return
        if CROSS_ENTROPY not in names:
            raise ConfigError(f"mixup = {self.mixup:g} blends labels for cross-entropy, which the loss lacks; add it.")
        if len(names) > 1 and (self.mixup > 0.5 or self.sampler == "pairs"):
            raise ConfigError(
                f"mixup = {self.mixup:g} with the loss {self.loss!r} and the sampler {self.sampler!r} leaves a metric "
                "loss too little; give at most 0.5 and another sampler than pairs, or cross-entropy alone."
            )

    def _check_pairs(self) -> None:
        bands = self.pair_bands
        if not isinstance(bands, (list, tuple)) or not all(isinstance(band, (list, tuple)) for band in bands):
            raise ConfigError("pair_bands is a list of lists of pairs: those that are similar, moderate and distinct.")
        if len(bands) not in (0, len(BANDS)):
            raise ConfigError(f"pair_bands holds {len(bands)} lists; give three: {', '.join(BANDS)} pairs.")
        object.__setattr__(self, "pair_bands", tuple(tuple(read_pair(pair) for pair in band) for band in bands))
        if self.pair_order != "mixed" and self.seconds is not None:
            raise ConfigError(f"pair_order = {self.pair_order!r} goes by epochs; leave seconds out.")
        if self.pair_order != "mixed" and (self.sampler == "shuffle" or not any(bands)):
            raise ConfigError(
                f"pair_order = {self.pair_order!r} needs pair_bands and the sampler 'pairs' (or 'pk'); "
                f"the sampler is {self.sampler!r} with {sum(map(len, bands))} pairs in bands."
            )

    def _whole(self, name: str, low: int, high: int = 10**9) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigError(f"{name} = {value!r} was given; give a whole number from {low} to {high}.")

    def _within(self, name: str, low: float, high: float, open_low: bool = False) -> None:
        value = getattr(self, name)
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
        if not good or (open_low and value == low):
            raise ConfigError(f"{name} = {value!r} was given; give a number from {low:g} to {high:g}.")

    def with_options(self, **options: Any) -> TrainingConfig:
        """A copy with the options that are not None replaced."""
        return replace(self, **{key: value for key, value in options.items() if value is not None})

    def to_json(self) -> dict[str, Any]:
        """The configuration as a plain dict; :func:`config_from_mapping` reads it back."""
        return asdict(self)


def config_from_mapping(values: Mapping[str, Any], source: str = "the recipe") -> TrainingConfig:
    """Make a configuration from a recipe's or card's values.

    Args:
        values: Any of :class:`TrainingConfig`'s attributes; ``augment`` is a table of :class:`Augmentation`'s.
        source: What to call it in an error.

    Raises:
        ConfigError: A key is unknown or a value is out of range.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"In {source}: a table of training options was expected, not {values!r}.")
    known = {item.name for item in fields(TrainingConfig)}
    for key in values:
        if key not in known:
            raise ConfigError(f"In {source}: {unknown_name('training option', str(key), known)}")
    options = dict(values)
    try:
        if "augment" in options:
            options["augment"] = Augmentation.from_mapping(options["augment"])
        return TrainingConfig(**options)
    except ConfigError as error:
        raise ConfigError(f"In {source}: {error}") from error
    except TypeError as error:
        raise ConfigError(f"In {source}: an option has a value of the wrong kind ({error}).") from error


def read_recipe(path: Path) -> dict[str, dict[str, Any]]:
    """Read a recipe's tables, as they stand there.

    Args:
        path: A TOML file: ``[about]`` (title, source, notes), ``[training]`` (see :class:`TrainingConfig`) and
            ``[before]`` (see :mod:`siamese.lineage`).

    Raises:
        ConfigError: The file is missing, no TOML, or holds something else.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"The recipe {path} does not exist.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"The recipe {path} cannot be read as TOML ({error}).") from error
    tables = ("about", "training", "before")
    extra = [name for name, value in values.items() if name not in tables or not isinstance(value, dict)]
    if extra:
        raise ConfigError(f"The recipe {path} may hold the tables [about], [training] and [before] only; got {extra}.")
    return values


def load_recipe(path: Path) -> tuple[TrainingConfig, dict[str, Any]]:
    """Read a recipe's configuration and its ``[about]`` table.

    Raises:
        ConfigError: As :func:`read_recipe`, or an option is unknown or impossible.
    """
    values = read_recipe(path)
    return config_from_mapping(values.get("training", {}), f"the recipe {path.name}"), values.get("about", {})
