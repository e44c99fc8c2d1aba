"""One run of the Action, from the event to the comment. Doors are handed in; decisions are other modules'."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from gitops_bot.actions import trust
from gitops_bot.actions.activity import Activity, CommentMade, PullRequestChanged, WorkflowFinished
from gitops_bot.actions.annotations import annotate, show
from gitops_bot.actions.bump import Ask, Write, run_bump
from gitops_bot.actions.comments import HELP, Do, Name, Questions, React, Sign, decide, sides_of
from gitops_bot.actions.move import Carry, answer_move, run_move
from gitops_bot.actions.outputs import NOTHING, report_outputs, write_outputs
from gitops_bot.actions.posted import matching_pull, read_report
from gitops_bot.actions.publication import Publication, publish_comment
from gitops_bot.actions.sides import Sides, sides
from gitops_bot.actions.summary import append_summary, summary_room
from gitops_bot.actions.work import Work
from gitops_bot.actions.written import write_reports
from gitops_bot.errors import CommitGone, GitHubError, RenderError, UsageError
from gitops_bot.model.reviewed import Reviewed
from gitops_bot.model.settings import Settings
from gitops_bot.model.signal import Severity
from gitops_bot.review.signals.raised import refusal
from gitops_bot.review.view import build_view
from gitops_bot.text.escape import md_code
from gitops_bot.text.summary import BUDGET_BYTES, fit_summary

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub
    from gitops_bot.text.view import View


_WORTH_A_SUMMARY = 10_000
"""Bytes; where earlier parts of the step left less than this, there is no summary of ours."""
_ANSWERED: tuple[Name, ...] = ("diff", "promote", "rollback", "help")
"""Commands in comments that are answered."""
_HELP_KEY = "gitops-help"
_CLAIMED = "reported by a run of the pull request's own workflow, which the pull request may have changed"


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """What a run needs from outside."""

    checked_out: Callable[[], str]
    """The commit of the workspace's HEAD, ``""`` without a checkout."""
    resolve: Callable[[str], str]
    """The commit id of a revision."""
    review: Callable[[Sides], Reviewed]
    """Fetches what is missing, renders both sides and compares them."""
    github: Callable[[], GitHub]
    """The repository's API; opened at the first call."""
    questions: Callable[[], Questions]
    """What is asked about who wrote a comment, and about the pull request."""
    react: Callable[[int, Sign], None]
    """Puts a reaction (``+1``, ``-1``, ``confused``) to a comment."""
    write: Write
    """Commits or proposes what a bump asks for."""
    ask: Ask
    """Asks an MLflow server what an alias means."""
    carry: Carry
    """Promotes or rolls back."""


def run(work: Work, doors: Doors) -> None:
    """Do what the inputs ask for this event, and tell it in every place there is.

    Raises BotError after everything is told: RenderError when something could not be rendered, SignalError for signals
    that fail the check, GitHubError when the comment could not be written, Refused and others when nothing may be
    written, UsageError and others before that.
    """
    refused = trust.refusal(work.activity, work.inputs, doors.checked_out(), trusted=(work.runner.sha,))
    if refused:
        raise UsageError(refused, hint="docs/reference/forks.md shows the way with two workflows")
    if work.inputs.command == "post":
        _post(work, doors)
    elif work.inputs.command != "diff":
        bump = work.inputs.command == "bump"
        reason = run_bump(work, doors.write, doors.ask) if bump else run_move(work, doors.carry)
        if reason is not None:
            _nothing(work, reason)
    elif isinstance(work.activity, CommentMade):
        _answer(work, work.activity, doors)
    else:
        _diff(work, doors)


def _answer(work: Work, comment: CommentMade, doors: Doors) -> None:
    """Do what a comment asks for, or say in one reaction that it is not done."""
    found = decide(comment, doors.questions(), known=_ANSWERED)
    if isinstance(found, str):
        _nothing(work, found)
        return
    _react(work, comment, doors, found.sign if isinstance(found, React) else "+1")
    if isinstance(found, React):
        _nothing(work, f"{found.reason}: nothing is done")
    elif found.command.name == "help":
        _help(work, found, doors)
    elif found.command.name != "diff":
        answer_move(work, comment, found, doors.carry, doors.github)
    else:
        _review(work, doors, sides_of(found.pull, work.runner.repository))


def _react(work: Work, comment: CommentMade, doors: Doors, sign: Sign) -> None:
    try:
        doors.react(comment.comment_id, sign)
    except GitHubError as error:  # a reaction is a courtesy: what was decided stands
        work.console.say(f"no reaction: {error.told}")


def _help(work: Work, found: Do, doors: Doors) -> None:
    from gitops_bot.actions.sticky import publish

    digest = hashlib.sha256(HELP.encode()).hexdigest()
    done = publish(doors.github(), found.pull.number, found.pull.head_sha, _HELP_KEY, lambda _budget: (HELP, digest))
    work.console.say(f"help: {done.action} {done.url}".rstrip())
    write_outputs(work.runner.output, {**NOTHING, "comment_url": done.url})


def _diff(work: Work, doors: Doors) -> None:
    """Review the two commits that the event or the inputs name."""
    inputs = work.inputs
    found = sides(work.activity, inputs.base, inputs.head, work.runner.sha, doors.resolve)
    if isinstance(found, str):
        _nothing(work, found)
    else:
        _review(work, doors, found)


def _review(work: Work, doors: Doors, found: Sides) -> None:
    inputs = work.inputs
    try:
        reviewed = doors.review(found)
    except CommitGone as error:
        _nothing(work, f"{error.message}; {error.hint}")
        return
    view = build_view(reviewed.report)
    _log(work, view)
    publication = Publication(
        number=found.pull,
        head_sha=found.pull_head,
        base_ref=found.base_ref,
        report=inputs.report_directory,
        may_be_refused=_read_only(work.activity),
    )
    _tell(work, doors, reviewed, view, publication)
    _judge(reviewed, {*reviewed.policy.review.fail_on, *inputs.fail_on})


def _post(work: Work, doors: Doors) -> None:
    """Publish the report of a run that had no rights, on the pull request that the API says it is about."""
    activity = work.activity
    if not isinstance(activity, WorkflowFinished):
        raise UsageError(
            "the command post runs after another workflow only",
            hint="start it on workflow_run, as examples/workflows/diff-fork-stage-2.yml does",
        )
    report = read_report(work.runner.workspace, work.inputs.report_file, head_sha=activity.head_sha)
    pull = matching_pull(doors.github(), activity, report.compared.base_branch)
    if pull is None:
        _nothing(
            work, f"the commit {activity.head_sha[:8]} is the head of no open pull request that this report is about"
        )
        return
    view = build_view(report)
    view = msgspec.structs.replace(view, notes=(_CLAIMED, *view.notes))
    publication = Publication(number=pull.number, head_sha=pull.head_sha, base_ref=pull.base_ref)
    _tell(work, doors, Reviewed(report=report, policy=Settings()), view, publication)


def _nothing(work: Work, reason: str) -> None:
    """There is nothing to do, and everybody who asks is told so: outputs are set, the step succeeds."""
    work.console.notice(reason, title="gitops-bot")
    append_summary(work.runner.step_summary, f"gitops-bot: {reason}\n")
    write_outputs(work.runner.output, NOTHING)


def _log(work: Work, view: View) -> None:
    from gitops_bot.text.terminal import plain_text

    with work.console.group("What merging would change"):
        work.console.foreign(plain_text(view))


def _tell(work: Work, doors: Doors, reviewed: Reviewed, view: View, publication: Publication) -> None:
    """Write reports, summary, annotations and comment; outputs come last, and whatever the others' fate."""
    runner, inputs = work.runner, work.inputs
    report_path, unwritten = "", None
    if publication.report:
        try:
            report_path = write_reports(runner.workspace, publication.report, reviewed.report, view)
        except UsageError as error:  # a file of the repository may be in the way: everything else is still told
            unwritten, publication = error, msgspec.structs.replace(publication, report="")
    room = min(summary_room(runner.step_summary), BUDGET_BYTES)
    if room >= _WORTH_A_SUMMARY:
        place = f"the report in {md_code(publication.report)}" if report_path else ""
        text = fit_summary(view, budget_bytes=room, elsewhere=place, templates=reviewed.templates)
        append_summary(runner.step_summary, text)
    show(work.console, annotate(reviewed.report))
    outputs = {
        **NOTHING,
        **report_outputs(reviewed.report),
        "report": report_path,
        "plan": view.plan or "",
        "comment_url": "",
    }
    try:
        if publication.number and inputs.comment != "never" and (inputs.token or inputs.app_id):
            url = publish_comment(work.console, doors.github(), runner, inputs, view, reviewed.templates, publication)
            outputs["comment_url"] = url
    finally:
        write_outputs(runner.output, outputs)
    if unwritten is not None:
        raise unwritten


def _read_only(activity: Activity) -> bool:
    return isinstance(activity, PullRequestChanged) and activity.read_only


def _judge(reviewed: Reviewed, fail_on: set[Severity]) -> None:
    """Fail the step where something is missing, or where a signal is of a severity that fails it."""
    missing = sum(1 for entry in reviewed.report.not_rendered if entry.failed)
    if missing:
        what = "1 thing" if missing == 1 else f"{missing} things"
        raise RenderError(f"{what} could not be rendered", hint="the step summary names each with its reason")
    refused = refusal(reviewed.report, fail_on)
    if refused is not None:
        raise refused
