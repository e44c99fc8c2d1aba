"""What happened on GitHub, as one value per kind of event: the only thing that a flow reads of a payload.

Every commit is a whole id, every branch and repository name is checked (``actions.names``). Nothing here was asked of
the API: numbers and commits tell what the event said, which may have changed since.
"""

from __future__ import annotations

from typing import Any

import msgspec


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="activity"):
    """What all events share: nothing but their form."""


class PullRequestChanged(_Event, frozen=True, kw_only=True, tag=True):
    """A pull request has other commits, another base, or is asked to be looked at."""

    number: int
    base_sha: str
    """Tip of the base branch when the event was made."""
    base_ref: str
    """Branch name, without ``refs/heads/``."""
    head_sha: str
    head_ref: str
    """Branch name in the head repository."""
    head_repository: str
    """``owner/name``, ``""`` when the fork has been deleted."""
    merge_sha: str = ""
    """GitHub's own test merge as far as the event knows it, ``""`` while there is none."""
    fork: bool
    """The head is in another repository than the base, or in one that is gone."""
    read_only: bool
    """The workflow's token can be expected to write nothing: a fork's pull request, or Dependabot's."""
    target_event: bool = False
    """The event was ``pull_request_target``: the job has the base's secrets and a token that writes."""
    draft: bool = False
    action: str
    """``opened``, ``synchronize``, …"""


class BranchPushed(_Event, frozen=True, kw_only=True, tag=True):
    """A branch was made, moved or deleted."""

    branch: str
    before: str
    """``""`` when the branch is new."""
    after: str
    """``""`` when the branch is deleted."""
    created: bool
    deleted: bool
    forced: bool
    by_bot: bool
    """An app pushed it, perhaps we ourselves."""
    ours: bool = False
    """Every commit of the push was made by this program, as their messages say."""


class TagPushed(_Event, frozen=True, kw_only=True, tag=True):
    """A tag was made, moved or deleted."""

    tag: str
    sha: str
    """What the tag points at: for an annotated tag that is the tag's own object; ``""`` when it is deleted."""
    deleted: bool


class CommentMade(_Event, frozen=True, kw_only=True, tag=True):
    """Somebody wrote a new comment."""

    number: int
    """Of the pull request or issue."""
    comment_id: int
    author: str
    """Login, ``""`` when the account is gone."""
    association: str
    """What the author is to the repository: ``OWNER``, ``MEMBER``, ``COLLABORATOR``, ``CONTRIBUTOR``, ``NONE``, …"""
    body: str
    """Foreign text, as long as GitHub allows."""
    created_at: str
    """``2024-05-01T12:00:00Z``. A command means the head of this moment, not one pushed later."""
    on_pull: bool
    """On a pull request; False for an issue."""
    repository: str = ""
    """``owner/name`` of where it was written, ``""`` where the event does not say."""


class WorkflowFinished(_Event, frozen=True, kw_only=True, tag=True):
    """A workflow run that this one waited for is over."""

    run_id: int
    event: str
    """What had started it: ``pull_request``."""
    conclusion: str
    """``success``, ``failure``, ``cancelled``, …; ``""`` where GitHub says none."""
    head_sha: str
    head_branch: str
    """``""`` where GitHub says none."""
    head_repository: str
    """``""`` when the fork has been deleted."""
    fork: bool
    """The run was for a commit of another repository, or of one that is gone."""
    pulls: tuple[int, ...]
    """Open pull requests of this repository with that head, as the event says; always empty for forks."""
    ours: bool = False
    """The commit of the run was made by this program, as its message says."""


class RepositoryDispatched(_Event, frozen=True, kw_only=True, tag=True):
    """Something outside asked for a run over the API."""

    type: str
    """Its ``event_type``."""
    payload: dict[str, Any]
    """Its ``client_payload`` as it came: foreign data."""


class WorkflowDispatched(_Event, frozen=True, kw_only=True, tag=True):
    """Somebody started the workflow by hand, or a program did."""

    inputs: dict[str, str]
    """Of the workflow, as text: ``true``, ``3``."""
    ref: str
    """Branch or tag it was started on, in full: ``refs/heads/main``."""


class Scheduled(_Event, frozen=True, kw_only=True, tag=True):
    """The clock started the workflow."""

    cron: str
    """The schedule, as the workflow has it."""


class QueuedForMerge(_Event, frozen=True, kw_only=True, tag=True):
    """A merge queue wants its checks on a group of pull requests; there is no one pull request to comment on."""

    base_sha: str
    head_sha: str
    base_ref: str
    """Branch name, without ``refs/heads/``."""
    head_ref: str
    """The queue's own branch: ``gh-readonly-queue/main/pr-104-…``."""


class Ignored(_Event, frozen=True, kw_only=True, tag=True):
    """Nothing is to be done, and that is no failure."""

    reason: str
    """One sentence."""


Activity = (
    PullRequestChanged
    | BranchPushed
    | TagPushed
    | CommentMade
    | WorkflowFinished
    | RepositoryDispatched
    | WorkflowDispatched
    | Scheduled
    | QueuedForMerge
    | Ignored
)
