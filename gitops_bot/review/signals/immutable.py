"""Changes that the API server refuses, because the field stays as the object was created."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from gitops_bot.manifests.normalise import normalise
from gitops_bot.manifests.yaml import Unchanged
from gitops_bot.model.signal import Severity, Signal
from gitops_bot.review.signals.deletion import recreation
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.frozen import (
    CONTAINER_DEFAULTS,
    POD_DEFAULTS,
    POD_MUTABLE,
    RULES,
    SUSPENDED_JOB,
    Field,
    Rest,
)
from gitops_bot.review.signals.podspecs import LISTS
from gitops_bot.review.signals.values import at, items, mapping, text, texts
from gitops_bot.review.signals.words import listed, short

Version = tuple[int, int] | None


class Refused(NamedTuple):
    """One field that changes and may not."""

    path: str
    change: str = "changes"
    """Words behind the path: ``10Gi → 5Gi``."""
    severity: Severity = "error"
    remark: str = ""


def immutable_fields(edit: Edit, version: Version = None) -> Iterator[Signal]:
    """Raise each immutable field that the change sets to something else. ``version``: of the target's Kubernetes.

    Only for objects that are changed in place. What ``Force=true`` deletes and creates anew raises nothing, unless data
    is lost with it; hooks and generated names raise nothing.
    """
    if not edit.updated:
        return
    rules, special = RULES.get(edit.type, ()), _SPECIAL.get(edit.type)
    if not rules and special is None:
        return  # nothing is refused, and what a replacement would take with it has rules
    found: list[Refused] = []
    for rule in rules:
        found += _field(edit, rule) if isinstance(rule, Field) else _rest(edit, rule, version)
    if special is not None:
        found += special(edit)
    yield from recreation(edit, found[0].path if found else "")
    if edit.recreated:
        return
    for each in found:
        remark = f"; {each.remark}" if each.remark else ""
        message = f"{each.path} {each.change}{remark}"
        yield edit.signal("immutable-field", message, severity=each.severity, path=each.path)


def _same(edit: Edit, before: Any, after: Any) -> bool:
    """Whether two values of a field are equal as the API server stores them; what was not read is equal."""
    if before == after or isinstance(before, Unchanged) or isinstance(after, Unchanged):
        return True
    if not isinstance(before, (dict, list)) or not isinstance(after, (dict, list)):
        return False
    return bool(_stored(edit, before) == _stored(edit, after))


def _stored(edit: Edit, value: Any) -> Any:
    version = f"{edit.key.group}/v1" if edit.key.group else "v1"
    return normalise({"apiVersion": version, "kind": edit.key.kind, "spec": value})["spec"]


def _between(before: Any, after: Any, shown: bool = True) -> str:
    """``1 → 2`` for scalars that may be quoted, else that it changes."""
    if not shown or isinstance(before, (dict, list, tuple)) or isinstance(after, (dict, list, tuple)):
        return "changes"
    return f"{short(before)} → {short(after)}"


def _field(edit: Edit, rule: Field) -> Iterator[Refused]:
    before, after = at(edit.before, *rule.path), at(edit.after, *rule.path)
    before, after = (rule.default if each is None else each for each in (before, after))
    if not _same(edit, before, after):
        yield Refused(".".join(rule.path), _between(before, after, rule.shown))


def _rest(edit: Edit, rule: Rest, version: Version) -> Iterator[Refused]:
    before, after = at(edit.before, *rule.path), at(edit.after, *rule.path)
    if not isinstance(before, dict) or not isinstance(after, dict):
        return
    early = {field for field, since in rule.since.items() if version is not None and version < since}
    for field in sorted({*before, *after} - (rule.mutable - early)):
        old, new = (rule.defaults.get(field) if side.get(field) is None else side[field] for side in (before, after))
        if _same(edit, old, new) or (old is None and field in rule.settable):
            continue
        unknown = old is None and field in rule.filled
        yield Refused(
            ".".join((*rule.path, short(field))),
            _between(old, new),
            "warning" if unknown else "error",
            "refused unless the cluster had chosen the same" if unknown else "",
        )


# -- kinds whose rules are more than a table ------------------------------------------------------------------------


def _claim_templates(edit: Edit) -> Iterator[Refused]:
    """StatefulSet: ValidateStatefulSetUpdate compares the templates of volume claims as a whole."""
    path = "spec.volumeClaimTemplates"
    before, after = (items(at(side, "spec", "volumeClaimTemplates")) for side in (edit.before, edit.after))
    if before == after:
        return
    old, new = ([_claim(edit, item) for item in side] for side in (before, after))
    if old == new:
        return
    names = [[text(at(item, "metadata", "name")) for item in side] for side in (old, new)]
    gone, come = set(names[0]) - set(names[1]), set(names[1]) - set(names[0])
    if gone or come or len(old) != len(new):
        parts = [f"{listed(come)} is added"] * bool(come) + [f"{listed(gone)} is removed"] * bool(gone)
        yield Refused(path, ", ".join(parts) or "changes")
        return
    if names[0] != names[1]:
        yield Refused(path, "changes its order")
        return
    for name, one, other in zip(names[0], old, new, strict=True):
        if one != other:
            yield _claim_change(f"{path}[name={short(name)}]", one, other)


def _claim_change(path: str, before: Any, after: Any) -> Refused:
    """What changes in one template, as far as it can be said in a few words."""
    for keys in (("spec", "resources", "requests", "storage"), ("spec", "storageClassName")):
        old, new = at(before, *keys), at(after, *keys)
        if old != new:
            return Refused(path, f"{keys[-1]} {_between(old, new)}")
    labels = [mapping(at(side, "metadata", "labels")) for side in (before, after)]
    if labels[0] != labels[1]:
        changed = [key for key in {**labels[0], **labels[1]} if labels[0].get(key) != labels[1].get(key)]
        return Refused(path, f"changes its labels ({listed(changed)})")
    return Refused(path)


def _claim(edit: Edit, item: Any) -> Any:
    """A template of a claim without what the API server puts there by itself."""
    stored = _stored(edit, item)
    if not isinstance(stored, dict):
        return stored
    spec = (
        {"volumeMode": "Filesystem", **stored["spec"]} if isinstance(stored.get("spec"), dict) else stored.get("spec")
    )
    return {**{key: stored[key] for key in stored if key not in ("apiVersion", "kind", "status")}, "spec": spec}


def _job(edit: Edit) -> Iterator[Refused]:
    """Job: ValidateJobSpecUpdate. A Job that removes itself after its end may be gone already."""
    soon = at(edit.before, "spec", "ttlSecondsAfterFinished") is not None
    how = Refused("", "", "warning", "refused unless the Job has removed itself by then") if soon else Refused("")
    suspended = at(edit.before, "spec", "suspend") is True
    templates = [_template(edit, at(side, "spec", "template"), suspended) for side in (edit.before, edit.after)]
    if templates[0] != templates[1]:
        yield Refused("spec.template", "changes", how.severity, how.remark)
    old, new = (at(side, "spec", "completions") for side in (edit.before, edit.after))
    indexed = at(edit.after, "spec", "completionMode") == "Indexed" and new == at(edit.after, "spec", "parallelism")
    if not indexed and (1 if old is None else old) != (1 if new is None else new):
        yield Refused("spec.completions", _between(old, new), how.severity, how.remark)


def _template(edit: Edit, template: Any, suspended: bool) -> Any:
    if not isinstance(template, dict):
        return template
    stored = _stored(edit, template)
    metadata = {key: value for key, value in mapping(stored.get("metadata")).items() if value is not None}
    if suspended:
        metadata = {key: value for key, value in metadata.items() if key not in ("labels", "annotations")}
    return {"metadata": metadata, "spec": _pod_spec(mapping(stored.get("spec")), SUSPENDED_JOB if suspended else ())}


def _pod_spec(spec: dict[str, Any], free: tuple[str, ...] | frozenset[str], images: bool = True) -> dict[str, Any]:
    """A pod's spec without the API server's defaults and what may change."""
    found = {key: value for key, value in spec.items() if key not in free and value is not None}
    found = _without(found, POD_DEFAULTS)
    for field in LISTS:
        if isinstance(found.get(field), list):
            found[field] = [
                _without(
                    {key: value for key, value in item.items() if (images or key != "image") and value is not None},
                    CONTAINER_DEFAULTS,
                )
                if isinstance(item, dict)
                else item
                for item in found[field]
            ]
    return found


def _without(values: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in defaults or value != defaults[key]}


def _pod(edit: Edit) -> Iterator[Refused]:
    """A bare Pod: ValidatePodUpdate."""
    specs = [mapping(_stored(edit, mapping(at(side, "spec")))) for side in (edit.before, edit.after)]
    old, new = (_pod_spec(spec, POD_MUTABLE, images=False) for spec in specs)
    for field in sorted({*old, *new}):
        if old.get(field) != new.get(field):
            yield Refused(f"spec.{short(field)}")


def _service(edit: Edit) -> Iterator[Refused]:
    """Service: ValidateServiceUpdate. A cluster IP that is left out stays."""
    before, after = mapping(edit.before.get("spec")), mapping(edit.after.get("spec"))
    kinds = [text(spec.get("type")) or "ClusterIP" for spec in (before, after)]
    if "ExternalName" not in kinds:
        old, new = text(before.get("clusterIP")), text(after.get("clusterIP"))
        if new and old != new:
            chosen = not old and new != "None"
            remark = "refused unless the cluster had chosen the same" if chosen else ""
            yield Refused("spec.clusterIP", _between(old or None, new), "warning" if chosen else "error", remark)
        families = [texts(spec.get("ipFamilies"))[:1] for spec in (before, after)]
        if all(families) and families[0] != families[1]:
            yield Refused("spec.ipFamilies", f"{short(families[0][0])} → {short(families[1][0])} as the first")
    if kinds == ["LoadBalancer", "LoadBalancer"]:
        old_class, new_class = before.get("loadBalancerClass"), after.get("loadBalancerClass")
        if old_class != new_class:
            yield Refused("spec.loadBalancerClass", _between(old_class, new_class))


def _data(edit: Edit) -> Iterator[Refused]:
    """ConfigMap and Secret with ``immutable: true``: ValidateConfigMapUpdate, ValidateSecretUpdate. Keys only."""
    if edit.before.get("immutable") is not True:
        return
    if edit.after.get("immutable") is not True:
        yield Refused("immutable", "cannot be taken back")
    version = {"apiVersion": "v1", "kind": edit.key.kind}
    old, new = (normalise({**side, **version}) for side in (edit.before, edit.after))
    changed = []
    for field in ("data", "binaryData"):
        left, right = mapping(old.get(field)), mapping(new.get(field))
        changed += [
            key for key in {**left, **right} if left.get(key) != right.get(key) or (key in left) != (key in right)
        ]
    if changed:
        yield Refused("data", f"changes though the object says `immutable: true` ({listed(changed)})")


def _role_ref(edit: Edit) -> Iterator[Refused]:
    """RoleBinding, ClusterRoleBinding: ValidateRoleBindingUpdate; Argo CD runs ``kubectl auth reconcile`` before."""
    found = []
    for side in (edit.before, edit.after):
        ref = mapping(side.get("roleRef"))
        found.append(f"{short(text(ref.get('kind')))} {short(text(ref.get('name')))}")
    if found[0] != found[1] and edit.before.get("roleRef") is not None:
        remark = "refused, except by Argo CD without `Replace=true`, which creates the binding anew"
        yield Refused("roleRef", f"{found[0]} → {found[1]}", "warning", remark)


def _definition(edit: Edit) -> Iterator[Refused]:
    """CustomResourceDefinition: a version in ``status.storedVersions`` must stay; the one that was stored is there."""
    stored = {
        text(at(item, "name"))
        for item in items(at(edit.before, "spec", "versions"))
        if at(item, "storage") is True
    }  # fmt: skip
    versions = at(edit.after, "spec", "versions")
    kept = {text(at(item, "name")) for item in items(versions)}
    if kept and not any(isinstance(item, Unchanged) for item in items(versions)):
        for name in sorted(stored - kept - {""}):
            yield Refused("spec.versions", f"loses {short(name)}, in which objects are stored")


_SPECIAL: Mapping[tuple[str, str], Callable[[Edit], Iterator[Refused]]] = {
    ("", "ConfigMap"): _data,
    ("", "Pod"): _pod,
    ("", "Secret"): _data,
    ("", "Service"): _service,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "StatefulSet"): _claim_templates,
    ("batch", "Job"): _job,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): _role_ref,
    ("rbac.authorization.k8s.io", "RoleBinding"): _role_ref,
}
