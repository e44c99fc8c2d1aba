"""A commit's message: subject, text for people, trailers for programs; and the trailers read back. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gitops_bot.model.writeback import Proposal
from gitops_bot.text.escape import visible
from gitops_bot.writeback.landing.topics import PREFIX, TRAILER

_LONGEST_SUBJECT = 250
"""Characters; GitHub cuts titles of pull requests at 256."""
_MERGE_OF_OURS = re.compile(rf"Merge (?:pull request #[0-9]+ from [A-Za-z0-9_-]+/|branch '){re.escape(PREFIX)}")
"""How GitHub and Git name a merge."""
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60}): ?(.*)")


def subject_of(proposal: Proposal) -> str:
    """The first line of the message, and the pull request's title: one line, never empty, of a length GitHub takes."""
    line = _flat(proposal.subject) or "chore: write back"
    return line if len(line) <= _LONGEST_SUBJECT else f"{line[: _LONGEST_SUBJECT - 1]}…"


def rest_of(proposal: Proposal) -> str:
    """The message below its first line: the text, then the trailers as one block with our topic as the last."""
    trailers = [*proposal.trailers, (TRAILER, proposal.topic)]
    block = "\n".join(f"{name}: {_flat(value)}" for name, value in trailers)
    text = "\n".join(line.rstrip() for line in proposal.message.strip().splitlines())
    return f"{text}\n\n{block}" if text else block


def message_of(proposal: Proposal) -> str:
    """The whole message."""
    return f"{subject_of(proposal)}\n\n{rest_of(proposal)}"


def visible_text(text: str) -> str:
    """Several lines without characters that hide or reorder; none of them can be taken for a trailer of ours."""
    lines = (visible(line) for line in text.split("\n"))
    return "\n".join(f" {line}" if line.startswith("Gitops-Bot-") else line for line in lines)


def trailers_of(message: str) -> tuple[tuple[str, str], ...]:
    """The trailers of a message in order: the lines of its last paragraph, if all of them are ``Name: value``."""
    paragraphs = re.split(r"\n[ \t]*\n", message.replace("\r\n", "\n").strip())
    if len(paragraphs) < 2:
        return ()
    found = [_LINE.fullmatch(line.strip()) for line in paragraphs[-1].splitlines()]
    return tuple((one[1], one[2]) for one in found if one) if all(found) else ()


def topic_of(message: str) -> str:
    """The topic of a commit of ours, ``""`` when the message has none; whoever may commit can write one."""
    return next((value for name, value in reversed(trailers_of(message)) if name == TRAILER), "")


def all_ours(messages: Sequence[str]) -> bool:
    """Whether every commit is of ours, or merges a branch of ours; False for none at all, which tells nothing."""
    return bool(messages) and all(topic_of(each) or _MERGE_OF_OURS.match(each) for each in messages)


def _flat(text: str) -> str:
    """One line without what cannot be printed."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
