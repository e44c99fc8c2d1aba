"""Pull requests of ours that are of no use any more: closed by us, with the reason in their text, and what is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitops_bot.errors import BotError, GitHubError
from gitops_bot.model.github import PullRequest
from gitops_bot.model.writeback import Head
from gitops_bot.text.escape import md_text
from gitops_bot.writeback.landing.changes import Make
from gitops_bot.writeback.landing.own_branch import only_ours, own_branch
from gitops_bot.writeback.landing.topics import PREFIX, below, branch_of, closed_text, marker_of

if TYPE_CHECKING:
    from gitops_bot.doors.github.writing import Writing
    from gitops_bot.doors.push import Clone, Logged


def retire(topic: str, base: Head, make: Make, github: Writing, clone: Clone, *, by: int = 0) -> list[str]:
    """Close what is open about a topic, and below it, into a branch that has the change itself; notes for people.

    ``by`` is the number of the pull request that stands for the topic from now on, and stays; 0: the branch has it.
    What proposes something newer stays as well. A convenience: a token that may not do it changes nothing about what
    has landed, and the next run does it.
    """
    name = branch_of(topic)
    try:
        found = [pull for pull in github.pulls.opened(base.branch) if is_ours(pull) and pull.number != by]
        about = [pull for pull in found if pull.head_ref == name or below(topic, marker_of(pull.body))]
        return [_retired(pull, base, make, github, clone, by) for pull in about]
    except BotError as error:
        return [f"pull requests about {topic} were not looked for: {error.told}"]


def is_ours(pull: PullRequest) -> bool:
    """Whether we opened a pull request from a branch of our own."""
    return pull.head_ref.startswith(PREFIX) and marker_of(pull.body) is not None


def close(pull: PullRequest, why: str, github: Writing, log: Sequence[Logged], *, text: str = "") -> str:
    """Close one of ours and delete its branch where nobody moved it or works on it; what was done, for people.

    ``why`` is one line; ``text`` says it in Markdown, ``""``: the same. It is written into the pull request's text in
    the same step, together with a marker that stands for no proposal: what we close ourselves may be proposed again.
    ``log`` is that of its branch; none where the branch is gone.
    """
    try:
        github.pulls.close(pull.number, closed_text(pull.body, text or md_text(why)))
        if log and not only_ours(log):
            return f"#{pull.number} was closed: {why}; its branch stays, because somebody else committed on it"
        github.refs.delete(f"refs/heads/{pull.head_ref}", pull.head_sha)
    except GitHubError as error:
        return f"#{pull.number} is of no use any more ({why}), but: {error.told}"
    return f"#{pull.number} was closed: {why}"


def _retired(pull: PullRequest, base: Head, make: Make, github: Writing, clone: Clone, by: int) -> str:
    there = own_branch(pull.head_ref, clone)
    if there is not None and there.has_newer(base, make):
        return f"#{pull.number} stays open: it proposes something newer"
    log = there.log if there is not None else ()
    if by:
        return close(pull, f"#{by} stands for it now", github, log, text=f"#{by} stands for it now.")
    return close(pull, "the branch has its change, or something newer", github, log)
