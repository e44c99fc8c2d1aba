"""The report of one diff run, made from what became of each target: pure, and the same for any order of input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gitops_bot.model.change import ResourceChange, TargetChanges
from gitops_bot.model.report import Change, Compared, Raised, Report, Status, TargetReport
from gitops_bot.model.settings import Silence
from gitops_bot.model.signal import Signal
from gitops_bot.model.target import Kind, NotRendered, Target
from gitops_bot.review.counts import count
from gitops_bot.review.group import merge_changes
from gitops_bot.review.signals.raised import gather
from gitops_bot.review.signals.routine import is_quiet, only_patch_moves

UNREAD = "it changed and looks like manifests, but no target reads it: what it deploys, if anything, is not shown here"
"""The reason of a file in ``not_rendered``: nobody has looked at it, so what has one is no routine."""
NO_REASON = "it failed, and no reason was recorded: please report this as a defect of gitops-bot"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one target in a run."""

    id: str
    name: str
    file: str
    kind: Kind
    path: str = ""
    namespace: str = ""
    status: Status
    plan: str | None = None
    plan_reason: str | None = None
    """Why there is no plan, None when there is one."""
    moved_from: str | None = None
    """Id on the base side of a target recognised at another place."""
    reaches: str = ""
    """The revision it follows when that is not the base branch, else ``""``."""
    changes: TargetChanges | None = None
    """The comparison of both sides; None when it was not rendered (unaffected, failed, skipped)."""
    signals: tuple[Signal, ...] = ()
    """What the target as a whole raises, beside the signals of its changes."""
    names: tuple[tuple[str, ...], ...] = ()
    """For each side that has it, what settings may call it; empty: its id and name."""
    only_patches: bool = True
    """Whether its own definition stays as it is, but for patch versions of its charts."""


def outcome_of(
    target: Target,
    status: Status,
    *,
    changes: TargetChanges | None = None,
    plan: str | None = None,
    plan_reason: str | None = None,
    moved_from: str | None = None,
    reaches: str = "",
) -> Outcome:
    """Take a target's own fields over into its outcome; the other fields are as in ``Outcome``."""
    return Outcome(
        id=target.id,
        name=target.name,
        file=target.file,
        kind=target.kind,
        path=target.path,
        namespace=target.namespace,
        status=status,
        plan=plan,
        plan_reason=plan_reason,
        moved_from=moved_from,
        reaches=reaches,
        changes=changes,
    )


def build_report(
    outcomes: Sequence[Outcome],
    *,
    compared: Compared,
    not_rendered: Sequence[NotRendered] = (),
    notes: Iterable[str] = (),
    tools: Mapping[str, str] | None = None,
    silences: Sequence[Silence] = (),
) -> Report:
    """Build the report: targets in id order, the same change in many targets once, counts that add up.

    ``not_rendered`` may name targets and things that yielded no target; a failed outcome that it does not name is
    added, so that no failure is ever without a line. Notes keep their order, each once. ``silences`` are those of the
    base revision's settings.

    Raises ValueError where the caller contradicts itself: two outcomes of one id, a comparison of a target that
    failed or was skipped, a change without a comparison.
    """
    ordered = sorted(outcomes, key=lambda outcome: outcome.id)
    _refuse_contradictions(ordered)
    targets = tuple(_target_report(outcome) for outcome in ordered)
    compared_targets = [(outcome.id, outcome.changes) for outcome in ordered if outcome.changes is not None]
    changes = merge_changes((id_, _bare(change)) for id_, found in compared_targets for change in found.changes)
    signals = gather(((one.id, one.names or ((one.id, one.name),), _signals(one)) for one in ordered), silences)
    unrendered = _complete(not_rendered, ordered)
    return Report(
        compared=compared,
        counts=count(changes, targets, rendered={id_ for id_, _ in compared_targets}),
        targets=targets,
        changes=changes,
        signals=signals,
        routine=compared.how != "conflict" and _is_routine(ordered, changes, signals, unrendered),
        not_rendered=unrendered,
        notes=tuple(dict.fromkeys(notes)),
        tools=dict(sorted((tools or {}).items())),
    )


def _signals(outcome: Outcome) -> tuple[Signal, ...]:
    """Everything one target raises."""
    changes = outcome.changes.changes if outcome.changes is not None else ()
    return (*outcome.signals, *(signal for change in changes for signal in change.signals))


def _bare(change: ResourceChange) -> ResourceChange:
    """The change without its signals, which are told apart from it: they must not make one change two."""
    return msgspec.structs.replace(change, signals=()) if change.signals else change


def _is_routine(
    outcomes: Sequence[Outcome],
    changes: Sequence[Change],
    signals: Sequence[Raised],
    not_rendered: Sequence[NotRendered],
) -> bool:
    """Whether nobody needs to look: everything was rendered, nothing is raised, and only patch versions move."""
    return (
        all(one.status in ("unchanged", "changed", "skipped") for one in outcomes)
        and all(one.only_patches and one.moved_from is None for one in outcomes)
        and not any(entry.failed or entry.reason.startswith(UNREAD) for entry in not_rendered)
        and is_quiet(signals)
        and only_patch_moves(changes)
    )


def _refuse_contradictions(outcomes: Sequence[Outcome]) -> None:
    """Raise ValueError for outcomes that no count could add up over."""
    for id_, times in Counter(outcome.id for outcome in outcomes).items():
        if times > 1:
            raise ValueError(f"{times} outcomes of one target: {id_}")
    for outcome in outcomes:
        if outcome.changes is not None and outcome.status in ("failed", "skipped"):
            raise ValueError(f"a comparison of a target that is {outcome.status}: {outcome.id}")
        if outcome.changes is None and outcome.status in ("changed", "added", "removed"):
            raise ValueError(f"{outcome.status} without a comparison: {outcome.id}")


def _target_report(outcome: Outcome) -> TargetReport:
    """Say what a reader of the report learns about one target."""
    changes = outcome.changes or TargetChanges()
    return TargetReport(
        id=outcome.id,
        name=outcome.name,
        file=outcome.file,
        kind=outcome.kind,
        path=outcome.path,
        status=outcome.status,
        plan=outcome.plan,
        plan_reason=outcome.plan_reason,
        namespace=outcome.namespace,
        moved_from=outcome.moved_from,
        reaches=outcome.reaches,
        unchanged=changes.unchanged,
        warnings=changes.warnings,
    )


def _complete(not_rendered: Sequence[NotRendered], outcomes: Sequence[Outcome]) -> tuple[NotRendered, ...]:
    """Order the list, each entry once, and add failed targets that it leaves out."""
    named = {entry.id for entry in not_rendered}
    unnamed = [
        NotRendered(id=outcome.id, reason=NO_REASON)
        for outcome in outcomes
        if outcome.status == "failed" and outcome.id not in named
    ]
    entries = {(entry.id, entry.reason, entry.failed): entry for entry in (*not_rendered, *unnamed)}
    return tuple(entries[key] for key in sorted(entries))
