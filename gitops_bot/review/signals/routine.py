"""The routine verdict: whether nothing but images and charts moves, and only by patch versions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitops_bot.model.change import FieldChange
from gitops_bot.model.report import Change, Raised
from gitops_bot.review.images import split_image
from gitops_bot.review.signals.charts import is_patch

_VERSION_LABEL = re.compile(r"(?:^|\.)labels\[app\.kubernetes\.io/version\]$")
_CHART_VERSION = re.compile(r"spec\.source(?:s\[[^\]]*\])?\.targetRevision")


def only_patch_moves(changes: Iterable[Change]) -> bool:
    """Whether there are changes, all of them of objects that stay, and none but images and charts by patch versions.

    The label ``app.kubernetes.io/version`` may follow, and folded fields may differ. What ``ignoreDifferences`` hides
    counts as a change like any other.
    """
    moves = 0
    for change in changes:
        if change.action != "changed" or change.renamed_from is not None or change.hidden or change.bucket == "ignored":
            return False
        images = {path for path, before, after in change.images if is_patch_image(before, after)}
        if not all(field.path in images or _is_patch_field(change, field) for field in change.fields):
            return False
        moves += bool(change.fields)
    return moves > 0


def is_patch_image(before: str | None, after: str | None) -> bool:
    """Whether an image moves up by a patch version; a digest beside the tag may differ as well."""
    if before is None or after is None:
        return False
    old, new = split_image(before), split_image(after)
    return old[0] == new[0] and is_patch(old[1].partition("@")[0], new[1].partition("@")[0])


def _is_patch_field(change: Change, field: FieldChange) -> bool:
    if not isinstance(field.before, str) or not isinstance(field.after, str):
        return False
    if (change.group, change.kind) == ("argoproj.io", "Application") and _CHART_VERSION.fullmatch(field.path):
        return is_patch(field.before, field.after)
    return _VERSION_LABEL.search(field.path) is not None and is_patch(field.before, field.after)


def is_quiet(raised: Iterable[Raised]) -> bool:
    """Whether no error and no warning is raised that nobody silenced."""
    return all(one.silenced is not None or one.signal.severity == "info" for one in raised)
