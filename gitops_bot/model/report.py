"""The result of ``gitops-bot diff``: what JSON consumers, the comment and the terminal are all made from.

Its JSON schema is published as ``docs/schemas/diff.schema.json`` and generated from these types.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from gitops_bot.model.change import Action, Bucket, FieldChange
from gitops_bot.model.signal import Signal
from gitops_bot.model.target import Kind, NotRendered

SCHEMA_VERSION = "1"

Status = Literal["unchanged", "changed", "added", "removed", "failed", "skipped"]
"""``skipped``: nothing can be done about it here (a plugin), or not selected by ``--app``."""


class TargetReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One target as the run left it."""

    id: str
    name: str
    file: str
    """Where it is defined."""
    kind: Kind
    path: str
    status: Status
    plan: str | None = None
    """``sha256:…`` over the head side's normalised manifests, Secret values as presence marks; null with a reason."""
    plan_reason: str | None = None
    """Why there is no plan hash: not rendered because unchanged, random values, failed."""
    namespace: str = ""
    moved_from: str | None = None
    """Id on the base side when the target was recognised at another place."""
    reaches: str = ""
    """The revision it follows when that is not the base branch: its changes arrive later."""
    unchanged: int = 0
    """Resources equal on both sides (of a rendered target)."""
    warnings: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One distinct change, and every target that it happens in."""

    action: Action
    bucket: Bucket
    group: str
    kind: str
    namespace: str
    name: str
    api_version: str
    targets: tuple[str, ...]
    """Ids, in order."""
    renamed_from: str | None = None
    """Former name, for an object recognised under a new one."""
    hook: str | None = None
    fields: tuple[FieldChange, ...] = ()
    noise: tuple[FieldChange, ...] = ()
    hidden: int = 0
    """Fields hidden by ``ignoreDifferences``."""
    diff: str = ""
    """Unified diff of the object as YAML, Secrets masked."""
    images: tuple[tuple[str, str | None, str | None], ...] = ()


class Raised(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """One signal, and every target that it is raised in."""

    signal: Signal
    targets: tuple[str, ...]
    """Ids, in order."""
    silenced: str | None = None
    """Why it is silenced, as the settings of the base say; None where it is not."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Resources over all rendered targets; the first six add up to every resource seen on either side.

    An object that is renamed is one changed resource; the same change in three targets is three.
    """

    added: int = 0
    changed: int = 0
    removed: int = 0
    noise: int = 0
    """Differ in folded fields only."""
    ignored: int = 0
    """Differ only in what ``ignoreDifferences`` hides."""
    unchanged: int = 0
    targets: int = 0
    """Targets found and selected."""
    rendered: int = 0
    """Targets that were rendered (or read from the cache) because their inputs differ."""
    unaffected: int = 0
    """Targets whose inputs are the same on both sides: not rendered."""
    failed: int = 0
    skipped: int = 0


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Which two trees were compared."""

    base: str
    """Commit id."""
    head: str
    """Commit id, ``""`` for the working tree."""
    base_branch: str = ""
    how: Literal["merge", "conflict", "direct"] = "merge"
    conflicts: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """The whole result."""

    schema_version: str = msgspec.field(name="schemaVersion", default=SCHEMA_VERSION)
    compared: Compared
    counts: Counts
    targets: tuple[TargetReport, ...] = ()
    """In id order."""
    changes: tuple[Change, ...] = ()
    """In order of group, kind, namespace, name, first target."""
    signals: tuple[Raised, ...] = ()
    """Errors first, then in order of the signal's id, its object, path and message."""
    routine: bool = False
    """Nothing but images and charts move, by patch versions, and no signal is raised."""
    not_rendered: tuple[NotRendered, ...] = ()
    notes: tuple[str, ...] = ()
    """What the reader should know about the run: tool versions that matter, the Kubernetes version used."""
    tools: dict[str, str] = {}
    """Renderer versions: ``{"helm": "v4.2.3", "kustomize": "v5.8.1"}``."""
