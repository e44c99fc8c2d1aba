"""The step summary: the comment's pieces with fifteen times as much room."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gitops_bot.text.detail import ROOMY_LADDER
from gitops_bot.text.fit import fit
from gitops_bot.text.view import View

BUDGET_BYTES = 1_000_000
"""What a summary may take of the 1 MiB beyond which the runner uploads nothing at all."""


def utf8(text: str) -> int:
    """Bytes of a text as it is written."""
    return len(text.encode("utf-8", "surrogatepass"))


def fit_summary(
    view: View,
    *,
    budget_bytes: int = BUDGET_BYTES,
    elsewhere: str = "",
    templates: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Make the step summary as Markdown; never more than ``budget_bytes`` bytes of UTF-8.

    ``elsewhere`` and ``templates`` are as for the comment.

    Raises ValueError for a budget that is too small, UsageError when a user's template fails.
    """
    fitted = fit(
        view,
        budget=budget_bytes,
        measure=utf8,
        elsewhere=elsewhere,
        templates=templates,
        ladder=ROOMY_LADDER,
    )
    return fitted.text
