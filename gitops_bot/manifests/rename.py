"""Which removed object came back under another name: kustomize's hash suffixes first, then equal content."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gitops_bot.manifests.hashed_names import SUFFIX
from gitops_bot.manifests.lists import token
from gitops_bot.model.resource import ResourceKey

_GENERATED = frozenset(("ConfigMap", "Secret"))

Load = Callable[[ResourceKey], dict[str, Any]]


def renames(
    removed: Iterable[ResourceKey], added: Iterable[ResourceKey], load_removed: Load, load_added: Load
) -> dict[ResourceKey, ResourceKey]:
    """Added key → removed key of the objects that are one, of the same group, kind and namespace.

    The loaders return the normalised object. Content is compared only where nothing secret is in it: that two Secrets
    have equal values is not ours to tell. An object without content of its own (an empty Namespace, a ServiceAccount)
    is never recognised by it.
    """
    gone, come = sorted(removed), sorted(added)
    found = _by(_stem, gone, come, _stem)
    gone = [key for key in gone if key not in found.values()]
    come = [key for key in come if key not in found]
    found |= _by(_origin, gone, come, _origin)
    gone = [key for key in gone if key not in found.values()]
    come = [key for key in come if key not in found]
    kinds = {_type(key) for key in gone} & {_type(key) for key in come}
    gone = [key for key in gone if _type(key) in kinds]
    come = [key for key in come if _type(key) in kinds]
    return found | _by(lambda key: _content(key, load_removed), gone, come, lambda key: _content(key, load_added))


def _type(key: ResourceKey) -> tuple[str, str, str]:
    return key.group, key.kind, key.namespace


Sameness = Callable[[ResourceKey], Any]


def _by(left: Sameness, gone: list[ResourceKey], come: list[ResourceKey], right: Sameness) -> dict[Any, ResourceKey]:
    """Pair keys of one type whose sameness agrees, in order of their names; None pairs with nothing."""
    waiting: dict[Any, list[ResourceKey]] = {}
    for key in gone:
        mark = left(key)
        if mark is not None:
            waiting.setdefault((_type(key), mark), []).append(key)
    found = {}
    for key in come:
        mark = right(key)
        if mark is not None and waiting.get((_type(key), mark)):
            found[key] = waiting[_type(key), mark].pop(0)
    return found


def _stem(key: ResourceKey) -> str | None:
    """The name without kustomize's hash, None where it has none."""
    match = SUFFIX.fullmatch(key.name)
    return match[1] if match else None


def _origin(key: ResourceKey) -> str | None:
    """As ``_stem``, and the plain name of what generators make: a suffix may be switched on or off."""
    return (_stem(key) or key.name) if key.kind in _GENERATED else None


def _content(key: ResourceKey, load: Load) -> bytes | None:
    if key.kind == "Secret":
        return None
    body = load(key)
    rest = {field: value for field, value in body.items() if field not in ("apiVersion", "kind", "metadata")}
    if not any(rest.values()):
        return None
    metadata = {field: value for field, value in body["metadata"].items() if field not in ("name", "namespace")}
    return token({**rest, "apiVersion": body["apiVersion"], "metadata": metadata})
