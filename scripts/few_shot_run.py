"""Few-shot episodes at the terminal: what ``emotions fewshot`` does between its options and its tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from emotions_cli import console
from emotions_cli.run_around import RunAround, read_data, run_around
from emotions_cli.tower_file import for_few_shots, open_tower, own_gallery
from galleries.encoder import OnnxEncoder
from galleries.errors import ConfigError, DataError, EmotionsError, SplitError, TowerError
from galleries.gallery import DEFAULT_NEIGHBORS, Gallery
from galleries.shipped import is_shipped


@dataclass
class FewShotTask:
    """Everything that episodes are drawn from and answered with.

    Attributes:
        encoder: The tower, as it is or changed for few shots.
        dataset: The faces.
        pool: Those that may take part.
        trained: Emotions the tower was trained on; None if it does not say.
        n_touched: Pictures of the data set the tower was trained or validated on; None if the data set is another.
        leaking: Whether such pictures take part.
        gallery: The tower's own gallery to compare with, or None.
        gallery_encoder: The tower whose vectors it holds.
        gallery_neighbors: How many vote in it.
        gallery_vectors: float32 (P, D) of the pool's pictures by that tower; None until they are encoded.
    """

    encoder: OnnxEncoder
    dataset: Any
    pool: Any
    trained: Optional[Tuple[str, ...]]
    n_touched: Optional[int]
    leaking: bool
    gallery: Optional[Gallery]
    gallery_encoder: OnnxEncoder
    gallery_neighbors: int
    gallery_vectors: Optional[np.ndarray]


def open_task(path: Path, options: Dict[str, Any]) -> FewShotTask:
    """Open a tower and the pictures to draw from.

    Args:
        path: A run, a gallery that carries its tower, or an ``.onnx`` file.
        options: ``data``, ``format``, ``ferplus``, ``emotions``, ``unseen``, ``pictures``, ``against_gallery``,
            ``enrol``, ``features`` and ``closer``, as typed.
    """
    from eval.episodes import Pool

    whole = open_tower(path)
    encoder = for_few_shots(whole, options["features"], options["closer"])
    gallery = own_gallery(path, whole) if options["against_gallery"] or options["enrol"] else None
    run = None if is_shipped(path) else run_around(path)
    dataset = read_data(path, run, options)
    trained = encoder.emotions or None
    emotions = _wanted(dataset, options["emotions"], options["unseen"], trained)
    touched = None if run is None else _touched(run, dataset, is_own=options["data"] is None)
    if touched is None:
        touched = _told_touched(encoder, dataset)
    takes_all = options["pictures"] == "all"
    pool = Pool.of(dataset, emotions, None if takes_all else touched)
    gone = [name for name in emotions if dataset.emotions.index(name) not in pool.classes]
    if gone:
        console.warn(f"{', '.join(gone)} has no picture that is new to the tower (--pictures all takes the others).")
    return FewShotTask(
        encoder,
        dataset,
        pool,
        trained,
        None if touched is None else len(touched),
        takes_all and touched is not None and bool(np.isin(pool.rows, touched).any()),
        gallery,
        whole,
        DEFAULT_NEIGHBORS if run is None else run.n_neighbors,
        None,
    )


def _wanted(dataset: Any, typed: Optional[str], unseen: bool, trained: Optional[Sequence[str]]) -> List[str]:
    """The data set's emotions that take part."""
    wanted: List[str] = list(dataset.select(typed.split(",")).emotions if typed else dataset.emotions)
    if not unseen:
        return wanted
    if trained is None:
        raise TowerError("The tower's card does not say which emotions it was trained on; name them with --emotions.")
    new = [emotion for emotion in wanted if emotion not in trained]
    if not new:
        raise DataError(f"The tower was trained on every emotion asked for ({', '.join(wanted)}); drop --unseen.")
    return new


def _touched(run: RunAround, dataset: Any, is_own: bool) -> Optional[np.ndarray]:
    """Rows the tower was trained or validated on; None if the data set is another."""
    from siamese.split_file import load_split

    kept = run.folder / "split.json"
    if not kept.is_file():
        return None
    try:
        split = load_split(kept, dataset)
    except SplitError:
        if is_own:
            raise
        return None
    return np.concatenate([split.train, split.val])


def _told_touched(encoder: OnnxEncoder, dataset: Any) -> Optional[np.ndarray]:
    """Likewise, by what the tower's file tells, where there is no run; says so where it cannot be told."""
    from siamese.split_file import learned_rows, same_pictures
    from siamese.splits import make_split

    taught = encoder.taught
    if taught is None or not same_pictures(taught.data, dataset.name):
        return None
    try:
        rows = learned_rows(dataset, make_split(dataset, taught.split), taught, ("train", "val"))
    except EmotionsError:  # the pictures do not allow it
        rows = None
    if rows is None:
        console.warn(
            f"The tower was trained on {taught.data}, and on which of these pictures is not known, so such take part; "
            "name its run's folder instead."
        )
    return rows


def draw_all(task: FewShotTask, ways: str, shots: Sequence[int], n_query: int, n_episodes: int, seed: int) -> List[Any]:
    """Episodes for every number of shots; one that the pictures do not suffice for is told and left out.

    Raises:
        DataError: They suffice for none.
        ConfigError: A number that makes no sense.
    """
    from eval.episodes import draw_episodes

    n_way = _ways(ways, [task.pool.emotions[label] for label in task.pool.classes])
    drawn, refused = [], None
    for n_shot in shots:
        try:
            drawn.append(draw_episodes(task.pool, n_way, n_shot, n_query, n_episodes, seed))
        except DataError as error:
            refused = error
            if len(shots) > 1:
                console.warn(f"{n_shot} shots are left out. {error}")
    if refused is not None and not drawn:
        raise refused
    return drawn


def _ways(typed: str, there: Sequence[str]) -> int:
    if len(there) < 2:
        only = f"only {there[0]} is" if there else "none is"
        raise DataError(f"An episode needs two emotions or more, and {only} there to draw from; ask for others.")
    if typed == "all":
        return len(there)
    if typed == "auto":
        return min(5, len(there))
    if not typed.isdecimal():
        raise ConfigError(f"--ways {typed!r} was given; give a whole number from 2, or all.")
    return int(typed)


def numbers(typed: str, option: str) -> List[int]:
    """``"1,5,10"`` as numbers from 1, each once, in order."""
    parts = [part.strip() for part in typed.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(f"{option} {typed!r} was given; give whole numbers from 1, such as 1,5,10.")
    return list(dict.fromkeys(int(part) for part in parts))


def score_all(task: FewShotTask, drawn: Sequence[Any], heads: Sequence[str], neighbors: Optional[int]) -> List[Any]:
    """Encode what takes part, once, and let every head answer all episodes."""
    from eval.few_shot import gallery_answers, score_episodes

    places = np.unique(np.concatenate([episodes.places for episodes in drawn]))
    vectors = _encode(task, task.encoder, places)
    answers = None
    if task.gallery is not None:
        own = vectors if task.gallery_encoder is task.encoder else _encode(task, task.gallery_encoder, places)
        answers = gallery_answers(task.gallery, task.pool, own, places, _voters(task.gallery, task))
        task.gallery_vectors = own
    scores = []
    for episodes in drawn:
        k = None if neighbors is None else min(neighbors, episodes.n_way * episodes.n_shot)
        with console.bar(f"{episodes.n_shot}-shot episodes") as progress:
            scores.append(
                score_episodes(task.pool, vectors, episodes, task.encoder.metric, heads, k, answers, progress)
            )
    return scores


def _encode(task: FewShotTask, encoder: OnnxEncoder, places: np.ndarray) -> np.ndarray:
    """float32 (P, D) of the pool's pictures, zeros for those that take no part."""
    from siamese.enrolling import encode_rows

    vectors = np.zeros((len(task.pool), encoder.embedding_dim), np.float32)
    with console.bar("encoding faces") as progress:
        vectors[places] = encode_rows(task.dataset, task.pool.rows[places], encoder, progress)
    return vectors


def _voters(gallery: Gallery, task: FewShotTask) -> int:
    return min(task.gallery_neighbors, len(gallery))


def enrol_all(task: FewShotTask, drawn: Sequence[Any], taken: Optional[float]) -> List[Any]:
    """Add the new emotions' shots of all episodes to the tower's own gallery; after :func:`score_all`."""
    from eval.gallery_enrolment import score_enrolled

    assert task.gallery is not None
    assert task.gallery_vectors is not None
    found = []
    for episodes in drawn:
        with console.bar(f"{episodes.n_shot}-shot galleries") as progress:
            voters = _voters(task.gallery, task)
            found.append(
                score_enrolled(task.gallery, task.pool, task.gallery_vectors, episodes, voters, taken, progress)
            )
    return found
