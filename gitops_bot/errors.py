"""Every way the program can fail: one exit code and one next step each.

BotError
├─ UsageError   2   wrong options, settings or revisions: all problems at once
├─ RenderError  3   something selected could not be rendered
├─ ToolError    4   helm or kustomize missing, or too old
├─ GitError     5   not a repository, or git itself failed
├─ FetchError   3   a remote source was refused or could not be fetched
├─ GitHubError  6   GitHub refused, or did not answer in time
├─ SignalError  7   everything was done, and a signal is one of those that fail the check
├─ (writeback)  8   nothing is written: a hold, a protected environment or the file itself stands against it
├─ ClusterError 9   the API server refused, or cannot be reached
└─ NotSynced   10   `agent run --once` has done what was due, and the cluster is not what Git says all the same

Beside them: 0 done, 1 with ``--exit-code`` and changes, 70 a mistake of ours (any other exception), and 128 + N when
signal N ended the run (130 Ctrl-C, 143 SIGTERM, 141 the reader of our output went away).
"""

from __future__ import annotations

from typing import ClassVar

UNEXPECTED = 70
"""Exit code for an exception that is none of these (EX_SOFTWARE of sysexits.h)."""


class BotError(Exception):
    """A failure the user can act on: what happened, to what, and what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Take what happened and to what (``message``), and the next step (``hint``, may be empty)."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def told(self) -> str:
        """Message and next step as one sentence for a list of failures."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(BotError):
    """Wrong options, settings or revisions."""

    exit_code = 2


class RenderError(BotError):
    """A target could not be rendered."""

    exit_code = 3


class NotRenderable(RenderError):
    """A target that cannot be rendered here by its nature: a plugin, Jsonnet, a path that is gone."""


class FetchError(RenderError):
    """A remote source was refused by policy or could not be fetched."""


class ToolError(BotError):
    """A program that is needed is missing, or not new enough."""

    exit_code = 4


class GitError(BotError):
    """Not a repository, an unknown revision's object, or git itself failed."""

    exit_code = 5


class CommitGone(GitError):
    """A commit that an event names is not at the origin any more: it was force-pushed away."""


class GitHubError(BotError):
    """GitHub refused, or did not answer within the time that may be waited."""

    exit_code = 6


class SignalError(BotError):
    """The review was made, and holds signals of a severity that fails the check."""

    exit_code = 7


class ClusterError(BotError):
    """The API server of a cluster refused, or cannot be reached."""

    exit_code = 9


class NotSynced(BotError):
    """Everything that was asked for is done, and some Application is not what Git says, or its sync failed."""

    exit_code = 10
