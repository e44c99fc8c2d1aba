"""Rights of containers over their node, and namespaces that begin to allow them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.podspecs import LISTS, Container, Pod
from gitops_bot.review.signals.values import at, items, mapping, text, texts
from gitops_bot.review.signals.words import listed, short

_HARMLESS = frozenset(
    ("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
     "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT")
)  # fmt: skip
"""Capabilities that the Pod Security Standard "baseline" lets a container add: runtimes give them anyway."""
_ENFORCE = "pod-security.kubernetes.io/enforce"
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_PROFILES = (
    _APP_ARMOR,
    "seccomp.security.alpha.kubernetes.io/pod",
    "container.seccomp.security.alpha.kubernetes.io/",
)
_LEVELS = {"privileged": 0, "baseline": 1, "restricted": 2}


def privileges(edit: Edit) -> Iterator[Signal]:
    """Raise privileges that a pod or container now has and had not, and a namespace's lowered Pod Security level."""
    if edit.type == ("", "Namespace"):
        yield from _namespace(edit)
    for pod in edit.pods:
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.after.get(field) is True and pod.before.get(field) is not True:
                yield edit.signal(
                    "privileged", f"The pod shares its node's {field[4:]}: {field}", path=f"{pod.path}.{field}"
                )
        yield from _profiles(edit, pod)
        for container in pod.containers:
            yield from _container(edit, pod, container)
            yield from _host_ports(edit, pod, container)


def _container(edit: Edit, pod: Pod, container: Container) -> Iterator[Signal]:
    after = mapping(container.after.get("securityContext"))
    before = mapping(at(container.before, "securityContext"))
    path = f"{container.path}.securityContext"
    for name, says in _gained(pod, container.before is None, before, after):
        yield edit.signal("privileged", f"container {container.name} {says}", path=f"{path}.{name}")


def _host_ports(edit: Edit, pod: Pod, container: Container) -> Iterator[Signal]:
    """Ports of the node that a container takes and no container of the pod took; in the node's network all are."""
    new = _ports(container.after)
    if not new or pod.after.get("hostNetwork") is True:
        return
    known = {port for field in LISTS for item in items(pod.before.get(field)) for port in _ports(item)}
    for port, protocol in sorted(new - known):
        named = f"{port}" if protocol == "TCP" else f"{port}/{short(protocol)}"
        message = f"container {container.name} takes the port {named} of its node: hostPort"
        yield edit.signal("privileged", message, path=f"{container.path}.ports")


def _ports(container: Any) -> set[tuple[int, str]]:
    """The ports of the node that a container takes, each with its protocol."""
    ports = [mapping(item) for item in items(at(container, "ports"))]
    return {
        (port["hostPort"], text(port.get("protocol")) or "TCP")
        for port in ports
        if isinstance(port.get("hostPort"), int) and 0 < port["hostPort"] < 65_536 and port["hostPort"] is not True
    }


def _profiles(edit: Edit, pod: Pod) -> Iterator[Signal]:
    """Annotations that take a pod's AppArmor or seccomp filter away: the older form of the fields."""
    before, after = pod.notes
    for key in sorted(key for key in after if key.startswith(_PROFILES)):
        if after[key] == "unconfined" and before.get(key) != "unconfined":
            what = "AppArmor profile" if key.startswith(_APP_ARMOR) else "seccomp filter"
            whose = f"container {short(key.partition('/')[2])}" if "container." in key else "The pod"
            where = "metadata" if pod.path == "spec" else pod.path.removesuffix(".spec") + ".metadata"
            path = f'{where}.annotations["{short(key)}"]'
            yield edit.signal("privileged", f"{whose} has no {what} any more: unconfined", path=path)


def _gained(pod: Pod, new: bool, before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Field and words for each right that one container has gained."""
    if after.get("privileged") is True and before.get("privileged") is not True:
        yield "privileged", "becomes privileged"
    escalates = after.get("allowPrivilegeEscalation")
    if (before.get("allowPrivilegeEscalation") is False and escalates is not False and not new) or (
        new and escalates is True and after.get("privileged") is not True
    ):
        yield "allowPrivilegeEscalation", "may gain more privileges than its parent: allowPrivilegeEscalation"
    added = _capabilities(after) - _capabilities(before)
    if added:
        yield "capabilities.add", f"gets the capabilities {listed(added)}"
    if at(after, "windowsOptions", "hostProcess") is True and at(before, "windowsOptions", "hostProcess") is not True:
        yield "windowsOptions.hostProcess", "becomes a process of its Windows node: hostProcess"
    if after.get("procMount") == "Unmasked" and before.get("procMount") != "Unmasked":
        yield "procMount", "sees all of /proc: procMount Unmasked"
    for field, what in (("seccompProfile", "seccomp filter"), ("appArmorProfile", "AppArmor profile")):
        old, now = _profile(pod.before, before, field), _profile(pod.after, after, field)
        if now == "Unconfined" and old != "Unconfined":
            yield field, f"has no {what} any more: Unconfined"
    if not new and _unprivileged_user(pod.before, before) and not _unprivileged_user(pod.after, after):
        yield "runAsUser", "may run as root: neither runAsNonRoot nor another runAsUser any more"


def _capabilities(context: dict[str, Any]) -> set[str]:
    """The capabilities that are added and that not every container has, without the prefix that some write."""
    given = {name.upper().removeprefix("CAP_") for name in texts(at(context, "capabilities", "add"))}
    return given - _HARMLESS


def _profile(pod: dict[str, Any], context: dict[str, Any], field: str) -> str:
    return text(at(context, field, "type")) or text(at(pod, "securityContext", field, "type"))


def _unprivileged_user(pod: dict[str, Any], context: dict[str, Any]) -> bool:
    """Whether the container, or the pod for it, says that it does not run as root."""
    whole = mapping(pod.get("securityContext"))
    user = context.get("runAsUser", whole.get("runAsUser"))
    if isinstance(user, int) and not isinstance(user, bool):
        return user > 0
    return context.get("runAsNonRoot", whole.get("runAsNonRoot")) is True


def _namespace(edit: Edit) -> Iterator[Signal]:
    """A level that is lowered or taken away; a new namespace that is not held to any level is as usual."""
    old, new = (text(at(side, "metadata", "labels", _ENFORCE)) for side in (edit.before, edit.after))
    if edit.removed or old == new:
        return
    lowered = old in _LEVELS and _LEVELS.get(new, 0) < _LEVELS[old]
    if lowered or (new == "privileged" and not old):
        message = f"The namespace's Pod Security level: {short(old) or 'none'} → {short(new) or 'none'}"
        yield edit.signal("privileged", message, path=f'metadata.labels["{_ENFORCE}"]')
