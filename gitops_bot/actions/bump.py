"""``command: bump``: from the event and the inputs to a request, and what is told of its outcome."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from gitops_bot.actions.activity import (
    Activity,
    BranchPushed,
    CommentMade,
    PullRequestChanged,
    QueuedForMerge,
    RepositoryDispatched,
    TagPushed,
    WorkflowFinished,
)
from gitops_bot.actions.environment import Runner, place
from gitops_bot.actions.inputs import Inputs, Mode
from gitops_bot.actions.outcome import outputs_of, say, summary_of
from gitops_bot.actions.outputs import write_outputs
from gitops_bot.actions.summary import append_summary, summary_room
from gitops_bot.actions.work import Work
from gitops_bot.errors import BotError, UsageError
from gitops_bot.text.escape import md_lines
from gitops_bot.writeback.bumps.payloads import read_request
from gitops_bot.writeback.bumps.request import (
    BumpRequest,
    Item,
    ModelOptions,
    ModelRequest,
    Source,
    request_from_options,
)
from gitops_bot.writeback.outcome import Outcome

_LARGEST_METRICS = 1_000_000
_HINT = "docs/reference/action.md#bump shows how"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written, and where."""

    request: BumpRequest
    repository: str = ""
    """``owner/name``, ``""`` for the workflow's own."""
    branch: str = ""
    """``""``: the environment's, else the workflow's."""
    mode: Mode = ""
    """``""``: as the settings say."""
    dry_run: bool = False


Write = Callable[[Wish], Outcome]
"""Makes the commit or the pull request. Raises BotError."""
Ask = Callable[[str, str, str], ModelRequest]
"""URL of an MLflow server, model and alias → the version that the alias means now. Raises BotError."""


def run_bump(work: Work, write: Write, ask: Ask) -> str | None:
    """Write what is asked for and tell it; or one sentence that says why this event asks for nothing.

    Raises BotError when it was refused, after that is told in the step's summary.
    """
    reason = calls_for_nothing(work.activity)
    if reason is not None:
        return reason
    inputs, runner = work.inputs, work.runner
    try:
        request = request_of(work.activity, inputs, runner, ask)
        outcome = write(
            Wish(
                request=request,
                repository=inputs.repository,
                branch=inputs.branch,
                mode=inputs.mode,
                dry_run=inputs.dry_run,
            )
        )
    except BotError as error:
        append_summary(runner.step_summary, f"gitops-bot failed: {md_lines(error.message)}\n")
        raise
    say(work.console, outcome)
    append_summary(runner.step_summary, summary_of(outcome, summary_room(runner.step_summary)))
    write_outputs(runner.output, outputs_of(outcome))
    return None


def calls_for_nothing(activity: Activity) -> str | None:
    """Why an event makes no commit, None when it may. An event that a commit of ours has caused makes no other."""
    match activity:
        case BranchPushed(ours=True):
            return (
                f"all that was pushed to {activity.branch} was written by gitops-bot itself: nothing is written again"
            )
        case WorkflowFinished(ours=True):
            return "the finished run was for a commit that gitops-bot itself has written: nothing is written again"
        case BranchPushed(deleted=True):
            return f"the branch {activity.branch} was deleted: nothing was built from it"
        case TagPushed(deleted=True):
            return f"the tag {activity.tag} was deleted: nothing was built from it"
        case WorkflowFinished(fork=True) | PullRequestChanged(fork=True):
            return "a fork's commit is nothing to deploy: it is written when it is merged"
        case WorkflowFinished() if activity.conclusion != "success":
            return f"the finished run ended with {activity.conclusion or 'no conclusion'}: nothing of it is written"
        case QueuedForMerge():
            return "a merge group is not merged yet: nothing is written"
        case CommentMade():
            return "comments start no bump"
    return None


def request_of(activity: Activity, inputs: Inputs, runner: Runner, ask: Ask) -> BumpRequest:
    """What the inputs ask for; without any, what the payload of ``repository_dispatch`` asks for.

    An environment of the inputs stands above the payload's. Raises UsageError with every problem, and what ``ask``
    raises.
    """
    items = _items(inputs, runner.workspace, ask)
    if items:
        return BumpRequest(
            items=items,
            environment=inputs.environment or None,
            source=source_of(activity, runner),
            allow_downgrade=inputs.allow_downgrade,
            create=inputs.create,
        )
    if not isinstance(activity, RepositoryDispatched):
        raise UsageError("nothing is asked for: set image, model, or file with path and value", hint=_HINT)
    if not activity.payload:
        raise UsageError("nothing is asked for: neither an input nor the event's client_payload says what", hint=_HINT)
    asked = read_request(msgspec.json.encode(activity.payload))
    source = asked.source
    if not source.run_url:
        source = msgspec.structs.replace(source, run_url=runner.run_url)
    return msgspec.structs.replace(
        asked,
        source=source,
        environment=inputs.environment or asked.environment,
        allow_downgrade=inputs.allow_downgrade,
        create=inputs.create,
    )


def source_of(activity: Activity, runner: Runner) -> Source:
    """Where the build comes from: the commit that the event is about, and this run.

    GITHUB_SHA is a test merge for a pull request, and the default branch's tip after another workflow.
    """
    commit, number, run_url = runner.sha, runner.run_id, runner.run_url
    if isinstance(activity, PullRequestChanged | WorkflowFinished):
        commit = activity.head_sha
    if isinstance(activity, WorkflowFinished):
        number, run_url = activity.run_id, f"{runner.repository_url}/actions/runs/{activity.run_id}"
    return Source(
        repository=runner.repository,
        commit=commit,
        commit_url=f"{runner.repository_url}/commit/{commit}" if commit else "",
        run=number,
        run_url=run_url,
        actor=runner.actor,
    )


def _items(inputs: Inputs, workspace: str, ask: Ask) -> tuple[Item, ...]:
    """What the inputs name, none where they name nothing. Raises UsageError, and what ``ask`` raises."""
    if not (inputs.image or inputs.path or inputs.model):
        return ()
    model = None
    if inputs.model and not inputs.from_mlflow:
        model = ModelOptions(
            name=inputs.model,
            version=inputs.model_version,
            path=inputs.model_path,
            data=inputs.data_version,
            run_url=inputs.run_url,
            metrics=_metrics(workspace, inputs.metrics),
        )
    registered = (ask(inputs.from_mlflow, inputs.model, inputs.alias),) if inputs.from_mlflow else ()
    if registered and not (inputs.image or inputs.path):
        return registered
    return registered + request_from_options(
        images=inputs.image,
        digests=inputs.digest,
        files=inputs.file,
        paths=inputs.path,
        values=inputs.value,
        model=model,
    )


def _metrics(workspace: str, path: str) -> bytes:
    """The file of metrics, ``b""`` for none. Raises UsageError."""
    if not path:
        return b""
    file = place(workspace, path, name="metrics", outside=True)
    hint = 'it is a JSON file such as {"auc": 0.87}, made by an earlier step'
    try:
        if os.path.getsize(file) > _LARGEST_METRICS:
            raise UsageError(f"metrics: {path} is larger than {_LARGEST_METRICS:,} bytes", hint=hint)
        with open(file, "rb") as stream:
            return stream.read(_LARGEST_METRICS) or b"{}"
    except OSError as error:
        raise UsageError(f"metrics: {path} cannot be read: {error.strerror}", hint=hint) from error
