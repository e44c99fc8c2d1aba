"""What an Application's AppProject forbids, as signals; the base judges, by the rules of ``model.project``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from gitops_bot.model import url as urls
from gitops_bot.model.application import Application
from gitops_bot.model.project import Project, known_place, read
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import Signal
from gitops_bot.render.definitions import Definition

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
        project = read(definition.document)
        if project is not None:
            found[definition.name] = (*found.get(definition.name, ()), project)
    return found


# -- judging ----------------------------------------------------------------------------------------------------------


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
