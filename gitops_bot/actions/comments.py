"""Commands in comments: what is asked, by whom, and for which commit. Pure but for the questions handed in.

A command is a comment whose first line begins with ``/gitops``. Whoever may not write to the repository, and whoever
writes what is no command, gets a reaction and no words: a comment for every mistake would be noise.

On a fork's pull request a command means the head that its author could see. Dates in commits are whatever who made
them wanted, so the only witness is GitHub's own list of pushes to the fork's branch: the newest one has to be the head
and older than the comment. Where that is not known, nothing is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from gitops_bot.actions.activity import CommentMade
from gitops_bot.actions.sides import Sides
from gitops_bot.model.github import PullRequest, Pushed

Name = Literal["diff", "promote", "rollback", "help"]
Sign = Literal["+1", "-1", "confused"]

_COMMAND = re.compile(r"/gitops(?:[ \t]+(.*))?", re.DOTALL)
_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LONGEST = 200

HELP = """\
| command | what it does |
|---|---|
| `/gitops diff` | renders and compares this pull request again |
| `/gitops promote ENVIRONMENT` | proposes for it what the one before it has proved |
| `/gitops rollback ENVIRONMENT` | undoes its newest change, and holds what was wrong |
| `/gitops help` | shows this table |

For people who may write to this repository. A command stands in the first line of a new comment.
"""
"""What ``/gitops help`` answers: the commands that are answered here."""


class Command(NamedTuple):
    """What a comment asks for."""

    name: Name
    environment: str = ""
    """For ``promote`` and ``rollback``."""


class Unknown(NamedTuple):
    """A comment that is meant for us and is no command."""


class React(NamedTuple):
    """Nothing is done but this; the reason is for the log."""

    sign: Sign
    reason: str


class Do(NamedTuple):
    """A command that may be carried out."""

    command: Command
    pull: PullRequest
    """As it was when it was decided: ``head_sha`` is the commit that is meant."""


class Questions(NamedTuple):
    """What has to be asked, each at most once and only when it matters."""

    may_write: Callable[[str], bool]
    """Whether somebody (login) may push to the repository."""
    pull: Callable[[int], PullRequest]
    pushes: Callable[[str, str], Sequence[Pushed] | None]
    """Repository and branch → GitHub's newest pushes to it, newest first; None where it does not tell."""


def parse(body: str) -> Command | Unknown | None:
    """The command of a comment's text; None when the comment is not for us."""
    line = body.lstrip("\ufeff").split("\n", 1)[0].strip()
    found = _COMMAND.fullmatch(line[: _LONGEST + 1])
    if found is None:
        return None
    match (found[1] or "").split() if len(line) <= _LONGEST else []:
        case ["diff"]:
            return Command("diff")
        case ["help"]:
            return Command("help")
        case ["promote" | "rollback" as name, environment] if _ENVIRONMENT.fullmatch(environment):
            return Command("promote" if name == "promote" else "rollback", environment)
    return Unknown()


def decide(comment: CommentMade, questions: Questions, *, known: Sequence[Name]) -> Do | React | str:
    """What is done about a comment; a sentence when it is not for us.

    ``known`` are the commands that are answered here. Raises what the questions raise.
    """
    command = parse(comment.body)
    if command is None:
        return "the comment is no command"
    if not comment.author or comment.author.endswith("[bot]"):
        return "the comment is no person's"
    if not comment.on_pull:
        return React("confused", "commands are for pull requests, and this is an issue")
    if isinstance(command, Unknown) or command.name not in known:
        return React("confused", "there is no such command")
    if not questions.may_write(comment.author):
        return React("-1", f"{comment.author} may not write to this repository")
    pull = questions.pull(comment.number)
    if pull.state != "open":
        return React("confused", f"pull request {pull.number} is closed")
    if command.name == "help" or _same(pull.head_repository, comment.repository):
        return Do(command, pull)
    if not pull.head_repository:
        return React("-1", "the fork is gone, so nothing says whether its head is older than the comment")
    unsure = not_seen(pull.head_sha, questions.pushes(pull.head_repository, pull.head_ref), comment.created_at)
    return React("-1", unsure) if unsure else Do(command, pull)


def not_seen(head: str, pushes: Sequence[Pushed] | None, created_at: str) -> str:
    """Why who wrote a comment then may not have meant this head; ``""`` when the head was there before.

    A push within the comment's own second is taken for a later one: times are whole seconds.
    """
    if not pushes:
        return "GitHub does not tell when the fork's branch was pushed to"
    newest = max(each.at for each in pushes)
    # Of several in one second the last is the one that the branch still points to.
    if all(each.after != head for each in pushes if each.at == newest):
        return "the fork's branch is moving"
    if newest >= datetime.fromisoformat(created_at):
        return "the head was pushed after the comment was written; write the command again if it is meant"
    return ""


def sides_of(pull: PullRequest, home: str) -> Sides:
    """The two commits that a pull request compares; ``home`` is the repository it is into."""
    fork = "" if _same(pull.head_repository, home) else pull.head_repository or "a deleted fork"
    return Sides(
        base=pull.base_sha,
        head=pull.head_sha,
        branch=pull.base_ref,
        pull=pull.number,
        pull_head=pull.head_sha,
        base_ref=pull.base_ref,
        scope=fork,
    )


def _same(one: str, other: str) -> bool:
    """GitHub's names differ by more than case."""
    return one.lower() == other.lower()
