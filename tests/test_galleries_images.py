from __future__ import annotations

import contextlib
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from galleries.errors import ConfigError, DataError
from galleries.images import (
    MAX_SIDE,
    InputSpec,
    decode,
    is_blank,
    limit,
    prepare,
    prepare_batch,
    read_picture,
    to_grey,
    validate,
)

SPEC = InputSpec(48, 48, 1)
MEDIA = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "media"


def encode(image: np.ndarray, suffix: str = ".png") -> bytes:
    done, data = cv2.imencode(suffix, image)
    assert done
    return bytes(data.tobytes())


def gradient(height: int = 20, width: int = 30) -> np.ndarray:
    return np.add.outer(np.arange(height) * 5, np.arange(width) * 3).astype(np.uint8)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def palette_png() -> bytes:
    """A 2x1 palette PNG: a red and a blue pixel."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0))
    palette = png_chunk(b"PLTE", bytes([255, 0, 0, 0, 0, 255]))
    pixels = png_chunk(b"IDAT", zlib.compress(bytes([0, 0, 1])))
    return b"\x89PNG\r\n\x1a\n" + header + palette + pixels + png_chunk(b"IEND", b"")


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF orientation into a JPEG."""
    tiff = b"MM\x00*\x00\x00\x00\x08\x00\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + b"\x00" * 4
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def test_grey_stays_grey_and_exact() -> None:
    assert np.array_equal(decode(encode(gradient())), gradient())


def test_colour_comes_in_rgb_order() -> None:
    bgr = np.zeros((4, 5, 3), np.uint8)
    bgr[..., 0], bgr[..., 2] = 10, 200
    decoded = decode(encode(bgr))
    assert decoded.shape == (4, 5, 3)
    assert decoded[0, 0].tolist() == [200, 0, 10]
    assert decoded.flags["C_CONTIGUOUS"]


def test_sixteen_bits_are_brought_to_eight() -> None:
    deep = gradient().astype(np.uint16) * 257
    assert np.array_equal(decode(encode(deep)), gradient())
    assert np.array_equal(validate(deep), gradient())


def test_alpha_is_dropped() -> None:
    rgba = np.dstack([gradient()] * 3 + [np.full((20, 30), 7, np.uint8)])
    assert np.array_equal(decode(encode(rgba)), gradient())
    assert validate(rgba).shape == (20, 30, 3)


def test_a_palette_is_expanded() -> None:
    assert decode(palette_png()).tolist() == [[[255, 0, 0], [0, 0, 255]]]


def test_one_pixel() -> None:
    one = decode(encode(np.full((1, 1), 9, np.uint8)))
    assert one.shape == (1, 1)
    assert np.array_equal(prepare(one, SPEC), np.full((1, 48, 48), 9, np.uint8))


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(orientation: int, turns: int) -> None:
    plain = encode(cv2.resize(gradient(), (48, 32)), ".jpg")
    turned = decode(with_orientation(plain, orientation))
    assert np.array_equal(turned, np.rot90(decode(plain), turns))


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp", ".tiff", ".pgm"])
def test_formats(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"gesicht ñ 😀{suffix}"
    path.write_bytes(encode(gradient(), suffix))
    read = read_picture(path)
    assert read.shape == (20, 30)
    assert np.abs(read.astype(int) - gradient()).mean() < 12


def test_a_cut_off_jpeg_is_a_picture_or_an_error_never_a_crash() -> None:
    whole = encode(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8), ".jpg")
    assert decode(whole).shape == (64, 64)
    for length in range(1, len(whole), 97):
        with contextlib.suppress(DataError):
            assert decode(whole[:length]).shape[:2] == (64, 64)
    with pytest.raises(DataError, match="not a picture"):
        decode(whole[:100], "cut.jpg")


def test_unusable_files(tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("I am no picture.")
    with pytest.raises(DataError, match=r"text\.jpg is not a picture"):
        read_picture(text)
    empty = tmp_path / "empty.png"
    empty.touch()
    with pytest.raises(DataError, match="empty"):
        read_picture(empty)
    with pytest.raises(DataError, match="does not exist"):
        read_picture(tmp_path / "absent.png")
    with pytest.raises(DataError, match="is a folder"):
        read_picture(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_picture(tmp_path / ("x" * 300))


@given(st.binary(max_size=200))
@settings(max_examples=60)
def test_random_bytes_never_crash(data: bytes) -> None:
    with contextlib.suppress(DataError):
        assert decode(data).dtype == np.uint8


@pytest.mark.parametrize(
    "image",
    [
        [[1]],
        np.zeros((4, 4)),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_validate_refuses_what_is_no_picture(image: np.ndarray) -> None:
    with pytest.raises(DataError, match="expected"):
        validate(image)


def test_validate_drops_a_single_channel() -> None:
    assert validate(gradient()[..., None]).shape == (20, 30)


@pytest.mark.parametrize(
    "wrong",
    [
        (7, 48, 1, "auto"),
        (48, 1025, 1, "auto"),
        (48, 48, 2, "auto"),
        (48, 48, 1, "magic"),
        (48.0, 48, 1, "auto"),
        (True, 48, 1, "auto"),
    ],
)
def test_input_spec_refuses(wrong: tuple) -> None:
    with pytest.raises(ConfigError):
        InputSpec(*wrong)


def test_input_spec_through_json() -> None:
    spec = InputSpec(100, 96, 3, "linear")
    assert InputSpec.from_json(spec.to_json()) == spec
    assert str(spec) == "100x96x3"
    for wrong in ({}, {"height": 48}, None):
        with pytest.raises(ConfigError):
            InputSpec.from_json(wrong)  # type: ignore[arg-type]


pictures = st.tuples(st.integers(1, 600), st.integers(1, 600), st.booleans(), st.integers(0, 2**32 - 1)).map(
    lambda t: np.random.default_rng(t[3]).integers(0, 256, (t[0], t[1], 3) if t[2] else (t[0], t[1]), dtype=np.uint8)
)
specs = st.builds(
    InputSpec,
    st.sampled_from([8, 48, 100]),
    st.sampled_from([8, 48, 224]),
    st.sampled_from([1, 3]),
    st.sampled_from(["auto", "nearest", "linear", "cubic", "area"]),
)


@given(pictures, specs)
@settings(max_examples=60)
def test_prepare_gives_the_towers_input_whatever_comes(image: np.ndarray, spec: InputSpec) -> None:
    before = image.copy()
    ready = prepare(image, spec)
    assert ready.shape == (spec.channels, spec.height, spec.width)
    assert ready.dtype == np.uint8
    assert ready.flags["C_CONTIGUOUS"]
    assert np.array_equal(prepare(limit(image), spec), ready)
    assert np.array_equal(image, before)
    assert max(limit(image).shape[:2]) <= MAX_SIDE


@given(hnp.arrays(np.uint8, (48, 48)))
@settings(max_examples=20)
def test_prepare_leaves_a_picture_of_the_right_size_alone(image: np.ndarray) -> None:
    assert np.array_equal(prepare(image, SPEC)[0], image)
    assert np.array_equal(prepare(image, InputSpec(48, 48, 3)), np.stack([image] * 3))


def test_prepare_batch() -> None:
    assert prepare_batch([], SPEC).shape == (0, 1, 48, 48)
    batch = prepare_batch([gradient(), gradient(60, 70)], SPEC)
    assert np.array_equal(batch[1], prepare(gradient(60, 70), SPEC))


def test_grey_and_blank() -> None:
    assert is_blank(np.full((3, 3), 4, np.uint8))
    assert not is_blank(gradient())
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert to_grey(red).tolist() == [[76]]


def test_a_real_photograph_with_alpha() -> None:
    path = MEDIA / "Image_with_alpha.png"
    if not path.exists():
        pytest.skip(f"{path} is missing (real data of this workplace)")
    image = read_picture(path)
    assert image.shape == (1036, 1524, 3)
    assert prepare(image, InputSpec(48, 48, 3)).std() > 10
