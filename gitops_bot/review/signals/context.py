"""What judging one target takes beside its renders: its cluster's version, its environment, its project, the policy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from gitops_bot.model.application import Application
from gitops_bot.model.project import DEFAULT_PROJECT
from gitops_bot.model.settings import Environment, Settings
from gitops_bot.model.signal import Signal
from gitops_bot.model.target import Target
from gitops_bot.render.discover import Discovery
from gitops_bot.render.workshop import Preparation
from gitops_bot.review.pairs import Pair
from gitops_bot.review.signals import schema
from gitops_bot.review.signals.apis import minor_version
from gitops_bot.review.signals.models import Reference, changed_references
from gitops_bot.review.signals.projects import Limits, Projects
from gitops_bot.review.signals.widening import widening

KubeVersions = Callable[[Target], str]
"""The Kubernetes version of a target's cluster as one side has it, ``""`` when it is not known."""


def _unknown(_target: Target) -> str:
    return ""


class Versions(NamedTuple):
    """The Kubernetes versions of clusters on both sides."""

    base: KubeVersions = _unknown
    head: KubeVersions = _unknown


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What one target is judged by."""

    base: Preparation | None = None
    head: Preparation | None = None
    kube_version: str = ""
    """The higher of both sides', ``""`` when neither is known: nobody escapes a rule by claiming an old cluster."""
    risen_from: str = ""
    """The base's version where the change raises it to another minor version, else ``""``."""
    protected: bool = False
    """Whether it belongs to a protected environment, on either side."""
    limits: Limits | None = None
    """Its AppProject; None without one."""
    references: tuple[Reference, ...] = ()
    """What the change does to the model rules' files that it reads."""
    parent: Application | None = None
    """The Application that renders its Application, on the head side; None when there is none."""

    @property
    def old(self) -> Application | None:
        """The Application of the base side."""
        return self.base.target.application if self.base is not None else None

    @property
    def new(self) -> Application | None:
        """The Application of the head side."""
        return self.head.target.application if self.head is not None else None


class Standards:
    """What all targets of one review are judged by: policy and limits are the base revision's."""

    def __init__(self, base: Discovery, head: Discovery, policy: Settings, versions: Versions) -> None:
        self._head = head
        self._policy = policy
        self._versions = versions
        self._projects = Projects(base.projects, head.projects)
        trees = base.tree, head.tree
        self._references: tuple[Reference, ...] = ()
        if policy.models and trees[0] is not None and trees[1] is not None:
            self._references = tuple(changed_references(trees[0], trees[1], policy))
        self._clusters: Mapping[str, str] = {**head.clusters, **base.clusters}
        self._widened: dict[tuple[str, str], tuple[Signal, ...]] = {}

    def context(self, one: Pair) -> Context:
        """What one target is judged by."""
        before, after = self._kube_versions(one)
        higher = after if (minor_version(after) or 0) > (minor_version(before) or 0) else before
        rises = bool(before) and (minor_version(after) or 0) > (minor_version(before) or 0)
        side = one.head or one.base
        assert side is not None
        protected = any(is_protected(target, self._policy.environments) for target in one.targets)
        # A chart brings every environment's value file along: only the protected ones' apps are meant.
        asked = self._references if protected and one.head is not None else ()
        read = set(one.head.reads.files()) if asked and one.head is not None else set()
        return Context(
            base=one.base,
            head=one.head,
            kube_version=higher,
            risen_from=before if rises else "",
            protected=protected,
            limits=self._limits(one.head.target.application if one.head is not None else None),
            references=tuple(each for each in asked if each.file in read),
            parent=self._parent(side.target),
        )

    def widened(self, one: Pair) -> tuple[Signal, ...]:
        """What a target's Application may do that it might not: its AppProject is wider, or it moves to a wider one.

        Asked of every target, rendered or not. An Application that is new, and a project that nobody here defines,
        raise nothing.
        """
        old, new = (side.target.application if side is not None else None for side in (one.base, one.head))
        if new is None:
            return ()
        after = new.spec.project or DEFAULT_PROJECT
        before = (old.spec.project or DEFAULT_PROJECT) if old is not None else after
        if (before, after) not in self._widened:
            self._widened[before, after] = widening(self._projects, before, after)
        return self._widened[before, after]

    def judges_anew(self, one: Pair) -> bool:
        """Whether a target is judged anew though it renders to the same.

        Its cluster's Kubernetes version rises, or it moves to another project or cluster.
        """
        before, after = self._kube_versions(one)
        if before and (minor_version(after) or 0) > (minor_version(before) or 0):
            return True
        if one.base is None or one.head is None:
            return False
        return moves_elsewhere(one.base.target.application, one.head.target.application)

    def notes(self, pairs: Iterable[Pair]) -> tuple[str, ...]:
        """What could not be judged, one sentence each."""
        judged = list(pairs)
        missing = self.missing_projects(judged)
        told = []
        if missing:
            names = f"AppProject {missing[0]} is" if len(missing) == 1 else f"AppProjects {', '.join(missing)} are"
            told.append(f"{names} not defined in this repository: what it allows was not checked")
        versions = {version for one in judged for version in self._kube_versions(one) if version}
        if schema.installed():
            told += [
                f"objects were not checked against the schemas of Kubernetes {version}: kubernetes-validate has none"
                for version in sorted(versions)
                if not schema.supported(version)
            ]
        return tuple(told)

    def missing_projects(self, pairs: Iterable[Pair]) -> tuple[str, ...]:
        """Names of projects that these targets' Applications belong to and that nobody here defines, in order."""
        applications = [one.head.target.application for one in pairs if one.head is not None]
        named = {application.spec.project for application in applications if application is not None}
        return tuple(sorted(name for name in named - {DEFAULT_PROJECT, ""} if not self._projects.of(name)))

    def _kube_versions(self, one: Pair) -> tuple[str, str]:
        before = self._versions.base(one.base.target) if one.base is not None else ""
        after = self._versions.head(one.head.target) if one.head is not None else ""
        if one.base is None and one.head is not None:
            # The cluster is there already: a new target must not name an older one than the base knows.
            before = self._versions.base(one.head.target)
        return before, after

    def _limits(self, application: Application | None) -> Limits | None:
        if application is None:
            return None
        name = application.spec.project or DEFAULT_PROJECT
        projects = self._projects.of(name)
        if not projects:
            return None
        new = self._projects.is_new(name)
        return Limits(
            name=name,
            projects=projects,
            widened=() if new else self._projects.allowed_by_head(name),
            is_new=new,
            application=application,
            clusters=self._clusters,
        )

    def _parent(self, target: Target) -> Application | None:
        parent = self._head.preparations.get(target.parent) if target.parent else None
        return parent.target.application if parent is not None else None


def moves_elsewhere(old: Application | None, new: Application | None) -> bool:
    """Whether an Application changes its project or destination, so that its project's limits are asked anew."""
    if old is None or new is None:
        return False
    return (old.spec.project, old.spec.destination) != (new.spec.project, new.spec.destination)


def is_protected(target: Target, environments: Mapping[str, Environment]) -> bool:
    """Whether a target belongs to a protected environment.

    By its directory; by what it follows where that is all the environment names.
    """
    for environment in environments.values():
        if not environment.protected:
            continue
        place = (environment.applications or "").strip("/")
        if place and (target.file == place or target.file.startswith(f"{place}/")):
            return True
        if not place and target.follows and target.follows in (environment.branch, environment.tag):
            return True
    return False
