"""Signals that only a target as a whole can raise: its project, its cluster's version, its charts, its duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from gitops_bot.manifests.compare import Side
from gitops_bot.manifests.objects import CLUSTER_SCOPED
from gitops_bot.model.change import ResourceChange, TargetChanges
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.apis import removed_api
from gitops_bot.review.signals.charts import Move, dependency_moves, major_jumps, source_moves
from gitops_bot.review.signals.context import Context, moves_elsewhere
from gitops_bot.review.signals.pruning import weigh


def weigh_deletions(changes: TargetChanges, context: Context) -> TargetChanges:
    """The changes with deletions as loud as the target's Application makes them."""
    weighed = tuple(
        msgspec.structs.replace(change, signals=weigh(change.signals, context)) if change.signals else change
        for change in changes.changes
    )
    return msgspec.structs.replace(changes, changes=weighed)


def target_signals(context: Context, changes: TargetChanges, manifests: bytes) -> tuple[Signal, ...]:
    """What the target as a whole raises; ``manifests`` is what the head side renders to.

    The order is that of the rules; who gathers them sorts.
    """
    touched = [change for change in changes.changes if change.bucket in ("added", "changed")]
    everything: list[tuple[str, ResourceKey]] | None = None
    if context.risen_from or (context.limits is not None and moves_elsewhere(context.old, context.new)):
        everything = _identities(manifests, context)
    found = [
        *_repeated(changes),
        *_removed_apis(context, touched, everything or ()),
        *_forbidden(context, touched, everything or ()),
        *major_jumps(_chart_moves(context), context.new),
        *(reference.signal for reference in context.references),
    ]
    return tuple(dict.fromkeys(found))


def standing_signals(context: Context, manifests: bytes) -> tuple[Signal, ...]:
    """What a new version of its cluster, or a new project or cluster, raises in a target that renders to the same."""
    everything = _identities(manifests, context)
    return (*_removed_apis(context, (), everything), *_forbidden(context, (), everything))


def _repeated(changes: TargetChanges) -> Iterator[Signal]:
    for key, count in changes.repeated:
        message = f"it is rendered {count} times, and the last one counts"
        yield _signal("duplicate-resource", key, message)


def _signal(id_: str, key: ResourceKey, message: str) -> Signal:
    group, kind, namespace, name = key
    return Signal(id=id_, severity="warning", message=message, group=group, kind=kind, namespace=namespace, name=name)


def _identities(manifests: bytes, context: Context) -> list[tuple[str, ResourceKey]]:
    """API version and identity of every object that is applied, without reading more than their heads."""
    side = Side(manifests)
    namespace = context.head.target.namespace if context.head is not None else ""
    entries = side.index(namespace, CLUSTER_SCOPED | side.definitions())
    return [(entry.head.api_version, key) for key, entry in sorted(entries.items())]


def _removed_apis(
    context: Context, touched: Iterable[ResourceChange], everything: Iterable[tuple[str, ResourceKey]]
) -> Iterator[Signal]:
    """Objects that are added or changed, and all of them for what the cluster stops serving by this change."""
    if not context.kube_version:
        return
    seen = set()
    for change in touched:
        signal = removed_api(change.api_version, change.key, context.kube_version)
        if signal is not None:
            seen.add(change.key)
            yield signal
    for api_version, key in everything:
        if context.risen_from and key not in seen:
            signal = removed_api(api_version, key, context.kube_version, context.risen_from)
            if signal is not None:
                yield signal


def _forbidden(
    context: Context, touched: Iterable[ResourceChange], everything: Iterable[tuple[str, ResourceKey]]
) -> Iterator[Signal]:
    """What the AppProject forbids, about the definition where it changes, and about objects that are touched."""
    limits, old, new = context.limits, context.old, context.new
    if limits is None or new is None:
        return
    fields = ("project", "destination", "source", "sources")
    if old is None or any(getattr(old.spec, field) != getattr(new.spec, field) for field in fields):
        yield from limits.broken_by_definition()
    keys = {change.key for change in touched}
    if moves_elsewhere(old, new):
        keys |= {key for _, key in everything}
    for key in sorted(keys):
        yield from limits.broken_by(key)


def _chart_moves(context: Context) -> Iterator[Move]:
    """Every chart that moves: the sources of the Application, and what its charts depend on."""
    if context.old is not None and context.new is not None:
        yield from source_moves(context.old, context.new)
    if context.base is not None and context.head is not None:
        yield from dependency_moves(context.base, context.head)
