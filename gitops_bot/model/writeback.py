"""What is written back to Git: a proposal made from one state of a branch, and what became of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from gitops_bot.model.tree import Tree

Mode = Literal["api", "push", "pull-request"]
"""How a proposal lands: a commit that GitHub makes and signs, a plain ``git push``, or a pull request."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The tip of a branch, as it was read."""

    branch: str
    """Without ``refs/heads/``."""
    commit: str
    """Full id."""
    tree: Tree


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """One file as it shall be."""

    path: str
    """From the repository's root."""
    content: bytes | None
    """None removes the file."""
    mode: str = "100644"
    """Git's file mode: ``100644``, ``100755``, ``120000``."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """One commit in the making, made from one ``Head`` and void for any other."""

    files: tuple[FileChange, ...]
    """In order of path; never empty."""
    subject: str
    """First line of the commit's message, and the pull request's title."""
    body: str = ""
    """Markdown of the pull request, without marker: tables, links, the rendered diff."""
    message: str = ""
    """Rest of the commit's message in plain text: old → new, source commit, build URL; without trailers."""
    trailers: tuple[tuple[str, str], ...] = ()
    """``Gitops-Bot-…`` lines that programs read back, in order."""
    topic: str
    """What it is about, so that the pull request's branch follows from it: ``bump/staging/churn-api``. A rerun with
    the same topic updates the same pull request."""
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What there is to know of it, for who looks at it before it is made; foreign text is as it came."""


class Landed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a proposal."""

    mode: Mode | Literal["nothing"]
    """``nothing``: the branch says it already."""
    base: str = ""
    """The commit of the branch that it was made from, or that says it already."""
    commit: str = ""
    """Of the new commit, on the branch itself or on the pull request's branch; ``""`` for ``nothing``."""
    url: str = ""
    """Page of the commit or pull request."""
    pull: int | None = None
    notes: tuple[str, ...] = ()
    """What the user should know: why a pull request instead of a commit, that its runs wait for approval."""
