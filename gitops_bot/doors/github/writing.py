"""All that a run which writes needs of GitHub, over one door."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gitops_bot.doors.github.commits import CommitDoor
from gitops_bot.doors.github.pulls import PullDoor
from gitops_bot.doors.github.refs import RefDoor

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub


class Writing(NamedTuple):
    """The doors to commits, references and pull requests; they share the pace and the budget of one run."""

    commits: CommitDoor
    refs: RefDoor
    pulls: PullDoor


def writing(github: GitHub) -> Writing:
    """The doors over one to GitHub, which should have the patience ``commits.WRITING``."""
    return Writing(CommitDoor(github), RefDoor(github), PullDoor(github))
