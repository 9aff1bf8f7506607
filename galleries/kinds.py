"""Which kinds of index there are, and which is for how many vectors."""

from __future__ import annotations

from typing import Tuple

KINDS: Tuple[str, ...] = ("flat", "ivf", "hnsw", "ivfpq")
"""``flat`` compares with every vector (exact; fast enough to 10⁵), the others are approximate, for larger sets.

``ivf`` looks into an eighth of its inverted lists, ``hnsw`` walks a graph; both hold every vector in memory. ``ivfpq``
holds a byte for four numbers, and reads the vectors of candidates from the disk.
"""

APART: Tuple[str, ...] = ("ivf", "ivfpq")
"""Kinds whose float vectors are kept apart from FAISS, in ``vectors.npy``."""

AUTO: Tuple[Tuple[int, str], ...] = ((100_000, "flat"), (300_000, "hnsw"), (600_000, "ivf"))
"""Up to how many vectors ``"auto"`` takes a kind; beyond, ``ivfpq``."""

CHOICES = ("auto", *KINDS)
"""What a person may ask for."""


def kind_for(wanted: str, size: int) -> str:
    """The kind of index for so many vectors: the one that is wanted, or for ``"auto"`` as :data:`AUTO` says."""
    if wanted != "auto":
        return wanted
    return next((kind for most, kind in AUTO if size <= most), "ivfpq")
