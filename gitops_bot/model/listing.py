"""The result of ``gitops-bot apps``."""

from __future__ import annotations

import msgspec

from gitops_bot.model.target import Kind, NotRendered

SCHEMA_VERSION = "1"


class ListedSource(msgspec.Struct, frozen=True, kw_only=True):
    """One source of a target."""

    renderer: str
    """``helm``, ``kustomize``, ``directory``; ``""`` where it could not be told."""
    repository: str
    """URL without credentials; ``""`` for this repository."""
    path: str
    chart: str
    revision: str
    """As written: branch, tag, commit or range; ``""`` for a target without an Application."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One target."""

    id: str
    name: str
    kind: Kind
    file: str
    path: str
    namespace: str
    parent: str | None
    """Id of the target that renders this Application, null for one that lies in the tree."""
    sources: tuple[ListedSource, ...]
    reason: str
    """Why it cannot be rendered, ``""`` when it can."""
    warnings: tuple[str, ...]


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found in one tree."""

    schema_version: str = msgspec.field(name="schemaVersion", default=SCHEMA_VERSION)
    targets: tuple[Listed, ...]
    """In order of id."""
    problems: tuple[NotRendered, ...]
    """Broken definitions, and generators that yield nothing."""
