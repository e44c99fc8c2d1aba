"""Selectors: of workloads, which cannot change, and of Services, which decide where traffic goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_bot.manifests.yaml import Unchanged
from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.values import at, items, mapping
from gitops_bot.review.signals.words import listed

_IMMUTABLE = frozenset(
    (("apps", "DaemonSet"), ("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet"), ("batch", "Job"))
)
"""Kinds whose selector the API server refuses to change (ValidateDeploymentUpdate and its sisters, apps/v1)."""
_MATCHED = _IMMUTABLE - {("batch", "Job")} | {("", "ReplicationController"), ("argoproj.io", "Rollout")}
"""Kinds whose pods must have the labels that the selector demands; a Job adds its own."""


def selector_changes(edit: Edit) -> Iterator[Signal]:
    """Raise a workload's selector that changes (refused), and a Service's (traffic goes elsewhere).

    Silent for objects that are created anew, under another name or by ``Force=true``. The message names labels, never
    their values.
    """
    if not edit.updated:
        return
    yield from _strays(edit)
    before, after = at(edit.before, "spec", "selector"), at(edit.after, "spec", "selector")
    if before == after or isinstance(before, Unchanged) or isinstance(after, Unchanged):
        return
    if edit.type in _IMMUTABLE and not edit.recreated:
        changed = _changed(_terms(before), _terms(after))
        if changed:
            message = f"The selector cannot be changed: {listed(changed)}"
            yield edit.signal("selector-change", message, path="spec.selector")
    elif edit.type == ("", "Service"):
        old, new = _labels(before), _labels(after)
        changed = _changed(old, new)
        if changed and not new:
            yield edit.signal(
                "selector-change", "The Service selects no pods any more", severity="warning", path="spec.selector"
            )
        elif changed and old:
            message = f"The Service selects pods by other labels: {listed(changed)}"
            yield edit.signal("selector-change", message, severity="warning", path="spec.selector")


def _strays(edit: Edit) -> Iterator[Signal]:
    """A workload whose pods matched its selector and do not any more (ValidateDeployment and its sisters refuse it)."""
    if edit.type not in _MATCHED:
        return
    plain = edit.key.kind == "ReplicationController"
    old, new = (_unmatched(at(side, "spec"), plain) for side in (edit.before, edit.after))
    if new and not old and at(edit.before, "spec", "selector") == at(edit.after, "spec", "selector"):
        message = f"The pods' labels no longer match the selector: {listed(new)}; the object is refused"
        yield edit.signal("selector-change", message, path="spec.template.metadata.labels")


def _unmatched(spec: Any, plain: bool) -> list[str]:
    """The labels in which a pod template is not what the workload's selector demands; empty where that is not known.

    ``plain``: the selector is a map of labels.
    """
    selector, template = at(spec, "selector"), at(spec, "template")
    labels = at(template, "metadata", "labels")
    if isinstance(labels, Unchanged) or not isinstance(template, dict):
        return []
    labels = mapping(labels)
    wanted = _labels(selector if plain else at(selector, "matchLabels"))
    found = [key for key, value in wanted.items() if isinstance(value, str) and labels.get(key) != value]
    for expression in items(at(selector, "matchExpressions")):
        key, operator, values = (at(expression, field) for field in ("key", "operator", "values"))
        if not isinstance(key, str):
            continue
        held, among = labels.get(key), items(values)
        fails = {"In": held not in among, "NotIn": held is not None and held in among,
                 "Exists": key not in labels, "DoesNotExist": key in labels}  # fmt: skip
        found += [key] if isinstance(operator, str) and fails.get(operator, False) else []
    return found


def _labels(selector: Any) -> dict[str, Any]:
    return {key: value for key, value in mapping(selector).items() if value is not None}


def _terms(selector: Any) -> dict[str, Any]:
    """What a label selector demands of each label."""
    terms: dict[str, Any] = _labels(at(selector, "matchLabels"))
    for index, expression in enumerate(items(at(selector, "matchExpressions"))):
        key = at(expression, "key")
        terms[f"{key} (expression)" if isinstance(key, str) else f"expression {index}"] = expression
    return terms


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    missing = object()
    return [key for key in {**before, **after} if before.get(key, missing) != after.get(key, missing)]
