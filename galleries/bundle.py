"""A bundle: all that a device needs, in one folder or one ``.zip``: tower, gallery, card, and checksums of each file.

==================  =======================================================================================
``bundle.json``     format, version, precision, the tower's card, how it was checked, every file's size and
                    BLAKE2b checksum, and a checksum of itself
``tower.onnx``      uint8 pixels in, float32 vectors out
``card.json``       what the run says of its tower: data, recipe, metrics
``gallery/``        the gallery, without a tower of its own
==================  =======================================================================================

Every byte is checked before anything parses it, and a bundle from a stranger can name no other file.
"""

from __future__ import annotations

import contextlib
import copy
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence, Union

from galleries.archive import LARGEST, Files, FolderFiles, ZipFiles, write_zip
from galleries.atomic import sync, write_bytes, write_with
from galleries.content import Read, measure_file
from galleries.encoder import OnnxEncoder
from galleries.errors import EmotionsError, GalleryError, TowerError, first_line, shown
from galleries.gallery import Gallery
from galleries.header import HEADER, PAYLOAD, checksum
from galleries.records import parse_json
from galleries.tower_card import TowerCard

MANIFEST = "bundle.json"
FORMAT = "siamese-emotions bundle"
VERSION = 1
PRECISIONS = ("float32", "float16", "int8")
"""What a bundle's tower may compute in."""

_IN_GALLERY = tuple(f"gallery/{name}" for name in (HEADER, *PAYLOAD) if name != "tower.onnx")
_NAMES = ("tower.onnx", "card.json", *_IN_GALLERY)
_NEEDED = ("tower.onnx", "card.json", "gallery/gallery.json", "gallery/index.faiss", "gallery/references.jsonl")
_MANIFEST_LIMIT = 1 << 20  # bytes
_LIMITS = {"tower.onnx": LARGEST, "card.json": 1 << 24}  # bytes of what is read into memory whole


@dataclass(frozen=True)
class Bundle:
    """An opened bundle.

    Attributes:
        gallery: Its references; they carry the tower.
        encoder: Its tower.
        card: What the run says of the tower.
        precision: ``"float32"``, ``"float16"`` or ``"int8"``.
        checked: How it was checked when it was written.
    """

    gallery: Gallery
    encoder: OnnxEncoder
    card: Dict[str, Any]
    precision: str
    checked: Dict[str, Any]


def is_bundle(path: Union[str, Path]) -> bool:
    """Whether a path is meant as a bundle: a folder with a ``bundle.json``, or a ``.zip``."""
    path = Path(path)
    return (path / MANIFEST).is_file() if path.is_dir() else path.suffix.lower() == ".zip"


def open_bundle(
    path: Union[str, Path], providers: Optional[Sequence[str]] = None, threads: Optional[int] = None
) -> Bundle:
    """Open a bundle, every byte checked before it is used.

    Args:
        path: The folder or the zip.
        providers: As :class:`galleries.encoder.OnnxEncoder`.
        threads: As :class:`galleries.encoder.OnnxEncoder`.

    Raises:
        GalleryError: It is missing, damaged, changed, of a newer version, or holds what no bundle has.
        TowerError: Its tower cannot be opened here.
        ConfigError: A provider or number of threads that cannot be had.
    """
    path = Path(path)
    with contextlib.ExitStack() as stack:
        files: Files
        if path.is_dir():
            files, folder = FolderFiles(path), path / "gallery"
        else:
            files = stack.enter_context(ZipFiles(path, (MANIFEST, *_NAMES)))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emotions-"))) / "gallery"
        manifest = _read_manifest(files, path)
        tower, card = _unpack(files, manifest, path, None if path.is_dir() else folder)
        try:
            gallery = Gallery.load(folder)
        except GalleryError as error:  # which names the folder that a zip was laid out in
            raise type(error)(str(error).replace(str(folder), str(path / "gallery"))) from error
    encoder = OnnxEncoder(tower, providers, threads)
    try:
        described = TowerCard.from_json(manifest["tower"])
    except TowerError as error:
        raise GalleryError(
            f"{MANIFEST} of {path} describes no tower ({first_line(error)}); export the bundle again."
        ) from error
    if TowerCard.of(encoder) != described:
        raise GalleryError(
            f"{path / 'tower.onnx'} is not the tower that {MANIFEST} describes; export the bundle again."
        )
    gallery.check_encoder(encoder)
    gallery.tower_onnx = tower
    return Bundle(gallery, encoder, card, manifest["precision"], manifest["checked"])


def open_gallery(path: Union[str, Path]) -> Gallery:
    """The gallery at a path: a gallery's folder, or a bundle.

    Raises:
        EmotionsError: As :func:`open_bundle` and :meth:`Gallery.load`.
    """
    return open_bundle(path, ["cpu"]).gallery if is_bundle(path) else Gallery.load(path)


def write_bundle(
    out: Union[str, Path],
    gallery: Gallery,
    tower: OnnxEncoder,
    card: Mapping[str, Any],
    checked: Mapping[str, Any],
) -> Dict[str, int]:
    """Write a bundle: a zip where ``out`` ends in ``.zip``, else a folder. Whole, or not at all.

    Args:
        out: The zip or folder, which must be new or an empty folder.
        gallery: The references; not changed.
        tower: The tower they come from.
        card: What the run says of the tower; JSON values.
        checked: How the bundle was checked; JSON values.

    Returns:
        Every file's name and its bytes.

    Raises:
        GalleryError: ``out`` is taken, or cannot be written.
        EncoderMismatch: The gallery is of another tower.
    """
    out = Path(out)
    gallery.check_encoder(tower)
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise GalleryError(f"{out} exists and is not empty; choose another --out or remove it first.")
    temporary: Optional[Path] = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
        files = _fill(temporary, gallery, tower, card, checked)
        if out.suffix.lower() == ".zip":
            write_with(out, lambda path: write_zip(path, files))
        else:
            temporary.chmod(0o755)
            sync(temporary)
            temporary.replace(out)
            sync(out.parent)
        root = out if out.is_dir() else temporary
        return {name: (root / name).stat().st_size for name in files}
    except OSError as error:
        raise GalleryError(f"{out} could not be written ({error.strerror or error}); choose another place.") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _fill(
    folder: Path, gallery: Gallery, tower: OnnxEncoder, card: Mapping[str, Any], checked: Mapping[str, Any]
) -> Dict[str, Path]:
    """Write a bundle's files into an empty folder. Returns where each is, ``bundle.json`` first."""
    plain = copy.copy(gallery)
    plain.tower_onnx = None  # the bundle's own tower.onnx is the one copy
    plain.save(folder / "gallery")
    write_bytes(folder / "tower.onnx", tower.model)
    write_bytes(folder / "card.json", (json.dumps(card, indent=1) + "\n").encode())
    present = [name for name in _NAMES if (folder / name).is_file()]
    entries = {}
    for name in present:
        with (folder / name).open("rb") as file:
            size, digest = measure_file(file)
        entries[name] = {"size": size, "blake2b": digest}
    manifest: Dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "precision": tower.precision,
        "tower": TowerCard.of(tower).to_json(),
        "checked": dict(checked),
        "files": entries,
    }
    manifest["checksum"] = _own_checksum(manifest)
    write_bytes(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return {name: folder / name for name in (MANIFEST, *present)}


def _read_manifest(files: Files, path: Path) -> Dict[str, Any]:
    data = files.read(MANIFEST, _MANIFEST_LIMIT)
    if data is None:
        raise GalleryError(f"{path} holds no {MANIFEST}, so it is no bundle; make one with: emotions export.")
    try:
        manifest = parse_json(data)
        own = _own_checksum(manifest) if isinstance(manifest, dict) else ""
    except (ValueError, RecursionError) as error:
        raise GalleryError(f"{MANIFEST} of {path} is damaged: it is not JSON; export the bundle again.") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise GalleryError(f"{MANIFEST} of {path} does not describe a bundle of this toolkit; give another one.")
    if manifest.get("version") != VERSION:
        raise GalleryError(
            f"{path} has bundle version {shown(manifest.get('version'))} and this toolkit reads {VERSION}; update it."
        )
    if manifest.get("checksum") != own:
        raise GalleryError(f"{MANIFEST} of {path} is damaged: its checksum differs; export the bundle again.")
    entries = manifest.get("files")
    kinds = isinstance(manifest.get("tower"), dict) and isinstance(manifest.get("checked"), dict)
    if not isinstance(entries, dict) or not kinds or manifest.get("precision") not in PRECISIONS:
        raise GalleryError(f"{MANIFEST} of {path} lacks a field, or holds a wrong one; export the bundle again.")
    wrong = [name for name, entry in entries.items() if name not in _NAMES or not _is_entry(name, entry)]
    missing = [name for name in _NEEDED if name not in entries]
    if wrong or missing:
        what = f"names {shown(wrong[0])} in a way no bundle does" if wrong else f"does not name {missing[0]}"
        raise GalleryError(f"{MANIFEST} of {path} {what}; do not trust it.")
    return manifest


def _unpack(files: Files, manifest: Mapping[str, Any], path: Path, folder: Optional[Path]) -> Any:
    """Check every file, and lay the gallery's into ``folder`` if one is given. Returns the tower and the card."""
    kept: Dict[str, bytes] = {}
    for name, entry in manifest["files"].items():
        try:
            data = files.checked(name, entry["size"], entry["blake2b"])
        except ValueError as error:
            raise GalleryError(
                f"{name} of {path} is damaged or was changed: its checksum differs; copy or export the bundle again."
            ) from error
        if data is None:
            raise GalleryError(f"{name} of {path} is missing; copy or export the bundle again.")
        if not name.startswith("gallery/"):
            kept[name] = bytes(data)
        elif folder is not None:
            _lay(folder / name[len("gallery/") :], data)
    try:
        card = parse_json(kept["card.json"])
    except (ValueError, RecursionError) as error:
        raise GalleryError(f"card.json of {path} is not JSON; export the bundle again.") from error
    if not isinstance(card, dict):
        raise GalleryError(f"card.json of {path} is no card; export the bundle again.")
    return kept["tower.onnx"], card


def _lay(path: Path, data: Read) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise EmotionsError(
            f"A zipped bundle is laid out in {path.parent.parent} while it is read, which failed "
            f"({error.strerror or error}); free space, set TMPDIR, or unpack the bundle yourself."
        ) from error


def _is_entry(name: str, entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    size, digest = entry.get("size"), entry.get("blake2b")
    is_size = isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _LIMITS.get(name, size)
    return is_size and isinstance(digest, str)


def _own_checksum(manifest: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in manifest.items() if key != "checksum"}
    return checksum(json.dumps(plain, sort_keys=True).encode())
