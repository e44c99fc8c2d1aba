"""The health of an Application, from those of its resources. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from gitops_bot.agent.health.verdict import Health, Status, severity
from gitops_bot.agent.values import Live
from gitops_bot.manifests.objects import hook_of
from gitops_bot.model.resource import ResourceKey

IGNORE_HEALTHCHECK = "argocd.argoproj.io/ignore-healthcheck"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One resource of an Application: in Git, in the cluster, or both."""

    key: ResourceKey
    wanted: Mapping[str, Any] = {}
    """The annotations of the manifest in Git; empty where there is none."""
    live: Live | None
    """None for an object that is missing in the cluster."""
    health: Health | None = None
    """What ``assess`` says of the live object; None for no health, and for an object that is missing."""


def aggregate(parts: Iterable[Part], *, application: ResourceKey | None = None) -> Health:
    """The worst health of the resources that count, with the first of those it comes from (Argo CD's rule, 2.7).

    Hooks and what is never applied do not count, nor do objects annotated ``ignore-healthcheck``, the Application
    itself (``application`` is its key, for where it is among its own resources), objects that are missing while others
    are there, and child Applications that are Missing or Unknown. Without resources, or without any that has a health,
    an Application is Healthy; it is Missing when none of its resources is in the cluster. Order does not matter.
    """
    resources = [part for part in parts if not _is_hook(part)]
    if resources and not any(part.live for part in resources):
        return Health("Missing", f"none of {len(resources)} resources is in the cluster")
    counted = [(part.key, part.health) for part in resources if part.health and _counts(part, application)]
    if not counted:
        return Health("Healthy")
    worst = max((health.status for _, health in counted), key=severity)
    blamed = sorted((key, health.message) for key, health in counted if health.status == worst)
    return Health(
        worst,
        "" if worst == "Healthy" else _told(blamed),
        min((health.until for _, health in counted if health.until), default=None),
    )


def _is_hook(part: Part) -> bool:
    return hook_of(part.wanted) is not None or (part.live is not None and hook_of(part.live.annotations) is not None)


def _counts(part: Part, application: ResourceKey | None) -> bool:
    if part.live is None or part.health is None or part.key == application:
        return False
    if part.live.annotations.get(IGNORE_HEALTHCHECK) == "true":
        return False
    child = (part.key.group, part.key.kind) == ("argoproj.io", "Application")
    return not (child and part.health.status in ("Missing", "Unknown"))


def _told(blamed: list[tuple[ResourceKey, str]]) -> str:
    key, message = blamed[0]
    others = f" (and {len(blamed) - 1} more)" if blamed[1:] else ""
    return f"{key}: {message}{others}" if message else f"{key}{others}"


def transition(status: Status, *, before: str | None, since: datetime | None, now: datetime) -> datetime:
    """When the Application came to have this status: ``lastTransitionTime``, which moves only when the status does.

    ``before`` and ``since`` are what its status says from the last time, None where it says nothing; ``now`` is aware.
    """
    return since if since and before == status else now
