"""What the commits of promotions and rollbacks say of themselves. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gitops_bot.model.github import CommitInfo
from gitops_bot.writeback.moves.versions import Level

PROMOTION, ROLLBACK, TAG, LEVEL, SOURCE = (
    "Gitops-Bot-Promotion",
    "Gitops-Bot-Rollback",
    "Gitops-Bot-Tag",
    "Gitops-Bot-Level",
    "Gitops-Bot-Promoted-From",
)
"""Trailers: ``staging production``; the environment that was rolled back; the tag that was announced; its level; the
commit whose values were copied."""
_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LEVELS: Mapping[str, Level] = {"major": "major", "minor": "minor", "patch": "patch"}


class Recorded(NamedTuple):
    """What the commit of a promotion or a rollback says of itself."""

    source: str
    """``""`` for a rollback."""
    target: str
    level: Level | None
    """None for a target that follows a branch."""
    tag: str
    """As it was announced; ``""`` for none."""
    commit: str = ""
    """Full id of the commit whose values were copied; ``""`` for a rollback, and for what is no id."""


def recorded(message: str) -> Recorded | None:
    """What the commit of a promotion or rollback says of itself, also within a squashed message; None for others.

    Anybody can write such lines, so it must be asked of pull requests of this program only.
    """
    found: dict[str, str] = {}
    for line in message.splitlines():
        name, colon, value = line.strip().partition(": ")
        if colon and name in (PROMOTION, ROLLBACK, TAG, LEVEL, SOURCE):
            found[name] = value.strip()
    back = found.get(ROLLBACK, "")
    names = ["", back] if back else found.get(PROMOTION, "").split(" ")
    if len(names) != 2 or not names[1]:
        return None
    copied = found.get(SOURCE, "")
    return Recorded(
        names[0], names[1], _LEVELS.get(found.get(LEVEL, "")), found.get(TAG, ""),
        copied if _FULL_ID.fullmatch(copied) else "",
    )  # fmt: skip


def announced_tags(commits: Iterable[CommitInfo], target: str, tagged: str) -> tuple[str, ...]:
    """The tags that commits of ours among these announced for an environment: they may have been made, and deleted.

    Not what a commit announced that is to be tagged itself (``tagged``, a full id) or is merged by it: of these the
    tag is made, or made again.
    """
    listed = list(commits)
    same = {tagged, *(parent for commit in listed if commit.sha == tagged for parent in commit.parents)}
    told = [recorded(commit.message) for commit in listed if commit.own_login and commit.sha not in same]
    return tuple(dict.fromkeys(each.tag for each in told if each is not None and each.target == target and each.tag))
