"""Our branch of a topic as it is: whose commits it has, what it proposes, and what merging it would do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from gitops_bot.errors import BotError
from gitops_bot.model.writeback import Head, Proposal
from gitops_bot.writeback.landing.changes import Make, says
from gitops_bot.writeback.landing.commit_message import topic_of

if TYPE_CHECKING:
    from gitops_bot.doors.push import Clone, Logged


class OwnBranch(NamedTuple):
    """A branch of ours."""

    head: Head
    log: tuple[Logged, ...]
    """Of its tip along first parents, newest first."""

    @property
    def only_ours(self) -> bool:
        """As ``only_ours`` of its log."""
        return only_ours(self.log)

    @property
    def newest(self) -> Logged | None:
        """The newest commit that is no merge (of the base, by the button on the page); None when no such is near."""
        return newest(self.log)

    def has_newer(self, base: Head, make: Make) -> bool:
        """Whether it has something newer than what ``make`` makes, which must not be taken back."""
        try:
            return make(Head(branch=base.branch, commit=self.head.commit, tree=self.head.tree)) == "newer"
        except BotError:
            # What cannot be judged there (it does not render, say) is no reason to keep it.
            return False

    def stands(self, base: Head, proposal: Proposal, clone: Clone) -> bool:
        """Whether merging it into the base does just what a proposal made from there would.

        Where somebody else works on it, having the proposal's files is enough.
        """
        if not any(topic_of(one.message) for one in self.log[:2]):
            return False
        if not all(says(self.head, one) for one in proposal.files):
            return False
        if not self.only_ours:
            return True
        return clone.merged(base.commit, self.head.commit) == clone.changed(base.commit, proposal.files)


def newest(log: Sequence[Logged]) -> Logged | None:
    """The newest commit of a log that is no merge, None when it has none."""
    return next((one for one in log if len(one.parents) < 2), None)


def only_ours(log: Sequence[Logged]) -> bool:
    """Whether the newest commit that is no merge (of the base, by the button on the page) is one of ours."""
    made = newest(log)
    return made is not None and bool(topic_of(made.message))


def own_branch(name: str, clone: Clone) -> OwnBranch | None:
    """What is on a branch of ours, None when it is not there. Raises GitError."""
    there = clone.head_and_log(name)
    return OwnBranch(*there) if there is not None else None
