"""From rendered manifests to what the cluster should have: identities, duplicates, hooks, what applying needs. Pure.

Namespaces as Argo CD has them: a cluster-scoped object has none, a namespaced one without any gets the destination's
(application-semantics 2.2). Whether a kind is cluster-scoped is the cluster's own word, or that of a
CustomResourceDefinition in the same manifests.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gitops_bot.agent.application.record import without_state
from gitops_bot.manifests import yaml
from gitops_bot.manifests.documents import decode, split
from gitops_bot.manifests.objects import Head, expand, head_of
from gitops_bot.model.resource import ResourceKey

Scoped = Callable[[str, str], bool | None]
"""Group and kind → whether it is namespaced; None where the cluster does not know the kind."""


_FOLLOWED = frozenset((("argoproj.io", "Application"), ("argoproj.io", "AppProject")))
"""Group and kind of what the agent itself follows."""


class NotApplicable(ValueError):
    """An object that no API server would take."""


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """One object that the cluster should have."""

    key: ResourceKey
    body: dict[str, Any]
    """As it is applied, without what says whose it is."""

    @property
    def api_version(self) -> str:
        return str(self.body["apiVersion"])

    @property
    def annotations(self) -> Mapping[str, str]:
        """Those of the manifest."""
        return self.body["metadata"].get("annotations") or {}


class Wanted(NamedTuple):
    """All of one Application."""

    objects: tuple[Desired, ...]
    """Each identity once, in the order of the manifests."""
    hooks: tuple[ResourceKey, ...] = ()
    """Objects that are hooks: they are none of the application's own."""
    repeated: tuple[ResourceKey, ...] = ()
    """Identities that are there more than once; the last one counts (Argo CD's rule)."""
    problems: tuple[str, ...] = ()
    """Documents that are no objects, and objects that cannot be applied: nothing of them may be left out in silence."""


def pack(manifests: bytes, generated: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """A rendering as it is kept between two looks: read once, small, and unpacked fifty times as fast as YAML is read.

    ``generated`` are the Applications of its ApplicationSets, which themselves are applied to no cluster (ours). Raises
    ValueError for manifests that cannot be read.
    """
    bodies: list[dict[str, Any]] = []
    problems: list[str] = []
    for document in split(decode(manifests)):
        found, strange = expand(yaml.load_all(document.text))
        bodies += [body for body in found if not _is_expanded(body)]
        problems += [f"a document {strange}"] if strange else []
    try:
        return zlib.compress(msgspec.json.encode(([*bodies, *generated], problems)), 1)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"a value that JSON does not have: {error}") from error


def _is_expanded(body: Mapping[str, Any]) -> bool:
    return body["kind"] == "ApplicationSet" and str(body["apiVersion"]).partition("/")[0] == "argoproj.io"


def read_wanted(packed: bytes, *, namespace: str, own: str, namespaced: Scoped) -> Wanted:
    """What a rendering wants, as ``pack`` has made it.

    ``namespace`` is the destination's. ``own`` is the agent's, where the Applications and projects of an Application
    live whatever their manifests say (ours).
    """
    bodies: list[dict[str, Any]]
    problems: list[str]
    bodies, problems = msgspec.json.decode(zlib.decompress(packed))
    heads = [head_of(body) for body in bodies]
    defined = {(each[0], each[1]): not each[2] for head in heads if (each := head.defines) is not None}
    objects: dict[ResourceKey, Desired] = {}
    hooks: list[ResourceKey] = []
    repeated: list[ResourceKey] = []
    for body, head in zip(bodies, heads, strict=True):
        head = head._replace(namespace=own) if (head.group, head.kind) in _FOLLOWED else head
        key = _key(head, namespace, defined, namespaced)
        if head.hook is not None:
            if head.applied:
                hooks.append(key)
            continue
        if "name" not in body["metadata"]:
            problems.append(f"{key} has only a generateName, which server-side apply cannot take")
            continue
        if key in objects:
            repeated.append(key)
            del objects[key]
        try:
            objects[key] = Desired(key=key, body=_prepared(body, key))
        except NotApplicable as error:
            problems.append(f"{key}: {error}")
    return Wanted(tuple(objects.values()), tuple(hooks), tuple(dict.fromkeys(repeated)), tuple(problems))


def namespaces_of(objects: Iterable[Desired]) -> tuple[str, ...]:
    """The namespaces that objects are in, each once, in order of name."""
    return tuple(sorted({each.key.namespace for each in objects if each.key.namespace}))


def _key(head: Head, namespace: str, defined: Mapping[tuple[str, str], bool], namespaced: Scoped) -> ResourceKey:
    kind = (head.group, head.kind)
    known = defined[kind] if kind in defined else namespaced(*kind)
    inside = known is not False
    return ResourceKey(head.group, head.kind, (head.namespace or namespace) if inside else "", head.name)


def _prepared(body: dict[str, Any], key: ResourceKey) -> dict[str, Any]:
    """The body as it is applied: its namespace, no status, and ``stringData`` as ``data``.

    Applied as ``stringData``, an edit of ``data`` would not be seen as one (controlplane.md). Raises NotApplicable.
    """
    metadata = {name: value for name, value in body["metadata"].items() if name not in _SERVERS_OWN}
    metadata["name"] = key.name
    metadata.pop("namespace", None)
    if key.namespace:
        metadata["namespace"] = key.namespace
    for field in ("labels", "annotations"):
        if metadata.get(field, {}) is None:
            del metadata[field]
    made = {name: value for name, value in body.items() if name not in ("status", "metadata")}
    made["metadata"] = metadata
    if (key.group, key.kind) == ("argoproj.io", "Application"):
        metadata["annotations"] = without_state(metadata.get("annotations") or {})
        made.pop("operation", None)  # what somebody asks for once, not what should be
    return _with_data(made) if (key.group, key.kind) == ("", "Secret") else made


_SERVERS_OWN = frozenset(
    ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink", "deletionTimestamp")
)
"""What the API server writes into metadata; manifests that were exported have it."""


def _with_data(body: dict[str, Any]) -> dict[str, Any]:
    texts = body.get("stringData")
    made = {name: value for name, value in body.items() if name not in ("stringData", "data")}
    data = body.get("data") or {}
    if not isinstance(data, dict) or not isinstance(texts or {}, dict):
        raise NotApplicable("data and stringData have to be mappings")
    if texts:
        encoded = {name: base64.b64encode(str(text).encode()).decode() for name, text in texts.items()}
        data = {**data, **encoded}
    if data:
        made["data"] = data
    return made
