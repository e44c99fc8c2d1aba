"""Diagnostics for people who ask for them: one handler on standard error, silent unless ``--debug``.

Log what is done and how long it takes, with names and counts; never an environment, a token or the content of a file
that may hold a secret. Results never go through here.
"""

from __future__ import annotations

import logging
import sys


def configure(*, debug: bool) -> None:
    """Attach the handler: everything with ``debug``, else warnings only. Calling it again replaces the level."""
    root = logging.getLogger("gitops_bot")
    root.setLevel(logging.DEBUG if debug else logging.WARNING)
    root.propagate = False
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(relativeCreated)6d ms %(levelname).1s %(name)s: %(message)s"))
        root.addHandler(handler)
