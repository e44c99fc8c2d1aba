"""What is told while something goes on, for people and for machines: one handler, and no result ever goes through it.

A command is silent on standard error unless ``--debug``. What runs for long writes a line for each event on standard
output: JSON where a machine reads, plain text on a terminal.

Log what is done and how long it takes, with names and counts; never an environment, a token or the content of a file
that may hold a secret.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import TextIO

_KNOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""Attributes that every record has; others were given as ``extra``."""


def configure(*, debug: bool) -> None:
    """Attach a handler for standard error: everything with ``debug``, else warnings only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(relativeCreated)6d ms %(levelname).1s %(name)s: %(message)s"))
    attach(handler, debug=debug)


def attach(handler: logging.Handler, *, debug: bool) -> None:
    """Send what is logged to this handler and to no other: everything with ``debug``, else warnings only."""
    root = logging.getLogger("gitops_bot")
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    root.propagate = False
    root.handlers[:] = [handler]


def configure_service(stream: TextIO, mask: Callable[[str], str], *, debug: bool) -> None:
    """Attach a handler for a program that runs for long; ``mask`` takes out of a text what nobody may read.

    What happens is told; with ``debug`` everything is. Warnings of other packages come along.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Plain(mask) if stream.isatty() else Lines(mask))
    attach(handler, debug=debug)
    logging.getLogger("gitops_bot").setLevel(logging.DEBUG if debug else logging.INFO)
    others = logging.getLogger()
    others.setLevel(logging.WARNING)
    others.handlers[:] = [handler]


class Lines(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``msg``, and what was given as ``extra``."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        """Take what masks texts."""
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix("gitops_bot."),
            "msg": self._mask(record.getMessage()),
        }
        for name, value in extra(record).items():
            told[name] = self._mask(value) if isinstance(value, str) else value
        if record.exc_info:
            told["error"] = where(record)
        return json.dumps(told, ensure_ascii=False, default=str)


class Plain(logging.Formatter):
    """The same for people: the time of day, the level where it is not the usual one, and the message."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        """Take what masks texts."""
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        moment = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = f" {record.levelname.lower()}:" if record.levelno != logging.INFO else ""
        named = "".join(f" {value}:" for value in extra(record).values() if isinstance(value, str))
        text = self._mask(f"{named} {record.getMessage()}".strip())
        # What others have named may not move the reader's cursor.
        shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
        return f"{moment}{level} {shown}" + (f": {where(record)}" if record.exc_info else "")


def where(record: logging.LogRecord) -> str:
    """The exception of a record and where it was raised; not its text, which may quote a user's data."""
    kind, _, frame = record.exc_info or (None, None, None)
    places = []
    while frame is not None:
        code = frame.tb_frame.f_code
        places.append(f"{os.path.basename(code.co_filename)}:{frame.tb_lineno} {code.co_name}")
        frame = frame.tb_next
    return f"{kind.__name__ if kind is not None else ''} in {' < '.join(reversed(places))}"


def extra(record: logging.LogRecord) -> dict[str, object]:
    """What was given with a record beside its message, in the order in which it was given."""
    return {name: value for name, value in vars(record).items() if name not in _KNOWN}
