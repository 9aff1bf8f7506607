"""The synthetic faces as a source like any other, named ``synthetic`` or ``synthetic:subjects=200,seed=3``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from galleries.errors import ConfigError, DataError, unknown_name
from siamese.datasets.base import Skipped
from siamese.datasets.reading import Face, Progress

_OPTIONS = {
    "subjects": "subjects",
    "pictures": "pictures_per_subject",
    "pictures_per_subject": "pictures_per_subject",
    "size": "size",
    "seed": "seed",
    "emotions": "emotions",
}


def is_synthetic(path: str | Path) -> bool:
    """Whether a path is the word ``synthetic``, with or without options (a folder of that name is ``./synthetic``)."""
    return str(path).partition(":")[0] == "synthetic"


@dataclass
class SyntheticSource:
    """Faces that :func:`siamese.datasets.synthetic.load_synthetic` draws with ``options``."""

    root: Path
    options: dict[str, Any]
    format: str = "synthetic"
    name: str = "synthetic"
    notes: list[str] = field(default_factory=list)

    @classmethod
    def from_path(cls, path: str | Path) -> SyntheticSource:
        """Read the options behind ``synthetic:``, such as ``subjects=200,seed=3,emotions=anger+fear``.

        Raises:
            DataError: The path is another one.
            ConfigError: An option is unknown or its value is no whole number.
        """
        if not is_synthetic(path):
            raise DataError(f"{path} was given for the synthetic faces; give 'synthetic', or leave the format out.")
        options: dict[str, Any] = {}
        for part in filter(None, str(path).partition(":")[2].split(",")):
            key, _, value = (cell.strip() for cell in part.partition("="))
            if key not in _OPTIONS:
                raise unknown_name("option of the synthetic faces", key, _OPTIONS)
            if key == "emotions":
                options[key] = tuple(value.split("+"))
            elif value.isdecimal():
                options[_OPTIONS[key]] = int(value)
            else:
                raise ConfigError(f"{part!r} was given for the synthetic faces; {key}= needs a whole number.")
        return cls(Path(str(path)), options)

    def content(self) -> Iterator[tuple[str, Optional[Path]]]:
        """The options, and the code that draws."""
        yield repr(sorted(self.options.items())), None
        for pattern in ("synthetic.py", "action_units.py", "face_*.py"):
            for module in sorted(Path(__file__).parent.glob(pattern)):
                yield module.name, module

    def faces(self, progress: Optional[Progress]) -> Iterator[Face | Skipped]:
        """Draw them all."""
        from siamese.datasets.synthetic import load_synthetic

        drawn = load_synthetic(**self.options, progress=progress)
        for row in range(len(drawn)):
            yield Face(
                drawn.ids[row],
                drawn.emotions[int(drawn.labels[row])],
                drawn.image(row),
                None if drawn.subjects is None else drawn.subjects[row],
                None if drawn.sequences is None else drawn.sequences[row],
            )
