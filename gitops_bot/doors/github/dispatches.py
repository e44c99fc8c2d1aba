"""Workflows started from here: what a tag or push by a workflow's own token does not start, this does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from gitops_bot.doors.github.calls import Call
from gitops_bot.doors.github.errors import Unavailable

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub

LONGEST_TYPE = 100
"""Characters of an event's type that GitHub takes."""


class DispatchDoor:
    """Dispatches to the repository that the door is for. Every method raises GitHubError.

    Nothing tells afterwards whether one arrived, so after a lost answer it is an error, never sent again: a workflow
    that runs twice is worse than one that somebody starts by hand.
    """

    def __init__(self, github: GitHub) -> None:
        """Take the door."""
        self._github = github

    def repository(self, event_type: str, payload: Mapping[str, object]) -> None:
        """Start what listens to ``repository_dispatch``; ``payload`` has at most ten keys, as GitHub demands."""
        doing = f"dispatching {event_type} to {self._github.repository}"
        body = {"event_type": event_type[:LONGEST_TYPE], "client_payload": dict(payload)}
        self._once(Call("POST", f"{self._github.path}/dispatches", doing, needs="contents: write", body=body))

    def workflow(self, workflow: str, ref: str, inputs: Mapping[str, str]) -> None:
        """Start a workflow (its file's name) that has ``workflow_dispatch``, at a branch or tag."""
        doing = f"starting {workflow} in {self._github.repository}"
        path = f"{self._github.path}/actions/workflows/{quote(workflow, safe='')}/dispatches"
        self._once(Call("POST", path, doing, needs="actions: write", body={"ref": ref, "inputs": dict(inputs)}))

    def _once(self, call: Call) -> None:
        def unknown() -> NoReturn:
            raise Unavailable(
                f"{call.doing}: GitHub's answer was lost, so nobody knows whether it arrived",
                hint="look at the repository's Actions, and run it again if nothing was started",
            )

        self._github.create(call, unknown)
