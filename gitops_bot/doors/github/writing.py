"""All that a run which writes needs of GitHub, over one door."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gitops_bot.doors.github.commits import CommitDoor
from gitops_bot.doors.github.deployments import DeploymentDoor
from gitops_bot.doors.github.people import PeopleDoor
from gitops_bot.doors.github.pulls import PullDoor
from gitops_bot.doors.github.refs import RefDoor
from gitops_bot.doors.github.verdicts import VerdictDoor

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub


class Writing(NamedTuple):
    """The doors by subject; they share the pace and the budget of one run."""

    commits: CommitDoor
    refs: RefDoor
    pulls: PullDoor
    verdicts: VerdictDoor
    deployments: DeploymentDoor
    people: PeopleDoor


def writing(github: GitHub) -> Writing:
    """The doors over one to GitHub, which should have the patience ``commits.WRITING``."""
    return Writing(
        CommitDoor(github), RefDoor(github), PullDoor(github), VerdictDoor(github), DeploymentDoor(github),
        PeopleDoor(github),
    )  # fmt: skip
