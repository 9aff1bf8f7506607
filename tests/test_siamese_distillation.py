from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_runs import Recorder, run, without_times
from tiny_faces import EMOTIONS, tiny_config, tiny_dataset, tiny_split

from galleries.errors import ConfigError, TowerError, TrainingError
from galleries.images import InputSpec
from siamese.augment import Augmentation
from siamese.checkpoint import load_checkpoint, save_checkpoint
from siamese.distillation import Teachers, ask_once, check_same, distillation_loss, fit_to, pairs_loss
from siamese.losses import Objective, parse_loss
from siamese.state import read_state
from siamese.towers import make_tower
from siamese.trainer import Trainer
from siamese.training import fit


def a_teacher(folder: Path, emotions: tuple[str, ...] = EMOTIONS, spec: InputSpec | None = None, seed: int = 0) -> Path:
    """An untrained tower with a head; its batch norm is settled enough to tell pictures apart."""
    torch.manual_seed(seed)
    tower = make_tower("compact", spec or InputSpec(16, 16, 1), embedding_dim=8)
    head = tower.make_head(len(emotions))
    save_checkpoint(folder, tower, head, emotions, {})
    return folder


def pictures(size: int = 5, channels: int = 1, side: int = 16) -> torch.Tensor:
    return torch.rand(size, channels, side, side, generator=torch.Generator().manual_seed(3)) * 255


def test_teachers_answer_with_the_mean_of_their_softened_probabilities(tmp_path: Path) -> None:
    first, second = a_teacher(tmp_path / "a", seed=1), a_teacher(tmp_path / "b", EMOTIONS[::-1], seed=2)
    found = Teachers.load([first, second], EMOTIONS)(pictures(), 3.0)
    expected = np.zeros((5, 3))
    for folder in (first, second):
        teacher = load_checkpoint(folder)
        assert teacher.head is not None
        with torch.inference_mode():
            scores = teacher.head(teacher.tower(pictures())).numpy() / 3.0
        shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        expected += shares[:, [teacher.emotions.index(name) for name in EMOTIONS]] / 2
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
    assert not found.requires_grad


def test_a_teacher_of_more_emotions_says_which_of_the_students_it_sees(tmp_path: Path) -> None:
    folder = a_teacher(tmp_path / "a", ("contempt", *EMOTIONS[::-1]))
    teacher = load_checkpoint(folder)
    assert teacher.head is not None
    with torch.inference_mode():
        shares = np.exp(teacher.head(teacher.tower(pictures())).numpy() / 3.0)
    expected = shares[:, [teacher.emotions.index(name) for name in EMOTIONS]]
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(Teachers.load([folder], EMOTIONS)(pictures(), 3.0).numpy(), expected, atol=1e-5)


def test_a_teacher_is_never_trained(tmp_path: Path) -> None:
    teachers = Teachers.load([a_teacher(tmp_path / "a")], EMOTIONS)
    before = {key: value.clone() for key, value in teachers.state_dict().items()}
    teachers(pictures(), 1.0)
    assert not teachers.training
    assert all(torch.equal(value, before[key]) for key, value in teachers.state_dict().items())
    assert not any(weight.requires_grad for weight in teachers.parameters())


def test_the_loss_by_hand() -> None:
    scores, taught = torch.tensor([[1.0, 2.0], [0.5, -1.0]]), torch.tensor([[0.2, 0.8], [1.0, 0.0]])
    said = np.exp(scores.numpy() / 2) / np.exp(scores.numpy() / 2).sum(axis=1, keepdims=True)
    by_hand = 4 * np.mean([0.2 * np.log(0.2 / said[0, 0]) + 0.8 * np.log(0.8 / said[0, 1]), np.log(1 / said[1, 0])])
    assert distillation_loss(scores, taught, 2.0).item() == pytest.approx(by_hand, rel=1e-5)
    assert distillation_loss(scores, torch.softmax(scores / 2, 1), 2.0).item() == pytest.approx(0, abs=1e-6)


def test_teachers_find_faces_as_alike_as_their_vectors_side_by_side(tmp_path: Path) -> None:
    folders = [a_teacher(tmp_path / "a", seed=1), a_teacher(tmp_path / "b", EMOTIONS[::-1], seed=2)]
    classes, alike = Teachers.load(folders, EMOTIONS).classes_and_pairs(pictures(), 3.0)
    with torch.inference_mode():
        vectors = [load_checkpoint(folder).tower(pictures()).numpy() for folder in folders]
    together = np.concatenate([one / np.linalg.norm(one, axis=1, keepdims=True) for one in vectors], axis=1)
    expected = together @ together.T / 2
    np.testing.assert_allclose(alike.numpy(), expected, atol=1e-5)
    assert torch.equal(classes, Teachers.load(folders, EMOTIONS)(pictures(), 3.0))
    assert not alike.requires_grad


def test_the_loss_of_pairs_by_hand() -> None:
    rng = np.random.default_rng(5)
    own, told = rng.normal(size=(6, 4)), rng.uniform(-1, 1, size=(6, 6))
    by_hand = 0.0
    for row in range(6):
        others = [other for other in range(6) if other != row]
        near = [own[row] @ own[o] / np.linalg.norm(own[row]) / np.linalg.norm(own[o]) / 0.1 for o in others]
        said = np.exp(near) / np.exp(near).sum()
        wanted = np.exp(told[row, others] / 0.1) / np.exp(told[row, others] / 0.1).sum()
        by_hand += float((wanted * np.log(wanted / said)).sum()) / 6
    vectors = torch.tensor(own, dtype=torch.float32)
    assert pairs_loss(vectors, torch.tensor(told, dtype=torch.float32)).item() == pytest.approx(by_hand, rel=1e-4)
    turned = vectors @ torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))[0] * 3
    agreed = torch.nn.functional.normalize(turned, dim=1)
    assert pairs_loss(vectors, agreed @ agreed.T).item() == pytest.approx(0, abs=1e-5)


def test_pairs_add_to_the_loss_by_their_weight() -> None:
    vectors, scores, labels = torch.randn(4, 8), torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    alike = torch.rand(4, 4)
    objective = Objective(parse_loss("cross-entropy"), 3, 8, distil_pairs=0.25)
    total, parts = objective(vectors, scores, labels, alike=alike)
    alone, fewer = objective(vectors, scores, labels)
    assert parts["pairs"] == pytest.approx(pairs_loss(vectors, alike).item())
    assert total.item() == pytest.approx(alone.item() + 0.25 * parts["pairs"], rel=1e-5)
    assert "pairs" not in fewer


@pytest.mark.parametrize("seed", [0, 1])
def test_which_faces_are_alike_is_learned(tmp_path: Path, seed: int) -> None:
    """All pictures in one batch and as they are, since the loss of a few is mostly which they are."""
    plain = Augmentation(flip=0.0)
    config = tiny_config(distil_pairs=20.0, epochs=12, batch_size=42, lr=0.01, augment=plain, seed=seed)
    dataset, who = tiny_dataset(), (a_teacher(tmp_path / "teacher"),)
    history = fit(dataset, tiny_split(dataset), config, tmp_path / "run", teachers=who, device="cpu").history
    assert history[-1]["loss_pairs"] < 0.75 * history[0]["loss_pairs"]


def test_a_run_taught_by_pairs_resumes_to_the_same_numbers_and_is_another(tmp_path: Path) -> None:
    dataset, who = tiny_dataset(), (a_teacher(tmp_path / "teacher"),)

    def taught(name: str, weight: float, observer: Any = None, resume: bool = False) -> Any:
        config = tiny_config(mixup=0.3, distil_pairs=weight)
        options = {"device": "cpu", "observer": observer, "resume": resume}
        return fit(dataset, tiny_split(dataset), config, tmp_path / name, teachers=who, **options)  # type: ignore[arg-type]

    whole = taught("whole", 2.0)
    with pytest.raises(KeyboardInterrupt):
        taught("stopped", 2.0, Recorder(stop_after=5))
    assert without_times(taught("stopped", 2.0, resume=True).history) == without_times(whole.history)
    without = taught("without", 0.0)
    assert "loss_pairs" not in without.history[0]
    assert without.tower.fingerprint != whole.tower.fingerprint


def test_pairs_need_teachers_that_see_every_batch() -> None:
    with pytest.raises(ConfigError, match=r"distil_pairs = 0\.5 needs teachers that see every batch"):
        tiny_config(distil_once=True, distil_pairs=0.5)


def test_a_share_of_the_cross_entropy_goes_to_the_teachers() -> None:
    vectors, scores, labels = torch.randn(4, 8), torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    taught = torch.softmax(torch.randn(4, 3), 1)
    objective = Objective(parse_loss("2*cross-entropy"), 3, 8, distil_weight=0.25, distil_temperature=3.0)
    total, parts = objective(vectors, scores, labels, None, taught)
    alone, _ = objective(vectors, scores, labels)
    lesson = distillation_loss(scores, taught, 3.0)
    assert parts["distillation"] == pytest.approx(lesson.item())
    assert total.item() == pytest.approx(0.75 * alone.item() + 2 * 0.25 * lesson.item(), rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "spec"),
    [((3, 16, 16), InputSpec(16, 16, 1)), ((1, 16, 16), InputSpec(16, 16, 3)), ((3, 32, 32), InputSpec(20, 16, 3))],
)
def test_another_input_is_converted(shape: tuple[int, int, int], spec: InputSpec) -> None:
    out = fit_to(torch.full((2, *shape), 90.0), spec)
    assert out.shape == (2, spec.channels, spec.height, spec.width)
    torch.testing.assert_close(out, torch.full_like(out, 90.0), atol=1e-3, rtol=0)
    same = pictures(2, spec.channels)
    assert fit_to(same, InputSpec(16, 16, spec.channels)) is same


def test_a_taught_run_differs_and_resumes_to_the_same_numbers(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    colour = a_teacher(tmp_path / "colour", spec=InputSpec(20, 20, 3), seed=4)

    def taught(name: str, observer: Any = None, resume: bool = False, who: tuple[Path, ...] = ()) -> Any:
        config = tiny_config(mixup=0.3)
        split, options = tiny_split(dataset), {"device": "cpu", "observer": observer, "resume": resume}
        return fit(dataset, split, config, tmp_path / name, teachers=who, **options)  # type: ignore[arg-type]

    both = (a_teacher(tmp_path / "own"), colour)
    whole = taught("whole", who=both)
    assert {"loss_supcon", "loss_cross-entropy", "loss_distillation"} <= set(whole.history[0])
    with pytest.raises(KeyboardInterrupt):
        taught("stopped", Recorder(stop_after=5), who=both)
    with pytest.raises(TrainingError, match="not the same any more"):
        taught("stopped", resume=True, who=(colour,))
    resumed = taught("stopped", resume=True, who=both)
    assert without_times(resumed.history) == without_times(whole.history)
    assert resumed.tower.fingerprint == whole.tower.fingerprint
    assert without_times(whole.history) != without_times(taught("alone").history)
    assert [entry["run"] for entry in load_checkpoint(tmp_path / "whole").card["teachers"]] == [*map(str, both)]
    assert read_state(tmp_path / "alone").facts["teachers"] == []


def test_teachers_asked_once_see_a_picture_and_its_mirror_image(tmp_path: Path) -> None:
    teachers = Teachers.load([a_teacher(tmp_path / "a"), a_teacher(tmp_path / "b", seed=1)], EMOTIONS)
    seen = pictures(7)
    found = ask_once(teachers, iter([seen[:4], seen[4:]]), 2.0)
    for row, picture in enumerate(seen):
        both = torch.stack([picture, torch.flip(picture, dims=[2])])
        torch.testing.assert_close(found[row], teachers(both, 2.0).mean(0), atol=1e-5, rtol=0)
    assert not found.requires_grad


@pytest.mark.parametrize("mixup", [0.0, 0.3])
def test_a_run_taught_once_resumes_to_the_same_numbers_and_is_another(tmp_path: Path, mixup: float) -> None:
    dataset, who = tiny_dataset(), (a_teacher(tmp_path / "teacher"),)

    def taught(name: str, once: bool, observer: Any = None, resume: bool = False) -> Any:
        config = tiny_config(mixup=mixup, distil_once=once)
        options = {"device": "cpu", "observer": observer, "resume": resume}
        return fit(dataset, tiny_split(dataset), config, tmp_path / name, teachers=who, **options)  # type: ignore[arg-type]

    whole = taught("whole", True)
    with pytest.raises(KeyboardInterrupt):
        taught("stopped", True, Recorder(stop_after=5))
    resumed = taught("stopped", True, resume=True)
    assert without_times(resumed.history) == without_times(whole.history)
    assert without_times(whole.history) != without_times(taught("always", False).history)


def test_lessons_are_those_of_the_pictures_of_the_batch(tmp_path: Path) -> None:
    dataset = tiny_dataset()
    config = tiny_config(distil_once=True, loss="cross-entropy", distil_weight=1.0)
    trainer = Trainer(
        dataset, tiny_split(dataset), config, tmp_path / "run", "cpu", teachers=[a_teacher(tmp_path / "t")]
    )
    assert trainer.teachers is not None
    rows = np.array([5, 0, 3])
    seen = trainer.feed.pixels(rows).float()
    lesson = (trainer.teachers(seen, 4.0) + trainer.teachers(seen.flip(3), 4.0)) / 2
    assert trainer.lessons is not None
    torch.testing.assert_close(trainer.lessons[torch.from_numpy(rows)], lesson, atol=1e-5, rtol=0)
    heard: list[torch.Tensor] = []
    trainer.learner.register_forward_pre_hook(lambda _, given: heard.append(given[3]))
    trainer.step(trainer.feed.pixels(rows), rows, torch.Generator().manual_seed(0), 0.01)
    torch.testing.assert_close(heard[0], lesson, atol=1e-5, rtol=0)


def test_who_cannot_teach_is_refused(tmp_path: Path) -> None:
    good = a_teacher(tmp_path / "good")
    tower = make_tower("compact", InputSpec(16, 16, 1), embedding_dim=8)
    save_checkpoint(tmp_path / "headless", tower, None, EMOTIONS, {})
    with pytest.raises(ConfigError, match="headless has no softmax head"):
        Teachers.load([tmp_path / "headless"], EMOTIONS)
    with pytest.raises(ConfigError, match=r"knows anger, fear, sadness, but .* that knows contempt, too"):
        Teachers.load([good], (*EMOTIONS, "contempt"))
    with pytest.raises(TowerError, match="is not a finished run"):
        Teachers.load([tmp_path / "nowhere"], EMOTIONS)
    (good / "tower.safetensors").write_bytes((good / "tower.safetensors").read_bytes()[:-9])
    with pytest.raises(TowerError, match="is damaged"):
        Teachers.load([good], EMOTIONS)


def test_teachers_need_class_scores_to_teach(tmp_path: Path) -> None:
    dataset, teacher = tiny_dataset(), a_teacher(tmp_path / "teacher")
    with pytest.raises(ConfigError, match="add cross-entropy"):
        fit(dataset, tiny_split(dataset), tiny_config(loss="supcon"), tmp_path / "run", teachers=[teacher])


def test_a_teacher_that_was_trained_on_is_another_one(tmp_path: Path) -> None:
    teachers = Teachers.load([a_teacher(tmp_path / "a")], EMOTIONS)
    about = json.loads(json.dumps(teachers.about()))
    check_same(teachers, about, tmp_path)
    check_same(None, [], tmp_path)
    a_teacher(tmp_path / "a", seed=5)
    with pytest.raises(TrainingError, match="was taught by"):
        check_same(Teachers.load([tmp_path / "a"], EMOTIONS), about, tmp_path)


def test_a_run_without_teachers_says_nothing_of_them(tmp_path: Path) -> None:
    run(tmp_path, epochs=1)
    assert "teachers" not in load_checkpoint(tmp_path).card
