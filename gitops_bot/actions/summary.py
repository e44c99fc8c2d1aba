"""The step's summary: what the runner shows on the run's page, all of it or, beyond its limit, nothing."""

from __future__ import annotations

import os

from gitops_bot.errors import UsageError

LIMIT = 1024 * 1024
"""Bytes of a step's summary; the runner drops a larger one altogether."""


def summary_room(path: str) -> int:
    """How many bytes of UTF-8 can still be appended; 0 where ``path`` is ``""``."""
    return max(0, LIMIT - _size(path) - len("\n\n\n")) if path else 0


def append_summary(path: str, text: str) -> bool:
    """Append Markdown as a paragraph of its own, and tell whether it was: never a part of it, never beyond the limit.

    Nothing is done where ``path`` is ``""``. Raises UsageError when the file cannot be written.
    """
    data = text.encode("utf-8", "replace")
    if not path or len(data) > summary_room(path):
        return False
    data = (b"\n\n" if _size(path) else b"") + data.removesuffix(b"\n") + b"\n"
    try:
        with open(path, "ab") as file:
            file.write(data)
    except OSError as error:
        raise UsageError(
            f"the step summary cannot be written: {error.strerror}", hint="GITHUB_STEP_SUMMARY names the file"
        ) from error
    return True


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0
