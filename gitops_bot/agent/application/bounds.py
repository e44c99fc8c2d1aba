"""A status that fits into its object: what nobody has to act on goes first, and how much is shown is said. Pure.

etcd takes objects of about 1.5 MB (measured: 3,000 resources with their sync results fit, 10,000 do not).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from gitops_bot.agent.application.state import Condition, ResourceResult, ResourceStatus, Status, Summary

BUDGET = 1_000_000
"""Bytes of a whole status as JSON; the specification beside it has the rest."""
TRUNCATED = "StatusTruncatedWarning"
"""The condition that says how many of how many are shown."""
_MOST_IMAGES = 200
_MOST_CONDITIONS = 50
_T = TypeVar("_T")


def fit(status: Status, now: datetime, *, budget: int = BUDGET) -> Status:
    """The status within ``budget`` bytes, with a condition that says what was left out.

    Resources that are not Synced or not Healthy stay longest, then results of what failed; half of what the rest leaves
    is for each of both. Lists keep their order.
    """
    former = next((each for each in status.conditions if each.type == TRUNCATED), None)
    status = _small(replace(status, conditions=tuple(each for each in status.conditions if each.type != TRUNCATED)))
    state = status.operation_state
    results = state.sync_result.resources if state is not None and state.sync_result is not None else ()
    if _size(status) <= budget:
        return status
    rest = max(0, budget - _size(_with(status, (), ())) - 500)
    kept_results = _kept(results, _result_rank, max(rest // 2, rest - _size(status.resources)))
    kept = _kept(status.resources, _resource_rank, rest - _size(kept_results))
    notes = [
        f"{len(some):,} of {len(whole):,} {what}"
        for some, whole, what in ((kept, status.resources, "resources"), (kept_results, results, "sync results"))
        if len(some) < len(whole)
    ]
    message = f"{' and '.join(notes)} are shown: first those that are not Synced, not Healthy or failed"
    since = former.last_transition_time if former is not None and former.message == message else None
    told = Condition(type=TRUNCATED, message=message, last_transition_time=since or now)
    return replace(_with(status, kept, kept_results), conditions=(*status.conditions, told))


def is_truncated(status: Status) -> bool:
    """Whether ``resources`` is not all there is, so that the inventory cannot rely on it."""
    return any(each.type == TRUNCATED for each in status.conditions)


def _small(status: Status) -> Status:
    """The lists that anybody could make long, short."""
    summary = status.summary
    if summary is not None:
        images, urls = (tuple(dict.fromkeys(each))[:_MOST_IMAGES] for each in (summary.images, summary.external_urls))
        summary = Summary(images=images, external_urls=urls)
    return replace(status, summary=summary, conditions=status.conditions[:_MOST_CONDITIONS])


def _with(status: Status, resources: Sequence[ResourceStatus], results: Sequence[ResourceResult]) -> Status:
    state = status.operation_state
    if state is not None and state.sync_result is not None:
        state = replace(state, sync_result=replace(state.sync_result, resources=tuple(results)))
    return replace(status, resources=tuple(resources), operation_state=state)


def _size(value: object) -> int:
    return len(msgspec.json.encode(value))


def _kept(items: Sequence[_T], rank: Callable[[_T], int], room: int) -> tuple[_T, ...]:
    """As many as fit, the lowest ranks first, in the order they have."""
    chosen: set[int] = set()
    for index in sorted(range(len(items)), key=lambda index: (rank(items[index]), index)):
        room -= _size(items[index]) + 1
        if room < 0:
            break
        chosen.add(index)
    return tuple(item for index, item in enumerate(items) if index in chosen)


def _resource_rank(resource: ResourceStatus) -> int:
    if resource.status != "Synced":
        return 0
    return 1 if resource.health is not None and resource.health.status != "Healthy" else 2


def _result_rank(result: ResourceResult) -> int:
    return {"SyncFailed": 0, "PruneSkipped": 1, "Pruned": 2}.get(result.status or "", 3)


def images(found: Iterable[str]) -> Summary:
    """The summary of the images that an Application's containers run."""
    return Summary(images=tuple(sorted(set(found))))
