"""``metadata.managedFields``: FieldsV1 as paths, whose entry is whose, and what of an object they cover.

The format is structured-merge-diff's: ``f:`` is a field, ``k:{…}`` the item of a list with these keys, ``v:`` the item
of a set, ``i:`` an index, and ``.`` says that the node itself is owned beside what is below it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from gitops_bot.agent.values import MANAGER, ManagedFields
from gitops_bot.manifests.fields import same, step
from gitops_bot.manifests.lists import ABSENT
from gitops_bot.manifests.normalise import is_built_in
from gitops_bot.model.settings import Agent

Path = tuple[str, ...]
"""A field as FieldsV1 names it, element by element: ``("f:spec", "f:replicas")``."""

PEOPLE = Agent().people_managers
"""Managers that are people (globs, a setting): what they add to an object that Git describes is drift."""
SNAPSHOT = "before-first-apply"
"""What the API server calls the owner of all that was there when an object without managedFields is first applied.

That may be anybody's: people's, a controller's or the server's own.
"""

_KEY_DEFAULTS = {"protocol": "TCP"}
"""Keys of list items that the API server fills in before it names the item."""
_NOTHING: Mapping[str, Any] = {}


# -- entries -----------------------------------------------------------------------------------------------------------


def ours(managed: Iterable[ManagedFields]) -> ManagedFields | None:
    """The entry of our own applies; None where we have applied nothing, or somebody cleared it."""
    return next((entry for entry in managed if is_our_apply(entry)), None)


def is_our_apply(entry: ManagedFields) -> bool:
    """Whether an entry is of our own applies. We write no other: an Update under our name is somebody else's."""
    return entry.manager == MANAGER and entry.operation == "Apply" and not entry.subresource


def matches(entry: ManagedFields, managers: Sequence[str]) -> bool:
    """Whether an entry is of one of these managers (globs, case matters) and of the object itself.

    A glob that begins with ``!`` excludes, whatever the others say.
    Entries of a subresource match nothing: who writes status or scales is doing what a controller does. An Update
    under our own name counts as of any manager.
    """
    if entry.subresource or is_our_apply(entry):
        return False
    if any(glob[:1] == "!" and fnmatchcase(entry.manager, glob[1:]) for glob in managers):
        return False
    return entry.manager == MANAGER or any(fnmatchcase(entry.manager, glob) for glob in managers)


def owned(entries: Iterable[ManagedFields]) -> frozenset[Path]:
    """All fields that some entries own."""
    return frozenset().union(*(paths(entry.fields) for entry in entries))


# -- fields as paths ---------------------------------------------------------------------------------------------------


def paths(fields: Mapping[str, Any]) -> frozenset[Path]:
    """The members of a FieldsV1: its leaves, and the nodes that have a ``.``."""
    return frozenset(_members(fields, ()))


def _members(node: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for element, child in node.items():
        if element == ".":
            yield path
        elif child:
            yield from _members(child, (*path, element))
        else:
            yield (*path, element)


def fields_v1(members: Iterable[Path]) -> dict[str, Any]:
    """The FieldsV1 that has these members, sorted; ``paths`` read backwards."""
    root: dict[str, Any] = {}
    for path in sorted(members):  # a node before what is below it, so its dot comes first, as the server writes it
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    return _shortened(root)


def _shortened(node: dict[str, Any]) -> dict[str, Any]:
    return {element: {} if child.keys() <= {"."} else _shortened(child) for element, child in node.items()}


def with_ancestors(members: Iterable[Path]) -> frozenset[Path]:
    """The members and every node above them."""
    return frozenset(path[:length] for path in members for length in range(1, len(path) + 1))


def topmost(members: Collection[Path]) -> tuple[Path, ...]:
    """The members that have no other member above them, in order."""
    known = frozenset(members)
    return tuple(sorted(path for path in known if not any(path[:length] in known for length in range(1, len(path)))))


def leaves(members: Collection[Path]) -> frozenset[Path]:
    """The members that have no other member below them."""
    above = frozenset(path[:length] for path in members for length in range(1, len(path)))
    return frozenset(members) - above


def readable(path: Path) -> str:
    """The path as people and our reports write it: ``spec.template.spec.containers[name=web].image``."""
    text = ""
    for element in path:
        kind, rest = element[:2], element[2:]
        if kind == "f:":
            text = step(text, rest)
        elif kind == "k:":
            text += "[" + ",".join(f"{key}={value}" for key, value in _named(element).items()) + "]"
        else:
            text += f"[{_named(element)}]"
    return text


# -- fields in an object -----------------------------------------------------------------------------------------------


def find(body: Any, path: Path) -> Any:
    """The value that a path names in an object; ABSENT where the object has none."""
    for element in path:
        body = _child(body, element)
        if body is ABSENT:
            return ABSENT
    return body


def _child(value: Any, element: str) -> Any:
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return value.get(rest, ABSENT) if isinstance(value, dict) else ABSENT
    index = index_of(value, element)
    return ABSENT if index is None else value[index]


def index_of(items: Any, element: str) -> int | None:
    """Where in a list the item is that ``k:``, ``v:`` or ``i:`` names; None where it is not, or this is no list.

    An item that leaves out some of the keys is taken where no other has them all: the server fills in their defaults.
    """
    if not isinstance(items, list):
        return None
    for fits in (_has_keys, _may_have_keys):
        for index, item in enumerate(items):
            if _is_named(item, index, element, fits):
                return index
    return None


def _is_named(item: Any, index: int, element: str, fits: Callable[[Any, Mapping[str, Any]], bool]) -> bool:
    kind = element[:2]
    if kind == "k:":
        return fits(item, _named(element))
    return same(item, _named(element)) if kind == "v:" else kind == "i:" and bool(_named(element) == index)


@lru_cache(maxsize=4096)
def _named(element: str) -> Any:
    """What a ``k:``, ``v:`` or ``i:`` says; a handful of them names the items of thousands of objects."""
    return json.loads(element[2:])


def _has_keys(item: Any, keys: Mapping[str, Any]) -> bool:
    return isinstance(item, dict) and all(
        same(item.get(key, _KEY_DEFAULTS.get(key)), value) for key, value in keys.items()
    )


def _may_have_keys(item: Any, keys: Mapping[str, Any]) -> bool:
    """The same for an item that leaves some keys, but not all, to defaults that we do not know."""
    given = {key: item[key] for key in keys if key in item} if isinstance(item, dict) else {}
    return bool(given) and _has_keys({**keys, **_KEY_DEFAULTS, **given}, keys)


def drop(body: Any, path: Path) -> None:
    """Remove what a path names from an object, in place; a path to nothing removes nothing."""
    parent = find(body, path[:-1])
    element = path[-1]
    if element[:2] == "f:":
        if isinstance(parent, dict):
            parent.pop(element[2:], None)
    elif (index := index_of(parent, element)) is not None:
        del parent[index]


# -- what an entry covers ----------------------------------------------------------------------------------------------

_STRIPPED = frozenset(("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
                       "managedFields", "resourceVersion"))  # fmt: skip
"""Metadata that the API server never says an owner of (its ``stripSet``)."""
_KEYED = frozenset(("claims", "containers", "env", "ephemeralContainers", "finalizers", "hostAliases",
                    "imagePullSecrets", "initContainers", "matchConditions", "ownerReferences", "ports",
                    "resourceClaims", "schedulingGates", "secrets", "topologySpreadConstraints", "volumeDevices",
                    "volumeMounts", "volumes", "webhooks"))  # fmt: skip
"""Lists of built-in types whose items are owned one by one: an empty one leaves no trace in an entry."""
_ATOMIC = frozenset((("ServiceAccount", "imagePullSecrets"), ("EndpointSlice", "ports"), ("Namespace", "finalizers")))
"""Kinds where a list of such a name is owned as a whole."""


def uncovered(fields: Mapping[str, Any], desired: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields of a desired object that an entry's fields do not own, as readable paths, sorted.

    An entry is made from what was applied: it has every scalar, null and empty mapping, stops at what is owned as a
    whole (most lists, selectors, references), and names the other lists' items by their keys. Where an entry cannot
    tell (a mapping of a custom resource whose fields were all taken, against one owned as a whole), the field counts
    as not owned: a dry run decides. Status and the metadata that belongs to the server are left out.
    """
    return tuple(sorted(_Coverage(desired).object(fields, desired)))


def covers(fields: Mapping[str, Any], desired: Mapping[str, Any]) -> bool:
    """Whether an entry's fields own every field of a desired object; see ``uncovered``."""
    return not uncovered(fields, desired)


def beyond(fields: Mapping[str, Any], desired: Mapping[str, Any]) -> frozenset[Path]:
    """The fields that an entry owns and a desired object does not have."""
    return frozenset(path for path in paths(fields) if find(desired, path) is ABSENT)


class _Coverage:
    """One descent through a desired object along an entry."""

    def __init__(self, desired: Mapping[str, Any]) -> None:
        self._kind = str(desired.get("kind", ""))
        self._built_in = is_built_in(str(desired.get("apiVersion", "")))

    def object(self, fields: Mapping[str, Any], desired: Mapping[str, Any]) -> Iterator[str]:
        for name, value in desired.items():
            if name == "metadata" and isinstance(value, dict):
                kept = {key: item for key, item in value.items() if key not in _STRIPPED}
                yield from self._mapping(fields.get("f:metadata", _NOTHING), kept, "metadata")
            elif name not in ("apiVersion", "kind", "status"):
                yield from self._field(fields, name, value, "")

    def _mapping(self, node: Mapping[str, Any], value: Mapping[str, Any], path: str) -> Iterator[str]:
        for name, item in value.items():
            yield from self._field(node, name, item, path)

    def _field(self, node: Mapping[str, Any], name: str, value: Any, path: str) -> Iterator[str]:
        here, child = step(path, name), node.get(f"f:{name}")
        if child is not None:
            yield from self._value(child, value, here)
        elif value != [] or not (self._built_in and name in _KEYED and (self._kind, name) not in _ATOMIC):
            yield here

    def _value(self, node: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
        below = {element: child for element, child in node.items() if element != "."}
        if not below:
            if isinstance(value, dict) and value and not self._built_in:
                yield path
        elif isinstance(value, dict) and value:
            yield from self._mapping(node, value, path)
        elif isinstance(value, list) and value:
            yield from self._list(below, value, path)
        elif "." not in node:
            yield path

    def _list(self, node: Mapping[str, Any], items: list[Any], path: str) -> Iterator[str]:
        found: set[str] = set()
        for index, item in enumerate(items):
            element = _element(node, item, index)
            if element is None or element in found:
                yield f"{path}[{index}]"
            else:
                found.add(element)
                yield from self._value(node[element], item, path + readable((element,)))


def _element(node: Mapping[str, Any], item: Any, index: int) -> str | None:
    """How an entry names an item of a list; None where it does not, or where more than one name would fit."""
    for fits in (_has_keys, _may_have_keys):
        found = [element for element in node if _is_named(item, index, element, fits)]
        if found:
            return found[0] if len(found) == 1 else None
    return None
