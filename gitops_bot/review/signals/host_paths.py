"""Directories of a node that pods get."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.podspecs import LISTS, Pod
from gitops_bot.review.signals.values import at, items, text
from gitops_bot.review.signals.words import short


def host_paths(edit: Edit) -> Iterator[Signal]:
    """Raise each directory of the node that is mounted and was not, nor one above it; or that can now be written.

    Also of a PersistentVolume.
    """
    if edit.type == ("", "PersistentVolume"):
        path, old = text(at(edit.after, "spec", "hostPath", "path")), text(at(edit.before, "spec", "hostPath", "path"))
        if path and not _covered(path, [old]):
            yield edit.signal("host-path", f"The volume is {short(path)} of its node", path="spec.hostPath.path")
    for pod in edit.pods:
        yield from _pod(edit, pod)


def _pod(edit: Edit, pod: Pod) -> Iterator[Signal]:
    new = _volumes(pod.after)
    if not new:
        return
    old = _volumes(pod.before)
    known = set(old.values())
    written_before = {old[name] for name in _written(pod.before) if name in old}
    written = _written(pod.after)
    for name, path in new.items():
        where = f"{pod.path}.volumes[name={short(name)}].hostPath.path"
        if not _covered(path, known):
            mode = "" if name in written else " (read-only)"
            yield edit.signal("host-path", f"The pod gets {short(path)} of its node{mode}", path=where)
        elif name in written and not _covered(path, written_before):
            yield edit.signal("host-path", f"The pod may now write to {short(path)} of its node", path=where)


def _volumes(pod: dict[str, Any]) -> dict[str, str]:
    """The node's path of each volume that has one."""
    found = {}
    for volume in items(pod.get("volumes")):
        path = text(at(volume, "hostPath", "path"))
        if path:
            found[text(at(volume, "name"))] = path
    return found


def _written(pod: dict[str, Any]) -> set[str]:
    """The volumes that some container mounts without ``readOnly``."""
    return {
        text(at(mount, "name"))
        for field in LISTS
        for container in items(pod.get(field))
        for mount in items(at(container, "volumeMounts"))
        if at(mount, "readOnly") is not True
    }


def _covered(path: str, known: Iterable[str]) -> bool:
    """Whether the path is one of those known, or lies under one of them."""
    wanted = path.rstrip("/") + "/"
    return any(each and wanted.startswith(each.rstrip("/") + "/") for each in known)
