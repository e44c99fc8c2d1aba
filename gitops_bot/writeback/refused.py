"""What a write-back refuses, although the files could be edited: a held version, a reference that moves, a shadow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gitops_bot.errors import BotError


class Refused(BotError):
    """Nothing is written: every reason at once, none with a secret value in it."""

    exit_code: ClassVar[int] = 8

    def __init__(self, reasons: Sequence[str], *, hint: str = "") -> None:
        """Take every reason, at least one, each a sentence without its first capital and final dot."""
        self.reasons = tuple(dict.fromkeys(reasons))
        title = self.reasons[0] if len(self.reasons) == 1 else "\n  ".join(("nothing is written:", *self.reasons))
        super().__init__(title, hint=hint)
