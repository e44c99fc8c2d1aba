"""Kubernetes quantities in the form the API server stores them."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any

_QUANTITY = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?\d{1,3})?")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_DECIMAL_EXPONENT = {suffix: exponent for exponent, suffix in _DECIMAL.items()}


def canonical_quantity(value: Any) -> Any:
    """The canonical form: ``1000m`` → ``1``, ``0.5`` → ``500m``, ``1024Mi`` → ``1Gi``; what is none stays as it is.

    The notation (binary, decimal, exponent) is kept, as in apimachinery's ``Quantity``.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return value
    return _canonical(value if isinstance(value, str) else repr(value))


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    match = _QUANTITY.fullmatch(text) if len(text) < 64 else None
    if match is None:
        return text
    sign, digits, suffix = match[1], match[2], match[3] or ""
    number = Fraction(digits if not digits.endswith(".") else digits[:-1])
    if suffix in _BINARY[1:]:
        number *= Fraction(1024) ** _BINARY.index(suffix)
        if number.denominator == 1 and number >= 1024:
            return _signed(sign, _binary(number.numerator))
        return _signed(sign, _decimal(number, exponent=False))
    exponent = bool(suffix) and suffix[0] in "eE" and len(suffix) > 1
    power = int(suffix[1:]) if exponent else _DECIMAL_EXPONENT[suffix]
    return _signed(sign, _decimal(number * Fraction(10) ** power, exponent))


def _signed(sign: str, text: str) -> str:
    return f"-{text}" if sign == "-" and text != "0" else text


def _binary(number: int) -> str:
    power = 0
    while number % 1024 == 0 and power < len(_BINARY) - 1:
        number //= 1024
        power += 1
    return f"{number}{_BINARY[power]}"


def _decimal(number: Fraction, exponent: bool) -> str:
    """Mantissa and suffix with the largest power of a thousand that leaves no fraction; below nano rounds up."""
    nanos = number * 10**9
    count = -(-nanos.numerator // nanos.denominator)
    if count == 0:
        return "0"
    power = -9
    while count % 1000 == 0 and power < 18:
        count //= 1000
        power += 3
    suffix = (f"e{power}" if power else "") if exponent else _DECIMAL[power]
    return f"{count}{suffix}"


def amount(value: Any) -> Fraction | None:
    """The number that a quantity means, to compare two of them; None for what is no quantity."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    if isinstance(value, int):
        return Fraction(value)
    written = value if isinstance(value, str) else repr(value)
    match = _QUANTITY.fullmatch(written) if len(written) < 64 else None
    if match is None:
        return None
    suffix = match[3] or ""
    number = Fraction(match[2].removesuffix("."))
    if suffix in _BINARY[1:]:
        number *= Fraction(1024) ** _BINARY.index(suffix)
    elif suffix[:1] in ("e", "E") and len(suffix) > 1:
        number *= Fraction(10) ** int(suffix[1:])
    else:
        number *= Fraction(10) ** _DECIMAL_EXPONENT[suffix]
    return -number if match[1] == "-" else number
