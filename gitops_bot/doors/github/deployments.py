"""Deployments and their statuses, as the agent tells them: what was healthy where, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import msgspec

from gitops_bot.doors.github import values
from gitops_bot.doors.github.calls import Call
from gitops_bot.model.github import DeploymentState, DeploymentStatus

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub

TASK = "gitops-bot"
"""The task of the agent's deployments; those of other tools have others."""
_NEEDS = "deployments: read"


class _User(msgspec.Struct, frozen=True):
    login: str = ""


class _Deployment(msgspec.Struct, frozen=True):
    id: int
    sha: str
    environment: str
    task: str
    created_at: datetime
    ref: str = ""
    creator: _User | None = None


class _Status(msgspec.Struct, frozen=True):
    state: Literal["queued", "pending", "in_progress", "success", "failure", "error", "inactive"]
    created_at: datetime
    description: str | None = ""
    log_url: str | None = ""
    environment_url: str | None = ""

    def value(self) -> DeploymentStatus:
        return DeploymentStatus(
            state=self.state, created_at=self.created_at, description=self.description or "",
            url=self.log_url or self.environment_url or "",
        )  # fmt: skip


class DeploymentDoor:
    """Deployments of the repository that the door is for. Every method raises GitHubError."""

    def __init__(self, github: GitHub) -> None:
        """Take the door."""
        self._github = github

    def newest(
        self, environment: str, *, task: str = TASK, commit: str = "", most: int = 30
    ) -> Iterator[DeploymentState]:
        """The deployments of an environment, newest first, each with all its statuses; at most so many.

        Each costs a request when it is asked for, so stop at the first that is good enough. ``commit`` limits them to
        one commit's. Only ``task`` is looked at: workflows with an ``environment`` make deployments of their own.
        """
        doing = f"reading the deployments of {environment} in {self._github.repository}"
        query = {"environment": environment, "task": task, "per_page": "100", **({"sha": commit} if commit else {})}
        count = 0
        for heard in self._github.pages(
            Call("GET", f"{self._github.path}/deployments", doing, query=query, needs=_NEEDS)
        ):
            for one in values.read(heard, list[_Deployment], doing):
                # An API that ignored the filter would hand over another environment's.
                if one.environment != environment or one.task != task:
                    continue
                if count == most:
                    return
                count += 1
                yield DeploymentState(
                    id=one.id, environment=one.environment, task=one.task, commit=one.sha, ref=one.ref,
                    created_at=one.created_at, creator=one.creator.login if one.creator else "",
                    statuses=self._statuses(one.id),
                )  # fmt: skip

    def _statuses(self, number: int) -> tuple[DeploymentStatus, ...]:
        doing = f"reading the statuses of deployment {number}"
        path = f"{self._github.path}/deployments/{number:d}/statuses"
        call = Call("GET", path, doing, query={"per_page": "100"}, needs=_NEEDS)
        found = [one for heard in self._github.pages(call) for one in values.read(heard, list[_Status], doing)]
        return tuple(one.value() for one in found)
