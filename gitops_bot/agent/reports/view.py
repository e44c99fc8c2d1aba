"""What one look at an Application found: everything that a status tells and a decision is made of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

import msgspec

from gitops_bot.agent.application.state import Health as ToldHealth
from gitops_bot.agent.application.state import ResourceStatus
from gitops_bot.agent.health.aggregate import Part, aggregate
from gitops_bot.agent.health.verdict import Health
from gitops_bot.agent.live.comparison import Compared
from gitops_bot.agent.rules.autosync import Seen, SyncStatus
from gitops_bot.agent.rules.guards import Candidates, Limits, Verdict
from gitops_bot.agent.rules.options import ApplicationOptions, effective, object_options
from gitops_bot.agent.rules.order import wave_of
from gitops_bot.agent.rules.timing import comparison_wait
from gitops_bot.agent.sources.desired import Desired
from gitops_bot.agent.values import Live
from gitops_bot.model.resource import ResourceKey


class Waits(NamedTuple):
    """Whom an Application waits for before it begins anything: they may have what it would delete, or let go of it."""

    names: tuple[str, ...]
    since: datetime
    again: datetime
    """When it is looked at again."""


class View(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One look."""

    itself: ResourceKey | None = None
    """The Application, which may be among its own objects; None where nothing is known of those."""
    commits: tuple[str, ...] = ()
    """Of the sources, in their order."""
    tried: tuple[str, ...] = ()
    """Those of which it cannot be known what they want; empty where it did not come to that."""
    compared: tuple[Compared, ...] = ()
    forbidden: tuple[Desired, ...] = ()
    """Objects that Git wants, and that the project does not allow."""
    home: ResourceKey | None = None
    """The namespace that the Application makes, where it does not carry what it is to; None: it does."""
    candidates: Candidates = Candidates()
    prune: Verdict = Verdict()
    waits: Waits | None = None
    """None: it is known what the others want, as far as it matters."""
    guard: Limits | None = None
    """The thresholds as Git has them now; None where they are not known."""
    unseen: frozenset[tuple[str, str]] = frozenset()
    """Groups and kinds of which it is not known what there is."""
    allow_empty: bool = False
    """Whether a sync may leave nothing, as the last synced revision has it."""
    health: Mapping[ResourceKey, Health | None] = {}
    options: ApplicationOptions = ApplicationOptions()
    conditions: tuple[tuple[str, str], ...] = ()
    blocked: str = ""
    """Why nothing may be synced, ``""`` when it may."""
    unknown: bool = False
    """True when what Git wants is not known."""
    images: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    plan: str = ""
    again: datetime | None = None
    """When it has to be looked at again though nothing has changed, because the last try came to nothing."""

    @property
    def status(self) -> SyncStatus:
        """Argo CD's rule (2.2); ours: what is made of nothing but what is refused (hooks) is not Synced."""
        if self.unknown:
            return "Unknown"
        found = {seen.status for seen in self.seen}
        if "OutOfSync" in found or (self.blocked and not self.compared):
            return "OutOfSync"
        return "Unknown" if "Unknown" in found else "Synced"

    @property
    def keys(self) -> frozenset[ResourceKey]:
        """What Git wants."""
        return frozenset((*(each.key for each in self.compared), *(each.key for each in self.forbidden)))

    @property
    def is_brought(self) -> bool:
        """Whether everything is as Git says that this Application may change."""
        return not self.unknown and all(each.status == "Synced" or each.held for each in self.seen)

    @cached_property
    def seen(self) -> tuple[Seen, ...]:
        """What counts for the sync status."""
        found = [
            *(Seen(key=each.key, status=each.status, held=bool(each.shared)) for each in self.compared),
            *(Seen(key=each.key, status="Unknown", held=True) for each in self.forbidden),
            *([Seen(key=self.home, status="OutOfSync")] if self.home is not None else []),
        ]
        kept = {live.key for live in self.prune.kept} | {
            live.key for live in self.candidates.prunable if self.prune.holds
        }
        gone = [
            Seen(key=live.key, status="OutOfSync", prune=True, held=live.key in kept)
            for live in (*self.candidates.prunable, *self.candidates.going)
            if not object_options(live.annotations).ignore_extraneous
        ]
        return (*found, *gone)

    @cached_property
    def appraisal(self) -> Health:
        """The Application's health (2.7)."""
        parts = [
            Part(key=each.key, wanted=each.desired.annotations, live=each.live, health=self.health.get(each.key))
            for each in self.compared
        ]
        return aggregate(parts, application=self.itself)

    @property
    def until(self) -> datetime | None:
        """When it has to be looked at again although nothing else happens; None for never."""
        waits = self.waits.again if self.waits is not None else None
        moments = (self.again, waits, self.appraisal.until, *(each.until for each in self.compared))
        return min((each for each in moments if each is not None), default=None)

    def due(self, now: datetime, *, poll: float, misses: int) -> datetime | None:
        """When it has to be looked at again where nothing is done now; None: only when something changes.

        Not all that stands against a sync says a word when it goes, so it is looked at once in ``poll`` seconds.
        ``misses`` is how often in a row something could not be compared, 0 when all of it was.
        """
        waits = [poll] if self.blocked or any(each.shared for each in self.compared) else []
        waits += [comparison_wait(misses, poll)] if misses else []
        moments = (self.until, *(now + timedelta(seconds=wait) for wait in waits))
        return min((each for each in moments if each is not None), default=None)

    @cached_property
    def resources(self) -> tuple[ResourceStatus, ...]:
        """``status.resources``, in order of identity."""
        found = {
            each.key: _resource(
                each.key,
                each.desired.api_version,
                status=each.status,
                health=_health(each, self.health.get(each.key)),
                wave=wave_of(each.desired.annotations),
            )
            for each in self.compared
        }
        for wanted in self.forbidden:
            wave = wave_of(wanted.annotations)
            found[wanted.key] = _resource(wanted.key, wanted.api_version, status="Unknown", health=None, wave=wave)
        if self.home is not None:
            found[self.home] = _resource(self.home, "v1", status="OutOfSync", health=None, wave=0)
        for live in (*self.candidates.prunable, *self.candidates.going):
            asks = effective(self.options, None, live.annotations).prune == "confirm"
            confirm = asks or live.key in self.prune.inherited
            found[live.key] = _pruned(live, confirm=confirm, health=self.health.get(live.key))
        for live, _ in self.candidates.moving:
            # What an earlier Application left is told as such, so that it is known for that when nobody else has it.
            left = live.key in self.prune.inherited
            told = _left(live, self.health.get(live.key))
            found[live.key] = msgspec.structs.replace(
                told, requires_pruning=left, requires_deletion_confirmation=left
            )  # fmt: skip
        return tuple(found[key] for key in sorted(found))

    def find(self, key: ResourceKey) -> Compared | None:
        """One of the objects that Git wants."""
        return next((each for each in self.compared if each.key == key), None)


def _health(compared: Compared, health: Health | None) -> ToldHealth | None:
    if compared.live is None:
        return ToldHealth(status="Missing") if compared.status != "Unknown" else None
    return ToldHealth(status=health.status, message=health.message) if health is not None else None


def _resource(
    key: ResourceKey, api_version: str, *, status: SyncStatus, health: ToldHealth | None, wave: int
) -> ResourceStatus:
    return ResourceStatus(
        group=key.group, version=api_version.rpartition("/")[2], kind=key.kind, namespace=key.namespace,
        name=key.name, status=status, health=health, sync_wave=wave,
    )  # fmt: skip


def _pruned(live: Live, *, confirm: bool, health: Health | None) -> ResourceStatus:
    told = _left(live, health)
    return msgspec.structs.replace(told, requires_pruning=True, requires_deletion_confirmation=confirm)


def _left(live: Live, health: Health | None) -> ResourceStatus:
    """What Git has no more."""
    return _resource(
        live.key, live.api_version, status="OutOfSync",
        health=ToldHealth(status=health.status, message=health.message) if health is not None else None,
        wave=wave_of(live.annotations),
    )  # fmt: skip
