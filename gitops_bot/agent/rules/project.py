"""What an Application may not do under its AppProject, as conditions. Pure.

The rules are Argo CD's (application-semantics 2.18); ``model.project`` has those that a review asks too. Here nothing
is unknown: the agent knows its one cluster. What a project asks for and nobody here enforces is never passed over: what
would make a sync unsafe refuses it, the rest is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gitops_bot.model import url as urls
from gitops_bot.model.application import Application, Destination
from gitops_bot.model.project import DEFAULT_PROJECT, IN_CLUSTER, Allowed, KindRule, Project
from gitops_bot.model.resource import ResourceKey

INVALID = "InvalidSpecError"
"""The condition that stops every sync (2.6)."""
FORBIDDEN = "ResourceForbiddenError"
"""The condition for objects that the project does not allow: they are Unknown (2.2), and nothing is synced."""
LEFT = "ResourceForbiddenWarning"
"""The condition for objects that have left Git, and that the project does not allow to prune."""
NOT_ENFORCED = "ProjectNotEnforcedWarning"
_MOST_NAMED = 10

Conditions = tuple[tuple[str, str], ...]
"""Pairs of type and message, for ``state.conditions``."""

EVERYTHING = Project(
    source_repos=("*",),
    destinations=(Allowed(server="*", namespace="*"),),
    cluster_resource_whitelist=(KindRule(group="*", kind="*"),),
)
"""The project ``default`` as Argo CD makes it."""

_REFUSED = {
    "signature_keys": "signed commits (signatureKeys)",
    "source_integrity": "verified sources (sourceIntegrity)",
    "sync_windows": "sync windows (syncWindows)",
}
_TOLD = {
    "destination_service_accounts": "destinationServiceAccounts (the agent's own account applies everything)",
    "roles": "roles (Kubernetes RBAC decides in the cluster, the repository's permissions on GitHub)",
    "orphaned_resources": "orphanedResources",
}


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's own cluster, as Applications and projects name it."""

    name: str = ""
    """``--cluster-name``, ``""`` for none."""
    server: str = ""
    """URL of its API server as Applications elsewhere name it, ``""`` where nobody does."""

    def is_meant(self, destination: Destination) -> bool:
        """Whether a destination is this cluster: ``in-cluster`` and its URL always are."""
        return bool(self.places(destination))

    def places(self, destination: Destination) -> tuple[tuple[str, str], ...]:
        """Pairs of URL and name that the destination means; empty for another cluster.

        Who names the cluster by its own name or URL does not mean what a project says about ``in-cluster``: that may be
        the cluster of an Argo CD which this one was remote to.
        """
        named = (self.server, self.name)
        server, name = (destination.server or "").rstrip("/"), destination.name or ""
        if server in IN_CLUSTER.values() or (not server and name in IN_CLUSTER):
            return (*((url, each) for each, url in IN_CLUSTER.items()), *([named] if any(named) else []))
        meant = server == self.server.rstrip("/") if server else name == self.name
        return (named,) if meant and (server or name) else ()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one Application."""

    application: Application
    name: str
    project: Project
    cluster: Cluster

    def refusals(self) -> Conditions:
        """Why the Application may not be synced at all; all reasons at once, empty when it may."""
        destination = self.application.spec.destination
        elsewhere = not self.cluster.is_meant(destination)
        found = [_elsewhere(destination)] if elsewhere else []
        found += [
            f"AppProject {self.name} does not allow the source {urls.shown(source.repo_url)}; "
            "allow it in sourceRepos, or take another project"
            for source in self.application.sources
            if not self.project.allows_source(source.repo_url)
        ]
        if not elsewhere and not self._place(destination.namespace):
            found.append(
                f"AppProject {self.name} does not allow the destination {_named(destination)}, namespace "
                f"{destination.namespace or '(none)'}; allow it in destinations, or take another project"
            )
        found += [
            f"AppProject {self.name} asks for {what}, which this agent does not enforce; it syncs nothing rather than "
            "against that limit"
            for field, what in _REFUSED.items()
            if getattr(self.project, field)
        ]
        return tuple((INVALID, message) for message in found)

    def notes(self) -> Conditions:
        """What the project asks for and nobody here enforces, where that makes no sync unsafe."""
        return tuple(
            (NOT_ENFORCED, f"AppProject {self.name} has {what}, which this agent does not enforce")
            for field, what in _TOLD.items()
            if getattr(self.project, field)
        )

    def permits(self, key: ResourceKey) -> bool:
        """Whether the project allows an object: to be applied, and to be pruned (2.9)."""
        allowed = self.project.allows_kind(key.group, key.kind, key.name, namespaced=bool(key.namespace))
        return allowed and (not key.namespace or self._place(key.namespace))

    def forbidden(self, keys: Iterable[ResourceKey]) -> tuple[frozenset[ResourceKey], Conditions]:
        """The objects that the project does not allow, and what to tell about them."""
        answers: dict[ResourceKey, bool] = {}

        def permits(key: ResourceKey) -> bool:
            # Of an object in a namespace the name decides nothing.
            alike = key._replace(name="") if key.namespace else key
            if alike not in answers:
                answers[alike] = self.permits(key)
            return answers[alike]

        found = sorted(key for key in keys if not permits(key))
        message = f"AppProject {self.name} does not allow {_counted(found)}: nothing is synced while Git has that"
        return frozenset(found), ((FORBIDDEN, message),) if found else ()

    def left(self, keys: Sequence[ResourceKey]) -> Conditions:
        """What to tell about objects that have left Git, and that the project does not allow to prune."""
        message = f"AppProject {self.name} does not allow {_counted(keys)}: not in Git any more, and not pruned"
        return ((LEFT, message),) if keys else ()

    def _place(self, namespace: str) -> bool:
        return self.project.allows_any(self.cluster.places(self.application.spec.destination), namespace)


def _counted(keys: Sequence[ResourceKey]) -> str:
    more = f" and {len(keys) - _MOST_NAMED:,} more" if len(keys) > _MOST_NAMED else ""
    return ", ".join(map(str, keys[:_MOST_NAMED])) + more


def _elsewhere(destination: Destination) -> str:
    named = _named(destination)
    if not named:
        return f"spec.destination names no cluster; write server: {IN_CLUSTER['in-cluster']} for this one"
    return f"its destination {named} is not this cluster; the agent there applies it"


def _named(destination: Destination) -> str:
    return destination.name or urls.shown(destination.server or "")


def limits_of(
    application: Application, projects: Mapping[str, Project | None], cluster: Cluster
) -> Limits | tuple[str, str]:
    """The limits of an Application by its project, or the condition that refuses it where there are none.

    ``projects`` are those of the agent's namespace by name, None for one that cannot be read. Only ``default`` need not
    be there: it allows everything then, as in every Argo CD.
    """
    name = application.spec.project or DEFAULT_PROJECT
    if name not in projects and name != DEFAULT_PROJECT:
        return INVALID, f"AppProject {name} does not exist; create it, or name another one in spec.project"
    project = projects.get(name, EVERYTHING)
    if project is None:
        return INVALID, f"AppProject {name} cannot be read; correct the types of its fields"
    return Limits(application=application, name=name, project=project, cluster=cluster)
