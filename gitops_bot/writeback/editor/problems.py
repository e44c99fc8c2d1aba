"""What stands against an edit: every problem of a run at once, none of them with a value in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from gitops_bot.errors import BotError


class Problem(NamedTuple):
    """Why one edit cannot be made, or one file not be read."""

    reason: str
    """A sentence without its first capital and final dot; names keys and lines, never a value."""
    address: str = ""
    """The edit's address as text; empty when it is the whole file that stands against it."""
    line: int = 0
    """Where to look; 1 is the first line of the file, 0 when no line tells."""
    file: str = ""
    """Path of the file in its repository; empty where only one file's bytes are spoken of."""

    @property
    def told(self) -> str:
        """File, line, address and reason as one line, in the order of a compiler's messages."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        if self.line and not self.file:
            place = f"line {self.line}"
        return ": ".join(part for part in (place, self.address, self.reason) if part)


class EditRefused(BotError):
    """Nothing was edited: the addresses or the files do not allow it, or the edit could not be proved."""

    exit_code: ClassVar[int] = 8

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Take every problem that was found, at least one."""
        self.problems = tuple(problems)
        super().__init__(
            "nothing was edited\n" + "\n".join(f"  {problem.told}" for problem in self.problems),
            hint="correct the address or the file",
        )


class Refusal(Exception):
    """One problem on its way to the list of all."""

    def __init__(self, reason: str, line: int = 0, *, missing: bool = False) -> None:
        """Take the reason and its line as in Problem; ``missing`` when the address leads to nothing."""
        super().__init__(reason)
        self.reason = reason
        self.line = line
        self.missing = missing
