"""One rollback from what is read to what is written: the change that is undone, the holds, and the next tag."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from gitops_bot.cli.evidence import Evidence, page_of
from gitops_bot.cli.rendered import RenderedDiffs
from gitops_bot.cli.tagging import make_tag, merged_pull
from gitops_bot.cli.writing import Place
from gitops_bot.doors.github.errors import NotFound
from gitops_bot.doors.merge import merge_text
from gitops_bot.errors import GitHubError, UsageError
from gitops_bot.model.github import CommitInfo, Commits
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.model.writeback import Head, Landed, Mode, Proposal
from gitops_bot.render.settings import read_settings
from gitops_bot.writeback.environments import known, tag_pattern
from gitops_bot.writeback.landing.commit_message import topic_of
from gitops_bot.writeback.landing.land import land
from gitops_bot.writeback.moves.history import Change, Point, last_healthy, previous, previous_release, to_revision
from gitops_bot.writeback.moves.promote import Nothing, recorded
from gitops_bot.writeback.moves.rollback import (
    Rollback,
    RollbackRequest,
    RollbackScene,
    allowed_in,
    belongs_to,
    branch_for,
    rollback,
)
from gitops_bot.writeback.moves.versions import Used, newest_release, releases

FAR = 200
"""Commits of a branch that are looked at for a change of the environment."""


class Undo(NamedTuple):
    """What was asked for."""

    request: RollbackRequest
    to: str = ""
    """A tag, branch or commit; ``""`` for the newest change."""
    healthy: bool = False
    """To what the agent last found healthy."""
    branch: str = ""
    """What is written to; ``""``: where the environment's files lie."""


class RolledBack(NamedTuple):
    """What became of a rollback."""

    branch: str
    landed: Landed
    done: Rollback | None
    """None: there was nothing to undo."""
    reason: str = ""
    tag: str = ""
    """What was tagged."""
    notes: tuple[str, ...] = ()


class Undoer:
    """Makes one rollback; ``make`` may be called for as many states of the branch as there are."""

    def __init__(self, place: Place, evidence: Evidence, undo: Undo, *, diff: bool = True) -> None:
        """Take where it is written, what is known, and what was asked; without ``diff`` nothing is rendered."""
        self._place = place
        self._evidence = evidence
        self._undo = undo
        self._diffs = RenderedDiffs(place) if diff else None
        self._chosen: Change | None = None
        default = place.clone.default_branch()
        self.branch = undo.branch or branch_for(read_settings(place.clone.head(default).tree), undo.request.environment)

    @property
    def topic(self) -> str:
        """What its pull request's branch is named for."""
        return f"rollback/{self._undo.request.environment}"

    def make(self, base: Head) -> Rollback | Nothing:
        """What it does to a state of its branch. Raises what ``rollback`` and the search for the change raise."""
        evidence, name = self._evidence, self._undo.request.environment
        settings = read_settings(base.tree)
        known(settings, name)
        pattern = tag_pattern(settings, name)
        tags = evidence.tags() if pattern or settings.environments[name].tag else ()
        newest = newest_release(tags, pattern) if pattern else None
        # What is undone is chosen once: what lands while we try must not be undone in its stead.
        change = self._chosen = self._chosen or self._change(settings, base)
        scene = RollbackScene(
            now=evidence.now,
            merge=merge_text,
            tags=tags,
            used=evidence.used(name, newest, base.commit) if pattern else Used(),
            contained=evidence.contained(base.commit),
            commits=evidence.commits(newest.commit, base.commit) if newest else Commits(),
            apps=evidence.deployed(base.tree).readers(base.tree),
        )
        found = rollback(settings, self._undo.request, base, change, scene)
        if isinstance(found, Nothing) or self._diffs is None:
            return found
        shown = self._diffs.of_proposal(base.commit, base.branch, found.proposal)
        return rollback(settings, self._undo.request, base, change, msgspec.structs.replace(scene, diff=shown))

    def _change(self, settings: Settings, base: Head) -> Change:
        """What is undone. Raises UsageError when there is none."""
        evidence, undo = self._evidence, self._undo
        name = undo.request.environment
        if undo.to:
            commit = self._commit_of(undo.to)
            wanted = evidence.known_tree(commit)
            if wanted is None:
                raise _unknown(undo.to)
            return to_revision(undo.to, wanted, base.tree, page_of(self._place, commit))
        belongs = belongs_to(settings, name, base.tree)
        allowed = allowed_in(settings, name, base.tree, evidence.now)
        glob = settings.environments[name].tag
        if undo.healthy:
            now = self._followed(glob) or base.tree
            listed = evidence.deployments(name)
            return last_healthy(listed, name, now, evidence.known_tree, belongs, allowed)
        if glob is not None:
            return previous_release(releases(evidence.tags(), glob), evidence.tree, belongs, allowed)
        return previous(self._line(base), belongs, allowed)

    def _followed(self, glob: str | None) -> Tree | None:
        """What an environment that follows tags has now; None for one that follows a branch."""
        newest = newest_release(self._evidence.tags(), glob) if glob else None
        return self._evidence.tree(newest.commit) if newest else None

    def _line(self, base: Head) -> Iterator[Point]:
        """The branch from its tip along first parents."""
        for logged in self._place.clone.log(base.branch, FAR):
            info = CommitInfo(
                sha=logged.oid, message=logged.message, parents=logged.parents, url=page_of(self._place, logged.oid)
            )
            yield Point(info, self._evidence.tree(logged.oid))

    def _commit_of(self, revision: str) -> str:
        """The full id of a tag, a branch or a commit. Raises UsageError."""
        clone = self._place.clone
        found = next((tag.commit for tag in clone.tags() if tag.name == revision), "") or clone.tip(revision)
        if found:
            return found
        if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", revision):
            return revision
        if self._place.github is not None and re.fullmatch(r"[0-9a-f]{7,}", revision):
            try:
                return self._place.github.commits.commit(revision).sha
            except GitHubError as error:
                if not isinstance(error, NotFound) and "No commit found" not in error.message:
                    raise
        raise _unknown(revision)


def _unknown(revision: str) -> UsageError:
    return UsageError(f"unknown revision {revision}", hint="name a tag, a branch or a full commit id")


def roll_back_there(
    place: Place, evidence: Evidence, undo: Undo, mode: Literal["auto"] | Mode | None = None
) -> RolledBack:
    """Undo a change by commit or pull request, and tag the commit where the environment follows tags.

    Raises what ``rollback``, the search for the change and ``land`` raise.
    """
    undoer = Undoer(place, evidence, undo)
    made: list[Rollback | Nothing] = []

    def make(head: Head) -> Proposal | None:
        made.append(undoer.make(head))
        return made[-1].proposal if isinstance(made[-1], Rollback) else None

    settings = read_settings(place.clone.head(undoer.branch).tree)
    landed = land(
        make, branch=undoer.branch, mode=mode or settings.commit.mode, doors=place.landing, topic=undoer.topic
    )  # fmt: skip
    if landed.mode == "nothing" and landed.pull is None:
        reason = made[-1].reason if isinstance(made[-1], Nothing) else "its branch says it already"
        tag, notes = _finished(place, evidence, settings, undo, undoer)
        return RolledBack(undoer.branch, landed, None, reason, tag, notes)
    done = next(each for each in reversed(made) if isinstance(each, Rollback))
    if done.tag is None or landed.mode in ("pull-request", "nothing"):
        return RolledBack(undoer.branch, landed, done)
    tag, notes = _tagged(evidence, settings, undo, landed.commit, announced=done.tag.name)
    return RolledBack(undoer.branch, landed, done, "", tag, notes)


def tag_merged_rollback(place: Place, evidence: Evidence, undo: Undo) -> RolledBack:
    """Tag the merge of the newest pull request that rolled an environment back."""
    undoer = Undoer(place, evidence, undo, diff=False)
    settings = read_settings(place.clone.head(undoer.branch).tree)
    nothing = Landed(mode="nothing")
    found = merged_pull(evidence, settings, undo.request.environment, undoer.topic)
    if isinstance(found, Nothing):
        return RolledBack(undoer.branch, nothing, None, found.reason)
    tag, notes = _tagged(
        evidence, settings, undo, found.pull.merge_commit, announced=found.told.tag
    )  # fmt: skip
    return RolledBack(undoer.branch, nothing, None, "" if tag else notes[0], tag, notes if tag else ())


def _tagged(
    evidence: Evidence, settings: Settings, undo: Undo, commit: str, *, announced: str
) -> tuple[str, tuple[str, ...]]:
    """Make the patch tag of a commit; its name (``""`` for none) and what there is to know."""
    name = undo.request.environment
    if evidence.place.github is None:
        return "", (f"make the tag {announced} of {commit} and push it: without GitHub's API this program cannot",)
    made = make_tag(evidence, settings, name, commit, level="patch", announced=announced)
    return ("", (made.reason,)) if isinstance(made, Nothing) else (made.name, made.notes)


def _finished(
    place: Place, evidence: Evidence, settings: Settings, undo: Undo, undoer: Undoer
) -> tuple[str, tuple[str, ...]]:
    """The tag that a run was cut off before: of the newest rollback on the branch, when no release has it."""
    name = undo.request.environment
    if not tag_pattern(settings, name):
        return "", ()
    for logged in place.clone.log(undoer.branch, FAR):
        told = recorded(logged.message)
        if told is not None and told.target == name:
            if told.source or topic_of(logged.message) != undoer.topic:
                return "", ()
            return _tagged(evidence, settings, undo, logged.oid, announced=told.tag)
    return "", ()
