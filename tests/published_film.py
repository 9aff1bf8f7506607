"""A film through LiExNet, file to emotion, every frame taken for a face: this toolkit beside the authors' TFLite file.

    pip install ai-edge-litert
    python tests/published_film.py LiExNetV2.tflite LiExNetV2ME.h5 CK+48 film.mp4

The two model files and the archive ``LiExNet/BaseDeDatosCK.rar`` are the authors' (github.com/KorakiMx/LiExNet). Their
script reads a frame, resizes it to 128x128, divides by 255, runs the interpreter and takes the greatest output; it then
asks for the load of the machine, writes a line of a table and draws a window, which is left out here in its favour. Its
"FPS" is one over the interpreter's own time; it is told beside the film's.

Here the same weights make vectors, CK+ is the gallery, and every frame gets its neighbours and their vote. The two take
turns; ratios are medians of the rounds.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from eval.device_film import time_film
from galleries.encoder import OnnxEncoder
from galleries.recognizer import Recognizer
from siamese.datasets import load_dataset
from siamese.enrolling import enrol
from siamese.export import export_onnx
from siamese.towers import make_tower
from siamese.towers.keras_weights import load_keras_arrays, read_keras_h5

SIDE = 128
CLASSES = 7
TOLD = (
    "theirs {:.0f}, here {:.0f} frames a second: {:.2f} times; their own count {:.0f} (published: 530.70 on a Jetson "
    "TX2); processor time a frame {:.2f} and {:.2f} ms"
)


def recogniser(weights: Path, ck: Path, threads: int, folder: Path) -> Recognizer:
    """The published weights as a tower, every frame of CK+ as its gallery."""
    tower = make_tower("liexnet").eval()
    load_keras_arrays(tower, tower.make_head(CLASSES), read_keras_h5(weights))
    faces = load_dataset(ck, "ckplus")
    export_onnx(tower, folder / "tower.onnx", faces.emotions)
    encoder = OnnxEncoder(folder / "tower.onnx", threads=threads)
    gallery = enrol(faces, np.arange(len(faces)), encoder, thumbnails=False)
    return Recognizer(gallery, encoder, whole=True)


def their_film(interpreter: Any, film: Path) -> tuple[int, float, float, float]:
    """Frames, seconds for all, seconds of the interpreter alone, and seconds of processor time for all."""
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    began, work, inside, frames = time.perf_counter(), time.process_time(), 0.0, 0
    reader = cv2.VideoCapture(str(film))
    while True:
        there, frame = reader.read()
        if not there:
            break
        pixels = cv2.cvtColor(cv2.resize(frame, (SIDE, SIDE)), cv2.COLOR_BGR2RGB) / 255.0
        interpreter.set_tensor(given, pixels[None].astype(np.float32))
        start = time.perf_counter()
        interpreter.invoke()
        inside += time.perf_counter() - start
        int(np.argmax(interpreter.get_tensor(answer)))
        frames += 1
    reader.release()
    return frames, time.perf_counter() - began, inside, time.process_time() - work


def main() -> None:
    """Run both on the film in turns and print frames a second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("tflite", "weights", "ck", "film"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(
        model_path=str(asked.tflite), num_threads=asked.threads
    )
    interpreter.allocate_tensors()
    with tempfile.TemporaryDirectory() as folder:
        ours = recogniser(asked.weights, asked.ck, asked.threads, Path(folder))
        rows = []
        for number in range(asked.rounds + 1):
            frames, whole, inside, work = their_film(interpreter, asked.film)
            mine = time_film(ours, asked.film, cores=1, detection=False)
            if number:  # the first one warms up
                busy = 1000 * work / frames
                rows.append(
                    (frames / whole, mine.fps, mine.fps * whole / frames, frames / inside, busy, mine.cpu_per_frame)
                )
                print(TOLD.format(*rows[-1]))
    print(f"{asked.film.name} ({read_size(asked.film)}), {asked.threads} thread(s), median of {asked.rounds} rounds:")
    print(TOLD.format(*(statistics.median(column) for column in zip(*rows))))


def read_size(film: Path) -> str:
    """Width and height of a film."""
    reader = cv2.VideoCapture(str(film))
    size = f"{int(reader.get(cv2.CAP_PROP_FRAME_WIDTH))}x{int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))}"
    reader.release()
    return size


if __name__ == "__main__":
    main()
