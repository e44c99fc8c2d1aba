"""One line on standard error that says how far a run is; nothing where nobody watches."""

from __future__ import annotations

import sys
from typing import Self


class Progress:
    """A context manager whose line is gone when it ends."""

    def __init__(self) -> None:
        """Watch whether standard error is a terminal."""
        self._shown = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def say(self, what: str) -> None:
        """Say what is being done."""
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{what} …")
            sys.stderr.flush()

    def update(self, done: int, of: int) -> None:
        """Say that ``done`` of ``of`` targets are rendered and compared."""
        if self._shown:
            sys.stderr.write(f"\r\x1b[Krendered {done} of {of}")
            sys.stderr.flush()
