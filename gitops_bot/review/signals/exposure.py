"""Services that networks outside the cluster come to reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.edit import Edit
from gitops_bot.review.signals.values import at, text, texts
from gitops_bot.review.signals.words import listed

_OPENNESS = {"NodePort": 1, "LoadBalancer": 2}
"""How far each type reaches; the others stay in the cluster."""
_RANGES = "loadBalancerSourceRanges"


def exposures(edit: Edit) -> Iterator[Signal]:
    """Raise a Service that becomes, or comes as, NodePort or LoadBalancer; gets addresses; or opens to everybody."""
    if edit.type != ("", "Service"):
        return
    before, after = (text(at(side, "spec", "type")) for side in (edit.before, edit.after))
    if _OPENNESS.get(after, 0) > _OPENNESS.get(before, 0):
        message = f"The Service is new and a {after}" if edit.added else f"type {_type(before)} → {after}"
        yield edit.signal("service-exposed", message, path="spec.type")
    elif after == "LoadBalancer" and _limited(edit.before) and not _limited(edit.after):
        yield edit.signal("service-exposed", f"{_RANGES} is gone: everybody may connect", path=f"spec.{_RANGES}")
    addresses = [set(texts(at(side, "spec", "externalIPs"))) for side in (edit.before, edit.after)]
    if gained := addresses[1] - addresses[0]:
        yield edit.signal("service-exposed", f"it gets the externalIPs {listed(gained)}", path="spec.externalIPs")


def _type(given: str) -> str:
    """The former type; one that is unknown is nothing to quote."""
    return given if given in ("ExternalName", *_OPENNESS) else "ClusterIP"


def _limited(side: dict[str, Any]) -> bool:
    return bool(texts(at(side, "spec", _RANGES)))
