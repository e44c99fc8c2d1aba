"""The diff, from two trees to one report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from gitops_bot.errors import RenderError
from gitops_bot.manifests.hashed_names import mask_pair_of_names
from gitops_bot.manifests.plan import plan_hash
from gitops_bot.manifests.yaml import YamlError
from gitops_bot.model.change import TargetChanges
from gitops_bot.model.report import Compared, Report
from gitops_bot.model.settings import Settings
from gitops_bot.model.signal import Signal
from gitops_bot.model.target import NotRendered, Target
from gitops_bot.render.discover import Discovery
from gitops_bot.render.select import is_selected
from gitops_bot.render.unread import unread, untold
from gitops_bot.render.workshop import Rendering, Workshop
from gitops_bot.review.orphans import missed_files, unread_manifests
from gitops_bot.review.pairs import Pair, pair
from gitops_bot.review.report import Outcome, build_report, outcome_of
from gitops_bot.review.sides import compare_sides, definition, shared_rules
from gitops_bot.review.signals.charts import only_patches
from gitops_bot.review.signals.context import Context, Standards, Versions
from gitops_bot.review.signals.ignoring import respects
from gitops_bot.review.signals.inspector import inspector_of
from gitops_bot.review.signals.pruning import cascades
from gitops_bot.review.signals.targets import standing_signals, target_signals, weigh_deletions

_MANIFESTS = (".yaml", ".yml", ".json", ".tpl")
_NAMED = 10
"""How many unread files are named."""


class Doors(msgspec.Struct, frozen=True, kw_only=True):
    """What a review needs from outside."""

    workshop: Workshop
    delete_jq: Callable[..., Any]
    """Deletes what jq expressions select; see ``doors.jq``."""
    text_diff: Callable[[str, str], str]
    """A unified diff of two large texts; see ``doors.git``."""
    progress: Callable[[int, int], None] = lambda _done, _all: None
    """Told after each target how many of how many are done."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a review."""

    compared: Compared
    selected: tuple[str, ...] = ()
    """Globs of target names or ids, a leading ``!`` excludes; empty selects all."""
    plans: bool = True
    """Whether plan hashes are wanted; they cost a parse of every manifest of what changed."""
    problems: tuple[NotRendered, ...] = ()
    """What is wrong with the head beside its targets: settings that cannot be read."""
    changed: tuple[str, ...] = ()
    """Paths of this repository that differ between the two trees."""
    reaches: Callable[[Target], str]
    """What a target follows when that is not the base branch, else ``""``."""
    policy: Settings = Settings()
    """The settings of the base revision: what is protected, silenced, and names models."""
    versions: Versions = Versions()
    """The Kubernetes versions of the targets' clusters on both sides."""


def review(base: Discovery, head: Discovery, request: Request, doors: Doors) -> Report:
    """Compare what two trees deploy: render what differs, compare it, and say what could not be."""
    pairs = [one for one in pair(base.preparations, head.preparations) if is_selected(one.targets, request.selected)]
    lost = _Lost(base, head, doors.workshop)
    outcomes: dict[str, Outcome] = {}
    failures: list[NotRendered] = [*request.problems, *_problems(base, head)]
    affected: list[Pair] = []
    calm: set[str] = set()
    unseen = _unseen(base, head)
    standards = Standards(base, head, request.policy, request.versions)
    for one in pairs:
        same = not unseen(one) and _is_unaffected(one, doors.workshop)
        if same and not standards.judges_anew(one):
            outcomes[one.id] = _outcome(one, request, "unchanged")
            if one.head is not None and one.head.error is not None:
                outcomes[one.id] = _outcome(one, request, "skipped")
                failures.append(_not_rendered(one.id, one.head.error, "", failed=False))
        else:
            affected.append(one)
            calm.update([one.id] if same else [])

    def judge(one: Pair) -> tuple[Outcome, NotRendered | None]:
        context = standards.context(one)
        if one.id in calm:
            return _judge_again(one, context, request, doors)
        return _compare(one, context, lost, unseen, request, doors)

    done = 0
    with ThreadPoolExecutor(doors.workshop.workers + 1) as pool:
        for one, (outcome, failure) in zip(affected, pool.map(judge, affected), strict=True):
            outcomes[one.id] = outcome
            failures += [failure] if failure else []
            done += 1
            doors.progress(done, len(affected))
    for one in pairs:
        outcome = outcomes[one.id]
        outcomes[one.id] = msgspec.structs.replace(outcome, signals=(*outcome.signals, *standards.widened(one)))
    if not request.selected:
        told = {failure.id for failure in failures if failure.failed}
        failures += [each for each in _unread(base, head, request.changed) if each.id not in told]
    return build_report(
        [outcomes[key] for key in sorted(outcomes)],
        compared=request.compared,
        not_rendered=failures,
        notes=[*_kubernetes(affected), *standards.notes(affected)],
        tools=doors.workshop.versions_used(),
        silences=request.policy.review.silence,
    )


def _kubernetes(pairs: Sequence[Pair]) -> list[str]:
    """For which Kubernetes the charts that were rendered are meant: what a chart renders to depends on it."""
    charts = [source for one in pairs if one.head is not None for source in one.head.sources if "helm" in source.tools]
    versions = {source.kube_version for source in charts}
    named = sorted(versions - {""})
    notes = [f"charts were rendered for Kubernetes {', '.join(named)}"] if named else []
    if "" in versions:
        notes.append(
            "charts were rendered for the Kubernetes version that helm assumes: neither a capability snapshot nor "
            "render.kube_version names one"
        )
    return notes


def _unread(base: Discovery, head: Discovery, changed: Sequence[str]) -> list[NotRendered]:
    """What changed and nothing rendered reads.

    A target that was not read to its end fails, for they may be its own; else the manifests among them are named.
    """
    found = [one for side in (base, head) for one in side.preparations.values()]
    read = {path for one in found if one.error is None for path in one.reads.files()}
    unread = [path for path in changed if path not in read]
    owned = missed_files(head, [path for path in unread if path.endswith(_MANIFESTS) and path[:1] != "."])
    entries = []
    for key, paths in sorted(owned.items()):
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        named = ", ".join(paths[:_NAMED]) + more
        reason = f"it was not read to its end, and may include changed files that no other target reads: {named}"
        entries.append(NotRendered(id=key, reason=reason))
    known = {path for paths in owned.values() for path in paths}
    return [*entries, *unread_manifests(base, head, [path for path in unread if path not in known])]


def _unseen(base: Discovery, head: Discovery) -> Callable[[Pair], bool]:
    """Tells a target whose own Application differs between the sides while nothing that is rendered shows it."""
    read = {path for side in (base, head) for one in side.preparations.values() for path in one.reads.files()}

    def unseen(one: Pair) -> bool:
        if one.base is None or one.head is None or one.base.target.application == one.head.target.application:
            return False
        target = one.head.target
        return target.generated or (target.parent is None and target.file not in read)

    return unseen


def _is_unaffected(one: Pair, workshop: Workshop) -> bool:
    """True when nothing that the target is rendered from differs, whether it renders or not."""
    if one.base is None or one.head is None or one.base.target.namespace != one.head.target.namespace:
        return False
    if one.base.error is not None or one.head.error is not None:
        return one.base.reads is one.head.reads  # the same preparation, taken over because all it read is the same
    if one.base.sources is one.head.sources:
        return True
    return workshop.key(one.base) == workshop.key(one.head)


def _judge_again(one: Pair, context: Context, request: Request, doors: Doors) -> tuple[Outcome, NotRendered | None]:
    """A target that renders to the same and meets other limits (its cluster's version, its project): judged anew."""
    rendering = doors.workshop.render(one.head) if one.head is not None else Rendering()
    if rendering.error is not None:
        return _outcome(one, request, "skipped"), _not_rendered(one.id, rendering.error, "", failed=False)
    try:
        signals = standing_signals(context, mask_pair_of_names(rendering.manifests, b"")[0])
    except YamlError as error:
        found = (one.head and unread(one.head, rendering.manifests)) or untold(error)
        return _outcome(one, request, "skipped"), _not_rendered(one.id, found, "", failed=False)
    return _outcome(one, request, "unchanged", signals=signals), None


def _compare(
    one: Pair, context: Context, lost: _Lost, unseen: Callable[[Pair], bool], request: Request, doors: Doors
) -> tuple[Outcome, NotRendered | None]:
    """Render both sides of one target and compare them; a failure of a side is never an empty side."""
    missing = lost.reason(one)
    if missing:
        return _outcome(one, request, "failed"), NotRendered(id=one.id, reason=missing)
    before, after = (doors.workshop.render(side) if side is not None else Rendering() for side in (one.base, one.head))
    if after.error is not None:
        return _outcome(one, request, "failed"), _not_rendered(one.id, after.error, "head", failed=True)
    if before.error is not None:
        return _outcome(one, request, "failed"), _not_rendered(one.id, before.error, "base", failed=True)
    old, new = (side.target if side is not None else None for side in (one.base, one.head))
    own = [definition(target) for target in (old, new)] if unseen(one) else [b"", b""]
    try:
        named = mask_pair_of_names(before.manifests, after.manifests)  # for all but the plan, which knows one side
        changes = compare_sides(
            named[0] + own[0],
            named[1] + own[1],
            was=old.namespace if old else "",
            now=new.namespace if new else old.namespace if old else "",
            ignore=shared_rules(old, new),
            delete_jq=doors.delete_jq,
            text_diff=doors.text_diff,
            inspect=inspector_of(context),
            respected=respects(context),
        )
        changes = weigh_deletions(changes, context)
        signals = target_signals(context, changes, named[1])
        plan, reason = _plan(one, after.manifests, request)
    except RenderError as error:
        return _outcome(one, request, "failed"), _not_rendered(one.id, error, "", failed=True)
    except YamlError as error:
        return _outcome(one, request, "failed"), _not_readable(one, error, after, before)
    status = "added" if one.base is None else "removed" if one.head is None else "changed"
    if status == "changed" and not changes.changes:
        status = "unchanged"
    return _outcome(one, request, status, changes=changes, plan=plan, plan_reason=reason, signals=signals), None


def _plan(one: Pair, manifests: bytes, request: Request) -> tuple[str | None, str | None]:
    """The plan hash of the head side, or why there is none."""
    if one.head is None:
        return None, "the target is removed"
    if one.head.unstable:
        return None, one.head.unstable
    if not request.plans:
        return None, "not asked for"
    return plan_hash(manifests, namespace=one.head.target.namespace), None


def _outcome(
    one: Pair,
    request: Request,
    status: Any,
    *,
    changes: TargetChanges | None = None,
    plan: str | None = None,
    plan_reason: str | None = None,
    signals: tuple[Signal, ...] = (),
) -> Outcome:
    side = one.head or one.base
    assert side is not None
    if plan_reason is None and plan is None:
        plan_reason = "its inputs are the same on both sides" if status == "unchanged" else f"the target is {status}"
    if changes is not None:
        changes = msgspec.structs.replace(changes, warnings=(*_warnings(one), *changes.warnings))
    outcome = outcome_of(
        side.target,
        status,
        changes=changes,
        plan=plan,
        plan_reason=plan_reason,
        moved_from=one.moved_from,
        reaches=request.reaches(side.target),
    )
    return msgspec.structs.replace(
        outcome,
        signals=signals,
        names=tuple((target.id, target.name) for target in one.targets),
        only_patches=len(one.targets) == 2 and only_patches(*(target.application for target in one.targets)),
    )


def _warnings(one: Pair) -> tuple[str, ...]:
    """What the inputs of a target make a reader want to know, beside what its manifests do."""
    side = one.head or one.base
    assert side is not None
    if one.head is None and side.target.application is not None and not cascades(side.target.application):
        return (*side.warnings, "its Application has no resources finalizer: Argo CD leaves its objects in the cluster")
    return side.warnings


def _not_rendered(identity: str, error: RenderError, side: str, *, failed: bool) -> NotRendered:
    where = f"{side} side: " if side else ""
    return NotRendered(id=identity, reason=f"{where}{error.told}", failed=failed)


def _not_readable(one: Pair, error: YamlError, after: Rendering, before: Rendering) -> NotRendered:
    for name, side, rendering in (("head", one.head, after), ("base", one.base, before)):
        found = unread(side, rendering.manifests) if side is not None else None
        if found is not None:
            return _not_rendered(one.id, found, name, failed=True)
    return _not_rendered(one.id, untold(error), "", failed=True)


def _problems(base: Discovery, head: Discovery) -> Sequence[NotRendered]:
    """The head side's problems are failures unless the base side has the very same ones; the base side's are named."""
    known = {(problem.id, problem.reason) for problem in base.problems}
    mended = {(problem.id, problem.reason) for problem in head.problems}
    return [
        *(
            msgspec.structs.replace(problem, failed=problem.failed and (problem.id, problem.reason) not in known)
            for problem in head.problems
        ),
        *(
            NotRendered(id=problem.id, reason=f"base side: {problem.reason}", failed=False)
            for problem in base.problems
            if (problem.id, problem.reason) not in mended
        ),
    ]


class _Lost:
    """Tells a target that is really gone (or new) from one that only a broken definition or parent hides."""

    def __init__(self, base: Discovery, head: Discovery, workshop: Workshop) -> None:
        self._sides: Mapping[str, Discovery] = {"base": base, "head": head}
        self._workshop = workshop

    def reason(self, one: Pair) -> str:
        """Why the missing side is missing through a failure; ``""`` when the target is really added or removed."""
        if one.base is not None and one.head is not None:
            return ""
        present = one.base or one.head
        assert present is not None
        side = "head" if one.head is None else "base"
        discovery, target = self._sides[side], present.target
        for problem in discovery.problems:
            if target.file and (problem.id == target.file or problem.id.startswith(f"{target.file}#")):
                return f"{side} side: {problem.reason}"
        parent = discovery.preparations.get(target.parent) if target.parent else None
        if parent is not None:
            error = self._workshop.render(parent).error
            if error is not None:
                return f"{side} side: its parent {parent.target.name} could not be rendered: {error.message}"
        return ""
