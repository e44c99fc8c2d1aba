"""What one operation does: decided from what was found, and from what was asked for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gitops_bot.agent.application.state import ResourceResult, SyncOperation
from gitops_bot.agent.health.verdict import Health
from gitops_bot.agent.live.comparison import Compared
from gitops_bot.agent.ownership.identity import App
from gitops_bot.agent.reports.view import View
from gitops_bot.agent.rules.options import ApplicationOptions, effective
from gitops_bot.agent.values import Live
from gitops_bot.model.resource import ResourceKey


class Plan(NamedTuple):
    """What one operation does."""

    app: App
    applies: tuple[Compared, ...]
    prunes: tuple[Live, ...]
    options: ApplicationOptions
    awaited: tuple[Compared, ...] = ()
    """What is as Git says and not healthy: no later wave begins before it is."""
    skipped: tuple[Live, ...] = ()
    """What is not in Git and stays: ``PruneSkipped``."""
    done: tuple[ResourceResult, ...] = ()
    """What the operation had done when it was interrupted."""
    dry_run: bool = False


def plan_of(
    app: App, view: View, sync: SyncOperation, chosen: ApplicationOptions, done: Iterable[ResourceResult]
) -> Plan:
    """What is asked for, of what differs: what is equal already needs no write.

    What is not healthy yet is waited for whoever applied it, and when: an operation before this one may have, or this
    one, in a process that is gone. What that has deleted and is still there is deleted once more, and so waited for.
    """
    done = [each for each in done if each.status in ("Synced", "Pruned")]
    pruned = {each.key for each in done if each.status == "Pruned"}
    asked = [each for each in view.compared if _is_asked(each.key, sync) and not each.shared]
    differing = [each for each in asked if each.status != "Synced" or each.silent or _always(each, chosen)]
    keys = {each.key for each in differing}
    prunes = [live for live in view.prune.prune if _is_asked(live.key, sync)] if sync.prune else []
    prunes += [live for live in view.candidates.going if live.key in pruned]
    return Plan(
        app,
        applies=tuple(differing),
        prunes=tuple(prunes),
        options=chosen,
        awaited=tuple(each for each in asked if each.key not in keys and _is_unwell(view.health.get(each.key))),
        skipped=(*view.prune.kept, *(() if sync.prune else view.candidates.prunable)),
        done=tuple(done),
        dry_run=sync.dry_run,
    )


def _is_unwell(health: Health | None) -> bool:
    return health is not None and health.status != "Healthy"


def annotations_of(compared: Compared) -> Mapping[str, str] | None:
    """Those of the live object, None where there is none."""
    return compared.live.annotations if compared.live is not None else None


def _is_asked(key: ResourceKey, sync: SyncOperation) -> bool:
    return not sync.resources or any(
        (each.group, each.kind, each.name) == (key.group, key.kind, key.name) and each.namespace in ("", key.namespace)
        for each in sync.resources
    )


def _always(compared: Compared, chosen: ApplicationOptions) -> bool:
    """``Replace=true`` writes an object in every sync, unless only what differs is asked for."""
    replaced = effective(chosen, compared.desired.annotations, annotations_of(compared)).replace
    return replaced and not chosen.out_of_sync_only
