"""``{{name}}`` placeholders, as ApplicationSets without ``goTemplate`` use them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from gitops_bot.errors import RenderError


class TemplateError(RenderError):
    """A template of an ApplicationSet cannot be rendered."""


def render(text: str, params: Mapping[str, Any]) -> str:
    """The text with every known placeholder replaced; unknown ones stay as they are, as in Argo CD.

    ``params`` maps full names (``path.basename``, ``path[0]``, ``values.x``) to strings.
    Raises TemplateError for a placeholder that is opened and never closed in a text that has a whole one.
    """
    if "{{" not in text or "}}" not in text[text.index("{{") :]:
        return text
    parts: list[str] = []
    position = 0
    while (start := text.find("{{", position)) >= 0:
        end = text.find("}}", start + 2)
        if end < 0:
            raise TemplateError(f"invalid template {shorten(text)}: {{{{ without }}}}")
        value = params.get(text[start + 2 : end].strip())
        parts += (text[position:start], value if isinstance(value, str) else text[start : end + 2])
        position = end + 2
    return "".join(parts) + text[position:]


def flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Nested params as dotted names to texts: ``{"a": {"b": [1]}}`` → ``{"a.b.0": "1"}``; empty ones leave nothing."""
    if isinstance(value, Mapping):
        items = [(str(key), entry) for key, entry in value.items()]
    elif isinstance(value, (list, tuple)):
        items = [(str(index), entry) for index, entry in enumerate(value)]
    else:
        return {prefix: go_text(value)}
    flat: dict[str, str] = {}
    for key, entry in items:
        flat |= flatten(entry, f"{prefix}.{key}" if prefix else key)
    return flat


def go_text(value: Any) -> str:
    """A scalar as Go's ``%v`` prints it; every number is a float64 there, so a million is ``1e+06``."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "<nil>"
    return _float_text(float(value))


def _float_text(number: float) -> str:
    """Go's shortest form (``%g``): an exponent below -4 or from 6 on gives the ``e`` form."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(exponent, int)
    shown = "".join(map(str, digits))
    power = len(digits) - 1 + exponent if any(digits) else 0
    minus = "-" if sign else ""
    if -4 <= power < 6:
        return minus + _plain(shown, power)
    mantissa = shown[0] + ("." + shown[1:] if len(shown) > 1 else "")
    return f"{minus}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _plain(digits: str, power: int) -> str:
    if power < 0:
        return "0." + "0" * (-power - 1) + digits
    whole = digits[: power + 1].ljust(power + 1, "0")
    return whole + ("." + digits[power + 1 :] if len(digits) > power + 1 else "")


def shorten(text: str) -> str:
    """A template as messages show it: one line, at most 80 characters, in quotes."""
    line = " ".join(text.split())
    return f'"{line[:77]}..."' if len(line) > 80 else f'"{line}"'
