"""From a request and the tip of a branch to one commit in the making, or to why there is none.

Everything that is asked for goes into one proposal, or nothing does. A proposal is made from one head; when the branch
has moved, ``bump`` is called again with the new head, so that what is newest by the rule wins whoever comes last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.model.writeback import FileChange, Head, Proposal
from gitops_bot.writeback.against import against, protected
from gitops_bot.writeback.bumps import messages
from gitops_bot.writeback.bumps.effects import Reach, edits_of, reach
from gitops_bot.writeback.bumps.messages import Told
from gitops_bot.writeback.bumps.models import Metric, metrics_table, missed
from gitops_bot.writeback.bumps.request import BumpRequest, ModelRequest
from gitops_bot.writeback.bumps.rules import Planned, Write, files_of, plan, thresholds_of
from gitops_bot.writeback.editor.files import FileChange as Changed
from gitops_bot.writeback.editor.files import edit_files
from gitops_bot.writeback.holds import read_holds
from gitops_bot.writeback.order import Ancestor, Standing, Versions, by_version, stand, told_older
from gitops_bot.writeback.overlay import overlaid
from gitops_bot.writeback.refused import Refused
from gitops_bot.writeback.shadow import Renderer
from gitops_bot.writeback.sources import Built
from gitops_bot.writeback.subjects import Subject, subjects, written
from gitops_bot.writeback.trailers import Trailers, read_trailers, write_trailers


class BumpDoors(NamedTuple):
    """The outside of a bump; handed in."""

    now: datetime
    """Aware: holds end."""
    past: Callable[[], Iterable[str]]
    """Messages of the commits that led to the head, newest first; as far back as is cheap."""
    ancestor: Ancestor
    """Whether one commit of the code is an ancestor of another; None where one is not known."""
    renderer: Renderer | None = None
    """None: the effect of the edit is not checked, and that is said."""


class Nothing(msgspec.Struct, frozen=True, kw_only=True):
    """There is nothing to commit."""

    kind: Literal["same", "older"]
    """``same``: the branch says it already; ``older``: it has something newer."""
    reason: str
    """One sentence, for people."""
    notes: tuple[str, ...] = ()


def bump(head: Head, request: BumpRequest, policy: Settings, doors: BumpDoors) -> Proposal | Nothing:
    """The commit that a request needs on a branch, made from its tip; nothing is written anywhere.

    ``policy`` are the settings of the branch. Raises UsageError for what nobody knows or what is ambiguous, Refused for
    what a hold, a protected environment, a threshold or a shadow stands against, EditRefused for what cannot be edited.
    """
    planned = plan(head.tree, request, policy)
    pasts = {each.what: _past(each, request, doors) for each in planned}
    told, older, notes, unordered = _stand(planned, request, pasts, doors.ancestor)
    if older:
        return Nothing(kind="older", reason="; ".join(older), notes=(*notes, *unordered))
    changes = edit_files(head.tree, edits_of(planned), create=request.create)
    changed = [change for change in changes if change.changed]
    if not changed:
        names = ", ".join(f"{each.what} {each.main[0].new}" for each in planned if each.kind != "value")
        where = ", ".join(files_of(planned))
        said = f"{names or 'every value'} is in {where} already"
        return Nothing(kind="same", reason=said, notes=(*notes, *unordered))
    notes += [note for change in changed for _path, outcome in change.outcomes for note in outcome.notes]
    reached = reach(head.tree, planned, request, changes, policy, doors.renderer)
    _refuse(head.tree, told, changed, reached, policy, doors.now)
    notes = list(dict.fromkeys([*notes, *reached.notes, *_missed_notes(told)]))
    return Proposal(
        files=tuple(FileChange(path=change.path, content=change.new, mode=change.mode) for change in changed),
        subject=messages.subject(told, request, policy.commit),
        body=messages.body(told, request, [*unordered, *notes], reached.changes),
        message=messages.message(told, request),
        trailers=write_trailers(messages.trailers(told, request)),
        topic=topic(planned, request.environment),
        notes=tuple(notes),  # that the order is not known stands in the message
    )


def topic(planned: Sequence[Planned], environment: str | None) -> str:
    """What the branch of a pull request is named for: ``bump/staging/churn-api``; no version is in it."""
    names = []
    for each in planned:
        name = each.what.rpartition("/")[2] if each.kind != "value" else each.what
        names.append(re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or each.kind)
    joined = "+".join(dict.fromkeys(names))[:100]
    place = re.sub(r"[^A-Za-z0-9._-]+", "-", environment or "any").strip("-.") or "any"
    return f"bump/{place}/{joined}"


# -- what stands against it -------------------------------------------------------------------------------------------


def _refuse(
    tree: Tree, told: Sequence[Told], changed: Sequence[Changed], reached: Reach, policy: Settings, now: datetime
) -> None:
    """Raise Refused with all that stands against the edits: holds, protected environments, shadows, thresholds."""
    after = overlaid(tree, {change.path: change.new for change in changed})
    found = subjects(policy, written(changed), after, [claim for each in told for claim in each.planned.claims])
    stands = against([*found, *reached.images], read_holds(tree), after, policy, where=reached.of, now=now)
    missing = _missed_reasons(found, told, reached, policy)
    reasons = [*reached.refused, *stands.reasons, *missing]
    if reasons:
        thresholds = "thresholds of the model are in .gitops-bot.yaml; give --metrics, or train on"
        hint = reached.hint or (stands.hint if stands.reasons else thresholds)
        raise Refused(reasons, hint=hint)


def _missed_reasons(found: Sequence[Subject], told: Sequence[Told], reached: Reach, policy: Settings) -> list[str]:
    """The thresholds that a model misses on its way into a protected environment.

    A version that is written by its place brings no metrics.
    """
    given = {each.planned.what: each.metrics for each in told if each.planned.kind == "model"}
    reasons = []
    for subject in found:
        names = protected(policy, reached.of(subject.file)) if subject.kind == "model" and subject.changed else ()
        metrics = given.get(subject.what, ())
        if subject.what not in given and subject.moved("version"):
            metrics = metrics_table({}, {}, thresholds_of(policy, subject.what))
        reasons += [
            f"{name} is protected, and {subject.what}: {sentence}" for name in names for sentence in missed(metrics)
        ]
    return reasons


def _missed_notes(told: Sequence[Told]) -> list[str]:
    return [f"{each.planned.what}: {sentence}" for each in told for sentence in missed(each.metrics)]


# -- order ------------------------------------------------------------------------------------------------------------


def _past(planned: Planned, request: BumpRequest, doors: BumpDoors) -> Trailers | None:
    """What the commit says that wrote what is there now; None when no commit of ours did."""
    if planned.kind == "value":
        return None
    for write in planned.main[:1]:
        for message in doors.past():
            found = read_trailers(message)
            bumped = found.of(planned.kind, planned.what)
            elsewhere = request.environment and found.environment and found.environment != request.environment
            if bumped is not None and bumped.new == write.old and not elsewhere:
                return found
    return None


def _stand(
    planned: Sequence[Planned], request: BumpRequest, pasts: Mapping[str, Trailers | None], ancestor: Ancestor
) -> tuple[list[Told], list[str], list[str], list[str]]:
    """Everything with its evidence; what is older than what is there; what must be said; what has no known order."""
    told: list[Told] = []
    older: list[str] = []
    notes: list[str] = []
    unordered: list[str] = []
    for each in planned:
        notes += each.notes
        past = pasts[each.what]
        evidence = ""
        for write in each.main:
            standing = _standing(each, write, request, past, ancestor)
            if standing.relation == "older":
                versions, allowed = Versions(write.old, write.new), request.allow_downgrade
                sentence = told_older(each.what, versions, write.file, standing, allowed=allowed)
                if not allowed:
                    older.append(sentence)
                    continue
                notes.append(sentence)
            elif standing.relation == "unknown":
                unordered.append(f"{each.what}: {write.old} → {write.new}: {standing.evidence}")
            if standing.relation != "same" and each.kind != "value":
                evidence = evidence or _evidence(standing)
        told.append(Told(each, _metrics(each, past), evidence))
    return told, older, list(dict.fromkeys(notes)), list(dict.fromkeys(unordered))


def _standing(
    planned: Planned, write: Write, request: BumpRequest, past: Trailers | None, ancestor: Ancestor
) -> Standing:
    versions = Versions(write.old, write.new)
    if planned.kind == "model" and write.old and write.old != write.new:
        return by_version(versions)
    source = request.source
    now = Built(source.repository, source.commit, source.run_url, source.run)
    before = Built(past.repository, past.commit, past.run_url, past.run) if past is not None else Built()
    return stand(planned.order, versions, before, now, ancestor)


def _evidence(standing: Standing) -> str:
    relation = messages.UNKNOWN if standing.relation == "unknown" else standing.relation
    return f"{relation}: {standing.evidence}"


def _metrics(planned: Planned, past: Trailers | None) -> tuple[Metric, ...]:
    item = planned.item
    if not isinstance(item, ModelRequest):
        return ()
    old = item.previous or (past.metrics.get(planned.what, {}) if past is not None else {})
    return metrics_table(item.metrics, old, planned.thresholds)
