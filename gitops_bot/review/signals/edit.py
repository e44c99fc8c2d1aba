"""One object before and after a change, as the families of signals look at it. Pure."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from gitops_bot.manifests.objects import hook_of
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import CATALOGUE, Severity, Signal
from gitops_bot.review.signals.podspecs import Pod, pods
from gitops_bot.review.signals.values import at, mapping, text

SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
_LONGEST_MESSAGE = 400


def options(body: dict[str, Any]) -> frozenset[str]:
    """An object's own sync options, as Argo CD reads the annotation: separated by commas."""
    given = text(at(body, "metadata", "annotations", SYNC_OPTIONS))
    return frozenset(option.strip() for option in given.split(",")) if given else frozenset()


def name_of(body: dict[str, Any]) -> str:
    """``metadata.name``, or ``metadata.generateName`` followed by ``*``; ``""`` where neither is a text."""
    metadata = mapping(body.get("metadata"))
    name, prefix = text(metadata.get("name")), text(metadata.get("generateName"))
    return name or (prefix + "*" if prefix else "")


class Edit:
    """What a change does to one object."""

    def __init__(
        self, key: ResourceKey, before: dict[str, Any] | None, after: dict[str, Any] | None, *, replaces: bool = False
    ) -> None:
        """Take the identity (on the head side where there is one) and both sides, None where there is none.

        ``replaces`` says that the Application replaces all of its objects (its sync option ``Replace=true``).
        """
        self.key = key
        self.replaces = replaces
        self.type = (key.group, key.kind)
        self.added = before is None
        self.removed = after is None
        self.before: dict[str, Any] = mapping(before)
        """Empty for an object that is added."""
        self.after: dict[str, Any] = mapping(after)
        """Empty for an object that is removed."""

    @cached_property
    def former_name(self) -> str:
        """The name on the base side where the object was recognised under another one, else ``""``."""
        if self.added or self.removed:
            return ""
        old, new = name_of(self.before), name_of(self.after)
        return old if old and new and old != new else ""

    @property
    def updated(self) -> bool:
        """Whether one object of the cluster is changed in place: neither created nor deleted, nor both."""
        return not (self.added or self.removed or self.former_name)

    @cached_property
    def is_hook(self) -> bool:
        """Whether either side is a hook, which is deleted and created anew instead of being changed."""
        found = (mapping(at(side, "metadata", "annotations")) for side in (self.before, self.after))
        return any(hook_of(annotations) is not None for annotations in found if annotations)

    @cached_property
    def recreated(self) -> bool:
        """Whether a refused change deletes and creates the object anew: ``Force=true``, a hook, a generated name."""
        generated = bool(at(self.after, "metadata", "generateName")) and not at(self.after, "metadata", "name")
        return generated or self.is_hook or "Force=true" in options(self.after)

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The pods that the object holds after the change."""
        return pods(self.type, self.before, self.after)

    def signal(self, id_: str, message: str, *, severity: Severity | None = None, path: str = "") -> Signal:
        """A signal about the object; the catalogue's severity unless another is given."""
        if len(message) > _LONGEST_MESSAGE:
            message = message[: _LONGEST_MESSAGE - 1] + "…"
        return Signal(
            id=id_,
            severity=severity or CATALOGUE[id_].severity,
            message=message,
            group=self.key.group,
            kind=self.key.kind,
            namespace=self.key.namespace,
            name=self.key.name,
            path=path,
        )
