"""A proposal as a pull request: one for each topic, brought up to date by every rerun, closed when it is of no use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitops_bot.doors.rejection import Rejected
from gitops_bot.errors import GitError, GitHubError
from gitops_bot.model.github import PullRequest
from gitops_bot.model.writeback import Head, Landed, Proposal
from gitops_bot.text.balance import open_end
from gitops_bot.writeback.landing.changes import Make
from gitops_bot.writeback.landing.closing import retire
from gitops_bot.writeback.landing.commit_message import hidden_block_of, message_of, subject_of, title_of, words_of
from gitops_bot.writeback.landing.own_branch import OwnBranch, own_branch
from gitops_bot.writeback.landing.topics import branch_of, closed_by_us, marked, marker_of

if TYPE_CHECKING:
    from gitops_bot.doors.github.writing import Writing
    from gitops_bot.doors.push import Clone

LONGEST = 65_000
"""Characters of a body: GitHub takes 65,536, and the marker needs some."""
_LONGEST_HIDDEN = 20_000
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
    body = marked(proposal.topic, title, text_of(proposal))
    found = github.pulls.of_branch(name)
    own = next((pull for pull in found if pull.base_ref == head.branch), found[0] if found else None)
    closed = github.pulls.of_branch(name, state="closed") if own is None else []
    if (declined := _declined(closed, head, proposal, body, clone)) is not None:
        return _turned_down(declined)
    state = own_branch(name, clone)
    # A branch that was merged and left has nothing to propose any more, whatever its files say.
    used = own is None and state is not None and _used(closed, head, state, github)
    # One without any pull request is another run's that is about to open it.
    left = used or (state is not None and any(pull.head_sha == state.head.commit for pull in closed))
    if state is not None and not left and state.has_newer(head, make):
        return _left_alone(name, own)
    commit, wrote = _branched(name, head, proposal, state, github, clone, used=used)
    if own is None or _differs(own, body) or own.base_ref != head.branch:
        ref = f"refs/heads/{name}"
        if wrote and github.refs.get(ref) != commit:
            # Another run has replaced it already, and its words are the ones that count.
            raise Rejected(f"{name} was replaced meanwhile", "moved")
        wrote = True
        own = own or github.pulls.create(name, head.branch, title, body)
        # What was there already when it should be made is another run's.
        if _differs(own, body) or own.base_ref != head.branch:
            own = github.pulls.edit(own.number, title=title, body=body, base=head.branch)
        if github.refs.get(ref) != commit:
            # Another run came between the look and the words, and may have said its own before: they would be lost.
            _put_right(proposal.topic, body, github, clone)
            raise Rejected(f"{name} was replaced meanwhile", "moved")
    notes = _labelled(own, proposal.labels, github)
    notes += retire(proposal.topic, head, make, github, clone, by=own.number)
    notes += _approval(own, github) if wrote else []
    return Landed(mode="pull-request", commit=commit, url=own.url, pull=own.number, notes=tuple(notes))


def _left_alone(name: str, own: PullRequest | None) -> Landed:
    """Nothing, because another run proposes something newer already, or is about to."""
    if own is None:
        return Landed(mode="nothing", notes=(f"{name} has something newer already",))
    note = f"#{own.number} proposes something newer already"
    return Landed(mode="nothing", url=own.url, pull=own.number, notes=(note,))


def _put_right(topic: str, body: str, github: Writing, clone: Clone) -> None:
    """Have our branch's own words on its pull request where ``body`` stands, which was written for another commit."""
    name = branch_of(topic)
    while (state := own_branch(name, clone)) is not None and (made := state.newest) is not None:
        own = next((pull for pull in github.pulls.of_branch(name) if not _differs(pull, body)), None)
        if own is None:
            return
        title, text = words_of(made.message)
        body = marked(topic, title, fitted(text))
        github.pulls.edit(own.number, title=title, body=body, base=own.base_ref)
        if github.refs.get(f"refs/heads/{name}") == state.head.commit:
            return


def open_between(
    source: str, base: str, *, topic: str, title: str, body: str, github: Writing, labels: Sequence[str] = ()
) -> Landed:
    """Have a pull request that merges one branch into another, both of people's: nothing is committed.

    One that somebody opened by hand between the same branches is left as it is, and that is said: GitHub allows no
    second one. ``nothing`` when ``base`` has every commit of ``source`` already, and when somebody closed what would
    bring the very same.
    """
    title = title_of(title)
    text = marked(topic, title, fitted(body))
    own = next((pull for pull in github.pulls.of_branch(source) if pull.base_ref == base), None)
    if own is None and not github.commits.compare(base, source).total:
        return Landed(mode="nothing")
    if own is None and (declined := _declined_between(source, base, github)) is not None:
        return _turned_down(declined)
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
    notes += _approval(own, github) if wrote else []
    return Landed(mode="pull-request", commit=own.head_sha, url=own.url, pull=own.number, notes=tuple(notes))


def _declined_between(source: str, base: str, github: Writing) -> PullRequest | None:
    """The last pull request of ours between two branches, when it was closed unmerged and nothing came since."""
    closed = [pull for pull in github.pulls.of_branch(source, state="closed") if pull.base_ref == base]
    last = next((pull for pull in reversed(closed) if marker_of(pull.body) is not None), None)
    same = last is not None and not last.merged and last.head_sha == github.refs.get(f"refs/heads/{source}")
    return last if same else None


def text_of(proposal: Proposal) -> str:
    """The pull request's text for people, and below it the trailers, hidden; these only where they leave room."""
    hidden = hidden_block_of(proposal)
    if len(hidden) > _LONGEST_HIDDEN:
        return fitted(proposal.body)
    body = fitted(proposal.body, LONGEST - len(hidden) - 1)
    return f"{body}\n{hidden}" if body else hidden


def fitted(body: str, longest: int = LONGEST) -> str:
    """A body of a length GitHub takes: cut before a paragraph where nothing is left open, and that is said."""
    text = body if not body or body.endswith("\n") else f"{body}\n"
    if len(text) <= longest:
        return text
    end = longest - len(_CUT)
    for _ in range(400):
        end = text.rfind("\n\n", 0, end)
        if end < 0:
            break
        if not open_end(text[: end + 1]):
            return f"{text[: end + 1]}{_CUT}"
    return _CUT.lstrip()


def _used(closed: Sequence[PullRequest], base: Head, state: OwnBranch, github: Writing) -> bool:
    """Whether what a branch of ours has was merged, squashed or not; ``closed`` are its closed pull requests."""
    tip = state.head.commit
    return any(pull.head_sha == tip and pull.merged for pull in closed) or github.commits.on(base.branch, tip)


def _branched(
    name: str, head: Head, proposal: Proposal, state: OwnBranch | None, github: Writing, clone: Clone, *, used: bool
) -> tuple[str, bool]:
    """Have the proposal on its own branch as one commit; that commit, and whether anything was written.

    ``used`` tells that the base has all of the branch already.
    """
    ref = f"refs/heads/{name}"
    if state is not None and not used:
        # Rebuilt only when merging it would do something else, or nothing at all where it conflicts with the base: a
        # rebase for its own sake would dismiss approvals.
        if state.stands(head, proposal, clone):
            return state.head.commit, False
        if not state.only_ours:
            raise Rejected(
                f"{name}: somebody else committed on our branch, so it is left as it is", "other",
                hint="merge or close its pull request and delete the branch, then run again",
            )  # fmt: skip
    made = github.commits.of_objects(head.commit, message_of(proposal), proposal.files)
    if state is None:
        github.refs.create(ref, made.oid)
    else:
        github.refs.replace(ref, state.head.commit, made.oid)
    return made.oid, True


def _approval(own: PullRequest, github: Writing) -> list[str]:
    """That a pull request's workflows wait; it is there already, so not knowing it is no error."""
    try:
        waits = github.pulls.waits_for_approval
    except GitHubError:
        return []
    return [f"#{own.number} is {_APPROVAL}"] if waits else []


def _declined(
    closed: Sequence[PullRequest], head: Head, proposal: Proposal, body: str, clone: Clone
) -> PullRequest | None:  # fmt: skip
    """The last of a branch's closed pull requests, when somebody closed it unmerged and it proposed the same.

    The same is what has the same words, or the same title and effect: the state of gates and links to builds change.
    """
    last = closed[-1] if closed else None
    if last is None or last.merged or closed_by_us(last.body):
        return None
    if marker_of(last.body) == marker_of(body):
        return last
    if last.title != subject_of(proposal):
        return None
    try:
        clone.tree(last.head_sha)
        return last if clone.merged(head.commit, last.head_sha) == clone.changed(head.commit, proposal.files) else None
    except GitError:  # it is gone with its branch
        return None


def _turned_down(pull: PullRequest) -> Landed:
    """Nothing, because somebody closed it before."""
    note = f"#{pull.number} proposed exactly this and was closed; reopen it if it is wanted after all"
    return Landed(mode="nothing", url=pull.url, pull=pull.number, notes=(note,))


def _differs(pull: PullRequest, body: str) -> bool:
    """Whether a pull request was written for another title or text; what people changed in it since stays."""
    return marker_of(pull.body) != marker_of(body)


def _labelled(pull: PullRequest, labels: Sequence[str], github: Writing) -> list[str]:
    missing = [label for label in labels if label not in pull.labels]
    if not missing:
        return []
    try:
        github.pulls.label(pull.number, missing)
    except GitHubError as error:
        return [f"#{pull.number} has no labels {', '.join(missing)}: {error.told}"]
    return []
