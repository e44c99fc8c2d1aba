"""What promotions and rollbacks look at beside the branch that they write to.

A proposal is made anew whenever its branch has moved; what was read of a commit stays true, so it is asked for once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import dropwhile
from typing import NamedTuple

import msgspec

from gitops_bot.cli.deployed import Deployed
from gitops_bot.cli.rendered import bring_both
from gitops_bot.cli.writing import Place
from gitops_bot.doors.git import Repository
from gitops_bot.doors.github.errors import NotFound
from gitops_bot.doors.github.writing import Writing
from gitops_bot.errors import CommitGone, GitHubError, UsageError
from gitops_bot.model.github import CheckState, CommitInfo, Commits, DeploymentState, Status, Tag
from gitops_bot.model.settings import Promotion, Settings
from gitops_bot.model.tree import Tree
from gitops_bot.writeback.moves.gates import CONTEXT, CommitState, Gate, judge
from gitops_bot.writeback.moves.gates import Evidence as Asked
from gitops_bot.writeback.moves.own_commits import is_own, only_values
from gitops_bot.writeback.moves.recorded import announced_tags
from gitops_bot.writeback.moves.versions import Release, Used

_LONGEST_LINE = 10
"""Commits that are looked at for statuses: those of this program that follow one another, and the one below them."""
_MOST_DEPLOYMENTS = 30
_MOST_RELEASES = 5
"""Deployments of an environment whose tags may have been deleted since; the newest are the highest."""


class GateAsk(NamedTuple):
    """Of what the gates are asked."""

    policy: Promotion
    commit: str
    """Of the source environment, what would be promoted: full id."""
    tagged: str = ""
    """What will be tagged, full id; ``""``: nothing is."""
    branch: str = ""
    """The branch that has it."""
    merge: str = ""
    """What merged a pull request of this program; ``""`` before the merge."""
    past: bool = False
    """True: it is enough that the source was healthy with it before it got something newer."""


class _Read(NamedTuple):
    """A commit, and what was reported on it."""

    info: CommitInfo
    statuses: tuple[Status, ...]
    checks: tuple[CheckState, ...]


class Evidence:
    """What one run has read, by commit; nothing of it is asked for twice."""

    def __init__(self, place: Place, now: datetime) -> None:
        """Take the repository and the run's moment (aware), by which everything is judged."""
        self.place = place
        self.now = now
        self._trees: dict[str, Tree] = {}
        self._compared: dict[tuple[str, str], Commits] = {}
        self._merges: dict[tuple[str, str], tuple[Tree, Tree]] = {}
        self._touching: dict[tuple[str, str], tuple[CommitInfo, ...]] = {}
        self._contained: dict[tuple[str, str], bool] = {}
        self._commits: dict[str, _Read] = {}
        self._deployments: dict[str, tuple[DeploymentState, ...]] = {}
        self._gates: dict[GateAsk, tuple[Gate, ...]] = {}
        self._released: dict[str, tuple[str, ...]] = {}
        self._deployed: Deployed | None = None

    @property
    def github(self) -> Writing:
        """The door to GitHub. Raises UsageError where there is none."""
        if self.place.github is None:
            raise UsageError("this needs GitHub's API", hint="set GITHUB_TOKEN; a deploy key can only push")
        return self.place.github

    # -- Git --------------------------------------------------------------------------------------------------------

    def tree(self, commit: str) -> Tree:
        """Every file of a commit (full id). Raises GitError."""
        if commit not in self._trees:
            self._trees[commit] = self.place.clone.tree(commit)
        return self._trees[commit]

    def known_tree(self, commit: str) -> Tree | None:
        """The same; None for a commit that the repository does not have any more."""
        try:
            return self.tree(commit)
        except CommitGone:
            return None

    def merge(self, base: str, head: str) -> tuple[Tree, Tree]:
        """What merging one commit into another does: ``base`` and the result. Raises GitError.

        Where they conflict, the state that they have in common and ``head``.
        """
        if (base, head) not in self._merges:
            directory = bring_both(self.place, base, head)
            found = self.place.stack.enter_context(Repository(directory)).compare(base, head)
            self._merges[base, head] = (found.base, found.head)
        return self._merges[base, head]

    def tags(self) -> tuple[Tag, ...]:
        """All tags as they are now: others may make some at any time."""
        return self.place.clone.tags()

    def commits(self, base: str, head: str) -> Commits:
        """What ``head`` has and ``base`` has not; nothing where GitHub is not asked or does not know them."""
        if self.place.github is None:
            return Commits()
        if (base, head) not in self._compared:
            try:
                self._compared[base, head] = self.place.github.commits.compare(base, head)
            except NotFound:
                self._compared[base, head] = Commits()
        return self._compared[base, head]

    def touching(self, path: str, revision: str) -> tuple[CommitInfo, ...]:
        """The newest commits of a revision that changed a file, newest first; none where GitHub cannot say."""
        if (path, revision) not in self._touching:
            try:
                found = self.place.github.commits.touching(path, revision) if self.place.github is not None else ()
            except GitHubError:
                found = ()
            self._touching[path, revision] = found
        return self._touching[path, revision]

    def contained(self, head: str) -> Callable[[str], bool]:
        """Tells whether a commit lies on or below ``head`` (full id)."""

        def found(commit: str) -> bool:
            if commit == head:
                return True
            if (commit, head) not in self._contained:
                self._contained[commit, head] = self._contains(head, commit)
            return self._contained[commit, head]

        return found

    def _contains(self, head: str, commit: str) -> bool:
        if self.place.github is None:
            return self.place.clone.contains(head, commit)
        try:
            return self.place.github.commits.on(head, commit)
        except NotFound:
            return False

    def deployed(self, base: Tree) -> Deployed:
        """What is deployed from trees of this repository, under the settings of the first tree that was asked for."""
        if self._deployed is None:
            self._deployed = Deployed(self.place.renderer(base, ""))
        return self._deployed

    # -- what the agent and others reported ---------------------------------------------------------------------------

    def deployments(self, environment: str, most: int = _MOST_DEPLOYMENTS) -> tuple[DeploymentState, ...]:
        """The agent's newest deployments of an environment, newest first."""
        if environment not in self._deployments:
            self._deployments[environment] = tuple(self.github.deployments.newest(environment, most=most))
        return self._deployments[environment]

    def used(self, environment: str, newest: Release | None, commit: str) -> Used:
        """Names of releases that an environment had or was promised since its newest, where ``commit`` gets the next.

        None where GitHub cannot say.
        """
        if self.place.github is None:
            return Used()
        since = self.commits(newest.commit, commit).commits if newest is not None else ()
        return Used(self._releases(environment), announced_tags(since, environment, commit))

    def _releases(self, environment: str) -> tuple[str, ...]:
        """Tags that an environment is known to have had."""
        if environment not in self._released:
            try:
                listed = tuple(self.github.deployments.newest(environment, most=_MOST_RELEASES))
            except GitHubError:
                listed = ()  # a token that may not read them: what was deleted is not known then
            self._released[environment] = tuple(each.ref for each in listed)
        return self._released[environment]

    def gates(self, settings: Settings, ask: GateAsk) -> tuple[Gate, ...]:
        """The state of every gate of a promotion.

        Raises UsageError where a gate needs GitHub and there is no token.
        """
        if ask not in self._gates:
            policy, wanted = ask.policy, ask.policy.gates
            asks = bool(wanted.statuses or wanted.healthy or wanted.soak)
            tree = self.tree(ask.commit)
            same = self.deployed(tree).same(settings, policy.source, tree, self.known_tree)
            deployments = self._judged(policy.source, same, past=ask.past) if wanted.healthy or wanted.soak else ()
            tagged = wanted.statuses and ask.tagged not in ("", ask.commit)
            self._gates[ask] = judge(policy, Asked(
                environment=policy.source,
                line=tuple(self._told(settings, ask, deployments)) if asks else (),
                tagged=tuple(self._own_and_one(settings, ask)) if tagged else (),
                tagged_branch=ask.branch,
                deployments=deployments,
                same=same,
                now=self.now,
            ))  # fmt: skip
        return self._gates[ask]

    def _judged(self, environment: str, same: Callable[[str], bool], *, past: bool) -> tuple[DeploymentState, ...]:
        """The deployments that tell of health: as far back as they are the same, and the one before."""
        github = self.github
        if environment not in self._deployments:
            found: list[DeploymentState] = []
            for each in github.deployments.newest(environment, most=_MOST_DEPLOYMENTS):
                found.append(each)
                if not past and not same(each.commit):
                    break
            self._deployments[environment] = tuple(found)
        listed = self._deployments[environment]
        if not past:
            return listed
        left = tuple(dropwhile(lambda each: not same(each.commit), listed))
        return tuple(map(_until_replaced, left)) or listed

    def _told(
        self, settings: Settings, ask: GateAsk, deployments: tuple[DeploymentState, ...]
    ) -> Iterator[CommitState]:
        """The commit and those below it, to the first that is not this program's, and what the agent speaks of."""
        context = CONTEXT + ask.policy.source
        told = {each.commit for each in deployments[:1]}
        done = False
        seen: set[str] = set()
        for state in self._line(settings, ask.commit, ask.merge):
            seen.add(state.sha)
            yield state
            done = done or not state.bot
            spoken = told <= seen if told else any(one.context == context for one in state.statuses)
            if done and (spoken or told):
                break
        for missing in sorted(told - seen):
            yield self._state(settings, missing, ask.merge)

    def _own_and_one(self, settings: Settings, ask: GateAsk) -> Iterator[CommitState]:
        """The commit to be tagged and those below it, to the first that is not this program's."""
        for state in self._line(settings, ask.tagged, ask.merge):
            yield state
            if not state.bot:
                break

    def _line(self, settings: Settings, commit: str, merge: str) -> Iterator[CommitState]:
        """A commit and those below it along first parents."""
        for _ in range(_LONGEST_LINE):
            if not commit:
                break
            yield self._state(settings, commit, merge)
            parents = self._commit(commit).info.parents
            commit = parents[0] if parents else ""

    def _state(self, settings: Settings, commit: str, merge: str) -> CommitState:
        """What was reported on a commit. The merge of a pull request of ours counts as ours by what it changes."""
        read = self._commit(commit)
        own = is_own(settings, read.info) or (commit == merge and only_values(settings, read.info.paths))
        return CommitState(sha=commit, bot=own, statuses=read.statuses, checks=read.checks)

    def _commit(self, commit: str) -> _Read:
        if commit not in self._commits:
            github = self.github
            self._commits[commit] = _Read(
                github.commits.commit(commit), github.verdicts.statuses(commit), github.verdicts.checks(commit)
            )
        return self._commits[commit]


def _until_replaced(deployment: DeploymentState) -> DeploymentState:
    """A deployment as it was before a newer one took its place."""
    statuses = tuple(dropwhile(lambda status: status.state == "inactive", deployment.statuses))
    return msgspec.structs.replace(deployment, statuses=statuses)


def page_of(place: Place, commit: str) -> str:
    """The page of a commit of the repository."""
    return f"{place.target.server}/{place.target.name}/commit/{commit}"
