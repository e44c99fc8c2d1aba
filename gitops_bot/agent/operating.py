"""What is done about an Application: told, synced when that is due, and healed. The agent's one flow of writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from gitops_bot.agent import operation, options, policy
from gitops_bot.agent import state as states
from gitops_bot.agent.applications import Applications
from gitops_bot.agent.applying import Applier
from gitops_bot.agent.autosync import Full, Nothing, Selective, Situation, decide
from gitops_bot.agent.bounds import fit
from gitops_bot.agent.comparison import Compared
from gitops_bot.agent.identity import group_kinds, parent
from gitops_bot.agent.inventory import Inventory
from gitops_bot.agent.looking import Looker
from gitops_bot.agent.namespaces import ensure_namespace
from gitops_bot.agent.record import FAILURES, PLAN, AppObject, Record
from gitops_bot.agent.state import Operation, OperationState, ResourceResult, Status, SyncOperation
from gitops_bot.agent.sync import Deadlines, Ended, Plan, Syncer
from gitops_bot.agent.timing import healed, next_retry_at
from gitops_bot.agent.view import View
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.errors import ClusterError
from gitops_bot.model.resource import ResourceKey


class Next(NamedTuple):
    """When the Application has to be looked at again, if nothing else happens."""

    at: datetime | None = None
    """None: only when something changes."""


class Manners(NamedTuple):
    """How operations behave."""

    now: Callable[[], datetime]
    event: Callable[[AppObject, str, str], None]
    """Tells people of what happened: the Application, a reason in one word, and a sentence."""
    poll: float = 180.0
    """Seconds between two polls of Git."""
    deadlines: Deadlines = Deadlines()


class Operating:
    """The doors that operations need, the same for every Application."""

    def __init__(
        self,
        objects: Objects,
        inventory: Inventory,
        applications: Applications,
        looker: Looker,
        pool: Executor,
        *,
        manners: Manners,
    ) -> None:
        """Take the doors, and how operations behave."""
        self._objects = objects
        self._inventory = inventory
        self._applications = applications
        self._looker = looker
        self._pool = pool
        self._now = manners.now
        self._poll = manners.poll
        self._deadlines = manners.deadlines
        self._event = manners.event

    def work(self, app: AppObject, record: Record, *, since: float, hard: bool, cancelled: Callable[[], str]) -> Next:
        """Look at an Application, tell what was found, and do what is due. Raises ClusterError."""
        view = self._looker.look(app, record, since=since, hard=hard)
        app = self._tell(app, record, view)
        asked, problem = _asked(app)
        if problem:
            self._applications.consume(app, "operation")
            self._event(app, "OperationRefused", problem)
        if asked is not None and asked.sync is not None:
            return self._operate(app, record, view, asked, None, cancelled)
        state = app.status.operation_state
        if state is not None and not state.is_finished:
            return self._go_on(app, record, view, state, cancelled)
        return self._automatic(app, record, view, cancelled)

    # -- by itself ----------------------------------------------------------------------------------------------------

    def _automatic(self, app: AppObject, record: Record, view: View, cancelled: Callable[[], str]) -> Next:
        wish = policy_of(app)
        status = app.status
        decision = decide(
            Situation(
                now=self._now(),
                policy=wish,
                status=view.status,
                identity=operation.identity(view.commits, app.sources),
                resources=view.seen,
                last=operation.last_attempt(status, _failures(app)),
                deleting=app.deleting,
                blocked=view.blocked,
                approved=bool(view.prune.approved),
                heals=record.heals,
                poll=self._poll,
            )
        )
        if isinstance(decision, Nothing):
            self._take_back(view, record, wish)
            return Next(view.appraisal.until)
        if decision.at > self._now():
            return Next(decision.at)
        prune = decision.prune
        if isinstance(decision, Full):
            record.heals.clear()
            return self._operate(app, record, view, _automated(view, app, prune=prune), None, cancelled)
        return self._operate(app, record, view, _automated(view, app, prune=prune), decision, cancelled)

    def _take_back(self, view: View, record: Record, wish: policy.SyncPolicy) -> None:
        """Take ownership back that was lost with nothing changed, where corrections are wanted."""
        if wish.automatic is None or not wish.automatic.self_heal or view.blocked:
            return
        applier = Applier(self._objects, record.memory, self._inventory, self._now)
        for each in view.compared:
            if each.silent:
                applier.apply(each, options.effective(view.options, each.desired.annotations, _annotations(each)))

    # -- an operation -------------------------------------------------------------------------------------------------

    def _go_on(
        self, app: AppObject, record: Record, view: View, state: OperationState, cancelled: Callable[[], str]
    ) -> Next:
        """An operation that waits for its retry, or that a process before this one has left."""
        if state.finished_at is not None:
            retry = self._retry(app, state.operation)
            at = next_retry_at(retry.backoff, state.finished_at, max(0, state.retry_count - 1))
            if at > self._now():
                return Next(at)
        return self._operate(app, record, view, state.operation, None, cancelled, former=state)

    def _operate(
        self,
        app: AppObject,
        record: Record,
        view: View,
        asked: Operation,
        selective: Selective | None,
        cancelled: Callable[[], str],
        *,
        former: OperationState | None = None,
    ) -> Next:
        """Carry an operation out and write down what became of it."""
        asked = _narrowed(asked, selective)
        assert asked.sync is not None
        revisions = view.commits
        state = operation.resumed(former) if former is not None else operation.begun(
            asked, revisions=revisions, sources=app.sources, several=app.several, now=self._now()
        )  # fmt: skip

        def unwanted() -> str:
            moved = self._looker.has_moved(app, view.commits)
            return cancelled() or ("Git has a newer commit" if moved else "")

        app = self._tell(app, record, view, state=state)
        self._applications.consume(app, "operation")
        if view.blocked:
            ended = Ended("Error", view.blocked, ())
        else:
            ended = self._carried_out(app, record, view, asked.sync, unwanted, state)
        retry = self._retry(app, asked)
        if ended.phase != "Succeeded" and retry.allows(state.retry_count) and not unwanted() and not view.blocked:
            state = operation.waiting(state, ended.message, self._now())
            self._tell(app, record, view, state=state)
            return Next(next_retry_at(retry.backoff, self._now(), state.retry_count - 1))
        state = operation.finished(state, ended.phase, ended.message, ended.results, self._now())
        if selective is not None:
            now = self._now()
            record.heals.update({key: healed(record.heals.get(key), now) for key in selective.keys})
        failures = 0 if ended.phase == "Succeeded" else _failures_at(app, view) + 1
        self._event(app, f"Operation{ended.phase}", ended.message)
        view = self._looker.look(app, record, since=0.0)
        self._tell(app, record, view, state=state, failures=failures)
        return Next(self._now() if view.status == "OutOfSync" else view.appraisal.until)

    def _carried_out(
        self,
        app: AppObject,
        record: Record,
        view: View,
        sync: SyncOperation,
        cancelled: Callable[[], str],
        state: OperationState,
    ) -> Ended:
        chosen = options.application_options((*policy_of(app).sync_options, *sync.sync_options))

        def told(message: str, results: tuple[ResourceResult, ...]) -> None:
            self._tell(app, record, view, state=operation.progressed(state, message, results))

        applier = Applier(self._objects, record.memory, self._inventory, self._now)
        syncer = Syncer(
            self._objects, self._inventory, applier, self._pool, now=self._now, cancelled=cancelled, told=told,
            deadlines=self._deadlines,
        )  # fmt: skip
        wanted = _chosen(view, sync, chosen)
        if chosen.create_namespace and not sync.dry_run:
            try:
                ensure_namespace(self._objects, app, policy_of(app).namespace_metadata, wanted)
            except ClusterError as error:
                return Ended("Failed", f"the namespace could not be made: {error.message}", ())
        if sync.prune and view.prune.holds:
            return Ended("Failed", view.prune.holds[0].message, ())
        prunes = [live for live in view.prune.prune if _is_asked(live.key, sync)] if sync.prune else []
        skipped = [*view.prune.kept, *(() if sync.prune else view.candidates.prunable)]
        return syncer.run(Plan(wanted, tuple(prunes), chosen, tuple(skipped), sync.dry_run))

    def _retry(self, app: AppObject, asked: Operation) -> policy.Retry:
        by_itself = asked.initiated_by is not None and asked.initiated_by.automated
        if asked.retry is not None:
            return policy.read({"retry": asked.retry}).retries(automated=by_itself)
        return policy_of(app).retries(automated=by_itself)

    # -- telling ------------------------------------------------------------------------------------------------------

    def _tell(
        self,
        app: AppObject,
        record: Record,
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
        labels, annotations = _metadata(app, view, _failures(app) if failures is None else failures)
        told = msgspec.json.encode([states.write(status), labels, annotations], order="sorted")
        if told == record.told:
            return app
        self._applications.write_status(app, fit(replace(status, reconciled_at=now), now), labels, annotations)
        record.told = told
        return self._applications.find(app.key.name) or app


def policy_of(app: AppObject) -> policy.SyncPolicy:
    """The sync policy; one that cannot be read asks for nothing (its look says so)."""
    try:
        return policy.read(app.body["spec"].get("syncPolicy"))
    except policy.PolicyError:
        return policy.SyncPolicy()


def _asked(app: AppObject) -> tuple[Operation | None, str]:
    try:
        return app.operation, ""
    except ValueError as error:
        return None, str(error)


def _automated(view: View, app: AppObject, *, prune: bool) -> Operation:
    several = app.several
    return Operation(
        sync=SyncOperation(
            revision="" if several else "".join(view.commits[:1]),
            revisions=view.commits if several else (),
            prune=prune,
        ),
        initiated_by=states.Initiator(automated=True),
    )


def _narrowed(asked: Operation, selective: Selective | None) -> Operation:
    if selective is None or asked.sync is None:
        return asked
    resources = tuple(
        states.OperationResource(group=key.group, kind=key.kind, namespace=key.namespace, name=key.name)
        for key in sorted(selective.keys)
    )
    return replace(asked, sync=replace(asked.sync, resources=resources))


def _is_asked(key: ResourceKey, sync: SyncOperation) -> bool:
    return not sync.resources or any(
        (each.group, each.kind, each.name) == (key.group, key.kind, key.name) and each.namespace in ("", key.namespace)
        for each in sync.resources
    )


def _chosen(view: View, sync: SyncOperation, chosen: options.ApplicationOptions) -> tuple[Compared, ...]:
    """What is applied: what differs. What is equal already needs no write."""
    return tuple(
        each
        for each in view.compared
        if _is_asked(each.key, sync)
        and not each.shared
        and (each.status != "Synced" or each.silent or _always(each, chosen))
    )


def _always(compared: Compared, chosen: options.ApplicationOptions) -> bool:
    """``Replace=true`` writes an object in every sync, unless only what differs is asked for."""
    replaced = options.effective(chosen, compared.desired.annotations, _annotations(compared)).replace
    return replaced and not chosen.out_of_sync_only


def _annotations(compared: Compared) -> Mapping[str, str] | None:
    return compared.live.annotations if compared.live is not None else None


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
    keys = [each.key for each in view.compared]
    keys += [live.key for live in (*view.candidates.prunable, *view.candidates.going)]
    told = parent(app.key, keys, earlier=group_kinds(app.annotations) if view.unknown else ())
    annotations = dict(told.annotations)
    if view.plan:
        annotations[PLAN] = view.plan
    if failures:
        annotations[FAILURES] = str(failures)
    return dict(told.labels), annotations


def _failures_at(app: AppObject, view: View) -> int:
    """How often in a row a sync of what Git says now has failed already."""
    last = operation.last_attempt(app.status, _failures(app))
    same = last is not None and last.identity == operation.identity(view.commits, app.sources)
    return last.failures if last is not None and same else 0


def _failures(app: AppObject) -> int:
    text = app.annotations.get(FAILURES, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
