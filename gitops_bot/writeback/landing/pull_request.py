"""A proposal as a pull request: one for each topic, brought up to date by every rerun, closed when it is of no use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from gitops_bot.doors.rejection import Rejected
from gitops_bot.errors import BotError, GitHubError, UsageError
from gitops_bot.model.github import PullRequest
from gitops_bot.model.writeback import Head, Landed, Proposal
from gitops_bot.text.balance import open_end
from gitops_bot.writeback.landing.changes import says
from gitops_bot.writeback.landing.commit_message import message_of, subject_of, topic_of, trailers_of
from gitops_bot.writeback.landing.topics import PREFIX, TRAILER, below, branch_of, marked, marker_of

if TYPE_CHECKING:
    from gitops_bot.doors.github.writing import Writing
    from gitops_bot.doors.push import Clone, Logged

Make = Callable[[Head], Proposal | None]
"""Makes the proposal from a state of a branch; None when that state says it already, or something newer."""

LONGEST = 65_000
"""Characters of a body: GitHub takes 65,536, and the marker needs some."""
_CUT = "\n_The rest is left out: GitHub takes no longer text._\n"
_APPROVAL = (
    "made with the workflow's own token: its workflow runs wait until somebody approves them on the pull request; "
    "with an App's token they start by themselves"
)


def open_or_update(head: Head, proposal: Proposal, make: Make, github: Writing, clone: Clone) -> Landed:
    """Have a pull request of the proposal into the branch of ``head``; nothing is written where it is so already.

    ``make`` made the proposal; asked about the open pull request's own branch, it tells whether that has something
    newer, which is left alone: an older build that comes late must not take it back.

    Raises Rejected: ``moved`` when another run was faster, ``other`` when somebody else committed on our branch.
    """
    name, title = branch_of(proposal.topic), subject_of(proposal)
    body = marked(proposal.topic, title, fitted(proposal.body))
    found = github.pulls.of_branch(name)
    own = next((pull for pull in found if pull.base_ref == head.branch), found[0] if found else None)
    if own is None and (declined := _declined(name, body, github)) is not None:
        note = f"#{declined.number} proposed exactly this and was closed; reopen it if it is wanted after all"
        return Landed(mode="nothing", url=declined.url, pull=declined.number, notes=(note,))
    state = _state(name, clone)
    if own is not None and state is not None and _has_newer(state, head, proposal, make):
        note = f"#{own.number} proposes something newer already"
        return Landed(mode="pull-request", commit=state.head.commit, url=own.url, pull=own.number, notes=(note,))
    # A branch that was merged and left has nothing to propose any more, whatever its files say.
    used = own is None and state is not None and _used(name, head, state, github)
    commit, wrote = _branched(name, head, proposal, state, github, used=used)
    if own is None or _differs(own, body) or own.base_ref != head.branch:
        if wrote and github.refs.get(f"refs/heads/{name}") != commit:
            # Another run has replaced it already, and its words are the ones that count.
            raise Rejected(f"{name} was replaced meanwhile", "moved")
        wrote = True
        own = own or github.pulls.create(name, head.branch, title, body)
        # What was there already when it should be made is another run's.
        if _differs(own, body) or own.base_ref != head.branch:
            own = github.pulls.edit(own.number, title=title, body=body, base=head.branch)
    notes = _labelled(own, proposal.labels, github)
    if wrote:
        notes += _retired(github.pulls.opened(head.branch), proposal.topic, own, github)
    if wrote and github.pulls.waits_for_approval:
        notes.append(f"#{own.number} is {_APPROVAL}")
    return Landed(mode="pull-request", commit=commit, url=own.url, pull=own.number, notes=tuple(notes))


def open_between(
    source: str, base: str, *, topic: str, title: str, body: str, github: Writing, labels: Sequence[str] = ()
) -> Landed:
    """Have a pull request that merges one branch into another, both of people's: nothing is committed.

    One that somebody opened by hand between the same branches is left as it is, and that is said: GitHub allows no
    second one. ``nothing`` when ``base`` has every commit of ``source`` already.
    """
    text = marked(topic, title, fitted(body))
    own = next((pull for pull in github.pulls.of_branch(source) if pull.base_ref == base), None)
    if own is None and not github.commits.compare(base, source).total:
        return Landed(mode="nothing")
    notes: list[str] = []
    wrote = own is None
    if own is None:
        own = github.pulls.create(source, base, title, text)
    elif marker_of(own.body) is None:
        notes.append(
            f"#{own.number} merges {source} into {base} already and was opened by hand: its text is left alone"
        )
    elif _differs(own, text):
        own, wrote = github.pulls.edit(own.number, title=title, body=text, base=base), True
    notes += _labelled(own, labels, github)
    if wrote and github.pulls.waits_for_approval:
        notes.append(f"#{own.number} is {_APPROVAL}")
    return Landed(mode="pull-request", commit=own.head_sha, url=own.url, pull=own.number, notes=tuple(notes))


def retire(topic: str, base: str, github: Writing) -> list[str]:
    """Close what is open about a topic, and below it, into a branch that has the change itself; notes for people.

    A convenience: a token that may not do it changes nothing about what has landed.
    """
    name = branch_of(topic)
    try:
        opened = github.pulls.opened(base)
        own = [pull for pull in opened if pull.head_ref == name and _ours(pull)]
        notes = [_closed(pull, "the branch has its change", github) for pull in own]
        return notes + _retired(opened, topic, None, github)
    except GitHubError as error:
        return [f"pull requests about {topic} were not looked for: {error.told}"]


def fitted(body: str) -> str:
    """A body of a length GitHub takes: cut before a paragraph where nothing is left open, and that is said."""
    text = body if not body or body.endswith("\n") else f"{body}\n"
    if len(text) <= LONGEST:
        return text
    end = LONGEST - len(_CUT)
    for _ in range(400):
        end = text.rfind("\n\n", 0, end)
        if end < 0:
            break
        if not open_end(text[: end + 1]):
            return f"{text[: end + 1]}{_CUT}"
    return _CUT.lstrip()


class _State(NamedTuple):
    """Our branch of a topic as it is."""

    head: Head
    log: tuple[Logged, ...]
    """Newest first."""


def _state(name: str, clone: Clone) -> _State | None:
    """What is on a branch of ours, None when it is not there. Raises Rejected, ``moved``, when it goes meanwhile."""
    if not clone.tip(name):
        return None
    try:
        there = clone.head(name)
    except UsageError as error:
        raise Rejected(f"{name} was deleted meanwhile", "moved") from error
    return _State(there, clone.log(name))


def _has_newer(state: _State, base: Head, proposal: Proposal, make: Make) -> bool:
    """Whether our branch says something else that its maker would not replace: a newer version."""
    if _proposes(state, proposal) or _told(state.log) == _identity(proposal.trailers):
        return False
    try:
        return make(Head(branch=base.branch, commit=state.head.commit, tree=state.head.tree)) is None
    except BotError:
        # What cannot be judged there (it does not render, say) is no reason to keep it.
        return False


def _told(log: Sequence[Logged]) -> tuple[tuple[str, str], ...]:
    """The trailers of our newest commit, by which the same change made from another state of the base is known."""
    message = next((one.message for one in log if topic_of(one.message)), "")
    return _identity(trailer for trailer in trailers_of(message) if trailer[0] != TRAILER)


def _identity(trailers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Trailers without what they say of the state before."""
    return tuple((name, re.sub(r" old=\S*", "", value)) for name, value in trailers)


def _used(name: str, base: Head, state: _State, github: Writing) -> bool:
    """Whether what a branch of ours has was merged, squashed or not."""
    tip = state.head.commit
    merged = (pull for pull in github.pulls.of_branch(name, state="closed") if pull.merged)
    return any(pull.head_sha == tip for pull in merged) or github.commits.on(base.branch, tip)


def _branched(
    name: str, head: Head, proposal: Proposal, state: _State | None, github: Writing, *, used: bool
) -> tuple[str, bool]:
    """Have the proposal on its own branch as one commit; that commit, and whether anything was written.

    ``used`` tells that the base has all of the branch already.
    """
    ref, message = f"refs/heads/{name}", message_of(proposal)
    # Rebuilt only when it says something else: a rebase for its own sake would dismiss approvals.
    if state is not None and not used and _proposes(state, proposal):
        return state.head.commit, False
    if state is not None and not used and not _all_ours(state.log):
        raise Rejected(
            f"{name}: somebody else committed on our branch, so it is left as it is", "other",
            hint="merge or close its pull request and delete the branch, then run again",
        )  # fmt: skip
    made = github.commits.of_objects(head.commit, message, proposal.files)
    if state is None:
        github.refs.create(ref, made.oid)
    else:
        github.refs.replace(ref, state.head.commit, made.oid)
    return made.oid, True


def _proposes(state: _State, proposal: Proposal) -> bool:
    """Whether our branch has what a proposal would write."""
    return all(says(state.head, one) for one in proposal.files) and any(topic_of(one.message) for one in state.log[:2])


def _all_ours(log: Sequence[Logged]) -> bool:
    """Whether the newest commit that is no merge (of the base, by the button on the page) is one of ours."""
    newest = next((one for one in log if len(one.parents) < 2), None)
    return newest is not None and bool(topic_of(newest.message))


def _declined(name: str, body: str, github: Writing) -> PullRequest | None:
    """The last pull request of a branch, when somebody closed it unmerged and it proposed the same."""
    closed = github.pulls.of_branch(name, state="closed")
    last = closed[-1] if closed else None
    same = last is not None and not last.merged and marker_of(last.body) == marker_of(body)
    return last if same else None


def _differs(pull: PullRequest, body: str) -> bool:
    """Whether a pull request was written for another title or text; what people changed in it since stays."""
    return marker_of(pull.body) != marker_of(body)


def _ours(pull: PullRequest) -> bool:
    return pull.head_ref.startswith(PREFIX) and marker_of(pull.body) is not None


def _labelled(pull: PullRequest, labels: Sequence[str], github: Writing) -> list[str]:
    missing = [label for label in labels if label not in pull.labels]
    if not missing:
        return []
    try:
        github.pulls.label(pull.number, missing)
    except GitHubError as error:
        return [f"#{pull.number} has no labels {', '.join(missing)}: {error.told}"]
    return []


def _retired(opened: Sequence[PullRequest], topic: str, by: PullRequest | None, github: Writing) -> list[str]:
    """Close what is open about topics below this one; notes."""
    number = by.number if by is not None else 0
    gone = [pull for pull in opened if _ours(pull) and below(topic, marker_of(pull.body)) and pull.number != number]
    why = f"#{number} stands for it now" if number else "the branch has a newer change"
    return [_closed(pull, why, github) for pull in gone]


def _closed(pull: PullRequest, why: str, github: Writing) -> str:
    """Close one of ours and delete its branch where nobody moved it; what was done, for people."""
    try:
        github.pulls.close(pull.number)
        github.refs.delete(f"refs/heads/{pull.head_ref}", pull.head_sha)
    except GitHubError as error:
        return f"#{pull.number} is of no use any more ({why}), but: {error.told}"
    return f"#{pull.number} was closed: {why}"
