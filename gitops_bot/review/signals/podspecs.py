"""Where objects hold pods, and which containers of two versions belong together. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from gitops_bot.manifests.fields import step
from gitops_bot.manifests.normalise import is_built_in
from gitops_bot.review.signals.values import at, items, mapping, text
from gitops_bot.review.signals.words import short

_TEMPLATE = ("spec", "template", "spec")
_PATHS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    ("batch", "Job"): _TEMPLATE,
    ("argoproj.io", "Rollout"): _TEMPLATE,
}
"""Group and kind → keys to the pod's spec."""
LISTS = ("initContainers", "containers", "ephemeralContainers")
_MOST_PARTS = 2_000
"""Mappings and lists of one custom resource that are looked through."""
_DEEPEST = 16


class Container(NamedTuple):
    """A container of the head side, and what it was."""

    path: str
    name: str
    """Ready to be quoted."""
    before: dict[str, Any] | None
    """None for a container that is new."""
    after: dict[str, Any]


class Pod(NamedTuple):
    """A pod's spec on both sides."""

    path: str
    before: dict[str, Any]
    """Empty where there was none."""
    after: dict[str, Any]
    containers: tuple[Container, ...]
    """All of the head side, also those that stay as they are."""


def pods(kind: tuple[str, str], before: dict[str, Any], after: dict[str, Any]) -> tuple[Pod, ...]:
    """The pods of an object of this group and kind that differ: of workloads, and of templates in custom resources.

    In a custom resource a template counts where it looks like nothing else: a key that ends in ``template``, under it
    a ``spec`` with a list of ``containers``.
    """
    keys = _PATHS.get(kind)
    if keys is not None:
        spec, old = at(after, *keys), at(before, *keys)
        return (_pod(".".join(keys), old, spec),) if isinstance(spec, dict) and spec != old else ()
    if is_custom(kind[0]):
        return tuple(_pod(path, old, spec) for path, old, spec in _embedded(before, after))
    return ()


def is_custom(group: str) -> bool:
    """Whether objects of the group are custom resources."""
    return bool(group) and not is_built_in(group + "/v1")


class _Place(NamedTuple):
    """Where a part of a custom resource stands; a path is only written for the few that are told."""

    parent: _Place | None
    key: str
    depth: int

    @property
    def path(self) -> str:
        """As in ``FieldChange.path``."""
        before = self.parent.path if self.parent else ""
        return before + self.key if self.key.startswith("[") else step(before, short(self.key))


def _embedded(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Path and both sides of each pod template's spec that differs, as far as ``_MOST_PARTS`` reaches.

    Only what differs is gone into, so that large resources cost what their change does.
    """
    waiting: list[tuple[Any, Any, _Place]] = [(before.get("spec"), after.get("spec"), _Place(None, "spec", 0))]
    seen = 0
    while waiting and seen < _MOST_PARTS:
        old, new, place = waiting.pop()
        seen += 1
        parts: list[tuple[Any, Any, _Place]] = []
        depth = place.depth + 1
        if isinstance(new, dict):
            spec = new.get("spec")
            if place.key.endswith("emplate") and isinstance(spec, dict) and isinstance(spec.get("containers"), list):
                yield place.path + ".spec", at(old, "spec"), spec
                continue
            left = mapping(old)
            for key, item in new.items():
                if isinstance(item, (dict, list)) and item != left.get(key):
                    parts.append((left.get(key), item, _Place(place, key, depth)))
        else:
            rest = items(old)
            for index, item in enumerate(items(new)):
                other = rest[index] if index < len(rest) else None
                if isinstance(item, (dict, list)) and item != other:
                    parts.append((other, item, _Place(place, f"[{index}]", depth)))
        if depth < _DEEPEST:
            waiting += reversed(parts)


def _pod(path: str, before: Any, after: dict[str, Any]) -> Pod:
    """A pod with its containers.

    They belong together by name, wherever they stand; one that is gone and one that came in the same list are the same
    one renamed.
    """
    old = mapping(before)
    former = {field: [item for item in items(old.get(field)) if isinstance(item, dict)] for field in LISTS}
    known: dict[str, dict[str, Any]] = {}
    for each in former.values():
        for item in each:
            known.setdefault(text(item.get("name")), item)
    present = [(field, item) for field in LISTS for item in items(after.get(field)) if isinstance(item, dict)]
    names = {text(item.get("name")) for _, item in present}
    found: list[Container] = []
    for field in LISTS:
        new = [item for where, item in present if where == field]
        gone = [item for item in former[field] if text(item.get("name")) not in names]
        come = [item for item in new if text(item.get("name")) not in known]
        renamed = gone[0] if len(gone) == len(come) == 1 else None
        for index, item in enumerate(new):
            name = text(item.get("name"))
            label = f"name={short(name)}" if name else str(index)
            place = f"{path}.{field}[{label}]"
            found.append(Container(place, short(name) or f"number {index}", known.get(name, renamed), item))
    return Pod(path, old, after, tuple(found))
