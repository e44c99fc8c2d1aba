"""The outside judges together: what they say of the exchanges of one test."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.github.exchange import Exchange
from tests.github.judges import place

Judge = Callable[[Exchange], list[str]]
"""What is wrong with an exchange; nothing when it is right, or none of this judge's business."""


class Panel:
    """The judges there are on this machine; each is made when the first exchange comes to it."""

    def __init__(self) -> None:
        self._judges: tuple[Judge, ...] | None = None

    @property
    def there(self) -> bool:
        """Whether the judges' material is on this machine."""
        return place.FOLDER is not None

    @property
    def judges(self) -> tuple[Judge, ...]:
        """The judges, none when their material is missing."""
        if self._judges is None:
            self._judges = _seated() if self.there else ()
        return self._judges

    def complaints(self, exchanges: Iterable[Exchange]) -> list[str]:
        """What the judges refuse, one line each, in the order of the exchanges."""
        return [f"{one}: {said}" for one in exchanges for judge in self.judges for said in judge(one)]


def _seated() -> tuple[Judge, ...]:
    from tests.github.judges.openapi import OpenApiJudge
    from tests.github.judges.recorded import RecordedJudge

    return OpenApiJudge(), _Lazy(), RecordedJudge()


class _Lazy:
    """GitHub's GraphQL schema takes half a second to read, so it waits for the first query."""

    def __init__(self) -> None:
        self._judge: Judge | None = None

    def __call__(self, exchange: Exchange) -> list[str]:
        from tests.github.graphql import ENDPOINTS

        if exchange.path not in ENDPOINTS:
            return []
        if self._judge is None:
            from tests.github.judges.schema import SchemaJudge

            self._judge = SchemaJudge()
        return self._judge(exchange)
