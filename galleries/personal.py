"""A person's own references before the general ones: they count as if they were nearer.

People show an emotion in their own ways, and a few pictures of the person who is asked about say more than many of
strangers. The rule is that of :mod:`galleries.felt`: the distance to a reference of that person is divided by the
*personal weight*. A weight of 1 is the ordinary vote.
"""

from __future__ import annotations

import numpy as np

from galleries.errors import GalleryError

PERSONAL_WEIGHT = 2.0
"""How many times nearer a person's own references count.

A larger weight wins more where the gallery fits badly, and otherwise draws faces to what the person has enrolled.
Drawn people asked of a gallery of FER-2013 (k = 5): with three references of each emotion 49.0 % right instead of the
ordinary vote's 41.0 %, and 56.4 % with a weight of 4; with three of one emotion alone 37.4 % instead of 37.2 %, and
36.0 %: ``emotions benchmark upkeep RUN --own 1,3 -k 5 --split all --data synthetic:subjects=20,pictures=42,seed=5,
emotions=anger+disgust+fear+happiness+sadness+surprise+neutral``, RUN being ``compact`` on FER-2013.
"""


def check_weight(weight: float) -> None:
    """Refuse a personal weight that is no number from 1.

    Raises:
        GalleryError: It is none.
    """
    if not 1 <= weight < np.inf:
        raise GalleryError(f"A personal weight of {weight!r} was given; give 1 (no preference) or more, such as 2.")
