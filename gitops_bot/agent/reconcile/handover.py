"""What every Application wanted when it was looked at last, so that one gets from another what a commit moves.

Ours. Lost with the process and made anew after it: until then everybody was looked at, nothing is deleted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from msgspec.structs import replace

from gitops_bot.agent.application.applications import APPLICATION, Applications, key_of
from gitops_bot.agent.application.record import AppObject, Record
from gitops_bot.agent.live.comparison import Compared
from gitops_bot.agent.ownership.memory import Memory, digest
from gitops_bot.agent.reports.view import View, Waits
from gitops_bot.agent.rules import handover
from gitops_bot.agent.rules.handover import Look, Other, marks
from gitops_bot.agent.rules.project import Cluster
from gitops_bot.agent.sources.desired import Wanted
from gitops_bot.agent.sources.sources import Sources
from gitops_bot.agent.values import Live, is_newer
from gitops_bot.model.project import Project
from gitops_bot.model.resource import ResourceKey

DEFINITIONS = "what Git defines"
"""Stands for the Applications that Git defines at a commit, until they are made."""
AGAIN = timedelta(seconds=1)
"""After which time is looked again whether others were looked at."""


Commit = Callable[[str, str, str], str | None]
"""Repository, revision and project → the commit that is meant; None: nobody knows."""


class _Kept(NamedTuple):
    look: Look
    memory: Memory


class Handover:
    """Fed by who looks, asked by who deletes or takes; safe under many threads."""

    def __init__(
        self,
        applications: Applications,
        sources: Sources,
        cluster: Cluster,
        now: Callable[[], datetime],
        *,
        are_defined: Callable[[float], bool],
        longest: timedelta,
    ) -> None:
        """Take who knows Applications and commits, the cluster of which this is, and the clock.

        ``are_defined`` says whether the Applications are those that Git defines, its repository asked since a moment;
        ``longest`` for how long others are waited for.
        """
        self._applications = applications
        self._sources = sources
        self._cluster = cluster
        self._now = now
        self._are_defined = are_defined
        self._longest = longest
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self.on_news: Callable[[str], None] = lambda _name: None
        """Called with the name of one for which something has changed by what another was found to want."""

    # -- fed ----------------------------------------------------------------------------------------------------------

    def found(self, app: AppObject, record: Record, view: View, wanted: Wanted) -> None:
        """Take what an Application wants."""
        before, now = self._find(app), self._now()
        keys = {each.key for each in wanted.objects}
        forbidden = {each.key for each in view.forbidden}
        wants = marks(keys | {*wanted.hooks})
        children = {each.key.name: each.digest for each in view.compared if _is_child(each, app)}
        same = before is not None and before.children == children
        known = before.failing if before is not None else None
        self._put(app.key.name, record.memory, Look(
            uid=app.uid,
            project=app.project,
            spec=_said(app, self._applications.projects()),
            commits=view.commits,
            wants=wants,
            permitted=marks(keys - forbidden) if forbidden or wanted.hooks else wants,
            children=children,
            near=_near(view),
            failing=(known or now) if wanted.problems else None,
            since=before.since if before is not None and same else now,
        ))  # fmt: skip

    def failed(self, app: AppObject, record: Record, commits: tuple[str, ...]) -> None:
        """Take that it cannot be known what an Application wants; what it wanted before still counts.

        ``commits`` are empty where it did not come to that.
        """
        now, spec = self._now(), _said(app, self._applications.projects())
        look = self._find(app) or Look(uid=app.uid, project=app.project, spec=spec, since=now)
        found = replace(look, spec=spec, commits=commits, failing=look.failing or now)
        self._put(app.key.name, record.memory, found)

    def forget(self, name: str) -> None:
        """Take that an Application is gone, or is going."""
        with self._lock:
            gone = self._kept.pop(name, None)
            told = [each for each, kept in self._kept.items() if gone is not None and name in kept.look.near]
        for each in told:
            self.on_news(each)

    def clear(self) -> None:
        """Forget everything: another agent has written since."""
        with self._lock:
            self._kept = {}

    def _put(self, name: str, memory: Memory, look: Look) -> None:
        with self._lock:
            before = self._kept.get(name)
            self._kept[name] = _Kept(look, memory)
            if before is not None and before.look == look:
                return
            told = {each for each, kept in self._kept.items() if name in kept.look.near}
            told |= look.near ^ (before.look.near if before is not None else frozenset())
        for each in sorted(told - {name}):
            self.on_news(each)

    def _find(self, app: AppObject) -> Look | None:
        with self._lock:
            kept = self._kept.get(app.key.name)
        return kept.look if kept is not None and kept.look.uid == app.uid else None

    # -- asked --------------------------------------------------------------------------------------------------------

    def others(self, app: AppObject, record: Record, since: float) -> Others:
        """All Applications but one, for a look at that one for which Git was asked at ``since``."""
        return Others(
            app,
            record,
            lambda: self._seen(app, since),
            lambda: self._are_defined(since),
            self._now(),
            longest=self._longest,
            hurry=self.on_news,
        )

    def _seen(self, app: AppObject, since: float) -> tuple[Other, ...]:
        """All but one, as they are now."""
        with self._lock:
            known = dict(self._kept)
        mine = {source.repo_url for source in app.application.sources}
        projects = self._applications.projects()

        @cache
        def commit(repository: str, revision: str, project: str) -> str | None:
            # Where nothing can have moved from is not asked anew.
            return self._sources.commit(repository, revision, project, since if repository in mine else 0.0)

        return tuple(
            self._other(each, known.get(each.key.name), lambda of, look: _is_at(of, look, projects, commit))
            for each in self._applications.all
            if each.key != app.key and self._cluster.is_meant(each.application.spec.destination)
        )

    def _other(self, app: AppObject, kept: _Kept | None, is_at: Callable[[AppObject, Look], bool]) -> Other:
        name, going = app.key.name, app.deleting
        if kept is None or kept.look.uid != app.uid or going:
            return Other(name, app.project, None, False, (), app.is_skipped, going)
        look = kept.look
        return Other(
            name,
            app.project,
            look,
            is_at(app, look),
            tuple(each for each in look.children if not self._is_made(app, each, kept)),
            app.is_skipped,
        )

    def _is_made(self, parent: AppObject, name: str, kept: _Kept) -> bool:
        """Whether a child is in the cluster, and known, as its parent has applied it."""
        known = kept.memory.find(key_of(name, parent.key.namespace))
        child = self._applications.find(name)
        return (
            known is not None
            and known.digest == kept.look.children[name]
            and child is not None
            and not is_newer(known.baseline.resource_version, child.version)
        )


class Others:
    """The other Applications as they are at one moment, found out for who asks first; asked by many threads."""

    def __init__(
        self,
        app: AppObject,
        record: Record,
        find: Callable[[], tuple[Other, ...]],
        are_defined: Callable[[], bool],
        now: datetime,
        *,
        longest: timedelta,
        hurry: Callable[[str], None],
    ) -> None:
        """Take who asks, and what finds it out; ``hurry`` has others looked at that are waited for."""
        self._app = app
        self._record = record
        self._find = find
        self._are_defined = are_defined
        self._now = now
        self._longest = longest
        self._hurry = hurry
        self._lock = threading.Lock()
        self._found: tuple[Other, ...] | None = None

    def heir(self, key: ResourceKey) -> str:
        """The Application that an object goes to which this one does not want any more; ``""`` for none."""
        return handover.heir(key, self._app.project, self._all)

    def let_go(self, live: Live) -> bool:
        """Whether who has an object hands it over to this Application."""
        name = handover.holder(live, self._app.key.namespace)
        owner = next((each for each in self._all if each.name == name), None)
        return owner is not None and handover.has_let_go(live.key, self._app.project, owner)

    def waits(
        self, leaving: Iterable[ResourceKey], shared: AbstractSet[str] = frozenset(), commits: tuple[str, ...] = ()
    ) -> Waits | None:
        """Who has to be looked at before objects are deleted, or left to those who have them; None for nobody.

        ``shared`` are the names of these; ``commits`` are those of the Application that waits.
        """
        names = (*self._awaited(leaving), *self._awaited_owners(shared))
        if not names:
            self._record.patience = None
            return None
        patience = handover.patience(self._record.patience, commits, self._now, self._longest)
        self._record.patience = patience
        if patience.is_over:
            return None
        for each in self._all:
            # Nobody may have told them that Git has moved: one may be refreshed by itself.
            if each.name in names and not each.is_current:
                self._hurry(each.name)
        return Waits(tuple(dict.fromkeys(names)), patience.since, self._now + AGAIN)

    def _awaited(self, leaving: Iterable[ResourceKey]) -> tuple[str, ...]:
        going = tuple(leaving)
        if not going:
            return ()
        # An Application that goes waits itself until others are made; two parents would wait for each other.
        children = any((key.group, key.kind) != APPLICATION for key in going)
        project = self._app.project
        return (
            *self._undefined,
            *handover.awaited(project, self._all, self._now, self._longest, children=children),
        )

    def _awaited_owners(self, names: AbstractSet[str]) -> tuple[str, ...]:
        if not names:
            return ()
        project = self._app.project
        owners = {each.name for each in self._all if each.name in names and each.project == project}
        if not owners:
            return ()
        return (*self._undefined, *handover.awaited(project, self._all, self._now, self._longest, about=owners))

    @property
    def _undefined(self) -> tuple[str, ...]:
        return () if self._are_defined() else (DEFINITIONS,)

    @property
    def _all(self) -> tuple[Other, ...]:
        with self._lock:
            if self._found is None:
                self._found = self._find()
            return self._found


def _is_child(compared: Compared, app: AppObject) -> bool:
    """Whether an object is an Application that this agent works on, and nobody else has."""
    key = compared.key
    return (key.group, key.kind, key.namespace) == (*APPLICATION, app.key.namespace) and not compared.shared


def _near(view: View) -> frozenset[str]:
    """The others that objects come from, or go to."""
    owners = (each.shared or each.former for each in view.compared)
    return frozenset(name for name in (*owners, *(heir for _, heir in view.candidates.moving)) if name)


def _said(app: AppObject, projects: Mapping[str, Project | None]) -> bytes:
    """Digest of what people say of an Application: its specification, and its project."""
    return digest({"spec": app.body["spec"], "project": projects.get(app.project)})


def _is_at(app: AppObject, look: Look, projects: Mapping[str, Project | None], commit: Commit) -> bool:
    """Whether an Application was looked at as it is, with the commits that its sources mean as far as anybody knows."""
    if look.spec != _said(app, projects):
        return False
    return not look.commits or all(
        source.chart or commit(source.repo_url, source.target_revision, app.project) in (None, then)
        for source, then in zip(app.application.sources, look.commits, strict=True)
    )
