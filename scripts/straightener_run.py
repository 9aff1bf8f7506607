"""At the terminal: a straightener learns where faces are, before the tower behind it is trained."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from emotions_cli import console
from galleries.errors import ConfigError

if TYPE_CHECKING:
    from siamese.datasets import FaceDataset
    from siamese.run import RunRequest
    from siamese.splits import Split
    from siamese.towers.straight import Straightener


def check_detector(request: RunRequest) -> None:
    """Refuse a detector that cannot be used before anything is read.

    Raises:
        ConfigError: The tower learns nothing from one, or the file is no YuNet model.
    """
    from galleries.faces import FaceDetector
    from siamese.towers import CompactStraightTower

    if request.detector is None:
        return
    if request.config.tower != CompactStraightTower.name:
        raise ConfigError(
            f"--detector teaches {CompactStraightTower.name} where faces are; the tower asked for is "
            f"{request.config.tower}. Leave it out, or choose --tower {CompactStraightTower.name}."
        )
    FaceDetector(request.detector)


def taught_straightener(
    dataset: FaceDataset, split: Split, request: RunRequest, resumed: Optional[Path] = None
) -> Tuple[Optional[Straightener], Dict[str, Any]]:
    """The straightener that a run begins with, taught on its training part, and what its card says of it.

    Args:
        dataset: The faces.
        split: Its training part is learned from.
        request: What is asked of the run.
        resumed: The run's folder, where it goes on.

    Returns:
        No straightener where there is none to teach: another tower, a run that goes on, or no detector. What was told
        of it before, by the run or by what it starts from, stays true then.
    """
    from galleries.faces import FaceDetector
    from siamese.checkpoint import CARD_FILE, load_checkpoint, read_card
    from siamese.straightening import teach
    from siamese.towers import CompactStraightTower, make_tower

    if request.config.tower != CompactStraightTower.name:
        return None, {}
    if resumed is not None:
        return None, _told(read_card(resumed)) if (resumed / CARD_FILE).is_file() else {}
    if request.detector is None:
        before = None if request.init is None else load_checkpoint(request.init)
        if before is None or not (
            isinstance(before.tower, CompactStraightTower) and before.tower.straightener.is_taught
        ):
            console.warn(
                "The tower takes every face for upright in the middle: give --detector with a YuNet model, from which "
                "it learns where faces are, or --init with a tower that knows it."
            )
            return None, {}
        return None, _told(before.card)
    tower = make_tower(request.config.tower, input_size=request.config.input_size)
    assert isinstance(tower, CompactStraightTower)
    with console.bar("learning where faces are") as progress:
        lesson = teach(
            tower.straightener, dataset, split.train, FaceDetector(request.detector), request.config.seed, progress
        )
    console.warn(lesson.sentence())
    return tower.straightener, {"straightener": asdict(lesson)}


def _told(card: Dict[str, Any]) -> Dict[str, Any]:
    return {"straightener": card["straightener"]} if "straightener" in card else {}
