"""``ignoreDifferences``: which of an Application's rules are new, and whether what they hide is applied anyway."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gitops_bot.model.application import Application
from gitops_bot.model.signal import Severity, Signal
from gitops_bot.review.signals.context import Context
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.values import at, items, mapping, text, texts
from gitops_bot.review.signals.words import listed, short

_RESPECT = "RespectIgnoreDifferences=true"
_SPECS = {"Application": ("spec",), "ApplicationSet": ("spec", "template", "spec")}
_WHATS = ("jsonPointers", "jqPathExpressions", "managedFieldsManagers")
_MOST_RULES = 500
"""Rules of one Application that are compared."""
_STEP = re.compile(r"[A-Za-z0-9_-]+")
_SELECT = re.compile(r"select\([^()]*\)")
_PROGRAM = re.compile(r"[(),={}]|\.\.")
"""What makes a jq expression more than the path to one place."""
_GRAVE = frozenset(
    ("annotations", "args", "automountServiceAccountToken", "capabilities", "command", "containers", "hostIPC",
     "hostNetwork", "hostPID", "hostPath", "image", "initContainers", "jobTemplate", "privileged", "roleRef", "rules",
     "securityContext", "selector", "serviceAccountName", "spec", "subjects", "template", "volumes")
)  # fmt: skip
"""What a pod may do, and what holds it: a rule that ends there, or names its rights, hides what reviews are for."""
_RIGHTS = frozenset(
    ("automountServiceAccountToken", "capabilities", "hostIPC", "hostNetwork", "hostPID", "hostPath", "privileged",
     "roleRef", "rules", "securityContext", "serviceAccountName", "subjects")
)  # fmt: skip


def respects(context: Context) -> bool:
    """Whether what ``ignoreDifferences`` hides is not applied either: ``RespectIgnoreDifferences=true`` on both sides.

    Else a sync that is made for another reason writes it.
    """
    return all(app is not None and _RESPECT in sync_options(app) for app in (context.old, context.new))


def sync_options(application: Application) -> frozenset[str]:
    """An Application's ``syncPolicy.syncOptions``."""
    return frozenset(texts(at(application.spec.sync_policy, "syncOptions")))


def ignored_differences(edit: Edit) -> Iterator[Signal]:
    """Raise what an Application, or an ApplicationSet's template, ignores from now on and did not before.

    A rule hides from Argo CD that the cluster differs, and from a review that a change does. A warning where it reaches
    a whole object, a pod's rights or permissions; information for a field such as ``replicas``.
    """
    where = _SPECS.get(edit.key.kind) if edit.key.group == "argoproj.io" else None
    if where is None:
        return
    old, new = (at(side, *where) for side in (edit.before, edit.after))
    known = [rule for rule in map(mapping, items(at(old, "ignoreDifferences"))[:_MOST_RULES]) if rule]
    path = ".".join((*where, "ignoreDifferences"))
    for index, rule in enumerate(items(at(new, "ignoreDifferences"))):
        wider = _wider(mapping(rule), known) if index < _MOST_RULES else []
        if wider:
            kind = short(text(at(rule, "kind"))) + (f".{short(group)}" if (group := text(at(rule, "group"))) else "")
            message = f"ignores {listed(wider)} of {kind}: differences there are hidden"
            yield edit.signal("ignore-widened", message, severity=_severity(rule, wider), path=f"{path}[{index}]")
    before, after = (_RESPECT in texts(at(side, "syncPolicy", "syncOptions")) for side in (old, new))
    if after and not before and not edit.added and items(at(new, "ignoreDifferences")):
        message = f"what ignoreDifferences hides is not applied any more: {_RESPECT}"
        yield edit.signal("ignore-widened", message, severity="info", path=".".join((*where, "syncPolicy")))


def _wider(rule: dict[str, Any], known: list[dict[str, Any]]) -> list[str]:
    """What a rule hides that no earlier one hid of the same objects."""
    earlier = [other for other in known if _covers(other, rule)]
    found = []
    for what in _WHATS:
        had = {name for other in earlier for name in texts(other.get(what))}
        for name in texts(rule.get(what)):
            above = what == "jsonPointers" and any(name.startswith(other + "/") for other in had)
            if name not in had and not above:
                found.append(f"the fields of manager {name}" if what == "managedFieldsManagers" else name)
    return found


def _covers(other: dict[str, Any], rule: dict[str, Any]) -> bool:
    """Whether the first rule is about all objects that the second is about."""
    globs = all(text(other.get(key)) in (text(rule.get(key)), "*") for key in ("group", "kind"))
    return globs and all(text(other.get(key)) in ("", text(rule.get(key))) for key in ("name", "namespace"))


def _severity(rule: Any, wider: list[str]) -> Severity:
    if any(char in text(at(rule, "kind")) for char in "*?["):
        return "warning"
    return "warning" if any(_is_grave(name) for name in wider) else "info"


def _is_grave(name: str) -> bool:
    """Whether a JSON pointer or jq expression reaches a whole object, or what a pod or a role may do."""
    if name.startswith("the fields of manager "):
        return "argocd" in name or "gitops-bot" in name
    path = name if name.startswith("/") else _SELECT.sub("", name)
    if not name.startswith("/") and _PROGRAM.search(path):
        return True
    steps = _STEP.findall(path.replace("~1", "/"))
    return len(steps) <= 1 or steps[-1] in _GRAVE or not _RIGHTS.isdisjoint(steps)
