"""One comment of ours on a pull request: found again, kept up to date, never two of a kind for long.

A comment is ours when its first line is our marker with our key *and* our own login wrote it: anybody can write a
marker, and one login (``github-actions[bot]``) writes for every workflow of a repository. Only an open pull request
whose head is the commit that was reviewed is written to; after a long wait that is asked again before the write is
repeated, so that a run that waited out a rate limit does not put old content over a newer run's.

Two runs at once may both find nothing and both write. So whoever created a comment looks once more: of several of
ours the oldest is kept and brought up to date, the later ones go. Whatever the order of the two runs, both decide on
the same one. Should a run end in between, the next removes what is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from gitops_bot.doors.github.api import GitHub
from gitops_bot.doors.github.errors import NotFound, TooLong, Unavailable
from gitops_bot.errors import GitHubError
from gitops_bot.model.github import IssueComment, PullRequest
from gitops_bot.text.marker import Marker, marker_length, read_marker, write_marker

BUDGET = 65_000
"""Characters of a whole comment, the marker included; GitHub takes 65,536."""
_LEAST = 4_000
"""Characters: no smaller budget is tried; what is refused there is refused for another reason."""
_MOST_REMOVED = 3
"""Duplicates that one run removes: each is a write of the run's budget, and the next run goes on."""

_PASSING = re.compile(r"\b[0-9a-f]{7,64}\b|(?<=/actions/runs/)[0-9]+")

Make = Callable[[int], tuple[str, str]]
"""A budget in characters → the text without marker, and its digest (SHA-256 in hex)."""
Action = Literal["created", "updated", "unchanged", "duplicates removed", "stale", "closed"]


class Published(NamedTuple):
    """What became of the comment."""

    url: str
    """Of the comment; ``""`` when nothing was written because of ``stale`` or ``closed``."""
    action: Action
    """``unchanged``: the content was there already. ``duplicates removed``: the same, and later ones went. ``stale``:
    the head has moved on, its own run writes. ``closed``: the pull request is closed or merged."""
    removed: int = 0
    """Later comments of ours that were deleted."""
    left: int = 0
    """Later comments of ours that are still there: too many for one run, or GitHub refused."""


class _Moved(Exception):
    """The pull request is no longer the one that was reviewed; says how."""

    def __init__(self, action: Literal["stale", "closed"]) -> None:
        super().__init__(action)
        self.action = action


class _Written(NamedTuple):
    comment: IssueComment
    action: Action
    body: str
    digest: str


def publish(github: GitHub, pull: int, head_sha: str, key: str, make: Make, *, base_ref: str = "") -> Published:
    """Bring our comment on pull request number ``pull`` up to date, with no write when its content is the same.

    ``head_sha`` is the commit that was reviewed, ``base_ref`` the branch it was reviewed against (``""``: any), ``key``
    tells several comments of ours apart. ``make`` is asked again with half the budget when GitHub finds the text too
    long. Raises GitHubError (AccessDenied for a token that may only read, TooLong when not even the shortest fits) and
    UsageError for an impossible key.
    """
    return _Sticky(github, pull, (head_sha, base_ref), key, make).publish()


class _Sticky:
    """One publication."""

    def __init__(self, github: GitHub, number: int, reviewed: tuple[str, str], key: str, make: Make) -> None:
        self._github = github
        self._number = number
        self._head_sha, self._base_ref = reviewed
        self._key = key
        self._make = make
        self._marker = marker_length(key)
        self._login = ""

    def publish(self) -> Published:
        try:
            self._require_reviewed()
            self._login = self._github.login().casefold()
            return self._publish(self._ours())
        except _Moved as moved:
            return Published("", moved.action)

    def _publish(self, ours: list[IssueComment]) -> Published:
        written, most = self._write(ours), _MOST_REMOVED
        if written.action == "created":
            ours = self._all_with(written.comment)
            # Each of several runs at once removes one, so the run's budget lasts in every case.
            written, most = self._settle(ours[0], written), 1
        removed, left = self._remove([comment for comment in ours if comment.id != written.comment.id], most)
        action = "duplicates removed" if removed and written.action == "unchanged" else written.action
        return Published(written.comment.url, action, removed, left)

    def _write(self, ours: list[IssueComment]) -> _Written:
        """Edit the oldest of ours, or create one; shorter and shorter while GitHub finds it too long.

        Comments that somebody deleted meanwhile are taken out of ``ours``.
        """
        budget, refused = BUDGET, ""
        while True:
            text, digest = self._make(budget - self._marker)
            body = f"{write_marker(self._key, digest)}\n{text}"
            try:
                # A text that was refused is not sent again, only because a smaller budget makes no shorter one.
                if body != refused:
                    return self._put(ours, body, digest)
            except TooLong:
                if budget // 2 < _LEAST:
                    raise
            if budget // 2 < _LEAST:
                raise TooLong(f"no comment on {self._github.repository}#{self._number} is short enough for GitHub")
            refused, budget = body, budget // 2

    def _put(self, ours: list[IssueComment], body: str, digest: str) -> _Written:
        """Make this the content of the oldest of ours, or of a new comment where there is none."""
        while ours:
            if _digest(ours[0]) == digest and _settled(ours[0].body) == _settled(body):
                return _Written(ours[0], "unchanged", body, digest)
            try:
                edited = self._github.edit_comment(ours[0].id, body, before_repeat=self._require_reviewed)
            except NotFound:
                del ours[0]  # somebody deleted it since we looked
                continue
            return _Written(edited, "updated", body, digest)
        made = self._github.create_comment(
            self._number, body, is_it=self._is_ours, before_repeat=self._require_reviewed
        )
        return _Written(made, "created", body, digest)

    def _settle(self, oldest: IssueComment, written: _Written) -> _Written:
        """After a creation: the oldest is the one that stays, with our content.

        It is another run's where two wrote at once, also when reading back after a fault found that one.
        """
        if _digest(oldest) == written.digest and _settled(oldest.body) == _settled(written.body):
            return written._replace(comment=oldest)
        self._require_reviewed()
        edited = self._github.edit_comment(oldest.id, written.body, before_repeat=self._require_reviewed)
        return _Written(edited, "updated", written.body, written.digest)

    def _remove(self, later: list[IssueComment], most: int) -> tuple[int, int]:
        """Delete at most so many comments: how many went, and how many are left.

        What GitHub refuses is left for the next run.
        """
        removed = 0
        for comment in later[:most]:
            try:
                self._github.delete_comment(comment.id)
            except GitHubError:
                break
            removed += 1
        return removed, len(later) - removed

    def _require_reviewed(self) -> None:
        """Raises _Moved when the pull request is closed or its head is another commit than the reviewed one."""
        now: PullRequest = self._github.pull(self._number)
        if now.state != "open":
            raise _Moved("closed")
        if now.head_sha != self._head_sha or self._base_ref not in ("", now.base_ref):
            raise _Moved("stale")

    def _all_with(self, made: IssueComment) -> list[IssueComment]:
        """All of ours after a creation, oldest first; only the new one when they cannot be listed now."""
        try:
            found = self._ours()
        except Unavailable:
            return [made]
        return found if any(comment.id == made.id for comment in found) else _oldest_first([*found, made])

    def _ours(self) -> list[IssueComment]:
        return _oldest_first(comment for comment in self._github.comments(self._number) if self._is_ours(comment))

    def _is_ours(self, comment: IssueComment) -> bool:
        marker = read_marker(comment.body)
        return marker is not None and marker.key == self._key and comment.author.casefold() == self._login


def _settled(body: str) -> str:
    """A comment's text without what differs between two runs of one content: commits, digests, the run's number.

    Whoever edits our comment by hand can keep its marker; so the text itself is looked at, too.
    """
    return _PASSING.sub("…", body.replace("\r\n", "\n").strip())


def _digest(comment: IssueComment) -> str:
    """What a comment of ours says about its content; ``""`` when somebody edited that away."""
    marker: Marker | None = read_marker(comment.body)
    return marker.digest if marker else ""


def _oldest_first(comments: Iterable[IssueComment]) -> list[IssueComment]:
    """GitHub's ids only grow."""
    return sorted(comments, key=lambda comment: comment.id)
