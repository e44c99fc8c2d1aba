"""Objects of one cluster: read, applied on the server's side, deleted; and lists of their metadata alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gitops_bot.doors.cluster.errors import NoKind, NotFound, NotTyped, Refused
from gitops_bot.doors.cluster.kinds import Kind, Kinds, discover_kinds
from gitops_bot.doors.cluster.requests import Requests
from gitops_bot.model.resource import ResourceKey

Body = dict[str, Any]
Propagation = Literal["Foreground", "Background", "Orphan"]

METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
"""A watch needs this one: with the list's form the stream is empty (tried on v1.36.3)."""
_PAGE = 500
_WHOLE_PAGE = 100
"""Objects of one page where all of them is read: it is held in memory until the next one comes."""
_KNOWS_NO_APPLY = (405, 415)
"""How API servers answer a server-side apply that do not know it: aggregated ones, and those before 1.16."""
SETTLES = 10.0
"""Seconds after a definition changed in which the API server may still answer without it."""
_AGAIN = 1.0
"""Seconds after which kinds are asked for again meanwhile."""


class Applied(NamedTuple):
    """What an apply gave."""

    body: Body
    """The object as the API server has it now, or would have."""
    warnings: tuple[str, ...] = ()


class Listed(NamedTuple):
    """A list at one moment."""

    items: tuple[Body, ...]
    version: str
    """The resourceVersion to watch from."""


class Objects:
    """The objects of one cluster. Kinds are asked for once, and again when somebody says that they have changed."""

    def __init__(
        self, requests: Requests, kinds: Kinds | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the door, and the kinds where they are known; nothing is asked yet. ``clock`` is in seconds."""
        self.requests = requests
        self._kinds = kinds
        self._clock = clock
        self._asked = self._changed = -math.inf

    @property
    def kinds(self) -> Kinds:
        """Every kind of the cluster. Raises ClusterError."""
        now = self._clock()
        unsettled = self._asked < self._changed + SETTLES and now - self._asked >= _AGAIN
        if self._kinds is None or unsettled:
            self._asked = now
            self._kinds = discover_kinds(self.requests)
        return self._kinds

    def forget_kinds(self) -> None:
        """Ask for them anew when they are needed next: a definition was changed, and is in force."""
        self._kinds = None

    def kinds_changed(self) -> None:
        """Take that which kinds there are is being changed: for some seconds they are asked for anew, when needed."""
        self._changed = self._clock()

    def get(self, key: ResourceKey, api_version: str = "") -> Body:
        """An object, in the version given, else in the preferred one.

        Raises ClusterError: NotFound when it is gone, NoKind when that cannot be told because its kind is not served.
        """
        kind = self.kinds.of(key, api_version)
        try:
            body: Body = self.requests.get(kind.path(key.namespace, key.name)).body
        except NoKind:
            self.kinds_changed()  # they are not what they were when they were asked for
            raise
        return body

    def find(self, key: ResourceKey, api_version: str = "") -> Body | None:
        """The same, None when it is not there. Raises ClusterError: NoKind when that cannot be told."""
        try:
            return self.get(key, api_version)
        except NotFound:
            return None

    def apply(
        self, body: Body, key: ResourceKey, manager: str, *, dry_run: bool = False, validate: bool = True
    ) -> Applied:
        """Server-side apply, by force: who else owns a field that Git names loses it.

        ``validate`` is whether fields that its kind does not have are refused. Raises ClusterError: NotTyped for what
        can only be created or replaced, and where server-side apply does not leave out such fields.
        """
        kind = self.kinds.of(key, body["apiVersion"])
        query = {**_written(manager, dry_run=dry_run, validate=validate), "force": "true"}
        try:
            answer = self.requests.apply(kind.path(key.namespace, key.name), query, body)
        except Refused as error:
            if error.status not in _KNOWS_NO_APPLY:
                raise
            raise NotTyped(error.message, status=error.status, reason=error.reason) from error
        return Applied(answer.body, answer.warnings)

    def delete(
        self, key: ResourceKey, uid: str, propagation: Propagation, *, version: str = "", dry_run: bool = False
    ) -> None:
        """Delete exactly this object, with ``version`` only in that one; one that is gone is left alone.

        Raises ClusterError: Conflict when the name is another object's by now, or the object another version, NoKind
        when its kind is not served.
        """
        preconditions = {"uid": uid, **({"resourceVersion": version} if version else {})}
        options: Body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": preconditions,
            "propagationPolicy": propagation,
        }
        if dry_run:
            options["dryRun"] = ["All"]
        try:
            self.requests.delete(self.kinds.of(key).path(key.namespace, key.name), options)
        except NotFound:
            return

    def create(
        self,
        kind: Kind,
        namespace: str,
        body: Body,
        manager: str = "",
        *,
        dry_run: bool = False,
        validate: bool = True,
    ) -> Body:
        """A new object. Raises ClusterError: Conflict when it is there already."""
        query = _written(manager, dry_run=dry_run, validate=validate)
        made: Body = self.requests.once("POST", kind.path(namespace), body, query=query).body
        return made

    def replace(
        self, key: ResourceKey, body: Body, manager: str = "", *, dry_run: bool = False, validate: bool = True
    ) -> Body:
        """The object as a whole; its resourceVersion, where given, must be the present one. Raises ClusterError."""
        path = self.kinds.of(key, body["apiVersion"]).path(key.namespace, key.name)
        query = _written(manager, dry_run=dry_run, validate=validate)
        made: Body = self.requests.once("PUT", path, body, query=query).body
        return made

    def patch(self, key: ResourceKey, operations: Sequence[Mapping[str, Any]], api_version: str = "") -> Body:
        """A JSON patch (RFC 6902), all of it or nothing.

        Where no answer comes it is sent again, so it has to be one that does the same when it is done twice, or is
        refused because of what it tests. Raises ClusterError: Invalid for such a test, also when it was done, unheard.
        """
        path = self.kinds.of(key, api_version).path(key.namespace, key.name)
        made: Body = self.requests.patch(path, operations).body
        return made

    def list(
        self,
        kind: Kind,
        namespace: str = "",
        *,
        name: str = "",
        selector: str = "",
        metadata: bool = True,
        kept: Callable[[Body], Body] = lambda body: body,
    ) -> Listed:
        """All objects of a kind, in a namespace or everywhere; ``metadata`` leaves out everything else of them.

        ``name`` and ``selector`` (of labels) leave out others, ``""`` none; ``kept`` says what of an object is kept, so
        that no more than a page is in memory. Raises ClusterError.
        """
        items: list[Body] = []
        version = ""
        accept, limit = (METADATA_LIST, _PAGE) if metadata else ("application/json", _WHOLE_PAGE)
        for page in self._pages(kind, namespace, {"limit": str(limit), **selected(selector, name)}, accept):
            items += map(kept, page.get("items") or ())
            version = (page.get("metadata") or {}).get("resourceVersion", "")
        return Listed(tuple(items), version)

    def _pages(self, kind: Kind, namespace: str, which: Mapping[str, str], accept: str) -> Iterator[Body]:
        query = dict(which)
        while True:
            page = self.requests.get(kind.path(namespace), query, accept=accept).body
            yield page
            more = (page.get("metadata") or {}).get("continue", "")
            if not more:  # a page of a selector may be empty although more follow
                return
            query = {**query, "continue": more}


def selected(selector: str, name: str) -> dict[str, str]:
    """What a list or watch is asked with, so that it has only objects with these labels or of this name."""
    found = {"labelSelector": selector, "fieldSelector": f"metadata.name={name}" if name else ""}
    return {key: value for key, value in found.items() if value}


def _written(manager: str, *, dry_run: bool, validate: bool) -> dict[str, str]:
    """The query of a write; a manager of ``""`` is what the API server makes of our name."""
    return {
        **({"fieldManager": manager} if manager else {}),
        "fieldValidation": "Strict" if validate else "Ignore",
        **({"dryRun": "All"} if dry_run else {}),
    }
