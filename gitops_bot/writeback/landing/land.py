"""From a proposal to Git: as a commit that GitHub makes, by ``git push``, or as a pull request.

A proposal is made from one state of the branch and lands on that state or not at all. When the branch has moved
meanwhile, its new state is read, the proposal is made anew from it, and tried again; nothing is ever forced onto a
branch that others write to, and what was accepted on a broken connection is found before anything is sent again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from gitops_bot.doors.rejection import Rejected
from gitops_bot.errors import GitHubError, UsageError
from gitops_bot.model.writeback import Head, Landed, Mode, Proposal
from gitops_bot.writeback.landing.changes import Make, is_plain, reduced, wanted
from gitops_bot.writeback.landing.closing import retire
from gitops_bot.writeback.landing.commit_message import message_of, rest_of, subject_of
from gitops_bot.writeback.landing.pull_request import open_or_update

if TYPE_CHECKING:
    from gitops_bot.doors.github.writing import Writing
    from gitops_bot.doors.push import Clone

ATTEMPTS = 40
"""Times a proposal is made and tried. Of twenty jobs that start together on one branch the last one loses nineteen
times at worst when each round has one winner; twice that leaves room for people who push meanwhile."""
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0


class LandingDoors(NamedTuple):
    """What landing needs of the outside."""

    clone: Clone
    """Reads the branch's tip, and pushes."""
    github: Writing | None = None
    """None: there is only ``git push``."""
    wait: Callable[[float], None] = time.sleep
    """Sleeps seconds."""
    jitter: Callable[[], float] = random.random
    """In [0, 1): keeps jobs that lost a race together from racing again together."""


def land(
    make: Make,
    *,
    branch: str,
    mode: Literal["auto"] | Mode,
    doors: LandingDoors,
    topic: str = "",
) -> Landed:
    """Land what ``make`` makes of a branch's tip, and say how.

    ``make`` is called once an attempt, and once more for each open pull request about the same.

    ``auto`` commits through GitHub and opens a pull request where the branch refuses that; without a door to GitHub it
    pushes. ``topic``, where it is known before anything is made, lets a pull request be closed whose change the branch
    already has. Raises Rejected when the branch does not take it or moved in every attempt, and what ``make`` raises.
    """
    way = _way(mode, doors)
    notes: list[str] = []
    for attempt in range(1, ATTEMPTS + 1):
        head = doors.clone.head(branch)
        proposal = reduced(head, wanted(make(head)))
        if proposal is None:
            return _nothing(head, way, topic, make, doors, notes)
        try:
            landed = _landed(way, head, proposal, make, doors)
        except Rejected as error:
            if error.kind == "protected" and mode == "auto" and way == "api":
                way = "pull-request"
                notes.append(f"{branch} takes no commits of ours ({error.message}), so this is a pull request")
            elif error.kind == "moved" and attempt < ATTEMPTS:
                doors.wait(pause(attempt, doors.jitter()))
            else:
                raise
            continue
        return msgspec.structs.replace(landed, base=head.commit, notes=(*notes, *landed.notes))
    raise AssertionError("unreachable")


def pause(attempt: int, jitter: float) -> float:
    """Seconds after the ``attempt``-th lost race: anything up to a bound that doubles, so that racers spread out."""
    return min(_FIRST_PAUSE * 2.0 ** min(attempt - 1, 10), _LONGEST_PAUSE) * jitter


def _way(mode: Literal["auto"] | Mode, doors: LandingDoors) -> Mode:
    if mode == "auto":
        return "api" if doors.github is not None else "push"
    if mode != "push" and doors.github is None:
        raise UsageError(f"the mode {mode} needs GitHub's API", hint="give a token, or use the mode push")
    return mode


def _landed(way: Mode, head: Head, proposal: Proposal, make: Make, doors: LandingDoors) -> Landed:
    """One attempt. Raises Rejected."""
    if way == "push":
        oid = doors.clone.commit(head.commit, message_of(proposal), proposal.files)
        doors.clone.push(head.branch, oid, head.commit)
        return Landed(mode="push", commit=oid)
    assert doors.github is not None
    if way == "pull-request":
        return open_or_update(head, proposal, make, doors.github, doors.clone)
    landed = _committed(head, proposal, doors.github)
    # It is done: from here on nothing may fail, and what is left undone the next run does.
    notes = [*_token_notes(doors.github), *retire(proposal.topic, head, make, doors.github, doors.clone)]
    return msgspec.structs.replace(landed, notes=tuple(notes))


def _committed(head: Head, proposal: Proposal, github: Writing) -> Landed:
    """A commit that GitHub makes on the branch itself. Raises Rejected."""
    if all(is_plain(head, one) for one in proposal.files):
        made = github.commits.on_branch(
            head.branch, head.commit, subject_of(proposal), rest_of(proposal), proposal.files
        )  # fmt: skip
        return Landed(mode="api", commit=made.oid, url=made.url)
    made = github.commits.of_objects(head.commit, message_of(proposal), proposal.files)
    try:
        github.refs.advance(f"refs/heads/{head.branch}", made.oid)
    except Rejected as error:
        # An answer may have been lost, and others may have committed on top since.
        if error.kind != "moved" or not github.commits.on(head.branch, made.oid):
            raise
    return Landed(mode="api", commit=made.oid, url=made.url)


def _token_notes(github: Writing) -> list[str]:
    try:
        waits = github.pulls.waits_for_approval
    except GitHubError:
        return []
    return ["a commit with the workflow's own token starts no workflows; an App's token would"] if waits else []


def _nothing(head: Head, way: Mode, topic: str, make: Make, doors: LandingDoors, notes: list[str]) -> Landed:
    """What is so already; a pull request that proposes it is of no use any more."""
    if topic and way != "push" and doors.github is not None:
        notes = [*notes, *retire(topic, head, make, doors.github, doors.clone)]
    return Landed(mode="nothing", base=head.commit, notes=tuple(notes))
