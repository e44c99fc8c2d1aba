"""What GitHub tells us, as values: pull requests, comments, commits, tags, statuses, checks and deployments.

Every time is aware and in UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request as the API knows it now."""

    number: int
    state: Literal["open", "closed"]
    head_sha: str
    head_ref: str
    """Branch name in the head repository."""
    head_repository: str
    """``owner/name``, ``""`` when the fork is gone."""
    base_sha: str
    base_ref: str
    draft: bool = False
    author: str = ""
    """Login."""
    url: str = ""
    """Of its page."""
    title: str = ""
    body: str = ""
    """Markdown, ``""`` where it has none."""
    labels: tuple[str, ...] = ()
    merged: bool = False
    """A merged one is closed, too."""
    merge_commit: str = ""
    """Full id of the commit that merging made on the base, squashed or not; ``""`` where it is not merged."""


class IssueComment(msgspec.Struct, frozen=True, kw_only=True):
    """One comment of a pull request's conversation."""

    id: int
    author: str
    """Login; ``gitops-bot[bot]`` for an app."""
    body: str
    url: str
    """Of its place on the page."""


class CommitInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One commit, as a list or a comparison of commits tells it."""

    sha: str
    """Full id."""
    message: str
    """Subject, body and trailers, as committed."""
    parents: tuple[str, ...] = ()
    """Full ids, the branch's own line first."""
    author: str = ""
    """Login of who wrote it; the name in the commit where GitHub knows no account."""
    own_login: bool = False
    """True when the login is that of our own token, and GitHub verified the signature. Every workflow of a repository
    has the same login, so this does not tell that it was this program."""
    paths: tuple[str, ...] | None = None
    """What it changes against its first parent, old names of files too; None where that was not told as a whole."""
    committed_at: datetime | None = None
    url: str = ""
    """Of its page."""

    @property
    def subject(self) -> str:
        """First line of the message."""
        return self.message.partition("\n")[0].strip()


class Commits(msgspec.Struct, frozen=True, kw_only=True):
    """The commits that one revision has and another has not (GitHub's comparison, base...head)."""

    commits: tuple[CommitInfo, ...] = ()
    """Newest first; the newest ones only, where there are more than were read."""
    total: int = 0
    """How many there are in all."""
    url: str = ""
    """Page of the comparison."""


class Pushed(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a branch, at the moment when GitHub took it."""

    after: str
    """Full id of the commit that it points to since; zeros when it was deleted."""
    at: datetime


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """One tag, annotated or not."""

    name: str
    """Without ``refs/tags/``."""
    commit: str
    """Full id of the commit it means, annotations followed; ``""``: it means a file, a directory, or nothing."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The newest status of one context on a commit."""

    context: str
    """``ci``, ``gitops-bot/staging``."""
    state: Literal["success", "pending", "failure", "error"]
    description: str = ""
    """Foreign text of at most 140 characters."""
    url: str = ""
    """Where details are."""
    updated_at: datetime | None = None


class CheckState(msgspec.Struct, frozen=True, kw_only=True):
    """The newest check run of one name on a commit."""

    name: str
    """Of the check: for GitHub Actions the job's name."""
    status: str
    """``queued``, ``in_progress``, ``completed`` and what GitHub adds to them."""
    conclusion: str | None = None
    """``success``, ``neutral``, ``skipped``, ``failure``, ``cancelled``, ``timed_out``, ``action_required``,
    ``stale``, …; None until it is completed."""
    title: str = ""
    app: str = ""
    """Slug of the GitHub App that reports it: ``github-actions``."""
    url: str = ""
    completed_at: datetime | None = None


class DeploymentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One status of a deployment."""

    state: Literal["queued", "pending", "in_progress", "success", "failure", "error", "inactive"]
    created_at: datetime
    description: str = ""
    """Foreign text of at most 140 characters."""
    url: str = ""
    """Its log, else the environment's page."""


class DeploymentState(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment with all its statuses: the older ones end ``inactive``, so only the list tells they succeeded."""

    id: int
    environment: str
    task: str
    """``gitops-bot`` for those of our agent."""
    commit: str
    """Full id of what was deployed."""
    ref: str = ""
    """Branch, tag or commit as it was asked for."""
    created_at: datetime
    creator: str = ""
    """Login."""
    statuses: tuple[DeploymentStatus, ...] = ()
    """Newest first."""

    @property
    def url(self) -> str:
        """The page that the newest status with one names, ``""`` for none: its own URL is the API's."""
        return next((status.url for status in self.statuses if status.url), "")
