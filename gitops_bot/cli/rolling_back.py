"""One rollback from what is read to what is written: the change that is undone, the holds, and the next tag."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

from gitops_bot.cli.effects import Effects
from gitops_bot.cli.evidence import Evidence
from gitops_bot.cli.held import closed_by_holds
from gitops_bot.cli.past import PastAtGitHub, Undo, choose
from gitops_bot.cli.rendered import RenderedDiffs
from gitops_bot.cli.tagging import make_tag, merged_pull, our_message
from gitops_bot.cli.writing import Place
from gitops_bot.doors.merge import merge_text
from gitops_bot.errors import BotError
from gitops_bot.model.github import Commits
from gitops_bot.model.settings import Settings
from gitops_bot.model.writeback import Head, Landed, Mode, Proposal
from gitops_bot.render.settings import read_settings
from gitops_bot.writeback.environments import branch_of, known, own_files, tag_pattern
from gitops_bot.writeback.landing.land import land
from gitops_bot.writeback.moves.history import Change
from gitops_bot.writeback.moves.promote import Nothing
from gitops_bot.writeback.moves.recorded import recorded
from gitops_bot.writeback.moves.rollback import (
    Rollback,
    RollbackScene,
    rollback,
    topic_of_rollback,
)
from gitops_bot.writeback.moves.versions import Used, newest_release

HINT = "name another revision with --to, or roll back what the old values do not fit as well, such as the chart"
"""What to do where the state that is gone back to does not render any more."""


class RolledBack(NamedTuple):
    """What became of a rollback."""

    branch: str
    landed: Landed
    done: Rollback | None
    """None: there was nothing to undo."""
    reason: str = ""
    """Why there was nothing."""
    tag: str = ""
    """What was tagged."""
    notes: tuple[str, ...] = ()


class Undoer:
    """Makes one rollback; ``make`` may be called for as many states of the branch as there are."""

    def __init__(self, place: Place, evidence: Evidence, undo: Undo, *, diff: bool = True) -> None:
        """Take where it is written, what is known, and what was asked; without ``diff`` no diff is rendered."""
        self._place = place
        self._evidence = evidence
        self._undo = undo
        self._diffs = RenderedDiffs(place) if diff else None
        self._effects = Effects(lambda tree: place.renderer(tree, ""), hint=HINT)
        self._chosen: Change | Nothing | None = None
        default = place.clone.default_branch()
        self.branch = undo.branch or branch_of(read_settings(place.clone.head(default).tree), undo.request.environment)
        self.topic = topic_of_rollback(undo.request.environment)
        """What its pull request's branch is named for."""

    def choose(self, base: Head) -> Change | Nothing:
        """What is undone, chosen once: what lands while we try must not be undone in its stead.

        Raises what ``past.choose`` does.
        """
        if self._chosen is None:
            past = PastAtGitHub(self._evidence, base)
            self._chosen = choose(read_settings(base.tree), self._undo, base, past, self._evidence.now)
        return self._chosen

    def make(self, base: Head) -> Rollback | Nothing:
        """What it does to a state of its branch. Raises what ``rollback`` and ``choose`` do."""
        change = self.choose(base)
        if isinstance(change, Nothing):
            return change
        settings = read_settings(base.tree)
        return rollback(settings, self._undo.request, base, change, self._scene(settings, base))

    def _diff(self, base: Head, proposal: Proposal) -> str:
        return self._diffs.of_proposal(base.commit, base.branch, proposal) if self._diffs is not None else ""

    def _scene(self, settings: Settings, base: Head) -> RollbackScene:
        evidence, name = self._evidence, known(settings, self._undo.request.environment)
        pattern = tag_pattern(settings, name)
        tags = evidence.tags() if pattern else ()
        newest = newest_release(tags, pattern) if pattern else None
        return RollbackScene(
            now=evidence.now,
            merge=merge_text,
            tags=tags,
            used=evidence.used(name, newest, base.commit) if pattern else Used(),
            contained=evidence.contained(base.commit),
            commits=evidence.commits(newest.commit, base.commit) if newest else Commits(),
            apps=evidence.deployed(base.tree).readers(settings, name, base.tree),
            effect=self._effects.of,
            diff=partial(self._diff, base),
        )


def roll_back_there(
    place: Place, evidence: Evidence, undo: Undo, mode: Literal["auto"] | Mode | None = None
) -> RolledBack:
    """Undo a change by commit or pull request, and tag the commit where the environment follows tags.

    What is open and would bring the held version back is closed. Raises what ``rollback``, the search for the change
    and ``land`` raise.
    """
    undoer = Undoer(place, evidence, undo)
    head = place.clone.head(undoer.branch)
    chosen = undoer.choose(head)
    if isinstance(chosen, Nothing):
        # Not by way of landing, which would close an open pull request that goes to another revision.
        done = RolledBack(undoer.branch, Landed(mode="nothing"), None, chosen.reason)
    else:
        done = _landed(place, undoer, mode or read_settings(head.tree).commit.mode)
    holds = done.done.holds if done.done is not None else ()
    # Before the tag, whose failing must not leave open what would bring the version back.
    closed = closed_by_holds(place, done.branch, done.landed, evidence.now, proposed=bool(holds))
    done = done._replace(notes=tuple(closed))
    return done if isinstance(chosen, Nothing) else _with_tag(evidence, read_settings(head.tree), undo, done)


def _landed(place: Place, undoer: Undoer, mode: Literal["auto"] | Mode) -> RolledBack:
    """The change undone by commit or pull request; without ``done`` its branch says it already."""
    made: dict[str, Rollback | Nothing] = {}
    """By the commit that it was made from: the branch's, or an open pull request's."""

    def make(head: Head) -> Proposal | None:
        made[head.commit] = found = undoer.make(head)
        return found.proposal if isinstance(found, Rollback) else None

    landed = land(make, branch=undoer.branch, mode=mode, doors=place.landing, topic=undoer.topic)
    found = made[landed.base]
    if isinstance(found, Nothing):
        return RolledBack(undoer.branch, landed, None, found.reason)
    return RolledBack(undoer.branch, landed, found)


def _with_tag(evidence: Evidence, settings: Settings, undo: Undo, done: RolledBack) -> RolledBack:
    """The same with the tag of what has landed on a branch, or of what a run before has that was cut off."""
    if done.done is None:
        return _finished(evidence, undo, done)
    if done.done.tag is None or done.landed.mode in ("pull-request", "nothing"):
        return done
    try:
        return _tagged(evidence, settings, undo, done, done.landed.commit, announced=done.done.tag.name)
    except BotError as error:
        error.message = f"{done.landed.commit[:7]} is on {done.branch}, but has no tag yet: {error.message}"
        raise


def tag_merged_rollback(place: Place, evidence: Evidence, undo: Undo) -> RolledBack:
    """Tag the merge of the newest pull request that rolled an environment back."""
    undoer = Undoer(place, evidence, undo, diff=False)
    settings = read_settings(place.clone.head(undoer.branch).tree)
    nothing = RolledBack(undoer.branch, Landed(mode="nothing"), None)
    found = merged_pull(evidence, settings, undo.request.environment, undoer.topic)
    if isinstance(found, Nothing):
        return nothing._replace(reason=found.reason)
    done = _tagged(evidence, settings, undo, nothing, found.pull.merge_commit, announced=found.told.tag)
    return done if done.tag else nothing._replace(reason=done.notes[0])


def _tagged(
    evidence: Evidence, settings: Settings, undo: Undo, done: RolledBack, commit: str, *, announced: str
) -> RolledBack:
    """Make the patch tag of a commit, and say what there is to know."""
    name = undo.request.environment
    if evidence.place.github is None:
        by_hand = f"make the tag {announced} of {commit} and push it: without GitHub's API this program cannot"
        return done._replace(notes=(*done.notes, by_hand))
    made = make_tag(evidence, settings, name, commit, level="patch", announced=announced)
    if isinstance(made, Nothing):
        return done._replace(notes=(*done.notes, made.reason))
    return done._replace(tag=made.name, notes=(*done.notes, *made.notes))


def _finished(evidence: Evidence, undo: Undo, done: RolledBack) -> RolledBack:
    """Make the tag that a run was cut off before: of the newest change, where that is a rollback without a release.

    What the commit says of itself proves nothing: whoever may propose a change may write it.
    """
    name, clone = undo.request.environment, evidence.place.clone
    head = clone.head(done.branch)
    settings = read_settings(head.tree)
    pattern = tag_pattern(settings, name)
    if not pattern:
        return done
    line = PastAtGitHub(evidence, head).touching(head.commit, own_files(settings, name, head.tree.entries))
    newest = newest_release(evidence.tags(), pattern)
    if not line or (newest is not None and evidence.contained(newest.commit)(line[0].sha)):
        return done
    commit = line[0].sha
    message = our_message(evidence, settings, commit, topic_of_rollback(name))
    if message is None:
        note = f"no release has {commit[:7]}, the newest change of {name}, which is not known to be of gitops-bot"
        return done._replace(notes=(*done.notes, f"{note}: if it is right, tag it by hand"))
    told = recorded(message)
    return _tagged(evidence, settings, undo, done, commit, announced=told.tag if told else "")
