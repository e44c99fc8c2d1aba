"""Objects that go: with data in them, or without; also those that go because they become hooks or are replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from gitops_bot.manifests.objects import ARGO_HOOK, HELM_HOOK, hook_of
from gitops_bot.model.signal import Severity, Signal
from gitops_bot.review.signals.edit import SYNC_OPTIONS, Edit, name_of, options
from gitops_bot.review.signals.podspecs import is_custom
from gitops_bot.review.signals.values import at, items, mapping, text
from gitops_bot.review.signals.words import listed, short

_DATA = {
    ("", "Namespace"): "The namespace is deleted, and everything in it",
    ("", "PersistentVolume"): "The volume is deleted",
    ("", "PersistentVolumeClaim"): (
        "The volume claim is deleted, and its data where the volume's reclaim policy is Delete"
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "The definition is deleted, and every object of its kind",
}
_RETENTION = "persistentVolumeClaimRetentionPolicy"
_OPTIONS = f'metadata.annotations["{SYNC_OPTIONS}"]'
_FLUX_PRUNE = "kustomize.toolkit.fluxcd.io/prune"
_HELM_POLICY = "helm.sh/resource-policy"
_LESS = frozenset(
    ("ClusterRole", "ClusterRoleBinding", "Job", "PodDisruptionBudget", "PodSecurityPolicy", "Role", "RoleBinding")
)
"""Kinds of Kubernetes' own whose deletion takes nothing from those who use a workload."""
_GENERATED = frozenset(("ConfigMap", "Secret"))
_MADE = frozenset(
    ("PreSync", "Sync", "PostSync", "pre-install", "pre-upgrade", "post-install", "post-upgrade")
)  # fmt: skip
"""Phases of a sync in which a hook is created, after the object of its name was deleted (``BeforeHookCreation``)."""


def deletions(edit: Edit) -> Iterator[Signal]:
    """Raise what disappears from the cluster when the change is synced, and what a rename leaves behind.

    An object that becomes a hook goes as well: the sync deletes it before it creates the hook, or, where the hook runs
    at another time, what was there is no longer wanted. Silent for what stays (``Prune=false``; Flux's ``prune:
    disabled``), for what was a hook before, which is never pruned, and for the ConfigMaps and Secrets that generators
    rename with their content. ``helm.sh/resource-policy: keep`` does not silence anything: Helm keeps such an object,
    but Argo CD prunes it (argoproj/argo-cd issue 17819).
    """
    if edit.added or _hook(edit.before):
        return
    if edit.updated:
        if _hook(edit.after):
            yield from _becomes_hook(edit)
        return
    body = edit.before
    wanted = options(body)
    if "Prune=false" in wanted or at(body, "metadata", "annotations", _FLUX_PRUNE) == "disabled":
        return
    what, severity = _what(edit)
    id_ = "data-deletion" if what else "deletion"
    if not what and edit.former_name and edit.key.kind in _GENERATED:
        return
    remark = f": it comes back as {short(name_of(edit.after))}, empty" if edit.former_name and what else ""
    if edit.former_name and not what:
        remark = f": it comes back as {short(name_of(edit.after))}"
    if "Prune=confirm" in wanted:
        severity = "warning" if what else "info"
        remark += ", once somebody confirms it"
    elif at(body, "metadata", "annotations", _HELM_POLICY) == "keep":
        severity = "warning"
        remark += ": Helm would keep it, pruning by Argo CD does not"
    yield _signal(edit, id_, (what or f"The {short(edit.key.kind)} is deleted") + remark, severity)


def _hook(body: dict[str, Any]) -> str:
    """The phases that make an object a hook, ``""`` for an ordinary one."""
    annotations = mapping(at(body, "metadata", "annotations"))
    return (hook_of(annotations) or "") if annotations else ""


def _becomes_hook(edit: Edit) -> Iterator[Signal]:
    """An ordinary object that the change makes a hook.

    ``Prune=false`` holds off pruning, not the deletion before a hook is created; which the sync does whether or not the
    Application prunes, so that it is told with the annotation as its path: ``pruning.weigh`` leaves such signals alone.
    """
    phases = _hook(edit.after)
    made = any(phase.strip() in _MADE for phase in phases.split(","))
    if not made and "Prune=false" in options(edit.before):
        return
    what, severity = _what(edit)
    annotation = ARGO_HOOK if at(edit.after, "metadata", "annotations", ARGO_HOOK) else HELM_HOOK
    why = "which is deleted before it is created" if made else "and no longer what the sync applies"
    message = f"{what or f'The {short(edit.key.kind)} is deleted'}: it becomes a hook ({short(phases)}), {why}"
    path = f'metadata.annotations["{annotation}"]' if made else ""
    yield edit.signal("data-deletion" if what else "deletion", message, severity=severity, path=path)


def _what(edit: Edit) -> tuple[str, Severity]:
    """The loss that a deletion means (``""``: no data), and how bad it is."""
    if edit.type == ("apps", "StatefulSet"):
        names = _claims(edit)
        if not names:
            return "", "warning"
        if at(edit.before, "spec", _RETENTION, "whenDeleted") == "Delete":
            return f"The StatefulSet is deleted, and its volume claims ({names}) with it", "error"
        return f"The StatefulSet is deleted; its volume claims ({names}) stay behind without an owner", "error"
    what = _DATA.get(edit.type, "")
    if edit.type == ("", "PersistentVolume") and at(edit.before, "spec", "persistentVolumeReclaimPolicy") == "Retain":
        return what + "; its data stays, by its reclaim policy Retain", "warning"
    if edit.key.kind in _LESS and not is_custom(edit.key.group):
        return "", "info"
    return what, "error" if what else "warning"


def _signal(edit: Edit, id_: str, message: str, severity: Severity) -> Signal:
    """About the object of the base side."""
    found = edit.signal(id_, message, severity=severity)
    return replace(found, name=edit.former_name) if edit.former_name else found


def _claims(edit: Edit) -> str:
    """The names of the claims that a StatefulSet made, ``""`` without any."""
    return listed(text(at(item, "metadata", "name")) for item in items(at(edit.before, "spec", "volumeClaimTemplates")))


def recreation(edit: Edit, refused: str) -> Iterator[Signal]:
    """Raise data that is lost because the object is deleted and created anew.

    ``Force=true`` does so for a change that the API server refuses, at the field ``refused`` (``""``: none); together
    with ``Replace=true`` for every change. Argo CD heeds both on the object as it is in the cluster, too. Namespaces
    and definitions are never replaced (gitops-engine updates them).
    """
    if not edit.updated or edit.is_hook or edit.before == edit.after:
        return
    wanted = options(edit.before) | options(edit.after)
    if edit.replaces:
        wanted |= {"Replace=true"}
    always = {"Replace=true", "Force=true"} <= wanted
    if refused and "Force=true" in options(edit.after) and edit.type != ("", "PersistentVolume"):
        lost = _DATA.get(edit.type, "")
        if lost:
            message = f"{lost}: `Force=true` deletes the object and creates it anew, because {refused} changes"
            yield edit.signal("data-deletion", message, path=refused)
            return
    if always and edit.type == ("", "PersistentVolumeClaim"):
        message = f"{_DATA[edit.type]}: by `Replace=true,Force=true` it is created anew with every change"
        yield edit.signal("data-deletion", message, path=_OPTIONS)
    elif always and edit.type == ("apps", "StatefulSet") and _claims(edit):
        policies = (at(side, "spec", _RETENTION, "whenDeleted") for side in (edit.before, edit.after))
        goes = "Delete" in policies
        rest = f"and its volume claims ({_claims(edit)}) {'with it' if goes else 'stay'}"
        message = f"The StatefulSet is deleted, {rest}: `Replace=true,Force=true` creates it anew with every change"
        yield edit.signal("data-deletion", message, severity="error" if goes else "warning", path=_OPTIONS)


def reclaims(edit: Edit) -> Iterator[Signal]:
    """Raise data that will go later: a volume's with its claim, a StatefulSet's claims with the set or its pods."""
    if not edit.updated:
        return
    if edit.type == ("", "PersistentVolume"):
        field = "persistentVolumeReclaimPolicy"
        old, new = (text(at(side, "spec", field)) or "Retain" for side in (edit.before, edit.after))
        if old == "Retain" and new in ("Delete", "Recycle"):
            message = f"The volume's data goes when its claim does: reclaim policy Retain → {new}"
            yield edit.signal("data-deletion", message, severity="warning", path=f"spec.{field}")
    elif edit.type == ("apps", "StatefulSet") and _claims(edit):
        for field, when in (("whenDeleted", "is deleted"), ("whenScaled", "shrinks")):
            old, new = (at(side, "spec", _RETENTION, field) for side in (edit.before, edit.after))
            if new == "Delete" and old != "Delete":
                message = f"The volume claims ({_claims(edit)}) go when the StatefulSet {when}: {field}: Delete"
                yield edit.signal("data-deletion", message, severity="warning", path=f"spec.{_RETENTION}.{field}")
