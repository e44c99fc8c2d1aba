"""A commit's message: subject, text for people, trailers for programs; and the trailers read back. Pure.

What stands in a message comes from strangers in part: names of images, tags, reasons, URLs. GitHub acts on some words
of it, and other programs on lines that look like trailers. Every message of ours goes through here, whoever made the
proposal, and none of that is left in it: no marker that skips workflows, no mention, no word that closes an issue, no
trailer but our own, nothing that cannot be seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from gitops_bot.model.writeback import Proposal
from gitops_bot.text.escape import visible
from gitops_bot.writeback.landing.topics import PREFIX, TRAILER

_LONGEST_SUBJECT = 250
"""Characters; GitHub cuts titles of pull requests at 256."""

_SKIP = re.compile(
    r"\[(?=\s*(?:(?:skip|no)[\s_-]*(?:ci|actions?|builds?|checks?)|(?:ci|actions?)[\s_-]*skip)\s*\])([^\]]*)\]"
    r"|\*\*\*(?=NO_CI\*\*\*)(NO_CI)\*\*\*",
    re.IGNORECASE,
)
"""``[skip ci]`` and its kin. It would leave required checks of a pull request waiting for ever."""
_MENTION = re.compile(r"(?<![A-Za-z0-9_])@(?=[A-Za-z0-9])")
"""Behind a letter, a digit or an underline there is none: ``api:v1@sha256:…``, ``ada@example.org``."""
_CLOSING = re.compile(
    r"\b((?:close[sd]?|fix(?:e[sd])?|resolve[sd]?)\b:?\s*)"
    r"(?=#\d|GH-\d|[\w.-]+/[\w.-]+#\d|https?://[^\s/]+/[\w.-]+/[\w.-]+/(?:issues|pull|discussions)/)",
    re.IGNORECASE | re.ASCII,
)
_TRAILER_LIKE = re.compile(
    r"\s*(?:(?:gitops-bot-[a-z0-9-]*|[a-z0-9-]+-by|skip-checks|request-checks)\s*:|\*\s|-{3,}|<!--)",
    re.IGNORECASE,
)
"""A line that other programs would act on, or that would read as the beginning of another commit in the message that
GitHub makes of several when they are squashed."""

_MERGE = re.compile(rf"Merge (?:pull request #[0-9]+ from [A-Za-z0-9_-]+/|branch '){re.escape(PREFIX)}")
"""How GitHub and Git name a merge of our branch."""
_UPDATE = re.compile(rf"Merge (?:remote-tracking )?branch '[^'\n]+' (?:of \S+ )?into {re.escape(PREFIX)}\S+")
"""How they name a merge into our branch."""
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60}): ?(.*)")
_PEOPLE = re.compile(r"[A-Za-z-]+-by: .*|-{3,}", re.IGNORECASE)
"""What GitHub puts below a squashed message."""
_HIDDEN = ("<!--", "-->")


# -- written ----------------------------------------------------------------------------------------------------------


def subject_of(proposal: Proposal) -> str:
    """The first line of the message, and the pull request's title: one line, never empty, of a length GitHub takes."""
    return title_of(proposal.subject)


def title_of(text: str) -> str:
    """Any text as the title of a pull request, harmless: one line, never empty, of a length GitHub takes."""
    line = _harmless(_quoted(_flat(text))) or "chore: write back"
    return line if len(line) <= _LONGEST_SUBJECT else f"{line[: _LONGEST_SUBJECT - 1]}…"


def rest_of(proposal: Proposal) -> str:
    """The message below its first line: the text, then the trailers as one block with our topic as the last."""
    lines = visible_text(proposal.message.strip()).split("\n")
    quoted = "\n".join(map(_quoted, lines))
    # Together with the subject: a closing word at its end would count for what follows.
    text = _harmless(f"{subject_of(proposal)}\n\n{quoted}").partition("\n")[2].strip("\n")
    return f"{text}\n\n{block_of(proposal)}" if text.strip() else block_of(proposal)


def block_of(proposal: Proposal) -> str:
    """The trailers, one a line; what GitHub would act on in a value is percent-encoded."""
    trailers = [*proposal.trailers, (TRAILER, proposal.topic)]
    return "\n".join(f"{name}: {_harmless_value(_flat(value))}" for name, value in trailers)


def hidden_block_of(proposal: Proposal) -> str:
    """The trailers for the end of a pull request's text, where nobody sees them.

    A squash merge may make its message of that text; without them nothing would tell what was merged.
    """
    return _hidden(block_of(proposal))


def words_of(message: str) -> tuple[str, str]:
    """Title and text of a pull request that proposes one commit of ours, whose whole message is given."""
    subject, _, rest = message.partition("\n\n")
    text, _, block = rest.rpartition("\n\n")
    return subject, f"{text}\n\n{_hidden(block)}" if text else _hidden(block)


def message_of(proposal: Proposal) -> str:
    """The whole message."""
    return f"{subject_of(proposal)}\n\n{rest_of(proposal)}"


def _hidden(block: str) -> str:
    safe = block.replace("<", "%3C").replace(">", "%3E")
    return f"{_HIDDEN[0]}\n{safe}\n{_HIDDEN[1]}\n"


def visible_text(text: str) -> str:
    """Several lines without characters that hide or reorder."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _quoted(line: str) -> str:
    """A line that stands for nothing but itself."""
    return f"> {line.strip()}" if _TRAILER_LIKE.match(line) else line.rstrip()


def _flat(text: str) -> str:
    """One line without what cannot be seen."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _harmless(text: str) -> str:
    """Text in which GitHub finds nothing to act on; lines stay lines."""
    shown = _SKIP.sub(lambda found: f"({found[1] or found[2]})", text)
    shown = _MENTION.sub("@ ", shown)
    return _CLOSING.sub(lambda found: f"{found[1]}- ", shown)


def _harmless_value(text: str) -> str:
    """The same for a trailer, whose readers take percent-encoding back."""
    shown = _SKIP.sub(lambda found: found[0].replace("[", "%5B").replace("*", "%2A"), text)
    shown = _MENTION.sub("%40", shown)
    last = 0
    parts: list[str] = []
    for found in _CLOSING.finditer(shown):
        parts += [shown[last : found.end()], f"%{ord(shown[found.end()]):02X}"]
        last = found.end() + 1
    return "".join((*parts, shown[last:]))


# -- read back --------------------------------------------------------------------------------------------------------


def trailers_of(message: str) -> tuple[tuple[str, str], ...]:
    """The trailers of a message in order: the lines of its last paragraph, if all of them are ``Name: value``.

    Of a squash merge those of the last commit in it, or those that stand hidden in the pull request's text.
    """
    paragraphs = _paragraphs(message)
    return _block(paragraphs[-1]) if len(paragraphs) > 1 else ()


def topic_of(message: str) -> str:
    """The topic of a commit of ours, ``""`` when the message has none; whoever may commit can write one."""
    return _topic(trailers_of(message))


def all_ours(messages: Sequence[str]) -> bool:
    """Whether every commit is of ours, or brings commits of ours only: merged, squashed or rebased.

    False for none at all, which tells nothing. Whoever may commit can write such a message, so it must lead to nothing
    but that nothing is done.
    """
    titles = {each.partition("\n")[0].strip() for each in messages if topic_of(each)}
    return bool(messages) and all(
        _MERGE.match(each) or _UPDATE.match(each) or _brings_ours(each) or _is_titled(each, titles) for each in messages
    )


def _is_titled(message: str, titles: set[str]) -> bool:
    """Whether a message is the title of one of ours with the number of a pull request, as a merge may be called."""
    found = re.fullmatch(r"(.+) \(#[0-9]+\)", message.strip())
    return found is not None and found[1] in titles


def _brings_ours(message: str) -> bool:
    """Whether a message is that of one commit of ours, or a squashed one of several that all are."""
    _subject, *rest = _paragraphs(message) or [""]
    if rest and rest[-1].startswith(_HIDDEN[0]):
        return bool(_topic(_block(rest[-1])))
    starts = [index for index, each in enumerate(rest) if each.startswith("* ")]
    if not starts:
        return bool(rest) and bool(_topic(_block(rest[-1])))
    if starts[0] != 0:
        return False
    commits = [rest[begin:end] for begin, end in zip(starts, [*starts[1:], len(rest)], strict=True)]
    return all(_topic(_block(each[-1])) or (len(each) == 1 and _UPDATE.match(each[0][2:])) for each in commits)


def _paragraphs(message: str) -> list[str]:
    """The paragraphs of a message, without those at its end that only name people."""
    found = re.split(r"\n(?:[ \t]*\n)+", message.replace("\r\n", "\n").strip())
    named = list(takewhile(lambda each: all(map(_PEOPLE.fullmatch, each.split("\n"))), reversed(found)))
    return found[: len(found) - len(named)]


def _block(paragraph: str) -> tuple[tuple[str, str], ...]:
    """The trailers that a paragraph is, none when it is something else."""
    lines = paragraph.strip().split("\n")
    if lines[0].strip() == _HIDDEN[0] and lines[-1].strip() == _HIDDEN[1]:
        lines = _unfolded(lines[1:-1])
    found = [_LINE.fullmatch(line.rstrip()) for line in lines]
    return tuple((one[1], one[2]) for one in found if one) if all(found) else ()


def _unfolded(lines: Sequence[str]) -> list[str]:
    """Lines as they were before GitHub wrapped them, as it does with a pull request's text."""
    whole: list[str] = []
    for line in lines:
        if whole and not _LINE.fullmatch(line.rstrip()):
            whole[-1] += f" {line.strip()}"
        else:
            whole.append(line)
    return whole


def _topic(trailers: Sequence[tuple[str, str]]) -> str:
    return next((value for name, value in reversed(trailers) if name == TRAILER), "")
