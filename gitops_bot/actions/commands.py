"""The runner's workflow commands: how they are escaped, and a console on which foreign text never becomes one.

The rules are those of the runner's parser (actions/runner, ``ActionCommand``). A line is a command when it begins,
after white space, with ``::name`` and a second ``::``, or has the older ``##[name]`` anywhere in it. Two things about
the runner decide how this module writes: it breaks lines at a carriage return too, and it searches with its
language's rules, so characters that are not seen may stand between ``:`` and ``:`` or before them.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Literal, TextIO

from gitops_bot.text.escape import visible, visible_lines

Level = Literal["error", "warning", "notice", "debug"]

SHORTEST_MASK = 4
"""Characters of the shortest value, or line of a value, that is masked: shorter ones would blacken the whole log."""

_LIKE_A_COMMAND = re.compile(r"#[^ -~]*\[|^[^!-~]*:[^ -~]*:", re.MULTILINE)
"""May be read as a command in either form: printable ASCII is what cannot be overlooked between the signs."""


def escape_data(text: str) -> str:
    """Text as it stands behind the second ``::``; the runner reads back exactly the same."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Text as it stands behind a property's ``=``; the runner reads back exactly the same."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


def masks(values: Iterable[str]) -> tuple[str, ...]:
    """What to mask of some secrets: every line of each, without white space around it, each once.

    Lines with fewer than ``SHORTEST_MASK`` characters are left out.
    """
    lines = (line.strip() for value in values for line in re.split(r"[\r\n]+", value))
    return tuple(dict.fromkeys(line for line in lines if len(line) >= SHORTEST_MASK))


class Console:
    """The step's log. Everything of a run goes through one: the runner reads two streams in no certain order.

    What is written is flushed at once, and several threads may write.
    """

    def __init__(self, stream: TextIO, *, token: Callable[[], str] = lambda: secrets.token_hex(16)) -> None:
        """Write to ``stream``; ``token`` makes 128 random bits as text, anew at every call."""
        self._stream = stream
        self._token = token
        self._lock = Lock()

    def mask(self, *values: str) -> None:
        """Have the runner blacken these secrets in everything that follows; to be called first."""
        for line in masks(values):
            self._write(f"::add-mask::{escape_data(line)}\n")

    def say(self, text: str) -> None:
        """Write lines of our own. They may quote foreign names: what could be a command is written as ``foreign``."""
        if _LIKE_A_COMMAND.search(text.replace("\r", "\n")):
            self.foreign(text)
        else:
            self._write("".join(f"{line}\n" for line in visible_lines(text)))

    def foreign(self, text: str) -> None:
        """Write lines of somebody else's while the runner reads no commands; control characters are drawn."""
        lines = "".join(f"{line}\n" for line in visible_lines(text))
        token = self._token()
        while not token or token.lower() in lines.lower():
            token = self._token()
        self._write(f"::stop-commands::{token}\n{lines}::{token}::\n")

    def error(self, message: str, *, title: str = "", file: str = "") -> None:
        """Write an error annotation; the runner shows 10 a step. ``file`` is relative to the repository."""
        self._annotate("error", message, title=title, file=file)

    def warning(self, message: str, *, title: str = "", file: str = "") -> None:
        """Write a warning annotation; the runner shows 10 a step."""
        self._annotate("warning", message, title=title, file=file)

    def notice(self, message: str, *, title: str = "", file: str = "") -> None:
        """Write a notice annotation; the runner shows 10 a step."""
        self._annotate("notice", message, title=title, file=file)

    def debug(self, message: str) -> None:
        """Write what is seen only where the job runs with debug logging."""
        self._annotate("debug", message)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold what is written inside; groups are not nested by the runner."""
        self._write(f"::group::{_beginning_seen(escape_data(visible(title)))}\n")
        try:
            yield
        finally:
            self._write("::endgroup::\n")

    def _annotate(self, level: Level, message: str, *, title: str = "", file: str = "") -> None:
        named = (("title", visible(title)), ("file", file))
        properties = ",".join(f"{key}={escape_property(value)}" for key, value in named if value)
        data = _beginning_seen(escape_data("\n".join(visible_lines(message))))
        self._write(f"::{level}{' ' * bool(properties)}{properties}::{data}\n")

    def _write(self, text: str) -> None:
        with self._lock:
            self._stream.write(text.encode("utf-8", "backslashreplace").decode())
            self._stream.flush()


class ConsoleHandler(logging.Handler):
    """Sends what is logged through a console: as debug commands, warnings and worse as lines."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self.setFormatter(logging.Formatter("%(levelname).1s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        write = self._console.say if record.levelno >= logging.WARNING else self._console.debug
        write(self.format(record))


def _beginning_seen(data: str) -> str:
    """Put a space before text that begins outside ASCII: a combining sign would hide the ``::`` before it."""
    return f" {data}" if data and not data[0].isascii() else data
