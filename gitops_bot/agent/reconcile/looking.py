"""One look at an Application: what Git wants, what the cluster has, and what that means. Writes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import timedelta

import msgspec

from gitops_bot.agent.application.applications import key_of
from gitops_bot.agent.application.bounds import is_truncated
from gitops_bot.agent.application.operation import found_equal, identity, identity_of
from gitops_bot.agent.application.record import GUARD, PLAN, AppObject, Record, Rendered
from gitops_bot.agent.application.state import Status
from gitops_bot.agent.live.comparison import Compared, Comparer, Rules, Settled
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.live.namespaces import Housing, namespace_of
from gitops_bot.agent.live.namespaces import compared as housed
from gitops_bot.agent.live.wellness import HealthReader
from gitops_bot.agent.ownership.identity import group_kinds, is_left_over
from gitops_bot.agent.reconcile import conditions, holding
from gitops_bot.agent.reconcile.beside import NOT_HANDED_OVER
from gitops_bot.agent.reconcile.earlier import Earlier
from gitops_bot.agent.reconcile.handover import Handover, Others
from gitops_bot.agent.reports.uncompared import uncompared
from gitops_bot.agent.reports.view import View
from gitops_bot.agent.rules import guards, options, policy, project
from gitops_bot.agent.sources.desired import Desired, Wanted, read_wanted
from gitops_bot.agent.sources.revisions import Meaning
from gitops_bot.agent.sources.sources import COMPARISON_ERROR, Sources
from gitops_bot.agent.sources.surroundings import Surroundings
from gitops_bot.agent.values import Live, live_of
from gitops_bot.doors.cluster.errors import NoKind
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.errors import BotError, ClusterError
from gitops_bot.manifests.fields import images_in
from gitops_bot.model.resource import ResourceKey

NAMESPACE = "NamespaceMetadataWarning"
"""The condition that says what of a namespace's Pod Security stays as it is."""
_MOST_IMAGES = 200
_HANDED_OVER_YET = timedelta(seconds=10)
"""After which time is looked again whether Argo CD still works on one: who hands it over waits for that."""
_log = logging.getLogger(__name__)


class Looker:
    """Looks at one Application after another; may be used by many threads for different ones."""

    def __init__(
        self,
        objects: Objects,
        inventory: Inventory,
        sources: Sources,
        health: HealthReader,
        comparer: Callable[[Record], Comparer],
        around: Surroundings,
        handover: Handover,
    ) -> None:
        """Take the doors; ``comparer`` gives the one of an Application, ``handover`` knows what the others want."""
        self._objects = objects
        self._inventory = inventory
        self._sources = sources
        self._health = health
        self._comparer = comparer
        self._around = around
        self._handover = handover

    def look(self, app: AppObject, record: Record, *, since: float, hard: bool = False) -> View:
        """The Application as it is now.

        Repositories are asked that were not asked since ``since`` (monotonic seconds); ``hard`` renders anew. Raises
        ClusterError when the API server cannot be asked at all.
        """
        view = self._looked(app, record, since, hard=hard)
        if view.unknown:
            self._handover.failed(app, record, view.tried)
        return view

    def _looked(self, app: AppObject, record: Record, since: float, *, hard: bool) -> View:
        try:
            wish = policy.read(app.body["spec"].get("syncPolicy"))
        except policy.PolicyError as error:
            return _blocked(project.INVALID, str(error))
        chosen = options.application_options(wish.sync_options)
        limits = project.limits_of(app.application, self._around.projects(), self._around.cluster)
        if isinstance(limits, tuple):
            return _blocked(*limits)
        refusals = limits.refusals()
        if refusals:
            return View(conditions=refusals, blocked=refusals[0][1], unknown=True, options=chosen)
        claim = "" if app.status.history else self._around.claimed(app.key)
        if claim:
            again = self._around.now() + _HANDED_OVER_YET
            return msgspec.structs.replace(_blocked(NOT_HANDED_OVER, claim), again=again)
        meanings: tuple[Meaning, ...] = ()
        try:
            meanings = self._sources.meanings(app, since)
            commits = tuple(each.commit for each in meanings)
            permitted = limits.project.source_repos or ()
            rendered = self._sources.rendered(app, commits, record, permitted, hard=hard)
            wanted = self._wanted(app, rendered)
        except BotError as error:
            if isinstance(error, ClusterError):
                raise
            return self._unrendered(app, record, error.told, chosen, meanings)
        others = self._handover.others(app, record, since)
        view = self._viewed(app, record, commits, wanted, rendered, limits, chosen, others)
        self._handover.found(app, record, view, wanted)
        view = self._with_home(app, view, wish)
        return msgspec.structs.replace(view, conditions=(*view.conditions, *self._sources.told(app, meanings)))

    def meanwhile(self, app: AppObject, record: Record, view: View, applied: AbstractSet[ResourceKey]) -> View:
        """A look from before an operation, with what that has applied so far as it is by now; nothing is compared."""
        compared = tuple(
            msgspec.structs.replace(each, status="Synced", drift=(), live=self._inventory.find(each.key) or each.live)
            if each.key in applied
            else each
            for each in view.compared
        )
        lives = [each.live for each in compared if each.live is not None]
        health = self._health.read(record, app.key.id, [*lives, *view.candidates.prunable])
        return msgspec.structs.replace(view, compared=compared, health=health)

    def has_moved(self, app: AppObject, commits: tuple[str, ...]) -> bool:
        """Whether Git is known to have something newer than these commits; nobody is asked for that."""
        try:
            return tuple(each.commit for each in self._sources.meanings(app, since=0.0)) != commits
        except BotError:
            return False

    def _with_home(self, app: AppObject, view: View, wish: policy.SyncPolicy) -> View:
        """With the namespace that it makes, where that does not carry what it is to. Raises ClusterError."""
        key = namespace_of(app.application, view.keys)
        if key is None or wish.namespace_metadata is None or not view.options.create_namespace:
            return view
        home: Housing = housed(self._objects, key, wish.namespace_metadata)
        told = ((NAMESPACE, home.note),) if home.note else ()
        return msgspec.structs.replace(
            view, home=home.key if home.differs else None, conditions=(*view.conditions, *told)
        )

    # -- what Git wants -----------------------------------------------------------------------------------------------

    def _wanted(self, app: AppObject, rendered: Rendered) -> Wanted:
        """What is wanted."""
        kinds = self._objects.kinds

        def namespaced(group: str, kind: str) -> bool | None:
            found = kinds.preferred(group, kind)
            return found.namespaced if found is not None else None

        namespace = app.application.spec.destination.namespace
        return read_wanted(rendered.packed, namespace=namespace, own=app.key.namespace, namespaced=namespaced)

    def _unrendered(
        self,
        app: AppObject,
        record: Record,
        error: str,
        chosen: options.ApplicationOptions,
        meanings: tuple[Meaning, ...],
    ) -> View:
        """What is told where nobody knows what Git wants: nothing of it is applied, and nothing pruned."""
        told = [(COMPARISON_ERROR, error), *(self._sources.told(app, meanings) if meanings else ())]
        again = record.unrendered.again if record.unrendered is not None and meanings else None
        tried = tuple(each.commit for each in meanings)
        return View(conditions=tuple(told), blocked=error, unknown=True, options=chosen, again=again, tried=tried)

    # -- what the cluster has -----------------------------------------------------------------------------------------

    def _viewed(
        self,
        app: AppObject,
        record: Record,
        commits: tuple[str, ...],
        wanted: Wanted,
        rendered: Rendered,
        limits: project.Limits,
        chosen: options.ApplicationOptions,
        others: Others,
    ) -> View:
        spec = app.application.spec
        keys = frozenset(each.key for each in wanted.objects)
        forbidden, refused = limits.forbidden(keys)
        allowed = [each for each in wanted.objects if each.key not in forbidden]
        kinds = {(key.group, key.kind) for key in keys}
        unseen = self._around.watch(frozenset(kinds | group_kinds(app.annotations)))
        people = self._around.settings().agent.people_managers
        earlier = Earlier(lambda: self._earlier(app, commits, wanted, limits), app.key, spec.destination.namespace)

        def let_go(live: Live) -> bool:
            return is_left_over(live, app.key.namespace, self._around.exists) or others.let_go(live)

        rules = Rules(spec.ignore_differences, self._around.delete_jq, people, chosen, earlier, let_go)
        status = app.status
        compared = self._comparer(record).compare(
            allowed, app.key, spec.destination.namespace, rules, _settled(app, status, commits, rendered.plan)
        )
        found = self._left(app, status, keys)
        candidates = guards.candidates(found, keys, app.key, limits.permits)
        shared = frozenset(each.shared for each in compared if each.shared)
        waits = others.waits(_going(app, candidates, chosen), shared, commits)
        if candidates.prunable:
            candidates = guards.candidates(found, keys, app.key, limits.permits, others.heir)
        guard = self._guard(app, chosen)
        limits_now = guards.in_force(app.annotations.get(GUARD), guard)
        present = sum(each.live is not None for each in compared)
        counts = holding.Counts(len(wanted.objects), present, not wanted.problems, waits is not None)
        judged = holding.judged(
            app, record, candidates, chosen, limits_now, counts, self._around.now(), earlier.wanted
        )  # fmt: skip
        lives = [each.live for each in compared if each.live is not None]
        moving = [live for live, _ in candidates.moving]
        health = self._health.read(record, app.key.id, [*lives, *candidates.prunable, *moving])
        record.memory.keep_only(keys)
        stays = limits.left([live.key for live in candidates.forbidden])
        blocked = [*conditions.blocking(wanted, compared, chosen), *refused]
        own = [*conditions.told(wanted, compared, judged, chosen), *conditions.moving(candidates.moving)]
        told = [*stays, *limits.notes(), *own, *uncompared(compared, status.conditions), *blocked]
        if waits is not None:
            told = [*conditions.lasting(told, status), *conditions.waiting(waits, self._around.now())]
        return View(
            itself=key_of(*app.key),
            commits=commits,
            compared=compared,
            forbidden=tuple(each for each in wanted.objects if each.key in forbidden),
            candidates=candidates,
            prune=judged,
            waits=waits,
            guard=guard,
            unseen=unseen,
            allow_empty=limits_now.allow_empty,
            health=health,
            options=chosen,
            conditions=tuple(told),
            blocked=blocked[0][1] if blocked else "",
            images=_images(compared),
            types=rendered.types,
            plan=rendered.plan,
        )

    def _earlier(
        self, app: AppObject, commits: tuple[str, ...], wanted: Wanted, limits: project.Limits
    ) -> tuple[Desired, ...]:
        """What Git said when the Application was last synced; nothing where nobody can tell any more."""
        if _brought(app.status) == identity(commits, app.sources):
            return wanted.objects
        try:
            rendered = self._sources.earlier(app, limits.project.source_repos or ())
        except BotError as error:
            _log.warning("the revision synced last cannot be rendered: %s", error.told, extra={"app": app.key.name})
            return ()
        return self._wanted(app, rendered).objects if rendered is not None else ()

    def _left(self, app: AppObject, status: Status, keys: frozenset[ResourceKey]) -> list[Live]:
        """What left Git: of the objects with the Application's label, and of those that its status lists."""
        kinds = self._objects.kinds
        # Of a kind that is not served nobody can say whether its objects are in a namespace, and so which Git has.
        gone = [
            key
            for key in self._inventory.of(app.key.id)
            if key not in keys and kinds.preferred(key.group, key.kind) is not None
        ]
        labelled = {key: live for key in gone if (live := self._inventory.find(key))}
        for each in status.resources if not is_truncated(status) else ():
            key = each.key
            if key in keys or key in labelled or self._inventory.knows((key.group, key.kind)):
                continue
            if kinds.preferred(key.group, key.kind) is None:
                continue
            try:
                body = self._objects.find(key)
            except NoKind:
                continue  # nobody can tell: its kind stays among those whose objects are looked for
            if body is not None:
                labelled[key] = live_of(body, key)
        return list(labelled.values())

    def _guard(self, app: AppObject, chosen: options.ApplicationOptions) -> guards.Limits:
        """The thresholds as Git has them now."""
        automated = policy.read(app.body["spec"].get("syncPolicy")).automated
        usual = self._around.settings().agent.prune_guard
        return guards.limits_of(
            app.annotations,
            percent=usual.percent,
            objects=usual.objects,
            allow_empty=automated is not None and automated.allow_empty,
            prune=chosen.prune,
        )


def _going(app: AppObject, candidates: guards.Candidates, chosen: options.ApplicationOptions) -> list[ResourceKey]:
    """What may be pruned now: by itself, or because somebody asks for a sync."""
    wish = policy.read(app.body["spec"].get("syncPolicy")).automatic
    state = app.status.operation_state
    asked = "operation" in app.body or (state is not None and not state.is_finished)
    if not asked and (wish is None or not wish.prune):
        return []
    lives = candidates.prunable
    return [live.key for live in lives if options.effective(chosen, None, live.annotations).prune != "false"]


def _blocked(kind: str, message: str) -> View:
    return View(conditions=((kind, message),), blocked=message, unknown=True)


def _settled(app: AppObject, status: Status, commits: tuple[str, ...], plan: str) -> Settled | None:
    """When the last operation ended, if what is wanted now is what it brought, or what was found equal after it.

    Most commits of a repository are not about an Application: nothing is synced for them, and they are in no history.
    """
    state = status.operation_state
    newest = status.history[-1] if status.history else None
    if newest is None or state is None or state.finished_at is None or not state.is_finished:
        return None
    if plan and plan != app.annotations.get(PLAN, plan):
        return None  # the same commits are rendered to something else by now
    if identity(commits, app.sources) not in (_brought(status), found_equal(status, app.body["spec"])):
        return None
    return Settled(max(state.finished_at, newest.deployed_at))


def _brought(status: Status) -> str:
    """What the last full sync brought, ``""`` where there was none."""
    newest = status.history[-1] if status.history else None
    return identity_of(newest) if newest is not None else ""


def _images(compared: tuple[Compared, ...]) -> tuple[str, ...]:
    found = {image for each in compared for image in images_in(each.desired.body) if image}
    return tuple(sorted(found))[:_MOST_IMAGES]
