"""``command: promote`` and ``command: rollback``, by inputs or in a comment: from what is asked to what is told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from gitops_bot.actions.activity import CommentMade
from gitops_bot.actions.comments import Command, Do
from gitops_bot.actions.inputs import Inputs, Mode
from gitops_bot.actions.outcome import outputs_of, reply_of, say, summary_of
from gitops_bot.actions.outputs import write_outputs
from gitops_bot.actions.summary import append_summary, summary_room
from gitops_bot.actions.work import Work
from gitops_bot.errors import BotError
from gitops_bot.text.escape import md_lines
from gitops_bot.writeback.moves.versions import Level
from gitops_bot.writeback.outcome import Outcome

if TYPE_CHECKING:
    from gitops_bot.doors.github.api import GitHub


class Promote(msgspec.Struct, frozen=True, kw_only=True):
    """That one environment gets what another has."""

    to: str
    source: str = ""
    """``""``: the one that the settings name."""
    level: Level | None = None
    allow_downgrade: bool = False
    """Whether versions are promoted that are older than the target's."""
    after_merge: bool = False
    repository: str = ""
    """``owner/name``, ``""`` for the workflow's own."""
    by: str = ""
    """Login of who asks."""
    dry_run: bool = False


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """That an environment goes back."""

    environment: str
    to_revision: str = ""
    """``""``: before the newest change, or as ``last_healthy`` says."""
    last_healthy: bool = False
    why: str = ""
    until: str | None = None
    """When the hold ends; None: when it is released."""
    after_merge: bool = False
    repository: str = ""
    """``owner/name``, ``""`` for the workflow's own."""
    branch: str = ""
    """``""``: the environment's."""
    mode: Mode = ""
    """``""``: as the settings say."""
    by: str = ""
    """Login of who asks."""
    dry_run: bool = False


Move = Promote | Undo
Carry = Callable[[Move], Outcome]
"""Makes the commit, the pull request or the tag. Raises BotError."""


def move_of(inputs: Inputs, by: str) -> Move:
    """What the inputs of ``promote`` and ``rollback`` ask for; ``by`` is the login of who asks."""
    if inputs.command == "promote":
        return Promote(
            to=inputs.to,
            source=inputs.from_,
            level=inputs.level or None,
            allow_downgrade=inputs.allow_downgrade,
            after_merge=inputs.after_merge,
            repository=inputs.repository,
            by=by,
            dry_run=inputs.dry_run,
        )
    return Undo(
        environment=inputs.environment,
        to_revision=inputs.to_revision,
        last_healthy=inputs.last_healthy,
        why=inputs.why,
        until=inputs.until or None,
        after_merge=inputs.after_merge,
        repository=inputs.repository,
        branch=inputs.branch,
        mode=inputs.mode,
        by=by,
        dry_run=inputs.dry_run,
    )


def run_move(work: Work, carry: Carry) -> str | None:
    """Carry out what the inputs ask for and tell it; or one sentence that says why this event asks for nothing.

    Raises BotError when it was refused, after that is told in the step's summary.
    """
    if isinstance(work.activity, CommentMade):
        # Whoever may comment would otherwise promote by any comment at all.
        return "comments say themselves what is done: leave the input command out"
    outcome = _carried(work, move_of(work.inputs, work.runner.actor), carry)
    write_outputs(work.runner.output, outputs_of(outcome))
    return None


def answer_move(work: Work, comment: CommentMade, found: Do, carry: Carry, github: Callable[[], GitHub]) -> None:
    """Carry out what a comment asks for, and answer with what became of it.

    Raises BotError when it was refused, after that is answered too, and when the answer cannot be written.
    """
    command = found.command
    try:
        outcome = _carried(work, _asked_in(command, comment), carry)
    except BotError as error:
        try:
            _reply(work, found, github(), f"`/gitops {command.name}` failed: {md_lines(error.message)}\n")
        except BotError as unsaid:  # why it was refused matters more
            work.console.say(f"no answer: {unsaid.told}")
        raise
    outputs = outputs_of(outcome)
    try:
        outputs["comment_url"] = _reply(work, found, github(), reply_of(outcome))
    finally:
        write_outputs(work.runner.output, outputs)


def _asked_in(command: Command, comment: CommentMade) -> Move:
    if command.name == "promote":
        return Promote(to=command.environment, by=comment.author)
    return Undo(environment=command.environment, by=comment.author)


def _carried(work: Work, move: Move, carry: Carry) -> Outcome:
    runner = work.runner
    try:
        outcome = carry(move)
    except BotError as error:
        append_summary(runner.step_summary, f"gitops-bot failed: {md_lines(error.message)}\n")
        raise
    say(work.console, outcome)
    append_summary(runner.step_summary, summary_of(outcome, summary_room(runner.step_summary)))
    return outcome


def _reply(work: Work, found: Do, github: GitHub, text: str) -> str:
    """One comment for each command and environment, however often it is given; its address."""
    from gitops_bot.actions.sticky import publish

    command = found.command
    place = hashlib.sha256(command.environment.encode()).hexdigest()[:12]
    key, digest = f"gitops-{command.name}-{place}", hashlib.sha256(text.encode()).hexdigest()
    number = found.pull.number
    # The command may itself have moved the head, where it was given on the pull request of a promotion.
    done = publish(github, number, github.pull(number).head_sha, key, lambda _budget: (text, digest))
    work.console.say(f"{command.name}: {done.action} {done.url}".rstrip())
    return done.url
