"""A film through LiExNet, file to emotion, every frame taken for a face: this toolkit beside the authors' TFLite file.

    pip install ai-edge-litert pandas psutil
    python tests/published_film.py LiExNetV2.tflite LiExNetV2ME.h5 CK+48 film.mp4

The two model files and the archive ``LiExNet/BaseDeDatosCK.rar`` are the authors' (github.com/KorakiMx/LiExNet). Their
script (``Jetson TX2/InferenciaEnTiempoReal.py``) reads a frame, resizes it to 128x128, divides by 255, runs the
interpreter and takes the greatest output. It then walks over the network's tensors to estimate its FLOPs, asks for the
load of the machine, writes a line of a table with pandas, draws five lines of text and shows the frame. Two forms of it
are timed: ``answer``, up to the greatest output, and ``script``, all but the window. Its "FPS" is one over the
interpreter's own time; it is told beside the film's.

Here the same weights make vectors, of frames interpolated as theirs are (bilinear), CK+ is the gallery, and every frame
gets its neighbours and their vote; beside ``script`` it is logged, and drawn in a thread of its own, as ``emotions
video --out --jsonl`` does, but for encoding the film. The sides take turns; ratios are medians of the rounds.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import cv2
import numpy as np

from emotions_cli.video_behind import Behind
from galleries.annotate import Annotator
from galleries.encoder import OnnxEncoder
from galleries.film_files import LineFile, frame_line
from galleries.images import InputSpec
from galleries.recognizer import Recognizer
from galleries.video import FilmOptions, recognise_film
from siamese.datasets import load_dataset
from siamese.enrolling import enrol
from siamese.export import export_onnx
from siamese.towers import make_tower
from siamese.towers.keras_weights import load_keras_arrays, read_keras_h5

SIDE = 128
CLASSES = 7
TOLD = (
    "{}: theirs {:.0f}, here {:.0f} frames a second: {:.2f} times; their own count {:.0f} (published: 530.70 on a "
    "Jetson TX2); processor time a frame {:.2f} and {:.2f} ms"
)


def recogniser(weights: Path, ck: Path, threads: int, folder: Path) -> Recognizer:
    """The published weights as a tower, every frame of CK+ as its gallery."""
    tower = make_tower("liexnet", InputSpec(SIDE, SIDE, 3, "linear")).eval()
    load_keras_arrays(tower, tower.make_head(CLASSES), read_keras_h5(weights))
    faces = load_dataset(ck, "ckplus")
    export_onnx(tower, folder / "tower.onnx", faces.emotions)
    encoder = OnnxEncoder(folder / "tower.onnx", threads=threads)
    gallery = enrol(faces, np.arange(len(faces)), encoder, thumbnails=False)
    return Recognizer(gallery, encoder, whole=True)


@dataclass(frozen=True)
class Run:
    """A film from end to end: frames, seconds, seconds of processor time, and of the network alone."""

    frames: int
    seconds: float
    work: float
    inside: float = 0.0


def their_film(interpreter: Any, film: Path, table: Optional[Path] = None) -> Run:
    """Their loop up to the answer; with a table, all that it does to a frame but for the window."""
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
        taken = time.perf_counter() - start
        inside += taken
        best = int(np.argmax(interpreter.get_tensor(answer)))
        if table is not None:
            their_extras(interpreter, frame, best, 1 / taken, table)
        frames += 1
    reader.release()
    return Run(frames, time.perf_counter() - began, time.process_time() - work, inside)


def their_extras(interpreter: Any, frame: np.ndarray, best: int, fps: float, table: Path) -> None:
    """What their script does with a frame's answer: FLOPs, load, a line of the table, five lines of text."""
    psutil, pandas = importlib.import_module("psutil"), importlib.import_module("pandas")
    load, memory = psutil.cpu_percent(interval=None), psutil.virtual_memory()
    flops = sum(2 * np.prod(tensor["shape"]) for tensor in interpreter.get_tensor_details())
    row = {"time": datetime.now().isoformat(), "fps": fps, "cpu": load, "used": memory.used, "total": memory.total}
    pandas.DataFrame([{**row, "flops": flops, "tegrastats": ""}]).to_csv(table, mode="a", header=False, index=False)
    for line, text in enumerate((str(best), f"{fps:.2f}", f"{load} %", f"{memory.used}", f"{flops}")):
        cv2.putText(frame, text, (10, 30 + 30 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 255, 0), 2)


def our_film(recognizer: Recognizer, film: Path, table: Optional[Path] = None) -> Run:
    """The toolkit's loop; with a table, each frame is logged and drawn too."""
    began, work, frames = time.perf_counter(), time.process_time(), 0
    with ExitStack() as stack:
        run = stack.enter_context(recognise_film(recognizer, film, FilmOptions()))
        if table is not None:
            log, annotator = stack.enter_context(LineFile(table)), Annotator(recognizer.gallery)
            draw = stack.enter_context(Behind(annotator.draw, run.options.batch))
        for frame in run:
            if table is not None:
                log.add(frame_line(frame, {}))
                draw(frame)
            frames += 1
    return Run(frames, time.perf_counter() - began, time.process_time() - work)


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
    rows: Dict[str, List[Tuple[float, ...]]] = {"answer": [], "script": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = recogniser(asked.weights, asked.ck, asked.threads, folder)
        for number in range(asked.rounds + 1):
            for form, told in rows.items():
                tables = (None, None) if form == "answer" else (folder / "theirs.csv", folder / f"{number}.jsonl")
                them, us = their_film(interpreter, asked.film, tables[0]), our_film(ours, asked.film, tables[1])
                if number:  # the first one warms up
                    speeds = them.frames / them.seconds, us.frames / us.seconds
                    cost = 1000 * them.work / them.frames, 1000 * us.work / us.frames
                    told.append((*speeds, speeds[1] / speeds[0], them.frames / them.inside, *cost))
                    print(TOLD.format(form, *told[-1]))
    print(f"{asked.film.name} ({read_size(asked.film)}), {asked.threads} thread(s), median of {asked.rounds} rounds:")
    for form, told in rows.items():
        print(TOLD.format(form, *(statistics.median(column) for column in zip(*told))))


def read_size(film: Path) -> str:
    """Width and height of a film."""
    reader = cv2.VideoCapture(str(film))
    size = f"{int(reader.get(cv2.CAP_PROP_FRAME_WIDTH))}x{int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT))}"
    reader.release()
    return size


if __name__ == "__main__":
    main()
