"""The comment without a limit on its length: what ``gitops-bot diff --format markdown`` prints."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType

from gitops_bot.text.fit import Fitted, fit_comment
from gitops_bot.text.view import View


def build_comment(view: View, templates: Mapping[str, str] = MappingProxyType({})) -> Fitted:
    """Lay a view out as Markdown with every diff whole; long lists in it are cut and counted.

    ``templates`` are the user's, by file name. Raises UsageError when one of them fails.
    """
    return fit_comment(view, budget=sys.maxsize, templates=templates)
