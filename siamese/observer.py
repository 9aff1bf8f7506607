"""Who is told how training goes: the command line draws its progress bar as one of them."""

from __future__ import annotations

from typing import Any, Protocol


class Observer(Protocol):
    """Is told of every step and epoch of a run, in the process with rank 0 as in the others."""

    def started(self, epoch: int, epochs: int, steps: int) -> None:
        """An epoch begins (counted from 1)."""

    def stepped(self, loss: float, pictures: int) -> None:
        """A batch of so many pictures was trained on."""

    def finished(self, row: dict[str, Any]) -> None:
        """An epoch and its validation are done and saved; ``row`` is its line of the history."""

    def note(self, text: str) -> None:
        """Something worth telling happened."""


class Silence:
    """An observer that does nothing."""

    def started(self, epoch: int, epochs: int, steps: int) -> None:
        """Do nothing."""

    def stepped(self, loss: float, pictures: int) -> None:
        """Do nothing."""

    def finished(self, row: dict[str, Any]) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""
