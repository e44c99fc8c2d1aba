"""Sync options: those of the Application, those of an object's annotations, and what both mean together. Pure.

Names and precedence are Argo CD's (application-semantics 2.9, 2.11, 2.13). Where it compares whole texts, so do we: an
option in another spelling has no effect, and is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
COMPARE_OPTIONS = "argocd.argoproj.io/compare-options"
HELM_POLICY = "helm.sh/resource-policy"

Removal = Literal["true", "false", "confirm"]
"""Whether an object may be deleted: yes, no, or once somebody approves."""
Propagation = Literal["foreground", "background", "orphan"]
Annotations = Mapping[str, str]

_BOTH = ("true", "false")
_REMOVAL = ("true", "false", "confirm")
_APPLICATION: Mapping[str, tuple[str, ...]] = {
    "CreateNamespace": _BOTH,
    "Prune": _REMOVAL,
    "Delete": _REMOVAL,
    "PruneLast": _BOTH,
    "PrunePropagationPolicy": ("foreground", "background", "orphan"),
    "Replace": _BOTH,
    "Force": _BOTH,
    "Validate": _BOTH,
    "ServerSideApply": _BOTH,
    "ClientSideApplyMigration": _BOTH,
    "SkipDryRunOnMissingResource": _BOTH,
    "ApplyOutOfSyncOnly": _BOTH,
    "RespectIgnoreDifferences": _BOTH,
    "FailOnSharedResource": _BOTH,
}
_OBJECT = ("Prune", "Delete", "PruneLast", "Replace", "Force", "Validate", "ServerSideApply",
           "ClientSideApplyMigration", "SkipDryRunOnMissingResource")  # fmt: skip
_COMPARE = ("IgnoreExtraneous", "ServerSideDiff=true", "ServerSideDiff=false", "IncludeMutationWebhook=true")


class ApplicationOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What ``spec.syncPolicy.syncOptions`` asks for."""

    create_namespace: bool = False
    prune: Removal = "true"
    delete: Removal = "true"
    """Whether objects go when the Application does."""
    prune_last: bool = False
    propagation: Propagation = "foreground"
    replace: bool = False
    force: bool = False
    validate: bool = True
    """False: unknown fields are dropped instead of refused."""
    migrate: bool = True
    """False: fields that a client-side apply owns stay its own."""
    skip_dry_run_on_missing: bool = False
    out_of_sync_only: bool = False
    respect_ignored: bool = False
    fail_on_shared: bool = False
    unknown: tuple[str, ...] = ()
    """Options that are none, as written."""


class ObjectOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the annotations of one object ask for; None where they say nothing."""

    prune: Removal | None = None
    delete: Removal | None = None
    prune_last: bool | None = None
    replace: bool | None = None
    force: bool | None = None
    validate: bool | None = None
    migrate: bool | None = None
    skip_dry_run_on_missing: bool | None = None
    ignore_extraneous: bool = False
    """An object that Git does not have does not count as out of sync."""
    keep: bool = False
    """Helm's ``resource-policy: keep``: it outlives its Application."""
    unknown: tuple[str, ...] = ()


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for one object."""

    prune: Removal
    delete: Removal
    prune_last: bool
    replace: bool
    force: bool
    validate: bool
    migrate: bool
    skip_dry_run_on_missing: bool
    ignore_extraneous: bool
    keep: bool


def application_options(written: Iterable[str]) -> ApplicationOptions:
    """The options of an Application."""
    found, unknown = _found(written, _APPLICATION)
    return ApplicationOptions(
        create_namespace=_flag(found, "CreateNamespace") or False,
        prune=_removal(found, "Prune") or "true",
        delete=_removal(found, "Delete") or "true",
        prune_last=_flag(found, "PruneLast") or False,
        propagation=_propagation(found),
        replace=_flag(found, "Replace") or False,
        force=_flag(found, "Force") or False,
        validate=_flag(found, "Validate") is not False,
        migrate=_flag(found, "ClientSideApplyMigration") is not False,
        skip_dry_run_on_missing=_flag(found, "SkipDryRunOnMissingResource") or False,
        out_of_sync_only=_flag(found, "ApplyOutOfSyncOnly") or False,
        respect_ignored=_flag(found, "RespectIgnoreDifferences") or False,
        fail_on_shared=_flag(found, "FailOnSharedResource") or False,
        unknown=unknown,
    )


def object_options(annotations: Annotations) -> ObjectOptions:
    """The options in an object's annotations, separated by commas."""
    known = {name: _APPLICATION[name] for name in _OBJECT}
    found, unknown = _found(annotations.get(SYNC_OPTIONS, "").split(","), known)
    compare = [each for each in map(str.strip, annotations.get(COMPARE_OPTIONS, "").split(",")) if each]
    return ObjectOptions(
        prune=_removal(found, "Prune"),
        delete=_removal(found, "Delete"),
        prune_last=_flag(found, "PruneLast"),
        replace=_flag(found, "Replace"),
        force=_flag(found, "Force"),
        validate=_flag(found, "Validate"),
        migrate=_flag(found, "ClientSideApplyMigration"),
        skip_dry_run_on_missing=_flag(found, "SkipDryRunOnMissingResource"),
        ignore_extraneous="IgnoreExtraneous" in compare,
        keep=annotations.get(HELM_POLICY, "").strip() == "keep",
        unknown=unknown + tuple(each for each in dict.fromkeys(compare) if each not in _COMPARE),
    )


def effective(application: ApplicationOptions, desired: Annotations | None, live: Annotations | None) -> Effective:
    """What holds for one object, from its Application and its annotations in Git and in the cluster (None: not there).

    Whether an object goes is for the live one to say (2.9), and its word beats the Application's. ``Replace`` and
    ``Force`` count on either side, so that removing them takes a sync to have its effect.
    """
    ours, theirs = object_options(desired or {}), object_options(live or {})
    removal = theirs if live is not None else ours
    return Effective(
        prune=removal.prune or application.prune,
        delete=removal.delete or application.delete,
        prune_last=application.prune_last or bool(removal.prune_last),
        replace=_either(application.replace, ours.replace, theirs.replace),
        force=_either(application.force, ours.force, theirs.force),
        validate=_first(ours.validate, application.validate),
        migrate=_first(ours.migrate, application.migrate),
        skip_dry_run_on_missing=application.skip_dry_run_on_missing or bool(ours.skip_dry_run_on_missing),
        ignore_extraneous=removal.ignore_extraneous,
        keep=removal.keep,
    )


def _either(application: bool, desired: bool | None, live: bool | None) -> bool:
    """An option that any of the three may switch on; ``=false`` in Git switches it off for this object."""
    return desired is not False and (application or bool(desired) or bool(live))


def _first(word: bool | None, otherwise: bool) -> bool:
    return otherwise if word is None else word


def _found(
    written: Iterable[str], known: Mapping[str, tuple[str, ...]]
) -> tuple[Mapping[str, frozenset[str]], tuple[str, ...]]:
    """The values of each known option, and the options that are not known, each once."""
    found: dict[str, frozenset[str]] = {}
    unknown: dict[str, None] = {}
    for option in filter(None, map(str.strip, written)):
        name, _, value = option.partition("=")
        if value in known.get(name, ()):
            found[name] = found.get(name, frozenset()) | {value}
        else:
            unknown[option] = None
    return found, tuple(unknown)


_CAUTIOUS = {"Validate": "true", "ClientSideApplyMigration": "true"}
"""Options whose careful value is not ``false``."""


def _flag(found: Mapping[str, frozenset[str]], name: str) -> bool | None:
    """An option's value; given both ways, the careful one counts (ours). None where it is not given."""
    values = found.get(name)
    if not values:
        return None
    return (_CAUTIOUS.get(name, "false") if len(values) > 1 else next(iter(values))) == "true"


def _removal(found: Mapping[str, frozenset[str]], name: str) -> Removal | None:
    """``Prune`` or ``Delete``; of several values the one that deletes least counts (ours)."""
    values = found.get(name, frozenset())
    if "false" in values:
        return "false"
    if "confirm" in values:
        return "confirm"
    return "true" if values else None


def _propagation(found: Mapping[str, frozenset[str]]) -> Propagation:
    """How dependants go; of several values the one that deletes least counts (ours)."""
    values = found.get("PrunePropagationPolicy", frozenset())
    if "orphan" in values:
        return "orphan"
    return "background" if values == {"background"} else "foreground"
