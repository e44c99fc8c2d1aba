"""What GitHub tells us, as values: pull requests and comments."""

from __future__ import annotations

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


class IssueComment(msgspec.Struct, frozen=True, kw_only=True):
    """One comment of a pull request's conversation."""

    id: int
    author: str
    """Login; ``gitops-bot[bot]`` for an app."""
    body: str
    url: str
    """Of its place on the page."""
