"""What promotions and rollbacks look at beside the branch that they write to.

A proposal is made anew whenever its branch has moved; what was read of a commit stays true, so it is asked for once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from itertools import dropwhile

import msgspec

from gitops_bot.cli.deployed import Deployed
from gitops_bot.cli.writing import Place
from gitops_bot.doors.github.errors import NotFound
from gitops_bot.doors.github.writing import Writing
from gitops_bot.errors import CommitGone, GitHubError, UsageError
from gitops_bot.model.github import Commits, DeploymentState, Tag
from gitops_bot.model.settings import Promotion, Settings
from gitops_bot.model.tree import Tree
from gitops_bot.writeback.moves.gates import CommitState, Gate, judge
from gitops_bot.writeback.moves.gates import Evidence as Asked

_LONGEST_LINE = 10
"""Commits that are looked at for statuses: those of this program that follow one another, and the one below them."""
_MOST_DEPLOYMENTS = 30
_MOST_RELEASES = 5
"""Deployments of an environment whose tags may have been deleted since; the newest are the highest."""
_CONTEXT = "gitops-bot/"


class Evidence:
    """What one run has read, by commit; nothing of it is asked for twice."""

    def __init__(self, place: Place, now: datetime) -> None:
        """Take the repository and the run's moment (aware), by which everything is judged."""
        self.place = place
        self.now = now
        self._trees: dict[str, Tree] = {}
        self._compared: dict[tuple[str, str], Commits] = {}
        self._contained: dict[tuple[str, str], bool] = {}
        self._states: dict[str, tuple[CommitState, str]] = {}
        self._deployments: dict[str, tuple[DeploymentState, ...]] = {}
        self._gates: dict[tuple[object, ...], tuple[Gate, ...]] = {}
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

    def contained(self, head: str) -> Callable[[str], bool]:
        """Tells whether a commit lies on or below ``head`` (full id)."""

        def found(commit: str) -> bool:
            if commit == head or self.place.github is None:
                return True
            if (commit, head) not in self._contained:
                try:
                    self._contained[commit, head] = self.place.github.commits.on(head, commit)
                except NotFound:
                    self._contained[commit, head] = False
            return self._contained[commit, head]

        return found

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

    def releases(self, environment: str) -> tuple[str, ...]:
        """Tags that an environment is known to have had; none where GitHub cannot say."""
        if self.place.github is None:
            return ()
        try:
            return tuple(each.ref for each in self.place.github.deployments.newest(environment, most=_MOST_RELEASES))
        except GitHubError:
            return ()  # a token that may not read them: what was deleted is not known then

    def gates(
        self, policy: Promotion, settings: Settings, commit: str, *, ours: Collection[str] = (), past: bool = False
    ) -> tuple[Gate, ...]:
        """The state of every gate for what a commit (full id) of the source environment would promote.

        ``ours`` are commits that count as this program's, because they merge a pull request of it. With ``past`` it is
        enough that the source was healthy with it before it got something newer. Raises UsageError where a gate needs
        GitHub and there is no token.
        """
        wanted = policy.gates
        key = (policy, commit, tuple(sorted(ours)), past)
        if key not in self._gates:
            asks = bool(wanted.statuses or wanted.healthy or wanted.soak)
            same = self.deployed(self.tree(commit)).same(settings, policy.source, self.tree(commit), self.known_tree)
            deployments = self._judged(policy.source, same, past=past) if wanted.healthy or wanted.soak else ()
            line = tuple(self._line(commit, policy.source, deployments, ours)) if asks else ()
            self._gates[key] = judge(policy, Asked(
                environment=policy.source, line=line, deployments=deployments, same=same, now=self.now,
            ))  # fmt: skip
        return self._gates[key]

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

    def _line(
        self, commit: str, environment: str, deployments: tuple[DeploymentState, ...], ours: Collection[str]
    ) -> Iterator[CommitState]:
        """The commit and those below it, to the first that is not this program's, and what the agent speaks of."""
        told = {each.commit for each in deployments[:1]}
        done = False
        seen: set[str] = set()
        at = commit
        for _ in range(_LONGEST_LINE):
            if not at:
                break
            state, below = self._state(at)
            state = msgspec.structs.replace(state, bot=state.bot or at in ours)
            seen.add(at)
            yield state
            done = done or not state.bot
            spoken = told <= seen if told else any(one.context == _CONTEXT + environment for one in state.statuses)
            if done and (spoken or told):
                break
            at = below
        for missing in sorted(told - seen):
            yield self._state(missing)[0]

    def _state(self, commit: str) -> tuple[CommitState, str]:
        """What was reported on a commit, and its first parent (``""`` for none)."""
        if commit not in self._states:
            github = self.github
            info = github.commits.commit(commit)
            state = CommitState(
                sha=commit,
                bot=info.bot,
                statuses=github.verdicts.statuses(commit),
                checks=github.verdicts.checks(commit),
            )
            self._states[commit] = (state, info.parents[0] if info.parents else "")
        return self._states[commit]


def _until_replaced(deployment: DeploymentState) -> DeploymentState:
    """A deployment as it was before a newer one took its place."""
    statuses = tuple(dropwhile(lambda status: status.state == "inactive", deployment.statuses))
    return msgspec.structs.replace(deployment, statuses=statuses)


def page_of(place: Place, commit: str) -> str:
    """The page of a commit of the repository."""
    return f"{place.target.server}/{place.target.name}/commit/{commit}"
