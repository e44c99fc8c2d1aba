"""A review's result with the policy it was made under: what the command line hands to whoever tells people."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gitops_bot.model.report import Report
from gitops_bot.model.settings import Settings


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """What a review found, and what the base revision says about telling it."""

    report: Report
    policy: Settings
    """Of the base revision."""
    templates: Mapping[str, str] = {}
    """The base revision's own templates for what people read, by file name; empty for most."""
