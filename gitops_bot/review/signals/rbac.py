"""Roles and bindings that allow more than before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gitops_bot.model.signal import Severity, Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.permissions import Permission, gained
from gitops_bot.review.signals.values import at, items, mapping, text
from gitops_bot.review.signals.words import listed, short

_GROUP = "rbac.authorization.k8s.io"
_AGGREGATE = _GROUP + "/aggregate-to-"
_READING = frozenset(("get", "list", "watch"))
_ESCALATING_VERBS = frozenset(("approve", "bind", "escalate", "impersonate", "sign"))
_SENSITIVE_RESOURCES = frozenset(
    ("secrets", "pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "pods/ephemeralcontainers", "nodes/proxy",
     "services/proxy", "serviceaccounts/token", "certificatesigningrequests/approval")
)  # fmt: skip
"""Resources that give more than themselves, whatever the verb (Kubernetes: RBAC good practices)."""
_SENSITIVE_TO_WRITE = frozenset(
    ("roles", "clusterroles", "rolebindings", "clusterrolebindings", "mutatingwebhookconfigurations",
     "validatingwebhookconfigurations", "nodes", "persistentvolumes", "customresourcedefinitions")
)  # fmt: skip
_BROAD_GROUPS = frozenset(("", "*", "apps", "batch", _GROUP, "admissionregistration.k8s.io"))
"""Where a wildcard means more than an operator's own kinds."""
_EVERYBODY = frozenset(("system:anonymous", "system:unauthenticated", "system:authenticated", "system:serviceaccounts"))
_STRONG_ROLES = frozenset(("admin", "edit", "cluster-admin"))
_MOST_PARTS = 4


def widened(edit: Edit) -> Iterator[Signal]:
    """Raise what a Role, ClusterRole or binding allows after the change and did not before; one signal each.

    Rules are compared by what they mean: splitting, merging or reordering them raises nothing. Everything to everybody
    named is an error, what can be used to gain more a warning; a new role or binding beyond that, and more to read, is
    information.
    """
    if edit.removed or edit.key.group != _GROUP:
        return
    if edit.key.kind in ("Role", "ClusterRole"):
        yield from _role(edit)
    elif edit.key.kind in ("RoleBinding", "ClusterRoleBinding"):
        yield from _binding(edit)


def _role(edit: Edit) -> Iterator[Signal]:
    found = gained(edit.before.get("rules"), edit.after.get("rules"))
    if found:
        yield edit.signal("rbac-widening", f"allows {_told(found)}", severity=_severity(edit, found), path="rules")
    new = [each for each in items(at(edit.after, "aggregationRule", "clusterRoleSelectors"))
           if each not in items(at(edit.before, "aggregationRule", "clusterRoleSelectors"))]  # fmt: skip
    if new:
        message = f"takes in the rules of other roles: {len(new)} new aggregation selector{'s' * (len(new) > 1)}"
        yield edit.signal(
            "rbac-widening", message, severity="info" if edit.added else "warning", path="aggregationRule"
        )
    into = _aggregated(edit.after) - _aggregated(edit.before)
    if into and edit.key.kind == "ClusterRole":
        message = f"adds its rules to the roles {listed(into)}"
        yield edit.signal("rbac-widening", message, severity="info", path="metadata.labels")


def _aggregated(body: dict[str, Any]) -> set[str]:
    """The roles that take in this one's rules by its labels."""
    labels = mapping(at(body, "metadata", "labels"))
    return {
        key.removeprefix(_AGGREGATE) for key, value in labels.items() if key.startswith(_AGGREGATE) and value == "true"
    }


def _severity(edit: Edit, found: Sequence[Permission]) -> Severity:
    if any(each[:3] == ("*", "*", "*") and not each.name for each in found):
        return "error"
    if any(_gives_more(each) for each in found):
        return "warning"
    return "info" if edit.added or all(each.verb in _READING for each in found) else "warning"


def _gives_more(permission: Permission) -> bool:
    """Whether whoever has this permission can get others by it."""
    if permission.verb in _ESCALATING_VERBS:
        return True
    if not permission.resource:
        return permission.name == "*" or permission.verb not in _READING
    if permission.resource in _SENSITIVE_RESOURCES and permission.group in ("", "*", "certificates.k8s.io"):
        return not permission.name or permission.verb not in _READING
    broad = permission.group in _BROAD_GROUPS
    if permission.resource == "*":
        return broad
    writes = permission.verb not in _READING
    return writes and permission.resource in _SENSITIVE_TO_WRITE and not permission.name


def _told(found: Sequence[Permission]) -> str:
    """``create, delete on pods, services; get on secrets``, the worst first."""
    verbs: dict[tuple[str, str, str], set[str]] = {}
    for each in found:
        verbs.setdefault(each[1:], set()).add(each.verb)
    things: dict[tuple[bool, str], set[str]] = {}
    for thing, allowed in verbs.items():
        worst = any(_gives_more(Permission(verb, *thing)) for verb in allowed)
        words = "every verb" if "*" in allowed else listed(allowed, most=10)
        things.setdefault((not worst, words), set()).add(_thing(*thing))
    parts = [f"{words} on {listed(names)}" for (_, words), names in sorted(things.items())]
    rest = len(parts) - _MOST_PARTS
    return "; ".join(parts[:_MOST_PARTS]) + (f"; and {rest} more" if rest > 0 else "")


def _thing(group: str, resource: str, name: str) -> str:
    if not resource:
        return f"the URL {name}"
    kind = "all resources" if resource == "*" else resource
    where = (
        " of all groups"
        if group == "*"
        else f" of {group}"
        if resource == "*" and group
        else f".{group}"
        if group
        else ""
    )
    return kind + where + (f" ({name})" if name else "")


def _binding(edit: Edit) -> Iterator[Signal]:
    kind, role = (text(at(edit.after, "roleRef", field)) for field in ("kind", "name"))
    other = edit.added or (kind, role) != tuple(text(at(edit.before, "roleRef", field)) for field in ("kind", "name"))
    known = set() if other else _subjects(edit, edit.before)
    new = _subjects(edit, edit.after) - known
    if not new:
        return
    whole = edit.key.kind == "ClusterRoleBinding"
    severity: Severity = "info" if edit.added else "warning"
    if role == "cluster-admin" or any(name == "system:masters" for _, _, name in new):
        severity = "error" if whole else "warning"
    elif any(name in _EVERYBODY for _, _, name in new) or (whole and role in _STRONG_ROLES):
        severity = "warning"
    names = listed(
        " ".join(filter(None, (sort, f"{namespace}/{name}" if namespace else name))) for sort, namespace, name in new
    )
    where = "" if whole else " in its namespace"
    yield edit.signal(
        "rbac-widening", f"{names} gets {short(kind)} {short(role)}{where}", severity=severity, path="subjects"
    )


def _subjects(edit: Edit, body: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Kind, namespace and name of each subject."""
    found = set()
    for item in items(body.get("subjects")):
        kind, name = text(at(item, "kind")), text(at(item, "name"))
        if name:
            namespace = text(at(item, "namespace")) or edit.key.namespace
            found.add((kind, namespace if kind == "ServiceAccount" else "", name))
    return found
