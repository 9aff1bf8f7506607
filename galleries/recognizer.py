"""From a picture to emotions: find the faces, turn each into a vector, let the gallery's neighbours vote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from galleries.bundle import is_bundle, open_bundle
from galleries.encoder import Encoder, OnnxEncoder
from galleries.errors import DataError, EmotionsError, GalleryError
from galleries.evidence import Neighbour, Prediction
from galleries.faces import Box, FaceDetector, crop, is_face_picture
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery
from galleries.images import PICTURE_SUFFIXES, is_blank, prepare_batch, read_picture, validate
from galleries.personal import PERSONAL_WEIGHT, check_weight
from galleries.shipped import open_shipped

Pixels = NDArray[np.uint8]


def list_pictures(paths: Iterable[Union[str, Path]]) -> List[Path]:
    """The files that paths mean: a folder stands for all pictures below it, by name; a file for itself, whatever it is.

    Raises:
        DataError: A folder holds no picture, or cannot be listed.
    """
    found: List[Path] = []
    for name in paths:
        path = Path(name)
        if not path.is_dir():
            found.append(path)
            continue
        try:
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
        except OSError as error:
            raise DataError(f"{path} cannot be listed: {error.strerror or error}.") from error
        if not inside:
            raise DataError(f"{path} holds no picture ({', '.join(PICTURE_SUFFIXES)}); give another folder.")
        found.extend(inside)
    return found


def read_face_picture(path: Union[str, Path]) -> Pixels:
    """Read a picture that may show a face, as :func:`galleries.images.read_picture` does.

    Raises:
        DataError: The file is missing, unreadable, no picture, or blank.
    """
    image = read_picture(path)
    if is_blank(image):
        size = f"{image.shape[1]}x{image.shape[0]}"
        raise DataError(f"{path} is blank: all of its pixels ({size}) have the same value, so it shows no face.")
    return image


@dataclass(frozen=True)
class FacePrediction:
    """A face of a picture and its emotion.

    Attributes:
        box: Where the face is; None if the picture is the face.
        prediction: The emotion with its evidence.
    """

    box: Optional[Box]
    prediction: Prediction

    def to_json(self) -> Dict[str, Any]:
        """The face as a plain dict."""
        return {"box": None if self.box is None else self.box.to_json(), **self.prediction.to_json()}


@dataclass(frozen=True)
class FileResult:
    """What was recognised in a file, or why it was skipped.

    Attributes:
        path: The file.
        faces: Its faces, the largest first; empty if none was found.
        error: Why the file was skipped, or None.
    """

    path: Path
    faces: Tuple[FacePrediction, ...]
    error: Optional[EmotionsError] = None

    def to_json(self) -> Dict[str, Any]:
        """The result as a plain dict."""
        return {
            "path": str(self.path),
            "faces": [face.to_json() for face in self.faces],
            "error": None if self.error is None else str(self.error),
        }


class Recognizer:
    """Answers for pictures with a gallery and its tower.

    Args:
        gallery: The references.
        encoder: The gallery's tower.
        detector: Finds faces; None makes a Haar detector when first needed.
        n_neighbors: How many references vote.
        weights: How, one of :data:`galleries.voting.WAYS`; None for the gallery's own way.
        margin: Share of a face's side that is added on each side of its box.
        whole: Whether every picture is taken for one face, and none is looked for.

    Raises:
        EncoderMismatch: The encoder is not the gallery's tower.
    """

    def __init__(
        self,
        gallery: Gallery,
        encoder: Encoder,
        detector: Optional[FaceDetector] = None,
        n_neighbors: int = DEFAULT_NEIGHBORS,
        weights: Optional[str] = None,
        margin: float = 0.0,
        whole: bool = False,
    ) -> None:
        gallery.check_encoder(encoder)
        self.gallery = gallery
        self.encoder = encoder
        self.detector = detector
        self.n_neighbors = n_neighbors
        self.weights = weights
        self.margin = margin
        self.whole = whole
        self.subject: Optional[str] = None
        self.personal_weight = PERSONAL_WEIGHT

    def for_person(self, subject: str, weight: float = PERSONAL_WEIGHT) -> None:
        """Let a person's own references count as nearer from here on, as in :mod:`galleries.personal`.

        Args:
            subject: The person, as the gallery names them; every face is taken for this person's.
            weight: How many times nearer, from 1.

        Raises:
            GalleryError: The gallery holds no reference of the person, or the weight is below 1.
        """
        check_weight(weight)
        self.gallery.own_references(subject)
        self.subject, self.personal_weight = subject, weight

    @classmethod
    def load(
        cls,
        path: Union[str, Path],
        detector: Optional[FaceDetector] = None,
        n_neighbors: int = DEFAULT_NEIGHBORS,
        weights: Optional[str] = None,
        margin: float = 0.0,
        whole: bool = False,
        providers: Optional[Sequence[str]] = None,
        threads: Optional[int] = None,
    ) -> Recognizer:
        """Open a bundle, or a gallery's folder together with the tower it carries.

        Args:
            path: The bundle (folder or zip) or the gallery.
            detector: As for the class, like the four that follow.
            n_neighbors: How many references vote.
            weights: How.
            margin: Share of a face's side added on each side.
            whole: Whether every picture is one face.
            providers: As :class:`galleries.encoder.OnnxEncoder`, like ``threads``.
            threads: CPU threads.

        Raises:
            GalleryError: The gallery is missing or damaged, or carries no tower.
            TowerError: Its tower cannot be opened.
        """
        if is_bundle(path):
            bundle = open_bundle(path, providers, threads)
            return cls(bundle.gallery, bundle.encoder, detector, n_neighbors, weights, margin, whole)
        gallery = Gallery.load(path)
        if gallery.tower_onnx is None:
            raise GalleryError(
                f"{path} does not carry its tower {gallery.tower.name!r} ({gallery.tower.fingerprint}); name the run "
                f"folder or .onnx file it was built with."
            )
        encoder = OnnxEncoder(gallery.tower_onnx, providers, threads)
        return cls(gallery, encoder, detector, n_neighbors, weights, margin, whole)

    @classmethod
    def pretrained(
        cls,
        detector: Optional[FaceDetector] = None,
        n_neighbors: int = DEFAULT_NEIGHBORS,
        weights: Optional[str] = None,
        margin: float = 0.0,
        whole: bool = False,
        providers: Optional[Sequence[str]] = None,
        threads: Optional[int] = None,
    ) -> Recognizer:
        """Open the tower and the gallery that come with the toolkit (:mod:`galleries.shipped`), offline.

        Arguments and errors are those of :meth:`load`.
        """
        found = open_shipped(providers, threads)
        return cls(found.gallery, found.encoder, detector, n_neighbors, weights, margin, whole)

    def find(self, image: Pixels) -> List[Tuple[Optional[Box], Pixels]]:
        """The faces of a picture: each with its box, or the whole picture without one.

        Args:
            image: uint8 (H, W) grey or (H, W, 3) RGB.

        Raises:
            DataError: ``image`` is not a picture.
            ConfigError: This OpenCV has no Haar detector.
        """
        image = validate(image)
        if self.whole or is_face_picture(image, self.encoder.input_spec):
            return [(None, image)]
        if self.detector is None:
            self.detector = FaceDetector()
        return [(box, crop(image, box, self.margin)) for box in self.detector.detect(image)]

    def embed(self, faces: Iterable[Pixels]) -> NDArray[np.float32]:
        """Faces, uint8 of any size, to the gallery's vectors, float32 (B, D)."""
        return self.encoder.encode(prepare_batch(faces, self.encoder.input_spec))

    def classify(self, vectors: NDArray[np.float32]) -> List[Prediction]:
        """The gallery's answers for faces as vectors, float32 (B, D), asked as this recognizer asks.

        Raises:
            GalleryError: More neighbours are asked for than the gallery holds.
            ConfigError: An unknown way of voting.
        """
        return self.gallery.classify(
            vectors, self.n_neighbors, self.weights, subject=self.subject, personal_weight=self.personal_weight
        )

    def recognise(self, image: Pixels) -> List[FacePrediction]:
        """Recognise the emotion of every face of a picture.

        Args:
            image: uint8 (H, W) grey or (H, W, 3) RGB. A picture no larger than a face is taken as one.

        Returns:
            The faces, the largest first; none if none was found.

        Raises:
            DataError: ``image`` is not a picture.
            GalleryError: More neighbours are asked for than the gallery holds.
        """
        found = self.find(image)
        if not found:
            return []
        vectors = self.embed([face for _, face in found])
        predictions = self.classify(vectors)
        return [FacePrediction(box, prediction) for (box, _), prediction in zip(found, predictions)]

    def similar(self, image: Pixels, threshold: float) -> List[Tuple[Optional[Box], List[Neighbour]]]:
        """For every face of a picture all references that are like it: the papers' similarity mode.

        Args:
            image: uint8 (H, W) grey or (H, W, 3) RGB.
            threshold: Greatest distance, 0 or more, in the gallery's metric.

        Returns:
            Each face's box (None if the picture is the face) and its references, nearest first; the largest face first.

        Raises:
            DataError: ``image`` is not a picture.
            GalleryError: A threshold that is no number from 0.
        """
        found = self.find(image)
        vectors = self.embed([face for _, face in found])
        return [(box, self.gallery.similar(vector, threshold)) for (box, _), vector in zip(found, vectors)]

    def recognise_files(self, paths: Iterable[Union[str, Path]]) -> Iterator[FileResult]:
        """Recognise the faces of files, one result each; a file that is no picture is reported and skipped.

        Args:
            paths: Picture files.

        Yields:
            The result of each file, in order, as soon as it is known.

        Raises:
            GalleryError: More neighbours are asked for than the gallery holds.
        """
        for name in paths:
            path = Path(name)
            try:
                image = read_face_picture(path)
            except EmotionsError as error:
                yield FileResult(path, (), error)
            else:
                yield FileResult(path, tuple(self.recognise(image)))
