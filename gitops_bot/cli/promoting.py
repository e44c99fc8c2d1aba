"""One promotion from what is read to what is written: a pull request, its gates as a check, and the tag."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal, NamedTuple

import msgspec

from gitops_bot.cli.code_commits import with_code
from gitops_bot.cli.effects import Effects
from gitops_bot.cli.evidence import Evidence, GateAsk
from gitops_bot.cli.rendered import RenderedDiffs
from gitops_bot.cli.tagging import make_tag, merged_pull
from gitops_bot.cli.writing import Place
from gitops_bot.errors import BotError, GitHubError, UsageError
from gitops_bot.model.github import Commits
from gitops_bot.model.settings import Settings
from gitops_bot.model.writeback import Head, Landed, Proposal
from gitops_bot.render.settings import read_settings
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.landing.land import land
from gitops_bot.writeback.landing.pull_request import open_between
from gitops_bot.writeback.landing.topics import branch_of as branch_of_topic
from gitops_bot.writeback.landing.topics import marker_of
from gitops_bot.writeback.moves.gates import Gate, all_passed, verdict
from gitops_bot.writeback.moves.promote import Nothing, Promotion, Route, Scene, promote, route, unproved
from gitops_bot.writeback.moves.versions import Level, NextTag, Used, newest_release
from gitops_bot.writeback.refused import Refused

_HINT = "correct the value where it comes from, or bring what it needs to the target first"


class Asked(NamedTuple):
    """What was asked for."""

    target: str
    source: str = ""
    """``""``: the one that the settings name."""
    level: Level | None = None
    by: str = ""
    """Login of who asked, ``""`` for nobody."""
    allow_downgrade: bool = False
    """Whether versions are promoted that are older than the target's."""


class Promoted(NamedTuple):
    """What became of a promotion."""

    way: Route
    kind: Literal["pull-request", "tag", "nothing"]
    landed: Landed
    reason: str = ""
    """Why there is nothing to do."""
    tag: str = ""
    """What was tagged, or will be after the merge."""
    gates: tuple[Gate, ...] = ()
    notes: tuple[str, ...] = ()
    found: Promotion | None = None
    """What was proposed; None for a tag alone and where there is nothing to do."""


class Promoter:
    """Makes one promotion; ``make`` may be called for as many states of the branch as there are."""

    def __init__(self, place: Place, evidence: Evidence, asked: Asked, *, diff: bool = True) -> None:
        """Take where it is written, what is known, and what was asked; without ``diff`` nothing is rendered."""
        self._place = place
        self._evidence = evidence
        self._asked = asked
        self._diffs = RenderedDiffs(place) if diff else None
        self._effects = Effects(lambda tree: place.renderer(tree, ""), hint=_HINT)
        self._default = place.clone.default_branch()
        self.way, self.settings = self._find()

    def _find(self) -> tuple[Route, Settings]:
        """How it goes, by the settings of the branch that it goes into. Raises UsageError."""
        branch = self._default
        for _ in range(3):
            settings = read_settings(self._place.clone.head(branch).tree)
            way = route(settings, self._asked.target, self._asked.source, self._asked.level)
            if way.base == branch:
                return way, settings
            branch = way.base
        raise UsageError(
            f"the settings of {self._default} and {branch} send {self._asked.target} to different branches",
            hint="let .gitops-bot.yaml say the same on both",
        )

    def make(self, base: Head) -> Promotion | Nothing:
        """What it does to a state of the branch it goes into. Raises what ``promote`` does."""
        settings = read_settings(base.tree)
        way = route(settings, self._asked.target, self._asked.source, self._asked.level)
        scene = self._scene(way, settings, base)
        found = promote(settings, way, base, scene)
        if isinstance(found, Nothing) or found.kind == "tag":
            return found
        # Which of two versions is newer, too, may be known only by the commits between them.
        scene = with_code(self._evidence, settings, way, base, scene, found.subjects)
        shown = ""
        if self._diffs is not None and found.proposal is not None:
            shown = self._diffs.of_proposal(base.commit, base.branch, found.proposal)
        elif self._diffs is not None:
            shown = self._diffs.of_merge(base.commit, base.branch, scene.source_commit)
        return promote(settings, way, base, msgspec.structs.replace(scene, diff=shown))

    def _scene(self, way: Route, settings: Settings, base: Head) -> Scene:
        evidence = self._evidence
        source, commit = base.tree, base.commit
        tags = evidence.tags() if way.target_tag or way.source_tag else ()
        if way.source_tag:
            release = newest_release(tags, way.source_tag)
            if release is None:
                raise UsageError(
                    f"{way.source} has no release yet: no tag is {way.source_tag}", hint="promote it first"
                )
            source, commit = evidence.tree(release.commit), release.commit
        elif way.head != way.base:
            head = self._place.clone.head(way.head)
            source, commit = head.tree, head.commit
        newest = newest_release(tags, way.target_tag) if way.target_tag else None
        if way.kind == "branch":
            commits = evidence.commits(base.commit, commit)
        else:
            commits = evidence.commits(newest.commit, base.commit) if newest else Commits()
        return Scene(
            source=source,
            source_commit=commit,
            merge=evidence.merge(base.commit, commit) if way.kind == "branch" else None,
            now=evidence.now,
            gates=evidence.gates(settings, _asks(settings, way, commit, base.commit)),
            tags=tags,
            used=evidence.used(way.target, newest, base.commit) if way.target_tag else Used(),
            contained=evidence.contained(base.commit),
            commits=commits,
            apps=evidence.deployed(base.tree).readers(settings, way.target, base.tree),
            effect=self._effects.of,
            by=self._asked.by,
            allow_downgrade=self._asked.allow_downgrade,
        )


def _asks(settings: Settings, way: Route, commit: str, tagged: str) -> GateAsk:
    """The gates of what the source has with a commit; ``tagged`` gets the tag where the target follows tags."""
    follows_tags = settings.environments[way.target].tag is not None
    return GateAsk(way.policy, commit, tagged if follows_tags else "", way.base)


def promote_there(place: Place, evidence: Evidence, asked: Asked) -> Promoted:
    """Propose a promotion at GitHub, or make the tag that alone is missing.

    Raises Refused when only a tag is missing and a gate does not hold, and what ``promote`` and ``land`` raise.
    """
    promoter = Promoter(place, evidence, asked)
    try:
        return _promote_there(place, evidence, promoter)
    except (Refused, EditRefused, UsageError) as error:
        _shut(evidence, promoter.way, error)
        raise


def _promote_there(place: Place, evidence: Evidence, promoter: Promoter) -> Promoted:
    github, way = evidence.github, promoter.way
    topic = f"promote/{way.target}"
    if way.kind == "branch":
        found = promoter.make(place.clone.head(way.base))
        if isinstance(found, Nothing):
            return Promoted(way, "nothing", Landed(mode="nothing"), found.reason)
        landed = open_between(way.head, way.base, topic=topic, title=found.title, body=found.body, github=github)
        return _proposed(evidence, way, found, landed)
    made: dict[str, Promotion | Nothing] = {}
    """By the commit that it was made from: the branch's, or an open pull request's, of which nothing may be tagged."""

    def make(head: Head) -> Proposal | None:
        made[head.commit] = found = promoter.make(head)
        return found.proposal if isinstance(found, Promotion) else None

    landed = land(make, branch=way.base, mode="pull-request", doors=place.landing, topic=topic)
    found = made[landed.base]
    if isinstance(found, Nothing):
        return Promoted(way, "nothing", landed, found.reason)
    if found.proposal is None:
        return _tagged(evidence, promoter.settings, way, found, landed)
    return _proposed(evidence, way, found, landed)


def _proposed(evidence: Evidence, way: Route, found: Promotion, landed: Landed) -> Promoted:
    """What was proposed, with its gates as a check on the commit that would be merged."""
    tag = found.tag.name if found.tag else ""
    if landed.mode != "pull-request":
        return Promoted(way, "nothing", landed, "", tag, found.gates)
    notes: list[str] = []
    try:
        report(evidence, landed.commit, way.target, found.gates, landed.url)
    except GitHubError as error:
        notes.append(f"the gates are not shown as a check: {error.told}")
    return Promoted(way, "pull-request", landed, "", tag, found.gates, tuple(notes), found)


def _shut(evidence: Evidence, way: Route, error: BotError) -> None:
    """Let the check of an open pull request say what stands against it by now, so that nobody merges it meanwhile.

    A convenience: a token that may not do it changes nothing about the refusal.
    """
    if evidence.place.github is None:
        return
    head = way.head if way.kind == "branch" else branch_of_topic(f"promote/{way.target}")
    reasons = error.reasons if isinstance(error, Refused) else (error.message,)
    gates = tuple(Gate(name="allowed", state="failed", reason=reason) for reason in reasons)
    with suppress(GitHubError):
        for pull in evidence.github.pulls.of_branch(head):
            if pull.base_ref == way.base and marker_of(pull.body) is not None:
                report(evidence, pull.head_sha, way.target, gates, pull.url)


def check_name(target: str) -> str:
    """The name of the check that all gates of a promotion are: what branch protection may require."""
    return f"promotion/{target}"


def report(evidence: Evidence, commit: str, target: str, gates: tuple[Gate, ...], url: str) -> None:
    """Tell the gates as one check of a commit, unless it says so already. Raises GitHubError.

    Without gates there is none, but one that is there already succeeds.
    """
    verdicts, told, name = evidence.github.verdicts, verdict(gates), check_name(target)
    done = {"success": ("completed", "success"), "failure": ("completed", "failure")}
    wanted = done.get(told.state, ("in_progress", None))
    there = [(one.status, one.conclusion, one.title) for one in verdicts.checks(commit) if one.name == name]
    if (gates or there) and (*wanted, told.title) not in there:
        verdicts.report(commit, name, told.state, title=told.title, summary=told.summary, url=url)


def refuse_shut(target: str, gates: tuple[Gate, ...]) -> None:
    """Raise Refused that names every gate that does not hold."""
    if not all_passed(gates):
        shut = [f"{gate.name} is {gate.state}: {gate.reason}" for gate in gates if gate.state != "passed"]
        raise Refused(
            [f"{target} is not tagged, because {each}" for each in shut], hint="run it again when every gate has passed"
        )


def _tagged(evidence: Evidence, settings: Settings, way: Route, found: Promotion, landed: Landed) -> Promoted:
    """Make the tag that alone is missing."""
    refuse_shut(way.target, found.gates)
    made = make_tag(evidence, settings, way.target, found.commit, level=way.level)
    if isinstance(made, Nothing):
        return Promoted(way, "nothing", landed, made.reason)
    return Promoted(way, "tag", landed, "", made.name, found.gates, made.notes)


def _refuse_unproved(evidence: Evidence, settings: Settings, way: Route, proved: str, merge: str) -> None:
    """Raise Refused where a merge brings something else than the source has in the commit that its gates are about.

    What the merged commit says that it was copied from proves nothing by itself.
    """
    other = unproved(settings, way, evidence.tree(proved), evidence.tree(merge))
    had = f"is not what {way.source} had in {proved[:7]}"
    if other:
        raise Refused(
            [f"{way.target} is not tagged, because {each} {had}" for each in other],
            hint="promote again: what was merged is not what the gates were asked of",
        )


def tag_merged_promotion(place: Place, evidence: Evidence, asked: Asked) -> Promoted:
    """Tag the merge of the newest promotion, when its gates hold now. Raises Refused when one does not."""
    promoter = Promoter(place, evidence, asked, diff=False)
    way, settings = promoter.way, promoter.settings
    found = merged_pull(evidence, settings, way.target, f"promote/{way.target}")
    if isinstance(found, Nothing):
        return Promoted(way, "nothing", Landed(mode="nothing"), found.reason)
    merge = found.pull.merge_commit
    proved = found.told.commit or merge
    gates: tuple[Gate, ...] = ()

    def judged(_tag: NextTag) -> None:
        nonlocal gates
        _refuse_unproved(evidence, settings, way, proved, merge)
        asks = _asks(settings, way, proved, merge)
        gates = evidence.gates(settings, asks._replace(merge=merge, past=True))
        refuse_shut(way.target, gates)

    made = make_tag(
        evidence, settings, way.target, merge, level=asked.level or found.told.level, announced=found.told.tag,
        before=judged,
    )  # fmt: skip
    landed = Landed(mode="nothing", url=found.pull.url, pull=found.pull.number)
    if isinstance(made, Nothing):
        return Promoted(way, "nothing", landed, made.reason)
    return Promoted(way, "tag", landed, "", made.name, gates, made.notes)
