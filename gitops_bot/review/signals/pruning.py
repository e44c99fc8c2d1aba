"""What really goes when objects leave Git: that is for the target's Application to say, by Argo CD's rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gitops_bot.model.application import Application
from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.context import Context

DELETIONS = frozenset(("deletion", "data-deletion"))
_FINALIZER = "resources-finalizer.argocd.argoproj.io"


def prunes(application: Application) -> bool:
    """Whether Argo CD deletes by itself what leaves the Application's manifests: ``automated`` with ``prune``."""
    policy = application.spec.sync_policy
    automated: Any = policy.get("automated") if isinstance(policy, dict) else None
    return isinstance(automated, dict) and automated.get("prune") is True and automated.get("enabled") is not False


def cascades(application: Application) -> bool:
    """Whether deleting the Application deletes its objects: it has the resources finalizer, in any of its forms."""
    finalizers = application.metadata.finalizers or ()
    return any(finalizer == _FINALIZER or finalizer.startswith(f"{_FINALIZER}/") for finalizer in finalizers)


def spared(context: Context) -> str:
    """Why what leaves the target's manifests stays in the cluster, at least for now; ``""`` when it goes.

    A target without an Application is taken at the objects' word: nobody says how it is applied.
    """
    if context.new is not None:
        return "" if prunes(context.new) else "It is not pruned by itself: its Application does not prune automatically"
    if context.head is not None or context.old is None:
        return ""
    if not cascades(context.old):
        return "It stays in the cluster: its Application goes without a resources finalizer"
    if context.parent is not None and not prunes(context.parent):
        return "It stays until its Application is deleted, which is not pruned by itself either"
    return ""


def weigh(signals: Iterable[Signal], context: Context) -> tuple[Signal, ...]:
    """The signals of an object that goes, as loud as the target's Application makes them.

    What has a path is not pruned: a hook or a replacement deletes it, whatever the Application says.
    """
    why = spared(context)
    return tuple(
        msgspec.structs.replace(signal, severity="info", message=f"{why}. If it is deleted: {signal.message}")
        if why and signal.id in DELETIONS and not signal.path
        else signal
        for signal in signals
    )
