"""Secrets out of texts: as they are, URL-encoded, and in base64 at any place of a longer value."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote

MASK = "***"
_SHORTEST = 4
"""Characters: a shorter piece would be found everywhere."""


def forms(secret: str) -> tuple[str, ...]:
    """Everything a secret may look like in a text, longest first: whole, line by line (a PEM key), and encoded.

    In base64 the first and last characters depend on what stands beside the secret; those between do not, so
    ``user:secret`` is found too.
    """
    pieces = [secret, *(line for line in secret.splitlines() if line.strip("-") and not line.startswith("-----"))]
    found = set()
    for piece in (piece.strip() for piece in pieces):
        found |= {piece, quote(piece, safe=""), piece.replace("\n", "\\n")}
        raw = piece.encode("utf-8", "surrogateescape")
        for before in range(3):
            encoded = base64.b64encode(b"\0" * before + raw).decode()
            inside = encoded[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
            found |= {inside, inside.replace("+", "-").replace("/", "_")}
    return tuple(sorted((form for form in found if len(form) >= _SHORTEST), key=lambda form: (-len(form), form)))


def conceal(text: str, secrets: Iterable[str]) -> str:
    """The text with every form of every secret replaced by ``***``."""
    for form in sorted((form for secret in secrets for form in forms(secret)), key=len, reverse=True):
        text = text.replace(form, MASK)
    return text
