"""What an environment was, read at GitHub or in a checkout for a rollback, and the change of it that is undone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from gitops_bot.cli.evidence import Evidence, page_of
from gitops_bot.cli.tagging import our_message
from gitops_bot.doors.git import Repository
from gitops_bot.doors.github.errors import NotFound
from gitops_bot.errors import GitHubError, UsageError
from gitops_bot.model.github import CommitInfo, DeploymentState, Tag
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.model.writeback import Head
from gitops_bot.render.settings import read_settings
from gitops_bot.writeback.environments import ENVIRONMENT, known, own_files, templates
from gitops_bot.writeback.moves.gates import ours
from gitops_bot.writeback.moves.history import (
    Belongs,
    Change,
    State,
    last_healthy,
    previous,
    previous_release,
    rolled_back,
    to_revision,
)
from gitops_bot.writeback.moves.promote import Nothing
from gitops_bot.writeback.moves.rollback import RollbackRequest, allowed_in, belongs_to, topic_of_rollback
from gitops_bot.writeback.moves.versions import releases
from gitops_bot.writeback.refused import Refused

_FAR = 200
"""Commits of a branch that are looked at for a change of the environment."""
_RELEASES = 30
"""Releases that are looked at, the newest ones."""


class Undo(NamedTuple):
    """What was asked for."""

    request: RollbackRequest
    to: str = ""
    """A tag, branch or commit; ``""`` for the newest change."""
    healthy: bool = False
    """To what the agent last found healthy."""
    branch: str = ""
    """What is written to; ``""``: where the environment's files lie."""


class Past(Protocol):
    """The past of a repository, as far as it can be known."""

    def touching(self, commit: str, paths: Sequence[str]) -> Sequence[CommitInfo]:
        """The commits that changed one of some files, newest first: a commit and its first parents."""

    def trees(self, commits: Sequence[str]) -> Sequence[Tree]:
        """Every file of each commit. Raises GitError."""

    def known_tree(self, commit: str) -> Tree | None:
        """Every file of a commit; None where it cannot be had any more."""

    def tags(self) -> Sequence[Tag]:
        """All tags."""

    def deployments(self, environment: str) -> Sequence[DeploymentState]:
        """The newest deployments of an environment. Raises GitHubError, UsageError where nobody can be asked."""

    def commit_of(self, revision: str) -> str:
        """The full id of a tag, a branch or a commit. Raises UsageError."""

    def on_branch(self, commit: str) -> bool:
        """Whether a commit lies on the branch that is written to."""

    def page(self, commit: str) -> str:
        """Where people see a commit, ``""`` where they do not."""

    def claims(self, environment: str, commit: str) -> bool:
        """Whether a commit is a rollback of this program, by GitHub's word; False where it cannot be asked."""


def choose(settings: Settings, undo: Undo, head: Head, past: Past, now: datetime) -> Change | Nothing:
    """What a rollback undoes, or that the environment is rolled back already. ``now`` is aware: holds end.

    Raises UsageError when there is no such change, Refused for a revision that the environment never had.
    """
    name = known(settings, undo.request.environment)
    if undo.to:
        return _to(settings, undo, head, past)
    glob = settings.environments[name].tag
    line = line_of(settings, name, head, past) if glob is None else releases_of(settings, name, glob, head, past)
    done = rolled_back(line.states, line.belongs, lambda state: past.claims(name, state.commit.sha))
    if done is not None:
        return Nothing(f"{done.told} has rolled {name} back already; --to REVISION goes further back")
    allowed = allowed_in(settings, name, head.tree, now)
    if undo.healthy:
        there = line.states[0].tree if glob is not None and line.states else head.tree
        return last_healthy(past.deployments(name), name, there, past.known_tree, line.belongs, allowed)
    find = previous if glob is None else previous_release
    return find(line.states, line.belongs, allowed)


def _to(settings: Settings, undo: Undo, head: Head, past: Past) -> Change:
    """Everything since a revision, when the environment or its branch has had it. Raises UsageError, Refused."""
    name, glob = undo.request.environment, settings.environments[undo.request.environment].tag
    commit = past.commit_of(undo.to)
    released = glob is not None and commit in [each.commit for each in releases(past.tags(), glob)]
    if not (released or past.on_branch(commit) or _was_deployed(name, commit, past)):
        what = f", a release ({glob})" if glob else ""
        raise Refused(
            [f"{name} never had {undo.to}: it is no commit of {head.branch}{what} or deployment of the agent"],
            hint=f"name a commit of {head.branch}" + (f" or a tag such as {glob}" if glob else "")
            + ", or merge what you mean first",
        )  # fmt: skip
    wanted = past.known_tree(commit)
    if wanted is None:
        raise UsageError(f"the commit of {undo.to} is gone", hint="name a revision that is still there")
    return to_revision(undo.to, wanted, head.tree, past.page(commit))


def _was_deployed(environment: str, commit: str, past: Past) -> bool:
    try:
        return any(each.commit == commit for each in ours(past.deployments(environment), environment))
    except (GitHubError, UsageError):
        return False  # without rights to read deployments they prove nothing


# -- what it was --------------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """What an environment was."""

    states: tuple[State, ...]
    """Newest first."""
    belongs: Belongs
    """Whether a path is one of its files, or was."""


def line_of(settings: Settings, environment: str, head: Head, past: Past) -> Line:
    """Along a branch: what each commit that changed the environment's files has made, and what there was before.

    Files are followed through other names.
    """
    named = (each.replace(ENVIRONMENT, environment) for each in templates(settings))
    paths = {*own_files(settings, environment, {*head.tree.entries, *named})}
    states: list[State] = []
    start = head.commit
    while commits := past.touching(start, sorted(paths)):
        below = commits[-1].parents[:1]
        trees = past.trees([*(each.sha for each in commits), *below])
        states += [State(*each) for each in zip(commits, trees, strict=False)]
        if not below:
            break
        belongs = belongs_to(settings, environment, states[-1].tree, trees[-1])
        earlier = {path for path in trees[-1].entries if belongs(path)} - paths
        if not earlier or len(states) >= _FAR:
            states.append(State(CommitInfo(sha=below[0], message=""), trees[-1]))
            break
        paths |= earlier
        start = below[0]
    return Line(tuple(states), frozenset(paths).__contains__)


def releases_of(settings: Settings, environment: str, glob: str, head: Head, past: Past) -> Line:
    """Over its releases, the highest version first. Raises UsageError for a glob that names one tag."""
    newest = releases(past.tags(), glob)[: -_RELEASES - 1 : -1]
    trees = past.trees([each.commit for each in newest])
    states = tuple(
        State(CommitInfo(sha=release.commit, message=""), tree, release.name)
        for release, tree in zip(newest, trees, strict=True)
    )
    return Line(states, belongs_to(settings, environment, head.tree, *trees))


# -- where it is read ---------------------------------------------------------------------------------------------


class PastAtGitHub:
    """The past of a branch of the repository that is written to."""

    def __init__(self, evidence: Evidence, head: Head) -> None:
        """Take what reads, and the tip of the branch."""
        self._evidence = evidence
        self._place = evidence.place
        self._head = head

    def touching(self, commit: str, paths: Sequence[str]) -> Sequence[CommitInfo]:
        """As ``Past``."""
        found = self._place.clone.touching(commit, paths, _FAR)
        return [msgspec.structs.replace(each, url=self.page(each.sha)) for each in found]

    def trees(self, commits: Sequence[str]) -> Sequence[Tree]:
        """As ``Past``."""
        return self._place.clone.trees(commits)

    def known_tree(self, commit: str) -> Tree | None:
        """As ``Past``."""
        return self._evidence.known_tree(commit)

    def tags(self) -> Sequence[Tag]:
        """As ``Past``."""
        return self._evidence.tags()

    def deployments(self, environment: str) -> Sequence[DeploymentState]:
        """As ``Past``."""
        return self._evidence.deployments(environment)

    def commit_of(self, revision: str) -> str:
        """As ``Past``."""
        clone, github = self._place.clone, self._place.github
        found = next((tag.commit for tag in clone.tags() if tag.name == revision), "") or clone.tip(revision)
        if found:
            return found
        if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", revision):
            return revision
        if github is not None and re.fullmatch(r"[0-9a-f]{7,}", revision):
            try:
                return github.commits.commit(revision).sha
            except GitHubError as error:
                if not isinstance(error, NotFound) and "No commit found" not in error.message:
                    raise
        raise UsageError(f"unknown revision {revision}", hint="name a tag, a branch or a full commit id")

    def on_branch(self, commit: str) -> bool:
        """As ``Past``."""
        return self._evidence.contained(self._head.commit)(commit)

    def page(self, commit: str) -> str:
        """As ``Past``."""
        return page_of(self._place, commit)

    def claims(self, environment: str, commit: str) -> bool:
        """As ``Past``."""
        settings = read_settings(self._head.tree)
        return our_message(self._evidence, settings, commit, topic_of_rollback(environment)) is not None


class PastHere:
    """The past of a checkout, without GitHub."""

    def __init__(self, repository: Repository, branch: str) -> None:
        """Take the checkout, and the branch of the environment, which may be another one than is checked out."""
        self._repository = repository
        self._tips = ("HEAD", branch, f"origin/{branch}")

    def touching(self, commit: str, paths: Sequence[str]) -> Sequence[CommitInfo]:
        """As ``Past``."""
        return self._repository.line(commit, _FAR, paths)

    def trees(self, commits: Sequence[str]) -> Sequence[Tree]:
        """As ``Past``."""
        return [self._repository.tree(commit) for commit in commits]

    def known_tree(self, commit: str) -> Tree | None:
        """As ``Past``."""
        return self._repository.tree(commit)

    def tags(self) -> Sequence[Tag]:
        """As ``Past``."""
        return self._repository.tags()

    def deployments(self, environment: str) -> Sequence[DeploymentState]:
        """As ``Past``."""
        raise UsageError(f"what was deployed to {environment} is at GitHub", hint="leave out --no-commit, or use --to")

    def commit_of(self, revision: str) -> str:
        """As ``Past``."""
        return self._repository.commit(revision)

    def on_branch(self, commit: str) -> bool:
        """As ``Past``."""
        return any(self._repository.contains(tip, commit) for tip in self._tips)

    def page(self, commit: str) -> str:
        """As ``Past``."""
        return ""

    def claims(self, environment: str, commit: str) -> bool:
        """As ``Past``."""
        return False
