"""Beside an Argo CD: what it works on is left to it until somebody hands it over. Two would undo each other's work."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Any, NamedTuple

from gitops_bot.agent.application.applications import APPLICATION
from gitops_bot.agent.application.record import DEFINED, FINALIZER
from gitops_bot.agent.ownership.identity import TOOLING, App
from gitops_bot.doors.cluster.errors import Forbidden
from gitops_bot.doors.cluster.objects import Body, Objects
from gitops_bot.errors import ClusterError
from gitops_bot.model.resource import ResourceKey

NOT_HANDED_OVER = "AdoptionError"
"""Type of the condition of an Application that an Argo CD still works on."""
_CONTROLLER = "app.kubernetes.io/name=argocd-application-controller"
_PARAMETERS = "argocd-cmd-params-cm"
_SETTING = "application.namespaces"
_OPTION = "--application-namespaces"
_FRESH = 3.0
"""Seconds for which a list of other Applications counts: a thousand first looks need one of them."""


# -- its controller ---------------------------------------------------------------------------------------------------


def refuse_covered(objects: Objects, namespace: str) -> None:
    """Raise ClusterError where an Argo CD's controller works on the Applications of a namespace."""
    for body in _controllers(objects, namespace):
        where = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
        if body["metadata"]["namespace"] == namespace:
            reason = "runs in"
        elif any(_matches(pattern, namespace) for pattern in _namespaces(objects, body)):
            reason = f"is told by {_SETTING} to work on"
        else:
            continue
        raise ClusterError(
            f"Argo CD's {where} {reason} the namespace {namespace}, so both would work on the same Applications",
            hint="run this agent in a namespace of its own, as deploy/ does, and hand over one app after another",
        )


def _controllers(objects: Objects, namespace: str) -> Iterator[Body]:
    for name in ("StatefulSet", "Deployment"):
        kind = objects.kinds.preferred("apps", name)
        if kind is None:
            continue
        try:
            found = objects.list(kind, selector=_CONTROLLER, metadata=False)
        except Forbidden:  # an account with fewer rights than ours sees its own namespace
            found = objects.list(kind, namespace, selector=_CONTROLLER, metadata=False)
        yield from found.items


def _namespaces(objects: Objects, controller: Body) -> Iterable[str]:
    """Patterns of the other namespaces that a controller works on (Argo CD's "applications in any namespace")."""
    settings = objects.find(ResourceKey("", "ConfigMap", controller["metadata"]["namespace"], _PARAMETERS), "v1")
    texts = [((settings or {}).get("data") or {}).get(_SETTING, "")]
    for container in controller["spec"]["template"]["spec"].get("containers") or ():
        words = [*(container.get("command") or ()), *(container.get("args") or ())]
        texts += [word.partition("=")[2] for word in words if word.startswith(f"{_OPTION}=")]
        texts += [after for word, after in pairwise(words) if word == _OPTION]
    return [pattern.strip() for text in texts for pattern in text.split(",") if pattern.strip()]


def _matches(pattern: str, namespace: str) -> bool:
    """A glob, or between slashes a regular expression, as Argo CD has them."""
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        try:
            return re.search(pattern[1:-1], namespace) is not None
        except re.error:
            return True  # nobody can tell, so it may
    return fnmatchcase(namespace, pattern)


# -- its Applications -------------------------------------------------------------------------------------------------


class _Neighbour(NamedTuple):
    namespace: str
    automated: bool
    cascade: str
    """The finalizer by which its objects would go with it, ``""`` for none."""


class Neighbours:
    """Applications of other namespaces that somebody else works on; safe under many threads."""

    def __init__(self, objects: Objects, namespace: str, clock: Callable[[], float]) -> None:
        """Take the door, our own namespace, and the clock (monotonic seconds)."""
        self._objects = objects
        self._namespace = namespace
        self._clock = clock
        self._lock = threading.Lock()
        self._at = float("-inf")
        self._found: dict[str, list[_Neighbour]] = {}

    def claim(self, app: App) -> str:
        """Why an Application may not be adopted yet, and how it is handed over; ``""`` when it may.

        Raises ClusterError.
        """
        with self._lock:
            if self._clock() - self._at >= _FRESH:
                self._found = self._listed()
                self._at = self._clock()
            others = self._found.get(app.name, ())
        for other in others:
            reasons = [
                *(["syncs its objects by itself"] if other.automated else []),
                *([f"would delete them when it goes ({other.cascade})"] if other.cascade else []),
            ]
            if reasons:
                return (
                    f"Argo CD's Application {other.namespace}/{app.name} {' and '.join(reasons)}; to hand over: "
                    f"kubectl patch application {app.name} -n {other.namespace} --type merge -p "
                    '\'{"metadata":{"finalizers":null},"spec":{"syncPolicy":{"automated":null}}}\', '
                    "and delete it there when this one is Synced"
                )
        return ""

    def _listed(self) -> dict[str, list[_Neighbour]]:
        kind = self._objects.kinds.preferred(*APPLICATION)
        if kind is None:
            return {}
        query = {"fieldSelector": f"metadata.namespace!={self._namespace}", "resourceVersion": "0"}
        try:
            answer = self._objects.requests.get(kind.path(), query)
        except Forbidden:  # who may not see them cannot be asked to look out for them
            return {}
        found: dict[str, list[_Neighbour]] = {}
        for body in answer.body.get("items") or ():
            if not _is_an_agent_s(body):
                found.setdefault(body["metadata"]["name"], []).append(_neighbour(body))
        return found


def _is_an_agent_s(body: Mapping[str, Any]) -> bool:
    """Whether it is an Application of another agent of ours: that one's objects carry its own name."""
    metadata = body["metadata"]
    tooling = (metadata.get("annotations") or {}).get(TOOLING, "")
    return tooling.startswith("gitops-bot/") or (metadata.get("labels") or {}).get(DEFINED) == "true"


def _neighbour(body: Mapping[str, Any]) -> _Neighbour:
    automated = ((body.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    finalizers = body["metadata"].get("finalizers") or ()
    return _Neighbour(
        body["metadata"]["namespace"],
        isinstance(automated, Mapping) and automated.get("enabled") is not False,
        next((each for each in finalizers if each.partition("/")[0] == FINALIZER), ""),
    )
