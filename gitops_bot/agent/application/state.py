"""``Application.status`` in Argo CD's shape: what is kept about an Application, all of it in its own object. Pure.

Field names and meaning are Argo CD's (``argoproj.io/v1alpha1``, application-semantics 2.2, 2.6, 2.7, 2.14). Its CRD
drops fields that it does not know, so there are none of our own: what else must survive a restart is in annotations.
How an operation and the history go on is in ``operation``, how a status is made to fit in ``bounds``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from gitops_bot.agent.health.verdict import Status as HealthCode
from gitops_bot.manifests.redact import mask_text
from gitops_bot.manifests.secret_text import may_be_secret
from gitops_bot.model import typed
from gitops_bot.model.resource import ResourceKey

SyncCode = Literal["Synced", "OutOfSync", "Unknown"]
OperationPhase = Literal["Running", "Terminating", "Failed", "Error", "Succeeded"]
ResultCode = Literal["Synced", "SyncFailed", "Pruned", "PruneSkipped"]
Specification = dict[str, Any]
"""A source, destination or rule of the Application's ``spec``, as it is written there."""

LONGEST_MESSAGE = 1000
"""Characters of one message."""
_T = TypeVar("_T")
_S = TypeVar("_S", bound=msgspec.Struct)


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of a status. Fields without a default are those that Argo CD's CRD requires; unknown ones do no harm."""


class Health(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``health``, of the Application or of one object."""

    status: HealthCode
    message: str = ""
    last_transition_time: datetime | None = None


class ResourceStatus(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One entry of ``status.resources``."""

    group: str = ""
    version: str = ""
    kind: str
    namespace: str = ""
    name: str
    status: SyncCode | None = None
    health: Health | None = None
    hook: bool = False
    requires_pruning: bool = False
    requires_deletion_confirmation: bool = False
    sync_wave: int = 0

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self.group, self.kind, self.namespace, self.name)


class ComparedTo(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``sync.comparedTo``: the specification that the comparison was made with."""

    destination: Specification
    source: Specification | None = None
    sources: tuple[Specification, ...] = ()
    ignore_differences: tuple[Specification, ...] = ()


class Sync(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``sync``."""

    status: SyncCode
    compared_to: ComparedTo | None = None
    revision: str = ""
    """The commit, for one source."""
    revisions: tuple[str, ...] = ()
    """The commits of several sources, in their order."""


class Initiator(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Who asked for an operation."""

    username: str = ""
    automated: bool = False


class OperationResource(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One object that a selective sync is limited to."""

    group: str = ""
    kind: str
    namespace: str = ""
    """``""`` is any namespace, as Argo CD matches it."""
    name: str


class SyncOperation(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``operation.sync``: what is to be done."""

    revision: str = ""
    revisions: tuple[str, ...] = ()
    prune: bool = False
    dry_run: bool = False
    resources: tuple[OperationResource, ...] = ()
    """The only objects that are synced; empty: all of them."""
    sync_options: tuple[str, ...] = ()
    sync_strategy: Any = None
    source: Specification | None = None
    sources: tuple[Specification, ...] = ()
    manifests: tuple[str, ...] = ()
    """Manifests that do not come from Git."""
    self_heal_attempts_count: int = 0


class Operation(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``operation``: as people write it beside ``spec``, and as ``operationState`` keeps it."""

    sync: SyncOperation | None = None
    initiated_by: Initiator | None = None
    info: tuple[dict[str, str], ...] = ()
    retry: Any = None


class ResourceResult(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What an operation did with one object."""

    group: str
    version: str
    kind: str
    namespace: str
    name: str
    status: ResultCode | None = None
    message: str = ""
    hook_type: str = ""
    hook_phase: str = ""
    sync_phase: str = ""

    @property
    def key(self) -> ResourceKey:
        return ResourceKey(self.group, self.kind, self.namespace, self.name)


class SyncResult(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``operationState.syncResult``: what was synced, and with which results."""

    revision: str
    revisions: tuple[str, ...] = ()
    source: Specification | None = None
    sources: tuple[Specification, ...] = ()
    resources: tuple[ResourceResult, ...] = ()


class OperationState(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``operationState``: the operation that runs, or the last one."""

    operation: Operation
    phase: OperationPhase
    message: str = ""
    sync_result: SyncResult | None = None
    started_at: datetime
    finished_at: datetime | None = None
    """Set while ``phase`` is still Running: it waits for a retry (2.5)."""
    retry_count: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it is about the whole Application, and in earnest."""
        sync = self.operation.sync
        return sync is not None and not sync.resources and not sync.dry_run

    @property
    def is_finished(self) -> bool:
        return self.phase in ("Failed", "Error", "Succeeded")


class HistoryEntry(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One entry of ``history``: a full sync that succeeded."""

    id: int
    revision: str = ""
    revisions: tuple[str, ...] = ()
    source: Specification | None = None
    sources: tuple[Specification, ...] = ()
    deploy_started_at: datetime | None = None
    deployed_at: datetime
    initiated_by: Initiator | None = None


class Condition(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One entry of ``conditions``; types that end in ``Error`` or ``Warning`` are shown as such."""

    type: str
    message: str
    last_transition_time: datetime | None = None


class Summary(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``summary``."""

    images: tuple[str, ...] = ()
    """Images of the Application's containers, in order."""
    external_urls: tuple[str, ...] = msgspec.field(name="externalURLs", default=())


class Status(_Wire, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """``status``."""

    sync: Sync | None = None
    health: Health | None = None
    operation_state: OperationState | None = None
    history: tuple[HistoryEntry, ...] = ()
    """Oldest first."""
    resources: tuple[ResourceStatus, ...] = ()
    conditions: tuple[Condition, ...] = ()
    reconciled_at: datetime | None = None
    source_type: str = ""
    """``Helm``, ``Kustomize``, ``Directory``, ``Plugin``; of one source, ``source_types`` of several."""
    source_types: tuple[str, ...] = ()
    summary: Summary | None = None


# -- from and to the cluster's JSON -----------------------------------------------------------------------------------

_ENTRIES: Mapping[str, type[Any]] = {"resources": ResourceStatus, "history": HistoryEntry, "conditions": Condition}


def read(value: Any) -> Status:
    """The status in ``Application.status`` as the API server gives it; None is one that says nothing.

    Never fails: fields that are not known, and parts that cannot be read, are left out. The next comparison says them
    anew.
    """
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(Status):
        given = value.get(field.encode_name) if isinstance(value, Mapping) else None
        entry = _ENTRIES.get(field.encode_name)
        if given is not None and entry is not None:
            items = given if isinstance(given, list) else []
            found[field.name] = tuple(each for each in (_converted(item, entry) for item in items) if each is not None)
        elif given is not None:
            part = _converted(given, field.type)
            if part is not None:
                found[field.name] = part
    return Status(**found)


@lru_cache(maxsize=16)
def unpack(packed: bytes) -> Status:
    """The status in a status's JSON, as ``read`` gives it, and fifty times as fast where all of it can be read.

    As many are kept as Applications are worked on at once: each is asked for many times in one look.
    """
    if b"null" not in packed:
        with contextlib.suppress(msgspec.ValidationError):
            return typed.decode(packed, Status)
    return read(msgspec.json.decode(packed))


def read_operation(value: Any) -> Operation | None:
    """The operation that somebody wrote into ``Application.operation``, None where there is none.

    Raises ValueError for one that cannot be read: half of it could be more than was meant.
    """
    try:
        return None if value is None else typed.convert(_without_nulls(value), Operation)
    except msgspec.ValidationError as error:
        raise ValueError(f"the Application's operation cannot be read: {error}") from None


def _converted(value: Any, kind: type[_T]) -> _T | None:
    try:
        return typed.convert(_without_nulls(value), kind)
    except msgspec.ValidationError:
        return None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def in_seconds(status: Status) -> Status:
    """The status with its moments in whole seconds of UTC, as Kubernetes keeps them.

    Those of single resources are as they were read: we write none.
    """
    state = status.operation_state
    if state is not None:
        state = _even(state, "started_at", "finished_at")
    return replace(
        _even(status, "reconciled_at"),
        operation_state=state,
        health=_even(status.health, "last_transition_time") if status.health is not None else None,
        history=tuple(_even(each, "deploy_started_at", "deployed_at") for each in status.history),
        conditions=tuple(_even(each, "last_transition_time") for each in status.conditions),
    )


def _even(value: _S, *names: str) -> _S:
    moments: dict[str, datetime] = {name: moment for name in names if (moment := getattr(value, name)) is not None}
    return replace(value, **{name: each.astimezone(UTC).replace(microsecond=0) for name, each in moments.items()})


def write(status: Status) -> dict[str, Any]:
    """A status as JSON values, moments in whole seconds of UTC as Kubernetes writes them."""
    built: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(in_seconds(status)))
    return built


# -- what is told -----------------------------------------------------------------------------------------------------


def told(text: str) -> str:
    """A message as a status may hold it: no secret in it, no line of its own, at most 1,000 characters."""
    short = " ".join(text[: 4 * LONGEST_MESSAGE].split())
    masked = mask_text(short) if may_be_secret(short) else short
    return masked if len(masked) <= LONGEST_MESSAGE else masked[: LONGEST_MESSAGE - 1] + "…"


def health(former: Health | None, status: HealthCode, message: str, now: datetime) -> Health:
    """The Application's health; its time moves only when the status does (2.7)."""
    stays = former is not None and former.status == status and former.last_transition_time is not None
    since = former.last_transition_time if stays and former is not None else now
    return Health(status=status, message=told(message), last_transition_time=since)


def conditions(former: Iterable[Condition], current: Iterable[tuple[str, str]], now: datetime) -> tuple[Condition, ...]:
    """The conditions that hold now, from pairs of type and message: in order, each once.

    A condition that was there with the same message keeps its time.
    """
    since = {(each.type, each.message): each.last_transition_time for each in former}
    pairs = sorted({(type_, told(message)) for type_, message in current})
    return tuple(
        Condition(type=pair[0], message=pair[1], last_transition_time=since.get(pair) or now) for pair in pairs
    )
