"""Who asks, for what is written down about it."""

from __future__ import annotations

import getpass
from collections.abc import Mapping


def who(environ: Mapping[str, str]) -> str:
    """The workflow's actor, else the name of the user who runs us; never empty."""
    actor = environ.get("GITHUB_ACTOR", "")
    if actor:
        return actor
    try:
        return getpass.getuser() or "somebody"
    except (KeyError, OSError):
        return "somebody"
