"""Damage to bundles: to the folder, whose checksums may be forged at both levels, and to the zip with its headers."""

from __future__ import annotations

import json
import shutil
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from damages import HUGE, KINDS, forge, spoil, spoil_json

from galleries.archive import write_zip
from galleries.bundle import MANIFEST, open_bundle, write_bundle
from galleries.calibration import calibrate
from galleries.encoder import OnnxEncoder
from galleries.gallery import Gallery
from galleries.header import HEADER

FOLDER_KINDS = (*KINDS, "value", "value", "declare")
"""Damages to a bundle's folder: ``value`` is one of JSON, ``declare`` states another size than a file has."""

ZIP_KINDS = (*KINDS, "field", "field", "field", "wide", "double", "repack")
"""Damages to a zip: a ``field`` of a header, sizes of 64 bits (``wide``), an entry twice, or packed in another way."""

_LOCAL = {"flags": (6, 2), "method": (8, 2), "crc": (14, 4), "packed": (18, 4), "size": (22, 4), "name": (26, 2),
          "extra": (28, 2)}  # fmt: skip
_CENTRAL = {"needs": (6, 2), "flags": (8, 2), "method": (10, 2), "crc": (16, 4), "packed": (20, 4), "size": (24, 4),
            "name": (28, 2), "extra": (30, 2), "comment": (32, 2), "kind": (38, 4), "offset": (42, 4)}  # fmt: skip
_END = {"disk": (4, 2), "here": (8, 2), "entries": (10, 2), "listing": (12, 4), "start": (16, 4), "comment": (20, 2)}
"""Where the fields of a zip's headers stand, and their bytes."""


def make_bundle(path: Path, index: str = "flat") -> None:
    """A bundle with every file that one can have: a folder, or a zip where the path ends so."""
    from onnx_towers import SIDE, write_tower

    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (60, 1, SIDE, SIDE), dtype=np.uint8)
    names = [("anger", "fear", "sadness")[i % 3] for i in range(60)]
    encoder = OnnxEncoder(write_tower(path.with_suffix(".onnx")), ["cpu"], 1)
    vectors = encoder.encode(pixels)
    people = [f"S{i % 7}" for i in range(48)]
    gallery = Gallery.build(
        vectors[:48], names[:48], tower=encoder, index=index, subjects=people, thumbnails=pixels[:48, 0]
    )
    gallery.set_calibration(calibrate(gallery, vectors[48:], names[48:], 0.4, 5))
    write_bundle(path, gallery, encoder, {"tower": "tiny", "data": {"name": "drawn"}}, {"difference": 0.0})


def bundle_answers(path: Path) -> str:
    """All that a bundle says, as text that can be compared."""
    bundle = open_bundle(path, ["cpu"], 1)
    gallery, spec = bundle.gallery, bundle.encoder.input_spec
    pixels = np.random.default_rng(6).integers(0, 256, (8, spec.channels, spec.height, spec.width), dtype=np.uint8)
    said = gallery.classify(bundle.encoder.encode(pixels), min(5, len(gallery)))
    pictures = "" if gallery.thumbnails is None else gallery.thumbnails.tobytes().hex()
    told = [bundle.card, bundle.precision, bundle.checked, [prediction.to_json() for prediction in said]]
    return json.dumps([told, [vars(r) for r in gallery.references], pictures, [e.to_json() for e in gallery.log]])


def damage_bundle(folder: Path, rng: np.random.Generator, signed: bool) -> str:
    """Damage one file of a bundle's folder; says what was done."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    path = paths[rng.integers(len(paths))]
    kind = FOLDER_KINDS[rng.integers(len(FOLDER_KINDS))]
    data = bytearray(path.read_bytes())
    place, stated = 0, None
    if kind == "swap":
        data = bytearray(paths[rng.integers(len(paths))].read_bytes())
    elif kind == "value":
        data = bytearray(spoil_json(bytes(data), rng))
    elif kind == "declare":
        stated = int(HUGE[rng.integers(len(HUGE))])
    else:
        place = spoil(data, kind, rng)
    if kind == "delete":
        path.unlink()
    else:
        path.write_bytes(bytes(data))
    if signed or stated is not None:
        sign(folder, path.relative_to(folder).as_posix(), stated)
    return f"{kind} in {path.relative_to(folder)} at {place}"


def sign(folder: Path, name: str, stated: Optional[int] = None) -> None:
    """Make the checksums of a changed file fit, in the gallery's header and in the bundle's manifest.

    Args:
        folder: The bundle.
        name: The file.
        stated: A size to state instead of its own.
    """
    header = folder / "gallery" / HEADER
    if name.startswith("gallery/") and folder / name != header:
        forge(header, folder / name, name[len("gallery/") :], stated)
    forge(header)
    if name != MANIFEST:
        forge(folder / MANIFEST, folder / name, name, stated)
    forge(folder / MANIFEST, header, f"gallery/{HEADER}", stated if folder / name == header else None)


def damage_zip(path: Path, rng: np.random.Generator, signed: bool) -> str:
    """Damage a zipped bundle; says what was done. Signed, a damaged folder is packed, maybe under damaged headers."""
    if signed:
        folder = path.with_suffix("")
        with zipfile.ZipFile(path) as packed:
            packed.extractall(folder)
        what = damage_bundle(folder, rng, signed=True)
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        write_zip(path, {file.relative_to(folder).as_posix(): file for file in files})
        shutil.rmtree(folder)
        if rng.random() < 0.5:
            return what
        return f"{what}, then {_damage_headers(path, rng)}"
    kind = ZIP_KINDS[rng.integers(len(ZIP_KINDS))]
    if kind == "field":
        return _damage_headers(path, rng)
    if kind in ("swap", "delete", "wide", "double", "repack"):
        return _pack_anew(path, kind, rng)
    data = bytearray(path.read_bytes())
    place = spoil(data, kind, rng)
    path.write_bytes(bytes(data))
    return f"{kind} at {place}"


def _damage_headers(path: Path, rng: np.random.Generator) -> str:
    """Overwrite one to three fields of a zip's local headers, its central directory, or its end."""
    data = bytearray(path.read_bytes())
    told = []
    for _ in range(int(rng.integers(1, 4))):
        headers = _headers(bytes(data))
        start, fields = headers[rng.integers(len(headers))]
        names = list(fields)
        name = names[rng.integers(len(names))]
        offset, width = fields[name]
        place, most = start + offset, (1 << 8 * width) - 1
        true = int.from_bytes(data[place : place + width], "little")
        some = [0, 1, most, most >> 1, (most >> 1) + 1, true + 1, true - 1, 2 * true, int(rng.integers(most))]
        value = int(some[rng.integers(len(some))]) & most
        data[place : place + width] = value.to_bytes(width, "little")
        told.append(f"{name} at {place} {true} -> {value}")
    path.write_bytes(bytes(data))
    return "field " + ", ".join(told)


def _headers(data: bytes) -> List[Tuple[int, Dict[str, Tuple[int, int]]]]:
    """Where a zip's headers begin that can still be told, and their fields."""
    end = data.rfind(b"PK\x05\x06")
    found = [(end, _END)]
    (place,) = struct.unpack_from("<L", data, end + 16)
    while data[place : place + 4] == b"PK\x01\x02":
        found.append((place, _CENTRAL))
        (local,) = struct.unpack_from("<L", data, place + 42)
        if data[local : local + 4] == b"PK\x03\x04":
            found.append((local, _LOCAL))
        place += 46 + sum(struct.unpack_from("<3H", data, place + 28))
    return found


def _pack_anew(path: Path, kind: str, rng: np.random.Generator) -> str:
    """Write a zip again: entries swapped, one left out, doubled, packed otherwise, or with sizes of 64 bits."""
    with zipfile.ZipFile(path) as packed:
        files: List[Tuple[str, bytes]] = [(name, packed.read(name)) for name in packed.namelist()]
    one, other = (int(rng.integers(len(files))) for _ in range(2))
    name = files[one][0]
    if kind == "swap":
        files[one], files[other] = (name, files[other][1]), (files[other][0], files[one][1])
    elif kind == "delete":
        del files[one]
    elif kind == "double":
        files.insert(other, (name, rng.bytes(40) if rng.random() < 0.5 else files[one][1]))
    size = int(HUGE[rng.integers(len(HUGE))]) % 2**64
    methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    method = methods[rng.integers(len(methods))] if kind == "repack" else zipfile.ZIP_STORED
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as made:
        warnings.simplefilter("ignore")  # of a name that occurs twice
        for place, (entry, content) in enumerate(files):
            info: Any = zipfile.ZipInfo(entry)
            info.compress_type = method if place == one else zipfile.ZIP_DEFLATED
            if kind == "wide" and place == one:
                info.extra = struct.pack("<HHQQ", 1, 16, size, size)
            made.writestr(info, content)
    if kind == "wide":
        data = bytearray(path.read_bytes())
        for start, fields in _headers(bytes(data)):
            length = struct.unpack_from("<H", data, start + fields["name"][0])[0] if "name" in fields else 0
            head = 46 if fields is _CENTRAL else 30
            if "name" in fields and data[start + head : start + head + length] == name.encode():
                for field in ("packed", "size"):
                    offset, width = fields[field]
                    data[start + offset : start + offset + width] = b"\xff" * width
        path.write_bytes(bytes(data))
    return f"{kind} of {name}" + (f", {size} bytes" if kind == "wide" else "")
