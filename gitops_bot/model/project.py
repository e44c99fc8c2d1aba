"""Argo CD's ``AppProject``: which sources, destinations and kinds it allows, by the rules of Argo CD's own methods.

Globs are Argo CD's: ``*`` in a source stays within one path segment, a leading ``!`` forbids what matches. What cannot
be known, such as the URL of a cluster that an Application only names, is taken for allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Literal

import msgspec

from gitops_bot.model import typed
from gitops_bot.model import url as urls
from gitops_bot.model.application import Destination
from gitops_bot.model.globs import glob_expression

DEFAULT_PROJECT = "default"
"""The project that every Argo CD has, and that allows everything unless somebody changed it."""
IN_CLUSTER = {"in-cluster": "https://kubernetes.default.svc"}
"""The name and URL that Argo CD knows its own cluster by."""


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of an AppProject; fields that do not matter here are let through."""


class Allowed(_Wire, frozen=True, kw_only=True, rename="camel"):
    """One entry of ``destinations``."""

    server: str | None = None
    name: str | None = None
    namespace: str | None = None


class KindRule(_Wire, frozen=True, kw_only=True, rename="camel"):
    """One entry of the four lists of kinds."""

    group: str | None = None
    kind: str | None = None
    name: str | None = None
    """Only in the lists of cluster-scoped kinds; None and ``""`` mean every name."""


class Project(_Wire, frozen=True, kw_only=True, rename="camel"):
    """``spec`` of an AppProject."""

    source_repos: tuple[str, ...] | None = None
    destinations: tuple[Allowed, ...] | None = None
    cluster_resource_whitelist: tuple[KindRule, ...] | None = None
    """None and an empty list forbid every cluster-scoped kind."""
    cluster_resource_blacklist: tuple[KindRule, ...] | None = None
    namespace_resource_whitelist: tuple[KindRule, ...] | None = None
    """None allows every namespaced kind, an empty list none."""
    namespace_resource_blacklist: tuple[KindRule, ...] | None = None
    signature_keys: Any = None
    """This and what follows is only known to be there or not: nobody here enforces it."""
    source_integrity: Any = None
    sync_windows: Any = None
    destination_service_accounts: Any = None
    roles: Any = None
    orphaned_resources: Any = None

    def allows_source(self, repository: str) -> bool:
        """Whether an Application may have a source of this repository."""
        url = urls.normalise_git(repository)
        found = False
        for entry in self.source_repos or ():
            denies = entry.startswith("!")
            pattern = entry if entry == "*" else urls.normalise_git(entry.removeprefix("!"))
            hit = _matches(pattern, url, "[^/]") is not denies
            if denies and not hit:
                return False
            found = found or hit
        return found

    def allows_kind(self, group: str, kind: str, name: str, *, namespaced: bool) -> bool:
        """Whether objects of this kind may be deployed."""
        if namespaced:
            white, black = self.namespace_resource_whitelist, self.namespace_resource_blacklist
            return (white is None or _in(white, group, kind)) and not _in(black, group, kind)
        white, black = self.cluster_resource_whitelist, self.cluster_resource_blacklist
        return _in(white, group, kind, name) and not _in(black, group, kind, name)

    def allows_place(self, server: str | None, name: str | None, namespace: str) -> bool:
        """Whether objects may go to a cluster (by what is known of it; None: not known) and namespace."""
        return self.allows_any(((server, name),), namespace)

    def allows_any(self, clusters: Iterable[tuple[str | None, str | None]], namespace: str) -> bool:
        """The same for a cluster that goes by several pairs of URL and name: one has to be allowed, none forbidden."""
        answers = {self._answer(server, name, namespace) for server, name in clusters}
        return "allowed" in answers and "denied" not in answers

    def _answer(
        self, server: str | None, name: str | None, namespace: str
    ) -> Literal["allowed", "denied", "not named"]:
        found = False
        for entry in self.destinations or ():
            at_name, at_server = _hits(entry.name, name), _hits(entry.server, server)
            at_namespace = _hits(entry.namespace or "", namespace) is True
            if at_namespace and (at_name is not False or at_server is not False):
                found = True
            elif (
                _denied(entry.name, at_name)
                or _denied(entry.server, at_server)
                or (not at_namespace and (entry.namespace or "").startswith("!"))
            ):
                return "denied"
        return "allowed" if found else "not named"


def _hits(pattern: str | None, value: str | None) -> bool | None:
    """Whether a value matches; None when it is not known, which only ``*`` matches for certain."""
    if not pattern:
        return False
    if value is None:
        return True if pattern == "*" else None
    if pattern.startswith("!"):
        return not _matches(pattern[1:], value, ".")
    return _matches(pattern, value, ".")


def _denied(pattern: str | None, hit: bool | None) -> bool:
    return hit is False and (pattern or "").startswith("!")


def _in(rules: Sequence[KindRule] | None, group: str, kind: str, name: str = "") -> bool:
    return any(
        fnmatchcase(kind, rule.kind or "")
        and fnmatchcase(group, rule.group or "")
        and (not rule.name or fnmatchcase(name, rule.name))
        for rule in rules or ()
    )


def _matches(pattern: str, value: str, anything: str) -> bool:
    return pattern == "*" or _expression(pattern, anything).fullmatch(value) is not None


@lru_cache(maxsize=1024)
def _expression(pattern: str, anything: str) -> re.Pattern[str]:
    """A glob as an expression; ``**`` also crosses what ``*`` does not."""
    parts = [glob_expression(part, anything=anything) for part in pattern.split("**")]
    try:
        return re.compile(".*".join(parts), re.DOTALL)
    except re.error:
        return re.compile(re.escape(pattern))


def read(document: Mapping[str, Any]) -> Project | None:
    """The project's limits, None for one that Argo CD could not read either."""
    try:
        return typed.convert(document.get("spec") or {}, Project)
    except msgspec.ValidationError:
        return None


def known_place(destination: Destination, clusters: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Server and name of an Application's cluster, None for what nobody here knows.

    ``clusters`` are URLs by name, of the capability snapshots.
    """
    known = {**clusters, **IN_CLUSTER}
    server, name = destination.server or None, destination.name or None
    if server is None and name is not None:
        server = known.get(name)
    elif name is None and server is not None:
        name = next((each for each, url in sorted(known.items()) if url == server), None)
    return server, name
