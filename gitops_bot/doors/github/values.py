"""GitHub's JSON → our values. What an answer holds beyond them is ignored."""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from gitops_bot.doors.github.pacing import Heard
from gitops_bot.errors import GitHubError
from gitops_bot.model import typed
from gitops_bot.model.github import IssueComment, PullRequest


class _User(msgspec.Struct, frozen=True):
    login: str = ""


class _Repository(msgspec.Struct, frozen=True):
    full_name: str = ""


class _Side(msgspec.Struct, frozen=True):
    sha: str
    ref: str
    repo: _Repository | None = None
    """None: the fork was deleted."""


class _Label(msgspec.Struct, frozen=True):
    name: str = ""


class Pull(msgspec.Struct, frozen=True):
    """A pull request as REST tells it."""

    number: int
    state: Literal["open", "closed"]
    head: _Side
    base: _Side
    html_url: str = ""
    draft: bool | None = False
    user: _User | None = None
    """None: a user that was deleted."""
    title: str = ""
    body: str | None = ""
    labels: tuple[_Label, ...] = ()
    merged_at: str | None = None
    merge_commit_sha: str | None = None

    def value(self) -> PullRequest:
        """The same as our value."""
        return PullRequest(
            number=self.number,
            state=self.state,
            head_sha=self.head.sha,
            head_ref=self.head.ref,
            head_repository=self.head.repo.full_name if self.head.repo else "",
            base_sha=self.base.sha,
            base_ref=self.base.ref,
            draft=bool(self.draft),
            author=self.user.login if self.user else "",
            url=self.html_url,
            title=self.title,
            body=self.body or "",
            labels=tuple(label.name for label in self.labels),
            merged=self.merged_at is not None,
            merge_commit=(self.merge_commit_sha or "") if self.merged_at is not None else "",
        )


class Comment(msgspec.Struct, frozen=True):
    """A comment of an issue or pull request as REST tells it."""

    id: int
    html_url: str = ""
    body: str | None = ""
    user: _User | None = None

    def value(self) -> IssueComment:
        """The same as our value."""
        return IssueComment(
            id=self.id, author=self.user.login if self.user else "", body=self.body or "", url=self.html_url
        )


class Installation(msgspec.Struct, frozen=True):
    """Where a GitHub App is installed."""

    id: int


class MintedToken(msgspec.Struct, frozen=True):
    """A fresh installation token; never printed."""

    token: str

    def __repr__(self) -> str:
        return "MintedToken()"


class _Viewer(msgspec.Struct, frozen=True):
    login: str


class _Data(msgspec.Struct, frozen=True):
    viewer: _Viewer


class Whoami(msgspec.Struct, frozen=True):
    """The answer to ``{ viewer { login } }``."""

    data: _Data


T = TypeVar("T")


def read(heard: Heard, kind: type[T], doing: str) -> T:
    """An answer's body as a value of ``kind``. Raises GitHubError, which repeats nothing of it, when it is none."""
    try:
        return typed.decode(heard.body, kind)
    except msgspec.DecodeError:
        raise GitHubError(
            f"GitHub's answer to {doing} is not what its API promises ({heard.status}, {len(heard.body)} characters)",
            hint="check the API's URL (GITHUB_API_URL) and the proxy",
        ) from None
