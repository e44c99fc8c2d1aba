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
    notes: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    """The pod's own annotations on both sides."""


def pods(kind: tuple[str, str], before: dict[str, Any], after: dict[str, Any]) -> tuple[Pod, ...]:
    """The pods of an object of this group and kind that differ: of workloads, and of templates in custom resources.

    In a custom resource a template counts where it looks like nothing else: a key that ends in ``template``, under it
    a ``spec`` with a list of ``containers``; or one of Argo's workflow templates.
    """
    keys = _PATHS.get(kind)
    if keys is not None:
        spec, old = at(after, *keys), at(before, *keys)
        notes = _notes(at(before, *keys[:-1]), at(after, *keys[:-1]))
        differs = isinstance(spec, dict) and (spec != old or notes[0] != notes[1])
        return (_pod(".".join(keys), old, spec)._replace(notes=notes),) if differs else ()
    if is_custom(kind[0]):
        return tuple(_embedded(before, after))
    return ()


def _notes(before: Any, after: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The annotations of a pod template, or of a bare Pod, on both sides."""
    return mapping(at(before, "metadata", "annotations")), mapping(at(after, "metadata", "annotations"))


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


def _embedded(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Pod]:
    """Each pod template that differs, as far as ``_MOST_PARTS`` reaches.

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
                yield _pod(place.path + ".spec", at(old, "spec"), spec)._replace(notes=_notes(old, new))
                continue
            left = mapping(old)
            yield from _of_workflow(place, left, new)
            for key, item in new.items():
                if isinstance(item, (dict, list)) and item != left.get(key):
                    parts.append((left.get(key), item, _Place(place, key, depth)))
        else:
            rest = items(old)
            named = {text(at(item, "name")): item for item in rest} if place.key == "templates" else {}
            for index, item in enumerate(items(new)):
                other = rest[index] if index < len(rest) else None
                label, name = f"[{index}]", text(at(item, "name"))
                if place.key == "templates" and name:
                    label, other = f"[name={short(name)}]", named.get(name)
                if isinstance(item, (dict, list)) and item != other:
                    parts.append((other, item, _Place(place, label, depth)))
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


def _of_workflow(place: _Place, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Pod]:
    """The pods of one part of an Argo workflow: what all of its templates share, or the pod of one template.

    Templates lie in ``templates`` of a Workflow, WorkflowTemplate or CronWorkflow, and ``inline`` in steps and tasks.
    A template's pod has its container, script or container set, its init containers and sidecars.
    """
    if isinstance(after.get("templates"), list):
        old, new = _shared(before), _shared(after)
        if new != old:
            yield Pod(place.path, old, new, ())
    template = place.key == "inline" or (place.parent is not None and place.parent.key == "templates")
    if template or place.key == "templateDefaults":
        (old, _), (new, paths) = _of_template(before), _of_template(after)
        if any(new.get(field) for field in (*LISTS, "volumes")):
            pod = _pod(place.path, old, new)
            found = [
                each._replace(path=place.path + paths.get(text(each.after.get("name")), "")) for each in pod.containers
            ]
            yield pod._replace(containers=tuple(found), notes=_notes(before, after))


_SHARED = ("hostNetwork", "hostPID", "hostIPC", "volumes", "securityContext")


def _shared(spec: dict[str, Any]) -> dict[str, Any]:
    """What a workflow gives to the pods of all its templates; their mounts say which volumes are written to."""
    found = {field: spec[field] for field in _SHARED if field in spec}
    mounts = [
        item
        for template in items(spec.get("templates"))
        if isinstance(template, dict)
        for item in items(_of_template(template)[0].get("containers"))
    ]
    return {**found, "ephemeralContainers": mounts} if found.get("volumes") else found


def _of_template(template: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """A workflow template as a pod's spec, and where each container stands in it, by name."""
    given: list[tuple[str, Any]] = [(f".{field}", template.get(field)) for field in ("container", "script")]
    given += [
        (f".{field}[{index}]", item)
        for field, found in (
            ("containerSet.containers", at(template, "containerSet", "containers")),
            ("sidecars", template.get("sidecars")),
        )
        for index, item in enumerate(items(found))
    ]
    containers, paths = [], {}
    for path, item in given:
        if isinstance(item, dict):
            name = text(item.get("name")) or "main"
            paths[name] = path
            containers.append({**item, "name": name})
    for index, item in enumerate(items(template.get("initContainers"))):
        paths.setdefault(text(at(item, "name")), f".initContainers[{index}]")
    spec: dict[str, Any] = {"containers": containers} if containers else {}
    spec |= {field: template[field] for field in ("initContainers", "volumes", "securityContext") if field in template}
    return spec, paths
