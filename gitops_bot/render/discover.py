"""Finding what is deployed: Applications wherever they lie, what they generate, and what needs no Application."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.manifests.documents import decode
from gitops_bot.manifests.yaml import YamlError
from gitops_bot.model.application import Application
from gitops_bot.model.applicationset import RenderTemplates
from gitops_bot.model.target import NotRendered, Target
from gitops_bot.model.tree import Tree
from gitops_bot.render import plain
from gitops_bot.render.applicationsets.applicationset import expand
from gitops_bot.render.definitions import Definition, Definitions, definitions_in, find_definitions
from gitops_bot.render.prepared import Capabilities, Fetcher, Prepared
from gitops_bot.render.settings import read_clusters
from gitops_bot.render.targets import application_target, unique
from gitops_bot.render.workshop import Preparation, Workshop

_FINALIZER = "resources-finalizer.argocd.argoproj.io"

_DEEPEST = 10
"""How many parents an Application may have above it (app of apps of apps …)."""

_AT_ONCE = 8
"""How many targets are prepared at once: preparing waits for sources from afar, where there are any."""

_GROUP = re.compile(rb"""argoproj\.io|apiVersion["']?\s*:[^\n]*\\""")
_APPLICATION = re.compile(
    rb"""[kK]ind["']?\s*:\s*(?:[&!|>]\S*\s+){0,3}(?:\{\{-?\s*)?["']?"""
    rb"""(?:Application(?:Set)?(?:List)?\b|[A-Za-z]*\\|(?<=!!binary )\S)"""
)
"""What files that can yield Applications contain: the group and a kind of ours, or either with an escape in it.
A cheap test that lets everything else go unrendered here; the two may stand in different files of one target."""


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What is deployed from one tree."""

    preparations: Mapping[str, Preparation]
    """By target id, in order of id."""
    problems: tuple[NotRendered, ...] = ()
    """Definitions that are broken and generators that yield nothing."""
    projects: tuple[Definition, ...] = ()
    """The AppProjects of files and of what renders Applications, in the order in which they were found."""
    clusters: Mapping[str, str] = {}
    """URLs of clusters by name, of the capability snapshots that have one."""
    tree: Tree | None = None
    """The tree that was looked in; None only where somebody made this value by hand."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The tree to look in, and how to read it."""

    tree: Tree
    revision: str = ""
    """Commit id, for the variables that show it; ``""`` for the working tree."""
    own: Callable[[str], bool]
    """Whether a repository URL means this repository."""
    capabilities: Callable[[Target], Capabilities]
    """What the cluster of a target can do."""
    may_be_empty: tuple[str, ...] = ()
    """Globs of names of ApplicationSets that may yield nothing."""
    fetcher: Fetcher
    render_templates: RenderTemplates
    """Evaluates Go templates for ApplicationSets."""


def discover(place: Place, workshop: Workshop) -> Discovery:
    """Every target of a tree, prepared; errors are part of the result, never raised."""
    finder = _Finder(place, workshop)
    finder.add_definitions()
    finder.add_plain(plain.charts)
    finder.add_plain(plain.overlays)
    finder.add_plain(plain.directories)
    return Discovery(
        preparations=dict(sorted(finder.found.items())),
        problems=tuple(sorted(set(finder.problems), key=lambda problem: (problem.id, problem.reason))),
        projects=tuple(finder.projects),
        clusters=_cluster_urls(place.tree),
        tree=place.tree,
    )


def _cluster_urls(tree: Tree) -> dict[str, str]:
    """What snapshots say of where clusters are; nothing where one is broken, which whoever renders for it tells."""
    try:
        return {name: cluster.server for name, cluster in read_clusters(tree).items() if cluster.server}
    except UsageError:
        return {}


class _Mentions(NamedTuple):
    """What a file says of Argo CD."""

    group: bool
    kind: bool


def _mentioned(content: bytes) -> _Mentions:
    """What a file says; UTF-16 is read as what it means, text that is none says nothing."""
    try:
        data = decode(content)
    except YamlError:
        return _Mentions(False, False)
    return _Mentions(_GROUP.search(data) is not None, _APPLICATION.search(data) is not None)


class _Finder:
    """The state of one discovery."""

    def __init__(self, place: Place, workshop: Workshop) -> None:
        self.place = place
        self.workshop = workshop
        self.found: dict[str, Preparation] = {}
        self.problems: list[NotRendered] = []
        self.projects: list[Definition] = []
        self._mentions: dict[str, _Mentions] = {}

    # -- with Applications ----------------------------------------------------------------------------------------

    def add_definitions(self) -> None:
        """The Applications and ApplicationSets of files, and what they render."""
        definitions = find_definitions(self.place.tree)
        self.problems += definitions.problems
        self.projects += definitions.projects
        self.add([target for definition in _deployed(definitions) for target in self._targets(definition, None)])

    def _targets(self, definition: Definition, parent: Preparation | None) -> list[Target]:
        """The targets that one definition stands for: one for an Application, any number for an ApplicationSet."""
        file = parent.target.file if parent else definition.file
        above = parent.target.id if parent else None
        if definition.application is not None:
            return [application_target(definition.application, file=file, own=self.place.own, parent=above)]
        expansion = expand(
            definition,
            tree=self.place.tree,
            is_own=self.place.own,
            fetcher=self.place.fetcher,
            render_templates=self.place.render_templates,
            may_be_empty=any(fnmatchcase(definition.name, glob) for glob in self.place.may_be_empty),
        )
        self.problems += expansion.problems
        return [
            msgspec.structs.replace(
                application_target(application, file=file, own=self.place.own, parent=above), generated=True
            )
            for application in _with_finalizers(expansion.applications, definition.document)
        ]

    # -- without --------------------------------------------------------------------------------------------------

    def add_plain(self, find: Callable[[Tree, Collection[str]], Iterable[Target]]) -> None:
        """Targets of one plain kind, of files that nothing found so far reads.

        Those that render Applications come first: what their Applications read is no plain target any more.
        """
        while True:
            claimed = {file for preparation in self.found.values() for file in preparation.reads.files()}
            candidates = [target for target in find(self.place.tree, claimed) if target.id not in self.found]
            parents = [
                one.target
                for one in self._prepare_all(candidates)
                if one.error is None and self._yields_applications(one)
            ]
            self.add(parents or candidates)
            if not parents:
                return

    # -- adding ---------------------------------------------------------------------------------------------------

    def add(self, targets: Iterable[Target], depth: int = 0) -> None:
        """Prepare targets, and add the Applications that they render."""
        new = self._prepare_all(unique(targets).values())
        self.found.update((one.target.id, one) for one in new)
        parents = [one for one in new if one.error is None and self._yields_applications(one)]
        if parents:
            self._add_children(parents, depth)

    def _prepare_all(self, targets: Iterable[Target]) -> list[Preparation]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(self._prepare, targets))

    def _prepare(self, target: Target) -> Preparation:
        return self.workshop.prepare(target, self.place.tree, self.place.capabilities(target), self.place.revision)

    def _yields_applications(self, preparation: Preparation) -> bool:
        if preparation.target.kind == "Directory":
            return False  # its files are what was searched for definitions in the first place
        found = _Mentions(False, False)
        for source in preparation.sources:
            self._look(source)
            for file in source.files:
                mentioned = self._mentions.get(file.identity)
                if mentioned is not None:
                    found = _Mentions(found.group or mentioned.group, found.kind or mentioned.kind)
        return found.group and found.kind

    def _look(self, source: Prepared) -> None:
        """Remember for every input whether it mentions an Application, reading each blob once."""
        by_tree: dict[int, tuple[Tree, list[str]]] = {}
        for file in source.files:
            if file.identity in self._mentions:
                continue
            if file.tree is None:
                self._mentions[file.identity] = _mentioned(file.content)
            else:
                by_tree.setdefault(id(file.tree), (file.tree, []))[1].append(file.oid)
        for tree, oids in by_tree.values():
            for oid, content in tree.blobs(oids).items():
                self._mentions[oid] = _mentioned(content)

    def _add_children(self, parents: list[Preparation], depth: int) -> None:
        self.workshop.render_parents(parents)
        children: list[Target] = []
        for parent in parents:
            rendering = self.workshop.render(parent)
            if rendering.error is not None:
                continue  # the target itself is reported when it is compared
            definitions = definitions_in(rendering.manifests, parent.target.file)
            self.problems += definitions.problems
            self.projects += definitions.projects
            for definition in _deployed(definitions):
                for target in self._targets(definition, parent):
                    children += self._child(target, parent, depth)
        if children:
            self.add(children, depth + 1)

    def _child(self, target: Target, parent: Preparation, depth: int) -> list[Target]:
        """The child as a target: none when it is known already, under its own file's id when that was found too."""
        if depth >= _DEEPEST:
            reason = f"it has more than {_DEEPEST} Applications above it; an app of apps that contains itself?"
            self.problems.append(NotRendered(id=target.id, reason=reason))
            return []
        if target.name == parent.target.name and target.application == parent.target.application:
            return []
        for known in self.found.values():
            same = known.target.name == target.name and known.target.parent in (None, parent.target.id)
            if same and known.target.application is not None and known.target.file in parent.reads.files():
                if known.target.application == target.application:
                    adopted = msgspec.structs.replace(known.target, parent=parent.target.id)
                    self.found[known.target.id] = msgspec.structs.replace(known, target=adopted)
                    return []
                return [msgspec.structs.replace(target, id=known.target.id, file=known.target.file)]
        return [target]


def _with_finalizers(applications: Iterable[Application], application_set: Mapping[str, Any]) -> Iterator[Application]:
    """Generated Applications as the controller makes them: with the resources finalizer where the template names none.

    Unless ``preserveResourcesOnDeletion`` is set (application-semantics of ApplicationSets, Argo CD's template code).
    """
    policy = application_set["spec"].get("syncPolicy")
    preserved = isinstance(policy, Mapping) and policy.get("preserveResourcesOnDeletion") is True
    for application in applications:
        if application.metadata.finalizers or preserved:
            yield application
        else:
            metadata = msgspec.structs.replace(application.metadata, finalizers=(_FINALIZER,))
            yield msgspec.structs.replace(application, metadata=metadata)


def _deployed(definitions: Definitions) -> tuple[Definition, ...]:
    """The definitions that deploy something: all but the projects."""
    return (*definitions.applications, *definitions.application_sets)
