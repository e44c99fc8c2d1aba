"""What tells from an object's metadata alone that somebody touched what Git describes.

The API server records in managedFields who owns which field; whoever changes one takes it over. So an object's
fingerprint is its uid, what is written under our name, and the entries of managers that are people; everything else
may move without being drift (status, other controllers' fields). ``metadata.generation`` is a second signal: it moves
when a controller adds something that neither we nor a person own. All of this is ours (docs: drift by ownership).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from gitops_bot.agent.ownership.managed import PEOPLE, beyond, covers, matches, ours
from gitops_bot.agent.ownership.strangers import strangers
from gitops_bot.agent.values import MANAGER, Live, ManagedFields

Verdict = Literal["unchanged", "look", "later"]
"""``look``: a dry run, at once; ``later``: a dry run at ``due``."""

SETTLE = timedelta(seconds=10)
"""How long after a write of our own an event may still tell of the second in which it was made: a watch lags."""
COALESCE = timedelta(minutes=1)
"""A generation that moves alone is looked at once in this time and object."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """An object's state that was judged: nothing that Git describes differs, or what differs is known."""

    fingerprint: bytes
    generation: int
    """0 for kinds that have none."""
    resource_version: str
    written: datetime | None = None
    """When the answer to our last own write of the object came, by our clock, aware; None for none in this run."""
    looked: datetime | None = None
    """When we looked last because of the generation alone; None for never."""


def fingerprint(live: Live, *, people: Sequence[str] = PEOPLE) -> bytes:
    """16 bytes that differ when somebody touched what Git describes, or added to it under a person's name.

    In it are the times of entries: a write under our own name moves ours, an apply that changes nothing does not. The
    values of our own labels and annotations are in it as well, because metadata has them.
    """
    entry = ours(live.managed)
    owned = entry.fields.get("f:metadata", {}) if entry else {}
    content = (
        live.uid,
        [_told(each) for each in live.managed if each.manager == MANAGER and each.subresource != "status"],
        [_told(each) for each in live.managed if each.manager != MANAGER and matches(each, people)],
        _values(owned.get("f:labels", {}), live.labels),
        _values(owned.get("f:annotations", {}), live.annotations),
    )
    return blake2b(msgspec.json.encode(content, order="deterministic"), digest_size=16).digest()


def _told(entry: ManagedFields) -> tuple[Any, ...]:
    return entry.manager, entry.operation, entry.subresource, entry.api_version, entry.time, entry.fields


def _values(fields: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str | None]:
    return {name[2:]: values.get(name[2:]) for name in fields if name != "."}


def baseline(
    live: Live, *, people: Sequence[str] = PEOPLE, written: datetime | None = None, looked: datetime | None = None
) -> Baseline:
    """The baseline that a judged state makes: the answer of our apply, or what a dry run found clean."""
    return Baseline(
        fingerprint=fingerprint(live, people=people),
        generation=live.generation,
        resource_version=live.resource_version,
        written=written,
        looked=looked,
    )


def judge(known: Baseline | None, live: Live, *, now: datetime, people: Sequence[str] = PEOPLE) -> Verdict:
    """What an event or a list's item tells; None for an object that was never judged.

    Times are in whole seconds, so a second write under our name within the second of our own leaves the same entry.
    Kinds with a generation tell it all the same; of the others every event is looked at that may be of that second.
    """
    if known is None:
        return "look"
    if live.resource_version == known.resource_version:
        return "unchanged"
    if fingerprint(live, people=people) != known.fingerprint:
        return "look"
    if live.generation != known.generation or not live.managed:
        return "later"  # an API server that keeps no managedFields does not say what has moved
    if not live.generation and known.written is not None and now - known.written <= SETTLE:
        return "look"
    return "unchanged"


def due(known: Baseline, *, now: datetime) -> datetime:
    """When a verdict ``later`` is looked at: now, or a minute after the last such look."""
    return now if known.looked is None else max(now, known.looked + COALESCE)


def is_settled(
    live: Live, desired: Mapping[str, Any], *, ended: datetime | None, people: Sequence[str] = PEOPLE
) -> bool:
    """Whether an object can be taken as equal to Git after a restart, with nothing of our own remembered.

    It can when our entry has exactly the fields of ``desired`` (the object as it was applied), in its API version, has
    not changed since the last operation ended (``ended``; None for none), its labels and annotations are those of
    ``desired`` (another Application's entry has the same fields), and there is no stranger. Else a dry run decides.
    """
    entry = ours(live.managed)
    return (
        entry is not None
        and ended is not None
        and entry.time is not None
        and entry.time <= ended
        and entry.api_version == desired.get("apiVersion")
        and covers(entry.fields, desired)
        and not beyond(entry.fields, desired)
        and _has(live.labels, desired, "labels")
        and _has(live.annotations, desired, "annotations")
        and not strangers(live, desired, people=people)
    )


def _has(values: Mapping[str, str], desired: Mapping[str, Any], field: str) -> bool:
    return (desired.get("metadata", {}).get(field) or {}).items() <= values.items()
