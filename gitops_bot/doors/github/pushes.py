"""When branches were pushed to, as GitHub itself has noted it: no date of a commit is."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from gitops_bot.doors.github import values
from gitops_bot.doors.github.calls import Call
from gitops_bot.doors.github.errors import AccessDenied, NotFound
from gitops_bot.model.github import Pushed

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub


class _Activity(msgspec.Struct, frozen=True):
    ref: str
    after: str
    timestamp: datetime


def pushes(github: GitHub, repository: str, branch: str) -> tuple[Pushed, ...] | None:
    """The newest changes of a branch of any repository (``owner/name``), newest first; None where it may not be read.

    Raises GitHubError.
    """
    doing = f"reading when {branch[:80]} of {repository} was pushed to"
    query = {"ref": f"refs/heads/{branch}", "per_page": "30", "direction": "desc"}
    call = Call("GET", f"/repos/{repository}/activity", doing, query=query, needs="contents: read")
    try:
        found = values.read(github.ask(call), list[_Activity], doing)
    except (AccessDenied, NotFound):
        return None
    # An API that ignores the filter would tell of every branch.
    ours = [Pushed(after=each.after, at=each.timestamp) for each in found if each.ref == f"refs/heads/{branch}"]
    return tuple(sorted(ours, key=lambda each: each.at, reverse=True))
