"""Lists that Kubernetes keys, with two items of one key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit, options
from gitops_bot.review.signals.values import at, items
from gitops_bot.review.signals.words import short


class Keyed(NamedTuple):
    """A list and what tells its items apart."""

    field: str
    keys: tuple[str, ...]
    validated: bool
    """Whether the API server refuses two of one key however they arrive; else server-side apply alone does."""


_CONTAINER = (
    Keyed("env", ("name",), False),
    Keyed("ports", ("containerPort", "protocol"), False),
    Keyed("volumeMounts", ("mountPath",), True),
    Keyed("volumeDevices", ("devicePath",), True),
)
_POD = (
    Keyed("initContainers", ("name",), True),
    Keyed("containers", ("name",), True),
    Keyed("volumes", ("name",), True),
    Keyed("imagePullSecrets", ("name",), False),
    Keyed("hostAliases", ("ip",), False),
    Keyed("topologySpreadConstraints", ("topologyKey", "whenUnsatisfiable"), True),
    Keyed("resourceClaims", ("name",), True),
)
_OBJECT: dict[tuple[str, str], tuple[tuple[tuple[str, ...], Keyed], ...]] = {
    ("", "Service"): ((("spec",), Keyed("ports", ("port", "protocol"), True)),),
    ("", "ServiceAccount"): (((), Keyed("secrets", ("name",), False)),),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): (((), Keyed("webhooks", ("name",), True)),),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): (((), Keyed("webhooks", ("name",), True)),),
}
"""``x-kubernetes-list-map-keys`` of the API server's own types; ``validated`` by the validation of their groups."""


def duplicate_keys(edit: Edit) -> Iterator[Signal]:
    """Raise keys that two items of a list have after the change and had not before."""
    for where, keyed in _OBJECT.get(edit.type, ()):
        yield from _list(edit, at(edit.before, *where), at(edit.after, *where), keyed, ".".join(where), "")
    for pod in edit.pods:
        for keyed in _POD:
            yield from _list(edit, pod.before, pod.after, keyed, pod.path, "")
        for container in pod.containers:
            if container.before == container.after:
                continue
            for keyed in _CONTAINER:
                yield from _list(
                    edit, container.before, container.after, keyed, container.path, f"container {container.name}: "
                )


def _list(edit: Edit, before: Any, after: Any, keyed: Keyed, path: str, where: str) -> Iterator[Signal]:
    new = items(at(after, keyed.field))
    if len(new) < 2 or new == at(before, keyed.field):
        return
    repeated = _repeated(new, keyed.keys)
    if not repeated:
        return
    known = _repeated(items(at(before, keyed.field)), keyed.keys)
    always = keyed.validated or "ServerSideApply=true" in options(edit.after)
    for key in sorted(repeated.keys() - known.keys()):
        says = "refused" if keyed.validated else "server-side apply refuses it"
        message = f"{where}{keyed.field} has {'/'.join(map(short, key))} {_times(repeated[key])}: {says}"
        full = f"{path}.{keyed.field}" if path else keyed.field
        yield edit.signal("duplicate-list-key", message, severity="error" if always else "warning", path=full)


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count:,} times"


def _repeated(values: list[Any], keys: tuple[str, ...]) -> dict[tuple[str, ...], int]:
    """The keys that more than one item has, and how many."""
    if len(values) < 2:
        return {}
    found = [tuple([_key(item, key) for key in keys]) for item in values if isinstance(item, dict)]
    if len(set(found)) == len(found):
        return {}
    return {key: count for key, count in Counter(found).items() if count > 1 and key[0]}


def _key(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    if isinstance(value, str):
        return value
    if value is None and key == "protocol":
        return "TCP"
    return short(value) if isinstance(value, int) and not isinstance(value, bool) else ""
