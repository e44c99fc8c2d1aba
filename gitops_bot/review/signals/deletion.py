"""Objects that go: with data in them, or without."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from gitops_bot.model.signal import Severity, Signal
from gitops_bot.review.signals.edit import Edit, name_of, options
from gitops_bot.review.signals.podspecs import is_custom
from gitops_bot.review.signals.values import at, items, text
from gitops_bot.review.signals.words import listed, short

_DATA = {
    ("", "Namespace"): "The namespace is deleted, and everything in it",
    ("", "PersistentVolume"): "The volume is deleted",
    ("", "PersistentVolumeClaim"): "The volume claim is deleted, and its data where the volume's reclaim policy is Delete",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "The definition is deleted, and every object of its kind",
}
_FLUX_PRUNE = "kustomize.toolkit.fluxcd.io/prune"
_HELM_POLICY = "helm.sh/resource-policy"
_LESS = frozenset(
    ("ClusterRole", "ClusterRoleBinding", "Job", "PodDisruptionBudget", "PodSecurityPolicy", "Role", "RoleBinding")
)
"""Kinds of Kubernetes' own whose deletion takes nothing from those who use a workload."""
_GENERATED = frozenset(("ConfigMap", "Secret"))


def deletions(edit: Edit) -> Iterator[Signal]:
    """Raise what disappears from the cluster when the change is synced, and what a rename leaves behind.

    Silent for what stays (``Prune=false``; Flux's ``prune: disabled``), for hooks, which are never pruned, and for the
    ConfigMaps and Secrets that generators rename with their content. ``helm.sh/resource-policy: keep`` does not silence
    anything: Helm keeps such an object, but Argo CD prunes it (argoproj/argo-cd issue 17819).
    """
    if edit.added or edit.updated or edit.is_hook:
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


def _what(edit: Edit) -> tuple[str, Severity]:
    """The loss that a deletion means (``""``: no data), and how bad it is."""
    if edit.type == ("apps", "StatefulSet"):
        claims = [text(at(item, "metadata", "name")) for item in items(at(edit.before, "spec", "volumeClaimTemplates"))]
        if not claims:
            return "", "warning"
        names = listed(claims)
        if at(edit.before, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted") == "Delete":
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


def replaced_data(edit: Edit) -> str:
    """What is lost when the object is deleted and created anew (``Force=true``); ``""`` when nothing is."""
    return _DATA.get(edit.type, "") if edit.type != ("", "PersistentVolume") else ""
