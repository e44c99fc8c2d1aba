"""From the report to what people read: sections, order, labels. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

from gitops_bot.model.change import Bucket
from gitops_bot.model.report import Report
from gitops_bot.model.signal import CATALOGUE, SEVERITIES, Severity, Signal
from gitops_bot.review.counts import Buckets, asides, buckets_of, phrase, visible
from gitops_bot.review.group import group_for_people
from gitops_bot.review.headline import compared_sentence, coverage, headline
from gitops_bot.review.images import image_rows
from gitops_bot.review.signals.raised import object_name
from gitops_bot.text.view import Missing, Plan, Risk, Section, Verdict, View

_SHOWN: tuple[Bucket, ...] = ("removed", "changed", "added")
_NOISE: tuple[Bucket, ...] = ("noise",)
_IGNORED: tuple[Bucket, ...] = ("ignored",)


def build_view(report: Report) -> View:
    """Arrange a report for its readers: what the merge does at once first, what arrives later apart."""
    labels = target_labels(report)
    at_once = buckets_of(report.changes, _ids(report, ""))
    restarts = _restarts(report, "")
    missing = _missing(report)
    plan, plan_reason = plan_over_all(report)
    return View(
        verdict=_verdict(report, missing, at_once, restarts),
        headline=headline(
            report.counts,
            at_once,
            failures=sum(len(one.ids) for one in missing if one.failed),
            restarts=len(restarts),
        ),
        details=(*asides(at_once), *_restarting(restarts), *_later(report)),
        compared=compared_sentence(report.compared),
        conflicts=tuple(sorted(report.compared.conflicts)),
        coverage=coverage(report.counts),
        missing=missing,
        risks=_risks(report, labels),
        routine=report.routine,
        images=image_rows(report.changes, labels, targets=_ids(report, "")),
        sections=_sections(report, labels),
        noise=group_for_people(report, buckets=_NOISE, labels=labels),
        ignored=group_for_people(report, buckets=_IGNORED, labels=labels),
        warnings=tuple((labels[target.id], warning) for target in report.targets for warning in target.warnings),
        moved=tuple((labels[target.id], target.moved_from) for target in report.targets if target.moved_from),
        plans=tuple(
            Plan(target=labels[target.id], status=target.status, plan=target.plan, reason=target.plan_reason)
            for target in report.targets
            if target.status in ("changed", "added", "removed")
        ),
        plan=plan,
        plan_reason=plan_reason,
        notes=report.notes,
        tools=tuple(sorted(report.tools.items())),
    )


def target_labels(report: Report) -> Mapping[str, str]:
    """Give each target id its name, or the id itself where several targets share the name."""
    shared = Counter(target.name for target in report.targets)
    return {target.id: target.name if shared[target.name] == 1 else target.id for target in report.targets}


def _ids(report: Report, reaches: str) -> frozenset[str]:
    """Ids of the targets that follow this revision (``""``: what the merge reaches at once)."""
    return frozenset(target.id for target in report.targets if target.reaches == reaches)


def _revisions(report: Report) -> list[str]:
    """The revisions that targets follow: what the merge reaches at once first, then where the worst signals are."""
    return sorted(
        {target.reaches for target in report.targets} | {""}, key=lambda one: (bool(one), *_loud(report, one))
    )


def _loud(report: Report, reaches: str) -> tuple[int, int, str]:
    """Orders revisions: most errors first, then most warnings, then by name; silenced signals do not count."""
    raised = _severities(report, reaches)
    return -raised["error"], -raised["warning"], reaches


def _severities(report: Report, reaches: str) -> Counter[Severity]:
    """How many signals of each severity nobody silenced in the targets that follow a revision."""
    ids = _ids(report, reaches)
    return Counter(
        one.signal.severity for one in report.signals if one.silenced is None and not ids.isdisjoint(one.targets)
    )


def _restarts(report: Report, reaches: str) -> frozenset[str]:
    """Ids of the targets where folded fields of a pod template are all that differs: its pods restart."""
    ids = _ids(report, reaches)
    return frozenset(
        target
        for change in report.changes
        if change.bucket == "noise" and any("template.metadata." in field.path for field in change.noise)
        for target in change.targets
        if target in ids
    )


def _restarting(targets: frozenset[str]) -> tuple[str, ...]:
    """Say where pods restart without any other change."""
    return (f"checksums alone restart pods in {len(targets)} app{'s' * (len(targets) > 1)}",) if targets else ()


def _sections(report: Report, labels: Mapping[str, str]) -> tuple[Section, ...]:
    """One section for what happens at once and one for each revision that brings changes later."""
    sections = []
    for reaches in _revisions(report):
        ids = _ids(report, reaches)
        blocks = group_for_people(report, targets=ids, buckets=_SHOWN, labels=labels)
        images = image_rows(report.changes, labels, targets=ids) if reaches else ()
        if blocks:
            said = phrase(buckets_of(report.changes, ids))
            sections.append(Section(reaches=reaches, phrase=said, images=images, blocks=blocks))
    return tuple(sections)


def _later(report: Report) -> tuple[str, ...]:
    """One line for each revision whose targets change when it moves, not with the merge."""
    lines = []
    for reaches in _revisions(report)[1:]:
        found = buckets_of(report.changes, _ids(report, reaches))
        parts = ([phrase(found)] if visible(found) else []) + list(asides(found))
        parts += _restarting(_restarts(report, reaches))
        raised = _severities(report, reaches)
        parts += [f"{raised[one]} {one}{'s' * (raised[one] > 1)}" for one in ("error", "warning") if raised[one]]
        if parts:
            lines.append(f"later, when {reaches} moves: {'; '.join(parts)}")
    return tuple(lines)


def _missing(report: Report) -> tuple[Missing, ...]:
    """What is missing, each reason once, failures first.

    To a reader everything about a failed target is a failure: its changes are missing, whichever side it was.
    """
    broken = {target.id for target in report.targets if target.status == "failed"}
    found: dict[tuple[bool, str], list[str]] = {}
    for entry in report.not_rendered:
        found.setdefault((entry.failed or entry.id in broken, entry.reason), []).append(entry.id)
    missing = [Missing(ids=tuple(sorted(ids)), reason=reason, failed=loud) for (loud, reason), ids in found.items()]
    return tuple(sorted(missing, key=lambda one: (not one.failed, one.ids, one.reason)))


def _risks(report: Report, labels: Mapping[str, str]) -> tuple[Risk, ...]:
    """The signals for people: one message about many objects once, and what arrives later apart.

    What nobody silenced comes first, then in order of severity, of what it reaches, and of the report.
    """
    reaches = {target.id: target.reaches for target in report.targets}
    found: dict[tuple[str, Severity, str, str | None, str], list[tuple[Signal, set[str]]]] = {}
    for one in report.signals:
        signal = one.signal
        for where in sorted({reaches.get(target, "") for target in one.targets}):
            ids = {target for target in one.targets if reaches.get(target, "") == where}
            key = (signal.id, signal.severity, signal.message, one.silenced, where)
            found.setdefault(key, []).append((signal, ids))
    risks = [
        Risk(
            id=id_,
            severity=severity,
            title=CATALOGUE[id_].title,
            message=message,
            explanation=CATALOGUE[id_].explanation,
            objects=tuple(sorted({object_name(signal) for signal, _ in raised if signal.kind})),
            targets=tuple(sorted({labels.get(target, target) for _, ids in raised for target in ids})),
            silenced=silenced,
            reaches=where,
        )
        for (id_, severity, message, silenced, where), raised in found.items()
    ]
    return tuple(
        sorted(risks, key=lambda one: (one.silenced is not None, SEVERITIES.index(one.severity), bool(one.reaches)))
    )


def plan_over_all(report: Report) -> tuple[str | None, str | None]:
    """``sha256:…`` over the ids and plan hashes of all targets that change, or None and why there is none.

    A target that goes counts by its id: nothing is left of it to plan.
    """
    changed = [target for target in report.targets if target.status in ("changed", "added", "removed")]
    failed = [target.id for target in report.targets if target.status == "failed"]
    if failed:
        return None, f"{failed[0]} could not be rendered"
    if not changed:
        return None, "no target changes"
    for target in changed:
        if target.plan is None and target.status != "removed":
            return None, f"{target.id}: {target.plan_reason}"
    pairs = sorted((target.id, target.plan or target.status) for target in changed)
    return f"sha256:{hashlib.sha256(repr(pairs).encode()).hexdigest()}", None


def _verdict(report: Report, missing: tuple[Missing, ...], at_once: Buckets, restarts: frozenset[str]) -> Verdict:
    """The worst that applies; a removal that only comes later does not sound the alarm now."""
    counts = report.counts
    if any(one.failed for one in missing) or report.compared.how == "conflict" or counts.targets == 0:
        return "failed"
    if at_once["removed"]:
        return "removals"
    return "changes" if counts.added + counts.changed + counts.removed or restarts else "none"
