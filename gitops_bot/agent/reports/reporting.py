"""What is told of a look at an Application: its status, written where it says something new, and what others hear."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from gitops_bot.agent.application import operation
from gitops_bot.agent.application import state as states
from gitops_bot.agent.application.applications import Applications
from gitops_bot.agent.application.bounds import fit
from gitops_bot.agent.application.record import FAILURES, GUARD, PLAN, AppObject, Record
from gitops_bot.agent.application.state import OperationState, Status
from gitops_bot.agent.ownership.identity import GROUP_KINDS, NAMESPACES, TOOLING, group_kinds, parent
from gitops_bot.agent.reports.telling import DELETED, DELETING, DRIFT, HEALED, Tell, drift_told, named
from gitops_bot.agent.reports.view import View
from gitops_bot.agent.rules import guards
from gitops_bot.model.resource import ResourceKey

_TOLD = frozenset((TOOLING, GROUP_KINDS, NAMESPACES, PLAN, GUARD, FAILURES))
"""The annotations of an Application that are written with its status."""


class Reporter:
    """Writes statuses."""

    def __init__(self, applications: Applications, now: Callable[[], datetime], tell: Tell) -> None:
        """Take where they are written, the clock, and who else is told."""
        self._applications = applications
        self._now = now
        self._event = tell

    def tell_drift(self, app: AppObject, record: Record, view: View) -> None:
        """Tell what differs although Git says what the cluster had: somebody has changed it there."""
        if view.unknown:
            return
        had = _was_there(app, record, view)
        differs = [each for each in view.compared if each.is_drifted] if had else []
        found = {each.key: (each.key, tuple(change.path for change in each.drift)) for each in differs}
        new = [each for each in differs if found[each.key] not in record.drifted]
        record.drifted = frozenset(found.values())
        if new:
            self._event(app, DRIFT, drift_told(new), objects=len(new))

    def tell_healed(self, app: AppObject, record: Record, view: View, keys: AbstractSet[ResourceKey] | None) -> None:
        """Tell what a sync has corrected: of these objects, or, for None, what was told to have been changed."""
        chosen = {key for key, _ in record.drifted} if keys is None else keys
        corrected = [each for each in view.compared if each.key in chosen]
        if corrected:
            self._event(app, HEALED, drift_told(corrected), objects=len(corrected))

    def tell_deleting(self, app: AppObject, record: Record, ending: guards.Ending) -> None:
        """Tell once what begins to be deleted with the Application, all waves of it, and what allowed that."""
        going = [live.key for live in ending.delete if not live.deleting]
        if record.ending or not going:
            return
        record.ending = True
        asked = named([live.key for live in ending.approved])
        when = app.annotations.get(guards.APPROVED, "")
        approval = f"; {asked} asked for a confirmation, approved at {when}" if asked else ""
        self._event(app, DELETING, f"deleting {named(going)}{approval}", objects=len(going))

    def tell_deleted(self, app: AppObject, left: Sequence[ResourceKey], reason: str = "") -> None:
        """Tell that the Application has ended; which of its objects stay, or why nobody can say."""
        told = f"what stays: {named(left)}" if left else "none of its objects stays"
        self._event(app, DELETED, f"the Application has ended; {reason or told}", objects=len(left))

    def write(
        self,
        app: AppObject,
        view: View,
        *,
        state: OperationState | None = None,
        failures: int | None = None,
    ) -> AppObject:
        """Write the status where it says something new; the Application as it is then. Raises ClusterError."""
        now, former = self._now(), app.status
        state = state if state is not None else former.operation_state
        health = former.health or states.Health(status="Unknown")
        if not view.unknown:
            appraisal = view.appraisal
            health = states.health(former.health, appraisal.status, appraisal.message, now)
        history = former.history
        if state is not None and state != former.operation_state and state.is_finished:
            limit = app.application.spec.revision_history_limit
            history = operation.recorded(history, state, limit)
        status = Status(
            sync=_sync(app, view),
            health=health,
            operation_state=state,
            history=history,
            resources=view.resources if not view.unknown else former.resources,
            conditions=states.conditions(former.conditions, view.conditions, now),
            reconciled_at=former.reconciled_at,
            source_type="" if app.several else "".join(view.types[:1]),
            source_types=view.types if app.several else (),
            summary=states.Summary(images=view.images),
        )
        labels, annotations = _metadata(app, view, app.failures if failures is None else failures)
        fitted = fit(status, now)
        if _is_there(app, fitted, labels, annotations):
            return app
        self._applications.write_status(app, replace(fitted, reconciled_at=now), labels, annotations)
        self._tell_new(app, status)
        return self._applications.find(app.key.name) or app

    def write_conditions(self, app: AppObject, found: Iterable[tuple[str, str]]) -> None:
        """Write what people have to know, and leave everything else of the status as it is. Raises ClusterError."""
        status = replace(app.status, conditions=states.conditions(app.status.conditions, found, self._now()))
        if status == app.status:
            return
        told = parent(app.key, (), earlier=frozenset())
        annotations = {name: text for name, text in app.annotations.items() if name in _TOLD}
        self._applications.write_status(app, status, told.labels, annotations)
        self._tell_new(app, status)

    def _tell_new(self, app: AppObject, status: Status) -> None:
        """Tell of each condition that was not there before."""
        before = {(each.type, each.message) for each in app.status.conditions}
        for each in status.conditions:
            if (each.type, each.message) not in before:
                self._event(app, each.type, each.message)


def _was_there(app: AppObject, record: Record, view: View) -> bool:
    """Whether the cluster had what Git says now: it was synced last, or found equal without a sync.

    Most commits of a repository are not about an Application, and no operation names them.
    """
    now, status = operation.identity(view.commits, app.sources), app.status
    equal = view.status == "Synced" or now in (record.equal, operation.found_equal(status, app.body["spec"]))
    record.equal = now if equal else ""
    last = operation.last_attempt(status, 0)
    return equal or (last is not None and last.succeeded and last.identity == now)


def _is_there(app: AppObject, status: Status, labels: Mapping[str, str], annotations: Mapping[str, str]) -> bool:
    """Whether the Application says all of it already, whoever has written it."""
    metadata = app.body["metadata"]
    return (
        labels.items() <= (metadata.get("labels") or {}).items()
        and annotations == {name: text for name, text in app.annotations.items() if name in _TOLD}
        and states.in_seconds(status) == app.status
    )


def _sync(app: AppObject, view: View) -> states.Sync:
    spec: dict[str, Any] = app.body["spec"]
    several = app.several
    return states.Sync(
        status=view.status,
        compared_to=states.ComparedTo(
            destination=spec.get("destination") or {},
            source=None if several else spec.get("source"),
            sources=tuple(spec.get("sources") or ()),
            ignore_differences=tuple(spec.get("ignoreDifferences") or ()),
        ),
        revision="" if several else "".join(view.commits[:1]),
        revisions=view.commits if several else (),
    )


def _metadata(app: AppObject, view: View, failures: int) -> tuple[dict[str, str], dict[str, str]]:
    # What the project forbids today, it may allow again: it is looked for then.
    candidates = view.candidates
    left = (*candidates.prunable, *candidates.going, *candidates.forbidden, *(live for live, _ in candidates.moving))
    keys = [*view.keys, *(live.key for live in left)]
    earlier = group_kinds(app.annotations)
    told = parent(app.key, keys, earlier=earlier if view.unknown else earlier & view.unseen)
    annotations = dict(told.annotations)
    if view.plan:
        annotations[PLAN] = view.plan
    recorded = app.annotations.get(GUARD)
    if view.guard is not None and view.is_brought and not view.blocked and not view.prune.holds:
        recorded = guards.record(view.guard)
    if recorded is not None:
        annotations[GUARD] = recorded
    if failures:
        annotations[FAILURES] = str(failures)
    return dict(told.labels), annotations
