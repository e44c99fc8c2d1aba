"""``spec.syncPolicy`` as typed values: what an Application says about when and how it is applied. Pure.

Fields, defaults and the reading of durations are Argo CD's (application-semantics 2.3, 2.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from gitops_bot.model import typed

DEFAULT_HISTORY = 10
"""Entries of the history where ``revisionHistoryLimit`` is not given (Argo CD's, 2.14)."""
AUTOMATED_LIMIT = 5
"""Retries of an automated sync whose policy says nothing about them (Argo CD's, 2.3)."""

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PIECE = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"([-+]?)(?:0|((?:{_PIECE.pattern})+))", re.ASCII)
_BARE = re.compile(r"[-+]?[0-9]+", re.ASCII)


class PolicyError(ValueError):
    """A ``syncPolicy`` that cannot be read, so that nothing is applied: which field, and what is wrong with it."""


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of a policy; fields that newer versions of Argo CD add are let through."""


class Automated(_Wire, frozen=True, kw_only=True, rename="camel"):
    """``automated``: the agent syncs by itself."""

    enabled: bool = True
    prune: bool = False
    """Whether objects that left Git are deleted."""
    self_heal: bool = False
    """Whether changes made in the cluster are reverted."""
    allow_empty: bool = False
    """Whether a commit may leave nothing to apply."""


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """``retry.backoff``: how long is waited before a failed operation is tried again."""

    duration: float = 5.0
    """Seconds before the first retry."""
    factor: float = 2.0
    """What the wait is multiplied by for each further one."""
    max_duration: float = 180.0
    """Seconds at most; 0 and less mean that there is no most."""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """``retry``: the fast retries of one operation."""

    limit: int = 0
    """How many; 0 is none, a negative number as many as it takes."""
    backoff: Backoff = Backoff()
    refresh: bool = False
    """True when a retry picks up the newest commit instead of the one that failed."""

    def allows(self, done: int) -> bool:
        """Whether another retry may follow ``done`` of them."""
        return self.limit < 0 or done < self.limit


class NamespaceMetadata(_Wire, frozen=True, kw_only=True, rename="camel"):
    """``managedNamespaceMetadata``: what the namespace carries that ``CreateNamespace=true`` makes."""

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class SyncPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """``spec.syncPolicy``."""

    automated: Automated | None = None
    """None: a sync has to be asked for; so has one whose ``enabled`` is false (Argo CD's rule)."""
    sync_options: tuple[str, ...] = ()
    """As written; ``options.application_options`` reads them."""
    retry: Retry | None = None
    """None: not given; ``retries`` says what holds then."""
    namespace_metadata: NamespaceMetadata | None = None

    @property
    def automatic(self) -> Automated | None:
        """What holds for syncs that nobody asked for, None where there are none."""
        return self.automated if self.automated is not None and self.automated.enabled else None

    def retries(self, *, automated: bool) -> Retry:
        """The fast retries of an operation: those of the policy, else 5 for automated ones and none for others."""
        return self.retry or Retry(limit=AUTOMATED_LIMIT if automated else 0)


class _Backoff(_Wire, frozen=True, kw_only=True, rename="camel"):
    duration: str | int = ""
    factor: int | None = None
    max_duration: str | int = ""


class _Retry(_Wire, frozen=True, kw_only=True, rename="camel"):
    limit: int = 0
    backoff: _Backoff = _Backoff()
    refresh: bool = False


class _Policy(_Wire, frozen=True, kw_only=True, rename="camel"):
    automated: Automated | None = None
    sync_options: tuple[str, ...] = ()
    retry: _Retry | None = None
    managed_namespace_metadata: NamespaceMetadata | None = None


def read(value: Any) -> SyncPolicy:
    """The policy in ``spec.syncPolicy``, as YAML or JSON give it; None and fields that are null count as not given.

    Raises PolicyError: a policy that is read half could prune or heal what nobody asked for.
    """
    try:
        wire = typed.convert(_without_nulls(value if value is not None else {}), _Policy)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        problem = problem[:1].lower() + problem[1:].replace("`", "").replace(" | null", "")
        raise PolicyError(f"spec.syncPolicy{path.rstrip('`')}: {problem}") from None
    return SyncPolicy(
        automated=wire.automated,
        sync_options=wire.sync_options,
        retry=_retry(wire.retry) if wire.retry is not None else None,
        namespace_metadata=wire.managed_namespace_metadata,
    )


def _retry(wire: _Retry) -> Retry:
    backoff, standard = wire.backoff, Backoff()
    problems = []

    def given(field: Literal["duration", "maxDuration"], written: str | int, otherwise: float) -> float:
        try:
            return seconds(written) if written != "" else otherwise
        except ValueError as error:
            problems.append(f"spec.syncPolicy.retry.backoff.{field}: {error}")
            return otherwise

    read_backoff = Backoff(
        duration=given("duration", backoff.duration, standard.duration),
        factor=float(backoff.factor) if backoff.factor is not None else standard.factor,
        max_duration=given("maxDuration", backoff.max_duration, standard.max_duration),
    )
    if read_backoff.factor < 1:
        problems.append("spec.syncPolicy.retry.backoff.factor: must be 1 or more")
    if problems:
        raise PolicyError("; ".join(problems))
    return Retry(limit=wire.limit, backoff=read_backoff, refresh=wire.refresh)


def seconds(written: str | int) -> float:
    """A duration in seconds, as Argo CD reads it (2.5): a bare whole number counts seconds, else Go's ``1h30m``.

    Raises ValueError for anything else; days are none of Go's units.
    """
    text = str(written)
    if _BARE.fullmatch(text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is no duration; write it as 30s, 5m or 1h30m, or as a number of seconds")
    size = sum(float(number) * _UNITS[unit] for number, unit in _PIECE.findall(match[2] or ""))
    return -size if match[1] == "-" else size


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
