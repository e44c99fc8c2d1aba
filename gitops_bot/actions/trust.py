"""Refusing to work where the workspace holds somebody else's files and the job holds our secrets. Pure."""

from __future__ import annotations

from collections.abc import Collection

from gitops_bot.actions.activity import Activity, CommentMade, PullRequestChanged, WorkflowFinished
from gitops_bot.actions.inputs import Inputs

_REMEDY = (
    "let actions/checkout check out its default, or leave it out: the Action fetches the commits that it compares "
    "by itself. Set allow_untrusted_head to true only where every step of the job may run with what was checked out"
)


def refusal(activity: Activity, inputs: Inputs, checked_out: str, *, trusted: Collection[str] = ()) -> str | None:
    """Why nothing may be done with this workspace, None when it may.

    ``checked_out`` is the commit of the workspace's HEAD, ``""`` without a checkout. ``trusted`` are commits that are
    known to be the base repository's own, such as GITHUB_SHA, which ``pull_request_target``, ``workflow_run`` and
    ``issue_comment`` set to the tip of its default or base branch.

    Three events run with the base repository's secrets although outsiders cause them. For them a checkout is refused
    unless it is one of the trusted commits or the pull request's base: to ask instead whether it is the event's head
    would miss a head that was pushed between the event and the checkout.
    """
    if inputs.allow_untrusted_head or not checked_out or checked_out in trusted:
        return None
    match activity:
        case PullRequestChanged(target_event=True) if checked_out != activity.base_sha:
            if checked_out in (activity.head_sha, activity.merge_sha):
                what = f"the head of pull request {activity.number}"
            else:
                what = f"neither the base of pull request {activity.number} nor the workflow's own commit"
            event = "pull_request_target"
        case WorkflowFinished(fork=True):
            at_head = checked_out == activity.head_sha
            what = "the head of a fork" if at_head else "not the workflow's own commit"
            event = "workflow_run"
        case CommentMade(on_pull=True):
            what, event = "not the workflow's own commit", "issue_comment"
        case _:
            return None
    return f"the workspace holds {what} while the event {event} gives the job this repository's secrets; {_REMEDY}"
