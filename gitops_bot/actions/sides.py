"""What a run compares: two commits that follow from the event, unless the inputs name others. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gitops_bot.actions.activity import (
    Activity,
    BranchPushed,
    CommentMade,
    Ignored,
    PullRequestChanged,
    QueuedForMerge,
    TagPushed,
    WorkflowFinished,
)
from gitops_bot.errors import UsageError


class Sides(NamedTuple):
    """The two commits of a review."""

    base: str
    """Commit id of what is merged into."""
    head: str
    """Commit id of what is merged."""
    branch: str
    """Name of the base branch, ``""`` when there is none."""
    pull: int = 0
    """The pull request that is told, 0 when there is none."""
    pull_head: str = ""
    """The pull request's head when the event was made: what is told is about this state of it."""
    base_ref: str = ""
    """The branch that the pull request was into when the event was made."""
    direct: bool = False
    """The two are compared as they are: a push replaces the one by the other, and merges nothing."""
    scope: str = ""
    """Whose cache is used: a fork's repository or a commit that was named, ``""`` for the repository itself."""


def sides(activity: Activity, base: str, head: str, sha: str, resolve: Callable[[str], str]) -> Sides | str:
    """The two sides, or one sentence that says why there is nothing to compare.

    ``base`` and ``head`` are the inputs (``""``: the event decides), ``sha`` is the commit that the workflow runs for.
    ``resolve`` gives the commit id of a revision. Raises UsageError when neither event nor inputs name two sides.
    """
    if base or head:
        found = _from_event(activity)
        known = found if isinstance(found, Sides) else Sides("", sha, "")
        if not base and not known.base:
            raise UsageError("the input head needs a base beside it", hint="set the input base to what is merged into")
        commit = resolve(head) if head else known.head
        return known._replace(
            base=resolve(base) if base else known.base,
            head=commit,
            branch=_branch(base) if base else known.branch,
            direct=False,
            scope=commit if head else known.scope,  # nobody knows whose it is
        )
    found = _from_event(activity)
    if found is None:
        raise UsageError(
            "this event names no two commits to compare",
            hint="set the inputs base and head, or run it on pull_request, push or merge_group",
        )
    return found


def _from_event(activity: Activity) -> Sides | str | None:
    """The sides that an event names; a sentence when there is nothing to compare; None when it names none."""
    match activity:
        case PullRequestChanged():
            fork = (activity.head_repository or "a deleted fork") if activity.fork else ""
            return Sides(
                base=activity.base_sha,
                head=activity.head_sha,
                branch=activity.base_ref,
                pull=activity.number,
                pull_head=activity.head_sha,
                base_ref=activity.base_ref,
                scope=fork,
            )
        case QueuedForMerge():
            return Sides(activity.base_sha, activity.head_sha, activity.base_ref)
        case BranchPushed():
            if activity.deleted or not activity.before:
                what = "deleted" if activity.deleted else "new"
                return f"the branch {activity.branch} is {what}: there are no two commits to compare"
            return Sides(activity.before, activity.after, activity.branch, direct=True)
        case TagPushed():
            return f"the tag {activity.tag} moves no branch: set the inputs base and head to compare two revisions"
        case CommentMade():
            return "comments start no diff"
        case WorkflowFinished():
            return "after another workflow use `command: post`, which posts the report that it made"
        case Ignored():
            return activity.reason
    return None


def _branch(revision: str) -> str:
    """The branch that a revision names as far as its spelling tells: not a commit id."""
    return "" if len(revision) in (40, 64) and set(revision) <= set("0123456789abcdef") else revision
