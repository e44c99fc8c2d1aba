"""What one operation does: decided from what was found, and from what was asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gitops_bot.agent.application.state import SyncOperation
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
    skipped: tuple[Live, ...] = ()
    """What is not in Git and stays: ``PruneSkipped``."""
    dry_run: bool = False


def plan_of(app: App, view: View, sync: SyncOperation, chosen: ApplicationOptions) -> Plan:
    """What is asked for, of what differs: what is equal already needs no write."""
    applies = tuple(
        each
        for each in view.compared
        if _is_asked(each.key, sync)
        and not each.shared
        and (each.status != "Synced" or each.silent or _always(each, chosen))
    )
    prunes = tuple(live for live in view.prune.prune if _is_asked(live.key, sync)) if sync.prune else ()
    skipped = (*view.prune.kept, *(() if sync.prune else view.candidates.prunable))
    return Plan(app, applies, prunes, chosen, skipped, sync.dry_run)


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
