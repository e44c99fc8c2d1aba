"""How a value is written so that every reader takes it for what it is meant to be.

Readers differ (YAML 1.1 as PyYAML reads it, YAML 1.2, Go's as Kubernetes and Helm use it): ``1e3``, ``0o17``, ``yes``,
``12:30``, ``2024-06-27`` are text to one and a number, a boolean or a date to another. Text that any of them would take
for something else is quoted.
"""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["string", "number", "boolean"]
"""What a value is to be read as."""

_WORDS = frozenset(("", "~", "null", "y", "n", "yes", "no", "on", "off", "true", "false", "=", "<<"))
_GUESSED = re.compile(
    r"""[-+]?(?: [0-9]*(?:\.[0-9]*)?(?:e[-+]?[0-9]*)?         # integers, octals by a leading 0, decimals, exponents
    | 0x[0-9a-f.p+-]* | 0o[0-7]* | 0b[01]*
    | [0-9]+(?::[0-9]{1,2})+(?:\.[0-9]*)?                    # sexagesimals of YAML 1.1
    | \.(?:inf|nan) )
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[t\ ].*)?              # dates and times""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_BLOCK_PLAIN = re.compile(r"[A-Za-z0-9_./](?:[A-Za-z0-9_./@+%=~,()$^;-]|:(?=[^\s])| (?=[A-Za-z0-9_./@+%=~,()$^;-]))*")
_FLOW_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./@+~-]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def guessed(text: str) -> bool:
    """Whether some reader would take the text, written without quotes, for something else than text."""
    # Readers of numbers drop every underscore first, wherever it stands.
    return text.lower() in _WORDS or _GUESSED.fullmatch(text.replace("_", "")) is not None


def stays_text(text: str, *, flow: bool) -> bool:
    """Whether the text may stand without quotes; ``flow`` within braces or brackets."""
    shape = _FLOW_PLAIN if flow else _BLOCK_PLAIN
    return shape.fullmatch(text) is not None and not guessed(text) and not text.startswith(("...", "---"))


def why_not(text: str, kind: Kind) -> str:
    """Why the text cannot be written as this kind; empty when it can."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "the new value is not text that UTF-8 can hold"
    if kind == "boolean" and text not in ("true", "false"):
        return "the new value is neither true nor false, which every reader takes for a boolean"
    if kind == "number" and not _same_number(text):
        return "the new value is not a number that every reader takes for the same one (such as 3, -1 or 0.25)"
    return ""


def _same_number(text: str) -> bool:
    if not _NUMBER.fullmatch(text) or (text.startswith("-0") and set(text) <= set("-0.")):
        return False
    return "." in text or (len(text) < 32 and -(2**63) <= int(text) < 2**63)


def write(text: str, kind: Kind, *, quote: str = "", flow: bool = False) -> str:
    """The value on one line: a number or boolean bare, text in the quote that is asked for or as little as is safe.

    ``quote`` is ``'``, ``"`` or empty for none; ``flow`` tells that the value stands in braces or brackets.
    """
    if kind != "string":
        return text
    if not quote and stays_text(text, flow=flow):
        return text
    if quote == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_ESCAPES.get(char) or (char if char.isprintable() else _escape(char)) for char in text) + '"'


def _escape(char: str) -> str:
    """What cannot be seen, in the one form that YAML and JSON share; beyond its reach a character stays itself."""
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else char
