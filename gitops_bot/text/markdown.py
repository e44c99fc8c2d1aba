"""The comment without a limit on its length: what ``gitops-bot diff --format markdown`` prints."""

from __future__ import annotations

import sys

from gitops_bot.text.fit import Fitted, fit_comment
from gitops_bot.text.view import View


def build_comment(view: View) -> Fitted:
    """Lay a view out as Markdown with every diff whole; long lists in it are cut and counted."""
    return fit_comment(view, budget=sys.maxsize)
