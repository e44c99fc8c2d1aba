"""A proposal as a pull request: one for each topic, brought up to date by every rerun, closed when it is of no use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitops_bot.doors.rejection import Rejected
from gitops_bot.errors import GitHubError
from gitops_bot.model.github import PullRequest
from gitops_bot.model.writeback import Head, Landed, Proposal
from gitops_bot.text.balance import open_end
from gitops_bot.writeback.changes import says
from gitops_bot.writeback.commit_message import message_of, subject_of, topic_of
from gitops_bot.writeback.topics import PREFIX, below, branch_of, marked, marker_of

if TYPE_CHECKING:
    from gitops_bot.doors.github.writing import Writing
    from gitops_bot.doors.push import Clone, Logged

LONGEST = 65_000
"""Characters of a body: GitHub takes 65,536, and the marker needs some."""
_CUT = "\n_The rest is left out: GitHub takes no longer text._\n"
_APPROVAL = (
    "made with the workflow's own token: its workflow runs wait until somebody approves them on the pull request; "
    "with an App's token they start by themselves"
)


def open_or_update(head: Head, proposal: Proposal, github: Writing, clone: Clone) -> Landed:
    """Have a pull request of the proposal into the branch of ``head``; nothing is written where it is so already.

    Raises Rejected: ``moved`` when another run was faster, ``other`` when somebody else committed on our branch.
    """
    name, title = branch_of(proposal.topic), subject_of(proposal)
    body = marked(proposal.topic, title, fitted(proposal.body))
    found = github.pulls.of_branch(name)
    own = next((pull for pull in found if pull.base_ref == head.branch), found[0] if found else None)
    if own is None and (declined := _declined(name, body, github)) is not None:
        note = f"#{declined.number} proposed exactly this and was closed; reopen it if it is wanted after all"
        return Landed(mode="nothing", url=declined.url, pull=declined.number, notes=(note,))
    commit, wrote = _branched(name, head, proposal, github, clone)
    if own is None:
        own, wrote = github.pulls.create(name, head.branch, title, body), True
    elif _differs(own, body) or own.base_ref != head.branch:
        own, wrote = github.pulls.edit(own.number, title=title, body=body, base=head.branch), True
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


def _branched(name: str, head: Head, proposal: Proposal, github: Writing, clone: Clone) -> tuple[str, bool]:
    """Have the proposal on its own branch as one commit; that commit, and whether anything was written."""
    ref, message = f"refs/heads/{name}", message_of(proposal)
    tip = clone.tip(name)
    if not tip:
        made = github.commits.of_objects(head.commit, message, proposal.files)
        github.refs.create(ref, made.oid)
        return made.oid, True
    there, log = clone.head(name), clone.log(name)
    # Rebuilt only when it says something else: a rebase for its own sake would dismiss approvals.
    if _proposes(there, proposal, log):
        return there.commit, False
    if not _all_ours(log):
        raise Rejected(
            f"{name}: somebody else committed on our branch, so it is left as it is", "other",
            hint="merge or close its pull request and delete the branch, then run again",
        )  # fmt: skip
    made = github.commits.of_objects(head.commit, message, proposal.files)
    github.refs.replace(ref, there.commit, made.oid)
    return made.oid, True


def _proposes(there: Head, proposal: Proposal, log: Sequence[Logged]) -> bool:
    """Whether a branch has what a proposal would write."""
    return all(says(there, one) for one in proposal.files) and any(topic_of(one.message) for one in log[:2])


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
