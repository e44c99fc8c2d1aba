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


def _embedded(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Path and both sides of each pod template's spec that differs, as far as ``_MOST_PARTS`` reaches.

    Only what differs is gone into, so that large resources cost what their change does.
    """
    start = (before.get("spec"), after.get("spec"), ("spec",))
    waiting: list[tuple[Any, Any, tuple[str, ...]]] = [start] if isinstance(start[1], (dict, list)) else []
    seen = 0
    while waiting and seen < _MOST_PARTS:
        old, new, place = waiting.pop()
        seen += 1
        parts: list[tuple[Any, Any, tuple[str, ...]]]
        if isinstance(new, dict):
            spec = new.get("spec")
            if place[-1].endswith("emplate") and isinstance(spec, dict) and isinstance(spec.get("containers"), list):
                yield _path(place) + ".spec", at(old, "spec"), spec
                continue
            left = mapping(old)
            parts = [
                (left.get(name), item, (*place, name)) for name, item in new.items() if isinstance(item, (dict, list))
            ]
        else:
            rest = items(old)
            parts = [
                (rest[index] if index < len(rest) else None, item, (*place, f"[{index}]"))
                for index, item in enumerate(new)
                if isinstance(item, (dict, list))
            ]
        if len(place) < _DEEPEST:
            waiting += [part for part in reversed(parts) if part[0] != part[1]]


def _path(place: tuple[str, ...]) -> str:
    path = ""
    for key in place:
        path = path + key if key.startswith("[") else step(path, short(key))
    return path


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
