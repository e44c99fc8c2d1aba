"""Probes that containers had and have no more."""

from __future__ import annotations

from collections.abc import Iterator

from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.values import mapping

_PROBES = ("livenessProbe", "readinessProbe")


def lost_probes(edit: Edit) -> Iterator[Signal]:
    """Raise a liveness or readiness probe that a container had and has no more, whatever it asked."""
    for pod in edit.pods:
        for container in pod.containers:
            for probe in _PROBES:
                if mapping(mapping(container.before).get(probe)) and not mapping(container.after.get(probe)):
                    message = f"container {container.name} has no {probe} any more"
                    yield edit.signal("probe-lost", message, path=f"{container.path}.{probe}")
