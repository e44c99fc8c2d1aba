"""The outside judges together: what they say of the exchanges of one test."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.github.exchange import Exchange

Judge = Callable[[Exchange], list[str]]
"""What is wrong with an exchange; nothing when it is right, or none of this judge's business."""


class Panel:
    """The judges there are on this machine."""

    def __init__(self, judges: Iterable[Judge] = ()) -> None:
        self._judges = tuple(judges)

    def complaints(self, exchanges: Iterable[Exchange]) -> list[str]:
        """What the judges refuse, one line each, in the order of the exchanges."""
        return [f"{one}: {said}" for one in exchanges for judge in self._judges for said in judge(one)]
