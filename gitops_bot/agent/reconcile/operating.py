"""What is done about an Application: told, synced when that is due, and healed. The agent's one flow of writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from gitops_bot.agent.application import operation
from gitops_bot.agent.application import state as states
from gitops_bot.agent.application.applications import Applications
from gitops_bot.agent.application.record import AppObject, Record
from gitops_bot.agent.application.state import Operation, OperationState, ResourceResult, SyncOperation
from gitops_bot.agent.live.applying import Applier
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.live.namespaces import ensure_namespace
from gitops_bot.agent.ownership.managed import PEOPLE
from gitops_bot.agent.reconcile.looking import Looker
from gitops_bot.agent.reconcile.plan import annotations_of, plan_of
from gitops_bot.agent.reconcile.sync import Deadlines, Ended, Supervisor, Syncer
from gitops_bot.agent.reports.reporting import Reporter
from gitops_bot.agent.reports.telling import ENDED, REFUSED, STARTED, Tell, approval_told
from gitops_bot.agent.reports.view import View
from gitops_bot.agent.rules import options, policy
from gitops_bot.agent.rules.autosync import Full, Nothing, Selective, Situation, decide
from gitops_bot.agent.rules.timing import healed, next_retry_at
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.errors import ClusterError

_INTERRUPTED = "interrupted, and goes on when an agent runs again"
_CHANGED = "the Application has changed, and it goes on with that"


class Next(NamedTuple):
    """When the Application has to be looked at again, if nothing else happens."""

    at: datetime | None = None
    """None: only when something changes."""


class Manners(NamedTuple):
    """How operations behave."""

    now: Callable[[], datetime]
    event: Tell
    poll: Callable[[], float] = lambda: 180.0
    """Seconds between two polls of Git."""
    deadlines: Deadlines = Deadlines()
    people: Callable[[], Sequence[str]] = lambda: PEOPLE
    """Which managers are people."""
    interrupted: Callable[[], bool] = lambda: False
    """Whether this process is stopping, or does not lead any more: operations stay Running, for who goes on."""
    waits: Callable[[], AbstractContextManager[None]] = nullcontext
    """While an operation only waits, so that others are worked on meanwhile."""


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
        self._people = manners.people
        self._event = manners.event
        self._reporter = Reporter(applications, manners.now, manners.event)
        self._interrupted = manners.interrupted
        self._waits = manners.waits

    def work(self, app: AppObject, record: Record, *, since: float, hard: bool, cancelled: Callable[[], str]) -> Next:
        """Look at an Application, tell what was found, and do what is due. Raises ClusterError."""
        view = self._looker.look(app, record, since=since, hard=hard)
        if self._interrupted():
            return Next()  # the renderers may have been ended while it looked
        self._reporter.tell_drift(app, record, view)
        if view.waits is not None:
            self._reporter.write(app, view)
            return Next(view.until)
        asked, problem = _asked(app)
        if problem:
            return self._refused(app, record, view, Operation(), problem, cancelled)
        if asked is not None and asked.sync is not None:
            return self._as_asked(app, record, view, asked, cancelled)
        state = app.status.operation_state
        if state is not None and not state.is_finished:
            return self._go_on(app, record, view, state, cancelled)
        return self._automatic(app, record, view, cancelled)

    def _rest(self, view: View, record: Record, at: datetime | None = None) -> Next:
        """When to look again where nothing is to be done now, and something at a later moment, or never (None)."""
        record.misses = record.misses + 1 if any(each.error for each in view.compared) else 0
        due = view.due(self._now(), poll=self._poll(), misses=record.misses)
        return Next(min((each for each in (due, at) if each is not None), default=None))

    # -- by itself ----------------------------------------------------------------------------------------------------

    def _automatic(self, app: AppObject, record: Record, view: View, cancelled: Callable[[], str]) -> Next:
        wish = policy_of(app)
        status = app.status
        decision = decide(
            Situation(
                now=self._now(),
                policy=_guarded(wish, view),
                status=view.status,
                identity=operation.identity(view.commits, app.sources),
                resources=view.seen,
                last=operation.last_attempt(status, app.failures),
                deleting=app.deleting,
                blocked=view.blocked,
                approved=bool(view.prune.approved),
                heals=record.heals,
                poll=self._poll(),
            )
        )
        if isinstance(decision, Nothing):
            self._reporter.write(app, view)
            self._take_back(view, record, wish)
            return self._rest(view, record)
        if decision.at > self._now():
            self._reporter.write(app, view)
            return self._rest(view, record, decision.at)
        prune = decision.prune
        if isinstance(decision, Full):
            if prune and view.prune.holds:
                self._reporter.write(app, view)
                return self._rest(view, record)  # half of a commit is no better; a condition says what is held
            record.heals.clear()
            return self._operate(app, record, view, _automated(view, app, prune=prune), None, cancelled)
        return self._operate(app, record, view, _automated(view, app, prune=prune), decision, cancelled)

    def _take_back(self, view: View, record: Record, wish: policy.SyncPolicy) -> None:
        """Take ownership back that was lost with nothing changed, where corrections are wanted."""
        if wish.automatic is None or not wish.automatic.self_heal or view.blocked:
            return
        applier = Applier(self._objects, record.memory, self._inventory, self._now, self._people())
        for each in view.compared:
            if each.silent:
                applier.apply(each, options.effective(view.options, each.desired.annotations, annotations_of(each)))

    # -- what somebody asks for ---------------------------------------------------------------------------------------

    def _as_asked(
        self, app: AppObject, record: Record, view: View, asked: Operation, cancelled: Callable[[], str]
    ) -> Next:
        assert asked.sync is not None
        reason = operation.refusal(asked.sync, view.commits, app.sources, several=app.several)
        if reason:
            return self._refused(app, record, view, asked, reason, cancelled)
        return self._operate(app, record, view, asked, None, cancelled)

    def _refused(
        self, app: AppObject, record: Record, view: View, asked: Operation, reason: str, cancelled: Callable[[], str]
    ) -> Next:
        """Say why it is not done, and go on with what is due by itself."""
        written = self._reporter.write(app, view, state=operation.refused(asked, reason, self._now()))
        self._applications.consume(app, "operation")
        self._event(app, REFUSED, reason)
        return self._automatic(_unasked(written), record, view, cancelled)

    # -- an operation -------------------------------------------------------------------------------------------------

    def _go_on(
        self, app: AppObject, record: Record, view: View, state: OperationState, cancelled: Callable[[], str]
    ) -> Next:
        """An operation that waits for its retry, or that a process before this one has left."""
        by_itself = state.operation.initiated_by is not None and state.operation.initiated_by.automated
        reason = _overtaken(app, view, state, by_itself=by_itself)
        if reason:
            results = state.sync_result.resources if state.sync_result is not None else ()
            state = operation.finished(state, "Failed", f"given up: {reason}", results, self._now())
            app = _unasked(self._reporter.write(app, view, state=state))
            if by_itself:
                return self._automatic(app, record, view, cancelled)
            return self._as_asked(app, record, view, state.operation, cancelled)
        if state.finished_at is not None:
            retry = self._retry(app, state.operation)
            at = next_retry_at(retry.backoff, state.finished_at, max(0, state.retry_count - 1))
            if at > self._now():
                self._reporter.write(app, view)
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

        failed = _failures_at(app, view) if former is None else app.failures
        # One write says what was found and what is done about it: OutOfSync stands there before anything is applied.
        written = self._reporter.write(app, view, state=state, failures=failed)
        self._applications.consume(app, "operation")
        looked_at, app = app, written
        if view.blocked:
            ended = Ended("Error", view.blocked, ())
        else:
            if selective is None and former is None:
                approval = approval_told(app, view.prune.approved if asked.sync.prune else ())
                self._event(app, STARTED, f"sync to {', '.join(map(_shown, revisions))}{approval}")
            ended = self._carried_out(app, record, view, asked.sync, unwanted, state)
        if ended.phase != "Succeeded" and self._interrupted():
            self._reporter.write(app, view, state=operation.progressed(state, _INTERRUPTED, ended.results))
            return Next()
        if ended.phase != "Succeeded" and self._is_another(looked_at):
            # Nothing has failed: it goes on at once, as the Application is now, or is given up because of that.
            self._reporter.write(app, view, state=operation.progressed(state, _CHANGED, ended.results))
            return Next(self._now())
        retry = self._retry(app, asked)
        if ended.phase != "Succeeded" and retry.allows(state.retry_count) and not unwanted() and not view.blocked:
            now, done = self._now(), state.retry_count
            at = next_retry_at(retry.backoff, now, done)
            state = operation.waiting(state, f"{ended.message}; {_announced(retry, done + 1, at - now)}", now)
            self._reporter.write(app, view, state=state)
            return Next(at)
        state = operation.finished(state, ended.phase, ended.message, ended.results, self._now())
        return self._ended(app, record, view, state, selective)

    def _ended(
        self, app: AppObject, record: Record, view: View, state: OperationState, selective: Selective | None
    ) -> Next:
        """Write down that an operation has ended, with what the cluster has since."""
        succeeded = state.phase == "Succeeded"
        if selective is not None:
            now = self._now()
            record.heals.update({key: healed(record.heals.get(key), now) for key in selective.keys})
        if succeeded and (selective is not None or state.is_full):
            self._reporter.tell_healed(app, record, view, selective.keys if selective is not None else None)
        failures = 0 if succeeded else app.failures + 1

        def written(view: View) -> None:
            self._reporter.write(app, view, state=state, failures=failures)
            self._event(app, f"{ENDED}{state.phase}", state.message)  # not before: what is not written is done again

        try:
            looked = self._looker.look(app, record, since=0.0)
        except Exception:
            written(view)  # as it was before: the operation has ended all the same, and a look is due again soon
            raise
        view = view if self._interrupted() else looked
        written(view)
        return Next(self._now()) if view.status == "OutOfSync" else self._rest(view, record)

    def _is_another(self, app: AppObject) -> bool:
        """Whether somebody has changed what the Application asks for."""
        now = self._applications.find(app.key.name)
        return now is not None and not now.deleting and now.body["spec"] != app.body["spec"]

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
        done = state.sync_result.resources if state.sync_result is not None else ()

        def told(message: str, results: tuple[ResourceResult, ...]) -> None:
            applied = {each.key for each in results if each.status == "Synced"}
            now = self._looker.meanwhile(app, record, view, applied)
            self._reporter.write(app, now, state=operation.progressed(state, message, results))

        applier = Applier(self._objects, record.memory, self._inventory, self._now, self._people())
        syncer = Syncer(
            self._objects, self._inventory, applier, self._pool, now=self._now,
            supervisor=Supervisor(cancelled, told, self._waits), deadlines=self._deadlines,
        )  # fmt: skip
        plan = plan_of(app.key, view, sync, chosen, done)
        if chosen.create_namespace and not sync.dry_run:
            try:
                ensure_namespace(self._objects, app.application, policy_of(app).namespace_metadata, view.keys)
            except ClusterError as error:
                return Ended("Failed", f"the namespace could not be made: {error.message}", ())
        if sync.prune and view.prune.holds and not sync.resources:
            return Ended("Failed", view.prune.holds[0].message, ())
        return syncer.run(plan)

    def _retry(self, app: AppObject, asked: Operation) -> policy.Retry:
        by_itself = asked.initiated_by is not None and asked.initiated_by.automated
        if asked.retry is not None:
            return policy.read({"retry": asked.retry}).retries(automated=by_itself)
        return policy_of(app).retries(automated=by_itself)


def _overtaken(app: AppObject, view: View, state: OperationState, *, by_itself: bool) -> str:
    """Why an operation that was begun is not gone on with, ``""`` when it is."""
    if by_itself:
        wish, sync = policy_of(app).automatic, state.operation.sync
        if wish is None:
            return "automated syncs are switched off"
        if sync is not None and sync.prune and not wish.prune:
            return "automated prunes are switched off"
    if view.unknown or state.sync_result is None:
        return ""
    same = operation.identity_of(state.sync_result) == operation.identity(view.commits, app.sources)
    return "" if same else "Git has something newer"


def policy_of(app: AppObject) -> policy.SyncPolicy:
    """The sync policy; one that cannot be read asks for nothing (its look says so)."""
    try:
        return policy.read(app.body["spec"].get("syncPolicy"))
    except policy.PolicyError:
        return policy.SyncPolicy()


def _guarded(wish: policy.SyncPolicy, view: View) -> policy.SyncPolicy:
    """The policy with ``allowEmpty`` as the last synced revision has it."""
    if wish.automated is None:
        return wish
    return replace(wish, automated=replace(wish.automated, allow_empty=view.allow_empty))


def _announced(retry: policy.Retry, number: int, wait: timedelta) -> str:
    """What becomes of a failed operation: ``retry 1 of 5 in 5 s``."""
    most = f" of {retry.limit:,}" if retry.limit > 0 else ""
    return f"retry {number:,}{most} in {wait / timedelta(seconds=1):,.10g} s"


def _asked(app: AppObject) -> tuple[Operation | None, str]:
    try:
        return app.operation, ""
    except ValueError as error:
        return None, str(error)


def _unasked(app: AppObject) -> AppObject:
    """The Application as if nobody had asked for an operation: one that came meanwhile is not what is done now."""
    return replace(app, body={name: value for name, value in app.body.items() if name != "operation"})


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


def _shown(commit: str) -> str:
    return commit[:8] if commit else "a chart"


def _failures_at(app: AppObject, view: View) -> int:
    """How often in a row a sync of what Git says now has failed already."""
    last = operation.last_attempt(app.status, app.failures)
    same = last is not None and last.identity == operation.identity(view.commits, app.sources)
    return last.failures if last is not None and same else 0
