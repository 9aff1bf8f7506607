"""A curriculum's progress at the terminal: one bar over all stages with the time left, one line a stage."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from emotions_cli import console


def stage_bar() -> Progress:
    """The bar; its time left is that of every emotion being held, so growth that stops early ends sooner."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TextColumn("at most"),
        TimeRemainingColumn(),
        console=console.err,
        transient=True,
        disable=not console.err.is_terminal,
    )


class CurriculumTerminal:
    """Draws the bar and prints a line a stage, on standard error."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task: TaskID = progress.add_task("curriculum", total=None, rate="")
        self.name = ""
        self.ahead: Tuple[int, int] = (0, 0)
        self.begun = False
        self.trained = 0

    def stage_started(self, name: str, emotions: Tuple[str, ...], pictures: int, later: int) -> None:
        """A stage begins, or is found done."""
        self.name, self.ahead, self.begun = name, (pictures, later), False
        self.progress.update(self.task, description=name)

    def started(self, epoch: int, epochs: int, steps: int) -> None:
        """An epoch begins; what a resumed stage has done is not counted as work of now."""
        if not self.begun:
            self.begun = True
            pictures, later = self.ahead
            left = pictures * (epochs - epoch + 1) // epochs
            self.progress.update(self.task, total=self.trained + left + later)
        self.progress.update(self.task, description=f"{self.name}, epoch {epoch}/{epochs}")

    def stepped(self, loss: float, pictures: int) -> None:
        """A batch was trained on."""
        self.trained += pictures
        speed: Optional[float] = self.progress.tasks[0].speed
        self.progress.update(
            self.task, completed=self.trained, rate="" if speed is None else f"loss {loss:.3f}  {speed:.0f} images/s"
        )

    def finished(self, row: Dict[str, Any]) -> None:
        """An epoch is validated; the stage's own line tells enough."""

    def stage_finished(self, result: Any) -> None:
        """Print the stage's line."""
        before = "" if self.begun else ", done before"
        accuracy, mean = result.value("multi-class"), result.value("one-vs-rest")
        if result.confusion is None:
            told = "the embedding collapsed"
        elif accuracy is None:
            told = f"trained, nobody kept aside for validation, {result.seconds:.0f} s"
        else:
            told = (
                f"validation k-NN {console.percent(accuracy)} (chance {console.percent(1 / len(result.emotions))}), "
                f"one-vs-rest mean {console.percent(mean)}, {result.seconds:.0f} s"
            )
        self.progress.console.print(f"{result.name}: {told}{before}", markup=False)

    def note(self, text: str) -> None:
        """Print a note; that a stage goes on from the last one's weights goes without saying."""
        if text.startswith("Started from") and text.endswith("none is made anew."):
            return
        self.progress.console.print(f"note: {text}", markup=False)
