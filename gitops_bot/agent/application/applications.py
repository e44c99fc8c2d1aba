"""The ``Application`` and ``AppProject`` objects of the agent's namespace: read as they change, and written to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from gitops_bot.agent.application.record import API, REFRESH, REMOVAL_HELD, AppObject, as_object, is_news
from gitops_bot.agent.application.state import Status, in_seconds
from gitops_bot.agent.values import REMOVAL_MANAGER, STATUS_MANAGER, Heard, is_newer
from gitops_bot.doors.cluster.errors import Conflict, Invalid, NotFound
from gitops_bot.doors.cluster.objects import Body, Objects
from gitops_bot.model.project import Project
from gitops_bot.model.project import read as read_project
from gitops_bot.model.resource import ResourceKey

APPLICATION = ("argoproj.io", "Application")
PROJECT = ("argoproj.io", "AppProject")


_TRIES = 5
"""How often something is written that others' writes of the same moment are in the way of."""


def key_of(name: str, namespace: str) -> ResourceKey:
    """The identity of an Application object."""
    return ResourceKey(*APPLICATION, namespace, name)


class Applications:
    """What a watch tells of them; safe under many threads."""

    def __init__(self, objects: Objects, namespace: str) -> None:
        """Take the door, and the namespace they are in."""
        self._objects = objects
        self.namespace = namespace
        self._lock = threading.Lock()
        self._found: dict[str, AppObject] = {}
        self._broken: dict[str, str] = {}
        self._projects: dict[str, Project | None] = {}
        self._listed: set[str] = set()
        self._heard = Heard()
        self.on_news: Callable[[str], None] = lambda _name: None
        """Called with the name of one of which the answer to a write of ours tells something new."""

    # -- fed by the watch ---------------------------------------------------------------------------------------------

    def replace(self, bodies: Iterable[Body], version: str = "") -> frozenset[str]:
        """Take all that there are; the names that are new, changed or gone.

        What was written since ``version``, that of the list, stays as it is.
        """
        with self._lock:
            self._listed.add("Application")
            before, self._found, self._broken = self._found, {}, {}
            for body in bodies:
                self._take(body)
            if self._heard.hear_list(version):
                self._found |= {name: app for name, app in before.items() if is_newer(app.version, version)}
            return frozenset(
                name
                for name in {*before, *self._found}
                if name not in before or name not in self._found or before[name] != self._found[name]
            )

    def put(self, body: Body) -> str:
        """Take one as it is now; its name. One that is older than what is known is not taken: watches lag."""
        with self._lock:
            self._heard.hear(body["metadata"].get("resourceVersion", ""))
            return self._put(body)

    def wrote(self, body: Body) -> None:
        """Take the answer to a write of ours, unless the watch has told by now that it is gone again.

        What others have changed meanwhile is news, and old when the watch tells it.
        """
        metadata = body["metadata"]
        with self._lock:
            before = self._found.get(metadata["name"])
            if before is None and self._heard.covers(metadata.get("resourceVersion", "")):
                return
            name = self._put(body)
            after = self._found.get(name)
        if is_news(before, after):
            self.on_news(name)

    def _put(self, body: Body) -> str:
        metadata = body["metadata"]
        known = self._found.get(metadata["name"])
        if known is not None and not is_newer(metadata.get("resourceVersion", ""), known.version):
            return known.key.name
        return self._take(body)

    def remove(self, body: Body) -> str:
        """Take that one is gone; its name."""
        name: str = body["metadata"]["name"]
        with self._lock:
            self._heard.hear(body["metadata"].get("resourceVersion", ""))
            self._found.pop(name, None)
            self._broken.pop(name, None)
        return name

    def replace_projects(self, bodies: Iterable[Body]) -> None:
        """Take all projects that there are."""
        with self._lock:
            self._listed.add("AppProject")
            self._projects = {body["metadata"]["name"]: read_project(body) for body in bodies}

    def put_project(self, body: Body) -> None:
        """Take one project as it is now."""
        with self._lock:
            self._projects[body["metadata"]["name"]] = read_project(body)

    def remove_project(self, body: Body) -> None:
        """Take that one is gone."""
        with self._lock:
            self._projects.pop(body["metadata"]["name"], None)

    def _take(self, body: Body) -> str:
        name: str = body["metadata"]["name"]
        try:
            self._found[name] = as_object(body)
            self._broken.pop(name, None)
        except msgspec.ValidationError as error:
            self._found.pop(name, None)
            self._broken[name] = f"the Application {name} cannot be read: {error}"
        return name

    # -- read ---------------------------------------------------------------------------------------------------------

    def find(self, name: str) -> AppObject | None:
        """One of them, None when it is not there or cannot be read."""
        with self._lock:
            return self._found.get(name)

    def exists(self, name: str) -> bool:
        """Whether one is there, readable or not."""
        with self._lock:
            return name in self._found or name in self._broken

    def broken(self, name: str) -> str:
        """Why one cannot be read, ``""`` when it can or is not there."""
        with self._lock:
            return self._broken.get(name, "")

    @property
    def are_known(self) -> bool:
        """Whether the first list of both kinds has come."""
        with self._lock:
            return len(self._listed) == 2

    @property
    def unreadable(self) -> frozenset[str]:
        """The names of those that cannot be read."""
        with self._lock:
            return frozenset(self._broken)

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in order."""
        with self._lock:
            return tuple(sorted(self._found))

    @property
    def all(self) -> tuple[AppObject, ...]:
        """All that can be read, in order of name."""
        with self._lock:
            return tuple(self._found[name] for name in sorted(self._found))

    def projects(self) -> Mapping[str, Project | None]:
        """The projects by name; None for one that cannot be read."""
        with self._lock:
            return dict(self._projects)

    # -- written ------------------------------------------------------------------------------------------------------

    def write_status(
        self, app: AppObject, status: Status, labels: Mapping[str, str], annotations: Mapping[str, str]
    ) -> None:
        """Write the status, and what of ours is in its metadata; an Application that is gone is none to write to.

        The status is part of the main object, as in Argo CD's own definition. Raises ClusterError.
        """
        metadata = {"name": app.key.name, "namespace": app.key.namespace}
        body: Body = {
            "apiVersion": API,
            "kind": "Application",
            "metadata": {**metadata, "uid": app.body["metadata"]["uid"], "labels": dict(labels),
                         "annotations": dict(annotations)},
            "status": in_seconds(status),
        }  # fmt: skip
        # With its uid it cannot make an Application anew that somebody has deleted meanwhile.
        self._write(app, lambda key: self._objects.apply(body, key, STATUS_MANAGER).body)

    def consume(self, app: AppObject, *fields: str) -> None:
        """Take away what was asked for and is done: ``operation``, the annotation ``refresh``. Raises ClusterError."""
        operations: list[dict[str, Any]] = []
        if "operation" in fields and "operation" in app.body:
            operations.append({"op": "test", "path": "/operation", "value": app.body["operation"]})
            operations.append({"op": "remove", "path": "/operation"})
        if "refresh" in fields and REFRESH in app.annotations:
            pointer = REFRESH.replace("~", "~0").replace("/", "~1")
            operations.append({"op": "remove", "path": f"/metadata/annotations/{pointer}"})
        if operations:
            self._patch(app, operations)

    def note_held(self, app: AppObject, now: datetime | None) -> None:
        """Write down since when the removal of one is held, where that is new; None: it is not. Raises ClusterError.

        Under a manager of its own: the status is written as a whole.
        """
        if (now is None) == (app.held_since is None):
            return
        told = {REMOVAL_HELD: now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")} if now is not None else {}
        metadata = {"name": app.key.name, "namespace": app.key.namespace, "uid": app.uid, "annotations": told}
        body = {"apiVersion": API, "kind": "Application", "metadata": metadata}
        self._write(app, lambda key: self._objects.apply(body, key, REMOVAL_MANAGER).body)

    def let_go(self, app: AppObject, finalizer: str) -> None:
        """Remove a finalizer: everything that it stood for is done. Raises ClusterError."""
        at = app.finalizers.index(finalizer)
        path = f"/metadata/finalizers/{at}"
        self._patch(app, [{"op": "test", "path": path, "value": finalizer}, {"op": "remove", "path": path}])

    def _patch(self, app: AppObject, operations: list[dict[str, Any]]) -> None:
        """Patch; where a test among the operations fails, somebody was faster, or we were ourselves, unheard."""
        with contextlib.suppress(Invalid):
            self._write(app, lambda key: self._objects.patch(key, operations, API))

    def _write(self, app: AppObject, write: Callable[[ResourceKey], Body]) -> None:
        """Write to an Application, and know it as it is then; to one that is gone, nothing is written.

        A refusal because of another write at the same moment says nothing about ours: it is tried again. Raises
        ClusterError.
        """
        key = key_of(*app.key)
        for left in range(_TRIES, 0, -1):
            try:
                self.wrote(write(key))
                return
            except NotFound:
                return
            except (Conflict, Invalid) as error:  # of one that was made anew, the uid is invalid
                if not self._is_there(app):
                    return
                if left == 1 or isinstance(error, Invalid):
                    raise

    def _is_there(self, app: AppObject) -> bool:
        """Whether the API server has it still, and not another one of its name. Raises ClusterError."""
        try:
            return bool(self._objects.get(key_of(*app.key), API)["metadata"]["uid"] == app.uid)
        except NotFound:
            return False
