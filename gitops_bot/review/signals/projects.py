"""What an AppProject allows: sources, destinations and kinds, by the rules of Argo CD's own AppProject methods.

Globs are Argo CD's: ``*`` in a source stays within one path segment, a leading ``!`` forbids what matches. What cannot
be known here, such as the URL of a cluster that an Application names, is taken for allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

import msgspec

from gitops_bot.model import url as urls
from gitops_bot.model.application import Application
from gitops_bot.model.application import Destination as Place
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import Signal
from gitops_bot.render.definitions import Definition
from gitops_bot.render.engines.values import glob_expression

DEFAULT_PROJECT = "default"
"""The project that every Argo CD has, and that allows everything unless somebody changed it."""
_IN_CLUSTER = {"in-cluster": "https://kubernetes.default.svc"}
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
                return False
        return found


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


# -- which project judges ---------------------------------------------------------------------------------------------


class Projects:
    """The AppProjects of both sides: the base's judge, the head's only where the base has none of the name."""

    def __init__(self, base: Iterable[Definition] = (), head: Iterable[Definition] = ()) -> None:
        self._base, self._head = _by_name(base), _by_name(head)

    def of(self, name: str) -> tuple[Project, ...]:
        """The definitions of one name: what one of several allows is allowed. Empty when there is none."""
        return self._base.get(name) or self._head.get(name) or ()

    def is_new(self, name: str) -> bool:
        """Whether only the head has a project of this name."""
        return name not in self._base and name in self._head

    def allowed_by_base(self, name: str) -> tuple[Project, ...]:
        """The base's definitions of one name."""
        return self._base.get(name, ())

    def allowed_by_head(self, name: str) -> tuple[Project, ...]:
        """The head's definitions of one name."""
        return self._head.get(name, ())


def _by_name(definitions: Iterable[Definition]) -> Mapping[str, tuple[Project, ...]]:
    found: dict[str, tuple[Project, ...]] = {}
    for definition in definitions:
        project = _read(definition.document)
        if project is not None:
            found[definition.name] = (*found.get(definition.name, ()), project)
    return found


def _read(document: Mapping[str, Any]) -> Project | None:
    """The project's limits, None for one that Argo CD could not read either."""
    try:
        return msgspec.convert(document.get("spec") or {}, Project)
    except msgspec.ValidationError:
        return None


# -- judging ----------------------------------------------------------------------------------------------------------


def known_place(destination: Place, clusters: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Server and name of an Application's cluster, None for what nobody here knows.

    ``clusters`` are URLs by name, of the capability snapshots.
    """
    known = {**clusters, **_IN_CLUSTER}
    server, name = destination.server or None, destination.name or None
    if server is None and name is not None:
        server = known.get(name)
    elif name is None and server is not None:
        name = next((each for each, url in sorted(known.items()) if url == server), None)
    return server, name


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one Application: its project, as the sides that judge define it."""

    name: str
    projects: tuple[Project, ...]
    """Never empty; what one of them allows is allowed."""
    widened: tuple[Project, ...] = ()
    """The head's definitions, where the base's judge: what they allow is told, and does not count."""
    is_new: bool = False
    """True when only the head defines the project."""
    application: Application
    clusters: Mapping[str, str] = {}

    def broken_by_definition(self) -> Iterator[Signal]:
        """What the Application's own fields ask for and the project forbids."""
        for index, source in enumerate(self.application.sources):
            if not any(project.allows_source(source.repo_url) for project in self.projects):
                allowed = any(project.allows_source(source.repo_url) for project in self.widened)
                path = f"spec.sources[{index}].repoURL" if self.application.spec.sources else "spec.source.repoURL"
                shown = urls.shown(source.repo_url)
                yield self._signal(f"does not allow the source {shown}", allowed=allowed, path=path)
        destination = self.application.spec.destination
        if not self._any_place(self.projects, destination.namespace):
            cluster = destination.name or urls.shown(destination.server or "") or "(no cluster)"
            yield self._signal(
                f"does not allow the destination {cluster}, namespace {destination.namespace or '(none)'}",
                allowed=self._any_place(self.widened, destination.namespace),
                path="spec.destination",
            )

    def broken_by(self, key: ResourceKey) -> Iterator[Signal]:
        """What the project forbids about one object."""
        group, kind, namespace, name = key
        scoped = bool(namespace)

        def allows_kind(projects: Sequence[Project]) -> bool:
            return any(project.allows_kind(group, kind, name, namespaced=scoped) for project in projects)

        if not allows_kind(self.projects):
            what = f"{'' if scoped else 'cluster-scoped '}objects of kind {kind}{f'.{group}' if group else ''}"
            yield self._signal(f"does not allow {what}", allowed=allows_kind(self.widened), key=key)
        own = self.application.spec.destination.namespace
        if scoped and namespace != own and not self._any_place(self.projects, namespace):
            allowed = self._any_place(self.widened, namespace)
            yield self._signal(f"does not allow the namespace {namespace}", allowed=allowed, key=key)

    def _any_place(self, projects: Sequence[Project], namespace: str) -> bool:
        server, name = known_place(self.application.spec.destination, self.clusters)
        return any(project.allows_place(server, name, namespace) for project in projects)

    def _signal(self, problem: str, *, allowed: bool, key: ResourceKey | None = None, path: str = "") -> Signal:
        who = f"AppProject {self.name}{', which this change adds,' if self.is_new else ''}"
        more = "; this change would allow it, but the limits of the base hold until it is merged" if allowed else ""
        group, kind, namespace, name = key or ("", "", "", "")
        return Signal(
            id="project-forbids",
            severity="error",
            message=f"{who} {problem}{more}",
            group=group,
            kind=kind,
            namespace=namespace,
            name=name,
            path=path,
        )
