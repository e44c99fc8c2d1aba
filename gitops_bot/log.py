"""Diagnostics for people who ask for them: one handler on standard error, silent unless ``--debug``.

Log what is done and how long it takes, with names and counts; never an environment, a token or the content of a file
that may hold a secret. Results never go through here.
"""

from __future__ import annotations

import logging
import sys


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
