"""All that a device needs: pixels → face → vector → neighbours → vote, and the gallery on disk. Never imports torch.

``from galleries import Gallery, GalleryBuilder, Recognizer, Reference, Prediction`` works; each is loaded when first
asked for, so importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any, List

_ROOMS = {
    "Gallery": "galleries.gallery",
    "GalleryBuilder": "galleries.building",
    "Prediction": "galleries.evidence",
    "Recognizer": "galleries.recognizer",
    "Reference": "galleries.evidence",
}

__all__ = ["Gallery", "GalleryBuilder", "Prediction", "Recognizer", "Reference"]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_ROOMS[name]), name)


def __dir__() -> List[str]:
    return sorted([*globals(), *_ROOMS])
