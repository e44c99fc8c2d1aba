"""What a developer sees after ``gitops-bot diff``: plain for a pipe, coloured for a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from gitops_bot.text.layout import Line, Style, lay_out
from gitops_bot.text.view import View

if TYPE_CHECKING:
    from rich.console import Console

STYLES: dict[Style, str] = {
    "": "none",
    "strong": "bold",
    "dim": "dim",
    "add": "green",
    "change": "yellow",
    "remove": "red",
    "alarm": "bold red",
    "warn": "yellow",
    "good": "bold green",
    "loud": "bold yellow",
}
"""Colours of rich, from the terminal's own sixteen, so that they fit a dark and a light background."""


def plain_text(view: View) -> str:
    """Lay the view out without colour: printable text and line feeds only, ends in a line feed."""
    return "".join("".join(span.text for span in line).rstrip() + "\n" for line in lay_out(view))


def write(view: View, stream: TextIO) -> None:
    """Write to a stream: coloured when it is a terminal that wants colour, plain otherwise.

    Whether it does is rich's judgement: ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM=dumb`` are honoured.
    """
    if not stream.isatty() and not os.environ.get("FORCE_COLOR"):
        stream.write(_encodable(plain_text(view), stream))
        return
    from rich.console import Console  # loaded only for a terminal: it takes a tenth of a second

    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    with console.capture() as captured:
        print_lines(lay_out(view), console)
    stream.write(_encodable(captured.get(), stream))


def print_lines(lines: Iterable[Line], console: Console) -> None:
    """Print styled lines on a rich console; long lines run on, so that they can be copied whole."""
    from rich.text import Text

    for line in lines:
        console.print(Text.assemble(*((span.text, STYLES[span.style]) for span in line)), soft_wrap=True)


def _encodable(text: str, stream: TextIO) -> str:
    """Replace what the stream's encoding lacks, instead of failing in the middle of a report."""
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
