"""The hidden first line of a comment of ours: by it the comment is found again, and its content compared. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from gitops_bot.errors import UsageError

_KEY = re.compile(r"[A-Za-z0-9._/-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LINE = re.compile(r"<!-- gitops-bot: key=([A-Za-z0-9._/-]{1,64}) digest=([0-9a-f]{64}) -->\r?(?:\n|\Z)")


class Marker(NamedTuple):
    """What a marker says."""

    key: str
    """Tells several comments on one pull request apart."""
    digest: str
    """SHA-256 of the content without the lines that name commits, as lowercase hex."""


def write_marker(key: str, digest: str) -> str:
    """Write the marker: one HTML comment without a line feed, to be the first line of the body.

    Raises UsageError for a key that is not 1 to 64 of ``A-Z a-z 0-9 . _ / -``, ValueError for a digest that is none.
    """
    if not _KEY.fullmatch(key):
        raise UsageError(
            f"{key[:80]!r} cannot be a comment's key", hint="use 1 to 64 letters, digits, dots, slashes, - and _"
        )
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"not a SHA-256 digest: {digest!r}")
    return f"<!-- gitops-bot: key={key} digest={digest} -->"


def marker_length(key: str) -> int:
    """How many characters a marker of this key and its line feed take: what a budget has to leave free.

    Raises UsageError as ``write_marker``.
    """
    return len(write_marker(key, "0" * 64)) + 1


def read_marker(body: str) -> Marker | None:
    """Read the marker of a comment's body; None when its first line is none.

    Anybody can write such a line, so whose comment it is has to be checked as well.
    """
    found = _LINE.match(body)
    return Marker(found[1], found[2]) if found else None
