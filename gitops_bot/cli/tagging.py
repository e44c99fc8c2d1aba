"""Tags for environments that follow tags: made of a merge or a commit, once, whoever else makes tags meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gitops_bot.cli.evidence import Evidence
from gitops_bot.doors.rejection import Rejected
from gitops_bot.model.github import PullRequest
from gitops_bot.model.settings import Settings
from gitops_bot.writeback.environments import branch_of, tag_pattern
from gitops_bot.writeback.holds import releases
from gitops_bot.writeback.landing.commit_message import topic_of
from gitops_bot.writeback.landing.topics import branch_of as branch_of_topic
from gitops_bot.writeback.landing.topics import marker_of
from gitops_bot.writeback.moves.brought import held_back, undone
from gitops_bot.writeback.moves.own_commits import is_own
from gitops_bot.writeback.moves.promote import Nothing, tag_after_merge
from gitops_bot.writeback.moves.recorded import Recorded, recorded
from gitops_bot.writeback.moves.versions import Level, NextTag, Release, newest_release
from gitops_bot.writeback.refused import Refused

_ATTEMPTS = 5


class Merged(NamedTuple):
    """A pull request of ours that was merged."""

    pull: PullRequest
    message: str
    """Of the commit that it proposed."""
    told: Recorded


def merged_pull(evidence: Evidence, settings: Settings, environment: str, topic: str) -> Merged | Nothing:
    """The newest merged pull request of a topic into the branch of an environment's files, if it still stands there.

    Only what this program opened counts: by its branch, its author, its marker and its commit.
    """
    base = branch_of(settings, environment)
    found = [pull for pull in _merged(evidence, topic) if pull.base_ref == base]
    if not found:
        return Nothing(f"no pull request of gitops-bot for {environment} was merged into {base}")
    pull, commits = found[-1], evidence.github.commits
    message = commits.commit(pull.head_sha).message
    told = recorded(message)
    if told is None or told.target != environment or topic_of(message) != topic:
        return Nothing(f"the commit of #{pull.number} does not say that it is for {environment}")
    tip = evidence.place.clone.tip(base)
    if not evidence.contained(tip)(pull.merge_commit):
        return Nothing(f"{base} does not have the merge of #{pull.number} any more")
    below = commits.commit(pull.merge_commit).parents[0]
    gone = undone(settings, environment, *(evidence.tree(each) for each in (below, pull.merge_commit, tip)))
    if gone:
        return Nothing(f"what #{pull.number} brought was undone on {base} since: {', '.join(gone[:3])}")
    return Merged(pull, message, told)


def our_message(evidence: Evidence, settings: Settings, commit: str, topic: str) -> str | None:
    """What this program said of a commit (full id) of a branch: in its own, or in the pull request that it merges.

    None for everybody else's, whatever their messages say, and where GitHub cannot be asked. Raises GitHubError.
    """
    github = evidence.place.github
    if github is None:
        return None
    info = github.commits.commit(commit)
    if is_own(settings, info) and topic_of(info.message) == topic:
        return info.message
    merged = next((pull for pull in _merged(evidence, topic) if pull.merge_commit == commit), None)
    return github.commits.commit(merged.head_sha).message if merged is not None else None


def _merged(evidence: Evidence, topic: str) -> list[PullRequest]:
    """The pull requests of this program about a topic that were merged, the oldest first."""
    pulls = evidence.github.pulls
    closed = [pull for pull in pulls.of_branch(branch_of_topic(topic), state="closed") if pull.merged]
    own = pulls.login().casefold() if closed else ""
    ours = [pull for pull in closed if pull.author.casefold() == own and marker_of(pull.body) is not None]
    return [pull for pull in ours if pull.merge_commit]


def make_tag(
    evidence: Evidence,
    settings: Settings,
    environment: str,
    commit: str,
    *,
    level: Level | None = None,
    announced: str = "",
    before: Callable[[NextTag], None] = lambda _tag: None,
) -> NextTag | Nothing:
    """Make the next tag of a commit (full id) that lies on the environment's branch, unless a release has it.

    ``before`` is called before anything is written, and may raise. When somebody else takes the name meanwhile, the
    next one is taken. Raises Refused when the tag would bring a version that is on hold now, Rejected when the
    repository takes no such tag, and what ``tag_after_merge`` raises.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        tags = evidence.tags()
        pattern = tag_pattern(settings, environment)
        newest = newest_release(tags, pattern) if pattern else None
        found = tag_after_merge(
            settings, environment, commit, level=level, tags=tags, announced=announced,
            used=evidence.used(environment, newest, commit), contained=evidence.contained(commit),
        )  # fmt: skip
        if isinstance(found, Nothing):
            return found
        if newest is not None and evidence.contained(newest.commit)(commit):
            return Nothing(f"{newest.name} has this commit already")
        before(found)
        _refuse_held(evidence, settings, environment, newest, commit)
        try:
            evidence.github.refs.create_tag(found.name, commit)
        except Rejected as error:
            if error.kind != "moved" or attempt == _ATTEMPTS:
                raise
            continue
        return found
    raise AssertionError("unreachable")


def _refuse_held(evidence: Evidence, settings: Settings, environment: str, newest: Release | None, commit: str) -> None:
    """Raise Refused where a tag of a commit would bring what is on hold by now, also if it was not when it was merged.

    By the holds on the branch's tip; what the newest release has already is not brought.
    """
    tip = evidence.place.clone.head(branch_of(settings, environment))
    before = evidence.tree(newest.commit) if newest is not None else None
    holds = held_back(settings, environment, before, evidence.tree(commit), holding=tip.tree, now=evidence.now)
    if holds:
        raise Refused(
            [f"{environment} is not tagged, because {hold.told}" for hold in holds],
            hint=f"{releases(holds)} lets it be tagged, or promote another version",
        )
