"""From GitHub's event to an activity: the forest of ifs over event names, in one pure function.

The fields are those of GitHub's webhook payloads (docs.github.com, "Webhook events and payloads"), which is what
``GITHUB_EVENT_PATH`` holds. ``schedule`` alone has no webhook: its file has the key ``schedule`` with the cron line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gitops_bot.actions.activity import (
    Activity,
    BranchPushed,
    CommentMade,
    Ignored,
    PullRequestChanged,
    QueuedForMerge,
    RepositoryDispatched,
    Scheduled,
    TagPushed,
    WorkflowDispatched,
    WorkflowFinished,
)
from gitops_bot.actions.payload import HINT, LARGEST_NUMBER, Payload
from gitops_bot.errors import UsageError
from gitops_bot.writeback.landing.commit_message import all_ours

LARGEST_EVENT = 32 << 20
"""Bytes of an event file that are read; GitHub caps payloads at 25 MB."""

_REVIEWED = ("opened", "reopened", "synchronize", "ready_for_review", "labeled", "edited")
"""What a pull request is reviewed at. ``labeled`` arrives only where a workflow asks for it: a label as a button.

``edited`` is a new base, but also a new title. Both are reviewed: of two runs for one commit the later one's check
counts, so a run that looked at nothing would turn an earlier failure green.
"""

_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"


def read_event(path: str, event_name: str) -> dict[str, Any]:
    """The payload in a file, as plain values.

    Raises UsageError when there is no such file, it is larger than ``LARGEST_EVENT``, or holds no JSON object.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_EVENT + 1)
    except OSError as error:
        raise UsageError(f"the file of the event {event_name} cannot be read: {error.strerror}", hint=HINT) from error
    if len(data) > LARGEST_EVENT:
        raise UsageError(f"the file of the event {event_name} is larger than {LARGEST_EVENT >> 20} MiB", hint=HINT)
    try:
        payload = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UsageError(f"the file of the event {event_name} is not JSON", hint=HINT) from error
    if not isinstance(payload, dict):
        raise UsageError(f"the file of the event {event_name} holds no JSON object", hint=HINT)
    return payload


def activity(event_name: str, payload: dict[str, Any], ref: str) -> Activity:
    """What happened.

    ``payload`` is what ``read_event`` gives, ``ref`` is GITHUB_REF (used where the payload names none). An event that
    calls for nothing is ``Ignored`` with the reason.
    Raises UsageError that names the event and the field that is missing or of a wrong form; never the field's value.
    """
    read = _READERS.get(event_name)
    if read is None:
        return Ignored(reason=f"nothing is done on the event {event_name} (there are {', '.join(_READERS)})")
    return read(Payload(event_name, payload), ref)


def _pull_request(event: Payload, _: str) -> Activity:
    action, number, pull = event.word("action"), event.number("number"), event.part("pull_request")
    if action == "closed" or pull.text("state", default="open") == "closed":
        return Ignored(reason=f"pull request {number} is closed")
    if action not in _REVIEWED:
        return Ignored(reason=f"{action} changes nothing that is rendered of pull request {number}")
    base, head = pull.part("base"), pull.part("head")
    home = base.part("repo").repository("full_name")
    head_repository = head.part("repo").repository("full_name") if head.has("repo") else ""
    fork, target_event = _differs(head_repository, home), event.event == "pull_request_target"
    dependabot = event.has("sender") and event.part("sender").text("login", default="") == "dependabot[bot]"
    return PullRequestChanged(
        number=number,
        base_sha=base.commit("sha"),
        base_ref=base.ref("ref"),
        head_sha=head.commit("sha"),
        head_ref=head.ref("ref"),
        head_repository=head_repository,
        merge_sha=pull.commit("merge_commit_sha") if pull.has("merge_commit_sha") else "",
        fork=fork,
        read_only=not target_event and (fork or dependabot),
        target_event=target_event,
        draft=pull.flag("draft"),
        action=action,
    )


def _push(event: Payload, _: str) -> Activity:
    ref, before, after = event.ref("ref"), event.commit_or_nothing("before"), event.commit_or_nothing("after")
    if not before and not after:
        raise UsageError("before and after of the event push are both the id of nothing", hint=HINT)
    if ref.startswith(_TAGS):
        return TagPushed(tag=ref.removeprefix(_TAGS), sha=after, deleted=not after)
    if not ref.startswith(_BRANCHES):
        return Ignored(reason="what was pushed is neither a branch nor a tag")
    return BranchPushed(
        branch=ref.removeprefix(_BRANCHES),
        before=before,
        after=after,
        created=not before,
        deleted=not after,
        forced=event.flag("forced"),
        by_bot=event.is_bot("sender"),
        ours=all_ours(_messages(event.fields.get("commits"))),
    )


def _comment(event: Payload, _: str) -> Activity:
    action = event.word("action")
    if action != "created":
        return Ignored(reason=f"a comment that is {action} asks for nothing new")
    issue, comment = event.part("issue"), event.part("comment")
    return CommentMade(
        number=issue.number("number"),
        comment_id=comment.number("id"),
        author=comment.login("user"),
        association=comment.word("author_association", default="NONE"),
        body=comment.text("body", default=""),
        created_at=comment.time("created_at"),
        on_pull=issue.has("pull_request"),
        repository=event.part("repository").repository("full_name") if event.has("repository") else "",
    )


def _workflow_run(event: Payload, _: str) -> Activity:
    action, run = event.word("action"), event.part("workflow_run")
    if action != "completed":
        return Ignored(reason=f"the workflow run is {action}, not completed")
    here = event.part("repository")
    head_repository = run.part("head_repository").repository("full_name") if run.has("head_repository") else ""
    return WorkflowFinished(
        run_id=run.number("id"),
        event=run.word("event"),
        conclusion=run.word("conclusion", default=""),
        head_sha=run.commit("head_sha"),
        head_branch=run.ref("head_branch") if run.has("head_branch") else "",
        head_repository=head_repository,
        fork=_differs(head_repository, here.repository("full_name")),
        pulls=tuple(pull.number("number") for pull in run.parts("pull_requests") if _is_into(pull, here)),
        ours=all_ours(_messages([run.fields.get("head_commit")])),
    )


def _messages(commits: Any) -> list[str]:
    """The messages of an event's commits; none where it lists none. What is no commit has an empty one."""
    listed = commits if isinstance(commits, list) else []
    return [str(each.get("message") or "") if isinstance(each, dict) else "" for each in listed]


def _is_into(pull: Payload, here: Payload) -> bool:
    """Whether a pull request merges into this repository: GitHub also lists those of a commit in other repositories."""
    into = pull.part("base").part("repo")
    return not (into.has("id") and here.has("id")) or into.number("id") == here.number("id")


def _repository_dispatch(event: Payload, _: str) -> Activity:
    payload = event.part("client_payload").fields if event.has("client_payload") else {}
    return RepositoryDispatched(type=event.text("action"), payload=payload)


def _workflow_dispatch(event: Payload, ref: str) -> Activity:
    inputs = event.part("inputs") if event.has("inputs") else Payload(event.event, {})
    given = Payload(event.event, {"ref": event.fields.get("ref") or ref})
    return WorkflowDispatched(inputs={key: _input(inputs, key) for key in inputs.fields}, ref=given.ref("ref"))


def _input(inputs: Payload, key: str) -> str:
    """One input of the workflow as text; GitHub sends text, and numbers and flags where a program starts it."""
    value = inputs.fields[key]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        if not abs(value) < LARGEST_NUMBER:
            raise inputs.wrong(key, "is no number of a usual size")
        return str(value)
    return inputs.text(key, default="")


def _schedule(event: Payload, _: str) -> Activity:
    return Scheduled(cron=event.text("schedule"))


def _merge_group(event: Payload, _: str) -> Activity:
    action = event.word("action")
    if action != "checks_requested":
        return Ignored(reason=f"a merge group that is {action} asks for no check")
    group = event.part("merge_group")
    return QueuedForMerge(
        base_sha=group.commit("base_sha"),
        head_sha=group.commit("head_sha"),
        base_ref=group.ref("base_ref").removeprefix(_BRANCHES),
        head_ref=group.ref("head_ref").removeprefix(_BRANCHES),
    )


def _differs(one: str, other: str) -> bool:
    """Whether two names mean different repositories; GitHub ignores their case."""
    return one.lower() != other.lower()


_READERS: Mapping[str, Callable[[Payload, str], Activity]] = {
    "pull_request": _pull_request,
    "pull_request_target": _pull_request,
    "push": _push,
    "issue_comment": _comment,
    "workflow_run": _workflow_run,
    "repository_dispatch": _repository_dispatch,
    "workflow_dispatch": _workflow_dispatch,
    "schedule": _schedule,
    "merge_group": _merge_group,
}

EVENTS = tuple(_READERS)
"""The events that lead to an activity."""
