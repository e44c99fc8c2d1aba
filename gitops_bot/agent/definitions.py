"""Applications that are defined in Git become objects of the agent's namespace, and go when Git has them no more."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from gitops_bot.agent.applications import API, APPLICATION, PROJECT, Applications
from gitops_bot.agent.record import without_state
from gitops_bot.agent.renderers import Renderers
from gitops_bot.agent.rendering import Define, Definition
from gitops_bot.agent.revisions import Revisions
from gitops_bot.agent.surroundings import Logins
from gitops_bot.agent.terms import Terms
from gitops_bot.agent.values import MANAGER
from gitops_bot.doors.cluster.objects import Body, Objects
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.resource import ResourceKey

DEFINED = "gitops-bot/defined"
"""Label of objects that this agent made from Git: ``true``."""
FROM = "gitops-bot/defined-in"
"""Annotation with the file they are from."""
_KEPT = ("name", "labels", "annotations", "finalizers")
_log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """Where Applications are defined."""

    url: str
    path: str = ""
    revision: str = "HEAD"


class Definer:
    """Keeps the objects equal to what a repository defines."""

    def __init__(
        self,
        origin: Origin,
        objects: Objects,
        applications: Applications,
        revisions: Revisions,
        renderers: Renderers,
        logins: Logins,
        terms: Terms,
    ) -> None:
        """Take where they are defined, the doors, and where the settings beside them are kept."""
        self._origin = origin
        self._objects = objects
        self._applications = applications
        self._revisions = revisions
        self._renderers = renderers
        self._logins = logins
        self._terms = terms
        self._done = ""
        """The commit whose definitions are in the cluster."""
        self.problem = ""
        """Why the last look at Git came to nothing, ``""`` when it did not."""
        self.defined: frozenset[str] = frozenset()
        """Names of the Applications that Git defines, as it was last looked at."""

    def work(self, since: float) -> None:
        """Bring the objects to what Git defines, where it says something else than the last time.

        Raises ClusterError; what is wrong with Git is told as ``problem`` and changes nothing.
        """
        origin = self._origin
        try:
            meaning = self._revisions.resolve(origin.url, origin.revision, since=since, last=self._done)
        except FetchError as error:
            self._tell(error.told)
            return
        commit = meaning.commit
        if commit == self._done and self.defined <= {*self._applications.names, *self._applications.unreadable}:
            self._tell(meaning.stale)
            return  # where one is gone, it is made anew
        logins = self._logins("", [origin.url])
        answer = self._renderers.define(Define(url=origin.url, commit=commit, path=origin.path, logins=logins))
        if answer.error:
            self._tell(answer.error)
            return
        if answer.settings is not None:
            self._terms.put(answer.settings)
        wanted = {_key(each, self._applications.namespace): each for each in answer.definitions}
        for key, definition in sorted(wanted.items(), key=lambda pair: pair[0].kind != "AppProject"):
            self._objects.apply(_body(definition, key), key, MANAGER)
        self.defined = frozenset(key.name for key in wanted if key.kind == "Application")
        problems = [*answer.problems]
        if not self.defined:
            problems.append(f"{urls.shown(origin.url)} defines no Application at {commit[:8]}: none is removed")
        if not problems:
            self._remove(frozenset(wanted))
        self._tell("; ".join(problems))
        self._done = "" if problems else commit

    def _remove(self, wanted: frozenset[ResourceKey]) -> None:
        """Delete what this agent made and Git does not define any more; finalizers say what goes with it."""
        for app in self._applications.all:
            key = ResourceKey(*APPLICATION, app.key.namespace, app.key.name)
            made = (app.body["metadata"].get("labels") or {}).get(DEFINED) == "true"
            if made and key not in wanted and not app.deleting:
                _log.info("removing %s: Git does not define it any more", key)
                self._objects.delete(key, app.body["metadata"]["uid"], "Background")

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.warning("definitions: %s", problem)
        self.problem = problem


def _key(definition: Definition, namespace: str) -> ResourceKey:
    kind = APPLICATION if definition.kind == "Application" else PROJECT
    return ResourceKey(*kind, namespace, str(definition.document["metadata"]["name"]))


def _body(definition: Definition, key: ResourceKey) -> Body:
    """The object in the agent's namespace; the namespace in Git is only a label (ours)."""
    given: dict[str, Any] = definition.document["metadata"]
    metadata = {name: given[name] for name in _KEPT if given.get(name)}
    metadata["namespace"] = key.namespace
    metadata["labels"] = {**(metadata.get("labels") or {}), DEFINED: "true"}
    metadata["annotations"] = {**without_state(metadata.get("annotations") or {}), FROM: definition.file}
    return {"apiVersion": API, "kind": key.kind, "metadata": metadata, "spec": definition.document.get("spec") or {}}
