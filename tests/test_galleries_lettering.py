"""Letters: what is copied is what OpenCV would have drawn there."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from galleries.lettering import GROUND, plain, stamp, text_size, write

INK = (236, 238, 240)
PICTURE = (60, 200)
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=16)


def empty() -> np.ndarray:
    return np.full((*PICTURE, 3), GROUND, np.uint8)


@given(TEXTS, st.integers(-30, 220), st.integers(-10, 80), st.sampled_from([0.357, 0.42, 0.6, 1.5]))
@settings(max_examples=60)
def test_a_stamp_is_the_text_written_wherever_it_stands(text: str, x: int, y: int, scale: float) -> None:
    written = empty()
    write(written, text, (x, y), scale, INK)
    for _ in range(2):  # drawn, and kept
        stamped = empty()
        stamp(stamped, text, (x, y), scale, INK)
        assert np.array_equal(stamped, written)


def test_letters_may_reach_into_each_others_fields() -> None:
    written, stamped = empty(), empty()
    for put, picture in ((write, written), (stamp, stamped)):
        for line, text in enumerate(("gg", "aaaa (", "nnnn")):
            put(picture, text, (5, 16 + 13 * line), 0.42, INK)
    assert np.array_equal(stamped, written)
    assert not np.array_equal(stamped, empty())


def test_a_part_of_a_picture_is_written_on_and_nothing_beside_it() -> None:
    whole = empty()
    part = whole[10:40, 50:120]
    stamp(part, "fear 40%", (2, 15), 0.5, INK)
    stamp(part, "too long for this part", (2, 28), 0.5, INK)
    assert not np.array_equal(part, empty()[10:40, 50:120])
    whole[10:40, 50:120] = GROUND
    assert np.array_equal(whole, empty())


def test_a_text_has_room_in_its_field() -> None:
    for text in ("happiness", "1 fear 5%", "gjpqy"):
        width, height = text_size(text, 0.5)
        large = np.full((3 * height, width + 40, 3), GROUND, np.uint8)
        write(large, text, (20, 2 * height), 0.5, INK)
        columns = np.flatnonzero((large != np.array(GROUND)).any(axis=(0, 2)))
        assert columns[-1] - columns[0] < width


def test_letters_opencv_lacks_are_written_plainly() -> None:
    assert plain("Alegría y compañía, más") == "Alegria y compania, mas"
    assert plain("怒 x") == "? x"
    assert plain("as it is") == "as it is"
