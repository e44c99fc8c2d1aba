"""Which object is whose: what is written on every object of an application, and on the Application itself.

Two marks, because either alone is copied: labels of a Service reach its Endpoints, annotations of a Deployment its
ReplicaSets (tried). The label is that of KEP-3659 (ApplySet), so that a list finds an application's objects; the
annotation is Argo CD's (application-semantics 2.8), and says which object it was written for.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from gitops_bot import __version__
from gitops_bot.agent.values import Live
from gitops_bot.model.resource import ResourceKey

PART_OF = "applyset.kubernetes.io/part-of"
"""Label on every object of an application: the id of the application that it belongs to."""
PARENT_ID = "applyset.kubernetes.io/id"
"""Label on the Application."""
TOOLING = "applyset.kubernetes.io/tooling"
GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
TRACKING_ID = "argocd.argoproj.io/tracking-id"

_GROUP, _KIND = "argoproj.io", "Application"
_NAMESPACES_LIMIT = 100_000
"""Bytes of the list of namespaces: all annotations of an object together may have 262,144."""


class App(NamedTuple):
    """An application: the ``Application`` object that the agent keeps."""

    name: str
    namespace: str
    """Where the object is: the agent's own namespace."""

    @property
    def id(self) -> str:
        """Its id after KEP-3659: a valid label value of 55 characters."""
        return _id(self)


@lru_cache(maxsize=64)
def _id(app: App) -> str:
    """Asked for at every object of an application that is worked on."""
    digest = hashlib.sha256(f"{app.name}.{app.namespace}.{_KIND}.{_GROUP}".encode()).digest()
    return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"


class Tracking(NamedTuple):
    """What a tracking-id says."""

    app: str
    """The application's name, ``<namespace>_<name>`` outside Argo CD's own namespace."""
    group: str
    kind: str
    namespace: str
    """For a cluster-scoped object the application's destination namespace."""
    name: str

    def names(self, key: ResourceKey) -> bool:
        """Whether it was written for this object, and not copied from another (Argo CD's self-referencing check)."""
        return (self.group, self.kind, self.name) == (key.group, key.kind, key.name) and key.namespace in (
            "",
            self.namespace,
        )


def tracking_id(app: App, key: ResourceKey, destination: str) -> str:
    """Argo CD's tracking-id of an object: ``guestbook:apps/Deployment:default/web``, core: ``guestbook:/ConfigMap:…``.

    ``destination`` is the application's namespace, which the id of a cluster-scoped object has in place of its own.
    """
    return f"{app.name}:{key.group}/{key.kind}:{key.namespace or destination}/{key.name}"


def parse_tracking_id(text: str) -> Tracking | None:
    """A tracking-id read; None for what is none. Names may have colons (``system:node``), as those of RBAC have."""
    app, _, rest = text.partition(":")
    kind, _, place = rest.partition(":")
    group, slash, kind = kind.partition("/")
    namespace, other, name = place.partition("/")
    return Tracking(app, group, kind, namespace, name) if app and kind and name and slash and other else None


def stamp(desired: Mapping[str, Any], app: App, key: ResourceKey, *, destination: str) -> dict[str, Any]:
    """The object with both marks, a new value; marks that the manifest brings from elsewhere are replaced."""
    metadata = desired.get("metadata") or {}
    return {
        **desired,
        "metadata": {
            **metadata,
            "labels": {**(metadata.get("labels") or {}), PART_OF: app.id},
            "annotations": {**(metadata.get("annotations") or {}), TRACKING_ID: tracking_id(app, key, destination)},
        },
    }


def is_ours(live: Live, app: App) -> bool:
    """Whether an object is the application's own, so that it may be pruned.

    It is when it carries the application's label, and a tracking-id of this application that names this very object,
    and has no owner (ours; Argo CD takes the label alone for an object that it has not tracked yet).
    """
    tracking = parse_tracking_id(live.annotations.get(TRACKING_ID, ""))
    return (
        live.labels.get(PART_OF) == app.id
        and not live.owned
        and tracking is not None
        and tracking.app == app.name
        and tracking.names(live.key)
    )


def claimant(live: Live, app: App) -> str | None:
    """Who else says that an object is theirs; None for nobody.

    The name of another application whose tracking-id names this very object, or the ApplySet id of its label. Copied
    marks claim nothing, and neither does anything on an object that has an owner.
    """
    if live.owned:
        return None
    tracking = parse_tracking_id(live.annotations.get(TRACKING_ID, ""))
    named = tracking is not None and tracking.names(live.key)
    if tracking is not None and named and tracking.app != app.name:
        return tracking.app
    label = live.labels.get(PART_OF)
    return label if label is not None and label != app.id and (named or tracking is None) else None


def is_left_over(live: Live, namespace: str, exists: Callable[[str], bool]) -> bool:
    """Whether who claims an object was an Application of this agent's namespace that is there no more.

    One without a finalizer leaves its objects behind: they are whoever's that Git gives them to next, as when an
    Application is renamed.
    """
    tracking = parse_tracking_id(live.annotations.get(TRACKING_ID, ""))
    return (
        tracking is not None
        and live.labels.get(PART_OF) == App(tracking.app, namespace).id
        and not exists(tracking.app)
    )


# -- the parent --------------------------------------------------------------------------------------------------------


class Parent(NamedTuple):
    """What KEP-3659 asks of the Application."""

    labels: dict[str, str]
    annotations: dict[str, str]


def parent(app: App, keys: Iterable[ResourceKey], *, earlier: Iterable[tuple[str, str]] = ()) -> Parent:
    """The labels and annotations of an Application with these objects.

    ``earlier`` are group-kinds it had before: they stay until the prune is done, so that none is forgotten. Every
    group-kind is told. Too many namespaces to fit an annotation are left out altogether: the list is for other tools,
    and half of it would be wrong; we look in all namespaces anyway.
    """
    all_keys = tuple(keys)
    kinds = sorted({f"{key.kind}.{key.group}".rstrip(".") for key in all_keys}
                   | {f"{kind}.{group}".rstrip(".") for group, kind in earlier})  # fmt: skip
    namespaces = ",".join(sorted({key.namespace for key in all_keys} - {"", app.namespace}))
    told = {TOOLING: f"gitops-bot/v{__version__}", GROUP_KINDS: ",".join(kinds), NAMESPACES: namespaces}
    if len(namespaces) > _NAMESPACES_LIMIT:
        del told[NAMESPACES]
    return Parent({PARENT_ID: app.id}, told)


def group_kinds(annotations: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """The groups and kinds that an Application's annotation tells, ``("", "ConfigMap")``; empty without it."""
    texts = annotations.get(GROUP_KINDS, "").split(",")
    return frozenset((group, kind) for kind, _, group in (text.strip().partition(".") for text in texts) if kind)
