"""What people may do in a repository, and what is answered to their comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import msgspec

from gitops_bot.doors.github import values
from gitops_bot.doors.github.calls import Call
from gitops_bot.doors.github.errors import NotFound

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub

Reaction = Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]
Permission = Literal["admin", "write", "read", "none"]


class _Permission(msgspec.Struct, frozen=True):
    permission: str


class PeopleDoor:
    """People of the repository that the door is for. Every method raises GitHubError."""

    def __init__(self, github: GitHub) -> None:
        """Take the door."""
        self._github = github

    def permission(self, login: str) -> Permission:
        """What somebody may do: ``maintain`` is told as ``write``, ``triage`` as ``read``; a stranger has ``none``.

        Anything that GitHub may add to these counts as ``none``: who may not be known to write may not.
        """
        doing = f"reading what {login[:60]} may do in {self._github.repository}"
        path = f"{self._github.path}/collaborators/{quote(login, safe='')}/permission"
        try:
            heard = self._github.ask(Call("GET", path, doing, needs="metadata: read"))
        except NotFound:
            return "none"
        match values.read(heard, _Permission, doing).permission:
            case "admin":
                return "admin"
            case "write" | "maintain":
                return "write"
            case "read" | "triage":
                return "read"
        return "none"

    def may_write(self, login: str) -> bool:
        """Whether somebody may push to the repository."""
        return bool(login) and self.permission(login) in ("admin", "write")

    def react(self, comment_id: int, reaction: Reaction) -> None:
        """React to a comment of a pull request's conversation; the same reaction again is no second one."""
        doing = f"reacting to comment {comment_id} in {self._github.repository}"
        path = f"{self._github.path}/issues/comments/{comment_id:d}/reactions"
        call = Call("POST", path, doing, needs="pull-requests: write", body={"content": reaction})
        self._github.create(call, lambda: None)
