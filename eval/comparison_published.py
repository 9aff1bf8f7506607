"""What the authors of the towers report themselves: beside measured numbers, never mixed with them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Optional


@dataclass(frozen=True)
class Published:
    """An author's number.

    Attributes:
        accuracy: Multi-class, 0-1; None where none is reported.
        told: The number with its protocol, in words.
    """

    accuracy: Optional[float]
    told: str

    def to_json(self) -> dict[str, Any]:
        """The number as a plain dict."""
        return asdict(self)


PUBLISHED: dict[str, Published] = {
    "siamese": Published(
        0.532,
        "five emotions: one-vs-rest mean 85.9 % (floor 80 %), which is a multi-class recall of 53.2 %; a second "
        "network 81.7 % and 57.6 %",
    ),
    "liexnet": Published(
        0.9036,
        "CK+: 96.56 % on the training split; the authors' weights score 90.36 % (178/197) on validation, of people "
        "also in training",
    ),
    "affectnet_cnn": Published(None, "AffectNet, 8 emotions: a goal above 60 % on validation, no test number"),
    "mobilenet_v2": Published(0.5193, "49,779 pictures, 7 emotions: 51.93 %; 57.78 % without neutral"),
    "fer_cnn": Published(0.66, "FER-2013: 66 % after 60 epochs, 13 hours"),
}
"""By tower; see the README's table of the five systems. Other data, splits and budgets than a comparison's."""
