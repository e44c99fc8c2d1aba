"""The renderer's side: from a request to manifests, with the same code and limits as a review. Knows no cluster."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from gitops_bot.agent.rendering import (
    Answer,
    Define,
    Defined,
    Definition,
    Login,
    Render,
    Rendered,
    Request,
)
from gitops_bot.doors.credentials import Credential, Credentials
from gitops_bot.doors.process import Limits
from gitops_bot.errors import BotError, FetchError, UsageError
from gitops_bot.manifests.plan import plan_hash
from gitops_bot.model import url as urls
from gitops_bot.model.application import Application, Source
from gitops_bot.model.settings import Render as RenderSettings
from gitops_bot.model.settings import seconds
from gitops_bot.model.tree import Tree
from gitops_bot.render.applicationsets.applicationset import expand
from gitops_bot.render.applicationsets.gotemplate import GoTemplates
from gitops_bot.render.cache import Cache
from gitops_bot.render.deadline import Deadline
from gitops_bot.render.definitions import Definition as Found
from gitops_bot.render.definitions import find_definitions
from gitops_bot.render.engines.toolbox import Toolbox
from gitops_bot.render.fetching.fetch import RemoteSources
from gitops_bot.render.fetching.policy import Policy
from gitops_bot.render.fetching.sources import named_sources
from gitops_bot.render.fetching.trees import OpenTrees
from gitops_bot.render.own import OwnUrls
from gitops_bot.render.settings import read_settings
from gitops_bot.render.targets import application_target
from gitops_bot.render.workshop import Workshop

_OPEN = 4
"""Commits whose trees stay open from one request to the next: one is rendered for many Applications."""
_NAMES = {"helm": "Helm", "kustomize": "Kustomize", "directory": "Directory"}


class Renderer:
    """Answers requests, one after another; what it fetches and renders is kept in its directory."""

    def __init__(self, directory: Path, tools: Callable[[], Toolbox], helm: tuple[str, ...], limits: Limits) -> None:
        """Take the directory of the cache, what finds the tools, how helm is run, and what one render may take."""
        self._directory = directory
        self._tools = tools
        self._helm = helm
        self._limits = limits
        self._cache = Cache(directory)
        self._trees = OpenTrees(_OPEN)
        self._named: dict[str, tuple[str, ...]] = {}
        """Id of a tree → what its charts and overlays name."""

    def close(self) -> None:
        """Let go of what was kept open; nothing is asked any more."""
        self._trees.close()

    def answer(self, request: Request) -> Answer:
        """What is asked for, or why not; nothing is raised that a repository can cause."""
        with ExitStack() as stack:
            if isinstance(request, Render):
                try:
                    return self._render(request, stack)
                except BotError as error:
                    return Rendered(error=error.told)
            try:
                return self._define(request, stack)
            except BotError as error:
                return Defined(error=error.told)

    def _render(self, request: Render, stack: ExitStack) -> Rendered:
        application = _pinned(msgspec.convert(request.application, Application), request.commits)
        repositories = [source.repo_url for source in application.sources]
        fetcher = self._sources(request.logins, Policy.from_settings(_places(repositories)), stack)
        first = next((source for source in application.sources if source.path is not None), None)
        tree = fetcher.git(first.repo_url, first.target_revision) if first is not None else _NOWHERE
        # What the charts and overlays of the repository name may be fetched too, as in a review.
        more = self._named_in(tree) if request.allow is None else request.allow
        named = [*_places(repositories), *_places(more)]
        fetcher = self._sources(request.logins, Policy.from_settings(dict.fromkeys(named)), stack)
        workshop = self._workshop(fetcher, stack, request.settings)
        target = application_target(application, file="", own=lambda _url: False)
        preparation = workshop.prepare(target, tree, request.capabilities)
        rendering = workshop.render(preparation)
        if rendering.error is not None:
            return Rendered(error=rendering.error.told, warnings=preparation.warnings)
        plan = "" if preparation.unstable else plan_hash(rendering.manifests, namespace=target.namespace)
        return Rendered(
            manifests=rendering.manifests.decode("utf-8", "replace"),
            plan=plan,
            unstable=preparation.unstable,
            types=tuple(_NAMES[source.renderer] for source in preparation.sources),
            warnings=preparation.warnings,
        )

    def _named_in(self, tree: Tree) -> tuple[str, ...]:
        """What a tree names elsewhere: the same for all Applications of a commit."""
        known = self._named.get(tree.oid)
        if known is None:
            if len(self._named) >= _OPEN:
                self._named.clear()
            known = self._named[tree.oid] = tuple(_readable(named_sources(tree, OwnUrls(()))))
        return known

    def _define(self, request: Define, stack: ExitStack) -> Defined:
        fetcher = self._sources(request.logins, Policy.from_settings([request.url]), stack)
        tree = fetcher.git(request.url, request.commit)
        place = request.path.strip("/")
        if place and not any(True for _ in tree.below(place)):
            return Defined(error=f"{urls.shown(request.url)} has no directory {place} at {request.commit[:8]}")
        found = find_definitions(tree)
        try:
            settings, wrong = read_settings(tree), []
        except UsageError as error:
            settings, wrong = None, [error.told]
        may_be_empty = settings.render.empty_generators if settings is not None else ()

        def here(each: Found) -> bool:
            return not place or each.file == place or each.file.startswith(f"{place}/")

        problems = [*wrong, *(f"{each.id}: {each.reason}" for each in found.problems if each.failed)]
        definitions = [
            Definition(kind=each.kind, file=each.file, document=dict(each.document))
            for each in (*found.applications, *found.projects)
            if here(each) or (each.kind == "AppProject" and _is_above(each.file, place))
        ]
        templates = GoTemplates(self._helm)
        for each in filter(here, found.application_sets):
            expansion = expand(
                each,
                tree=tree,
                is_own=OwnUrls([request.url]),
                fetcher=fetcher,
                render_templates=templates,
                may_be_empty=any(fnmatchcase(each.name, glob) for glob in may_be_empty),
            )
            problems += [f"{problem.id}: {problem.reason}" for problem in expansion.problems]
            definitions += [
                Definition(kind="Application", file=each.file, document=dict(document))
                for document in expansion.documents
            ]
        return Defined(definitions=tuple(definitions), problems=tuple(problems), settings=settings)

    def _sources(self, logins: Iterable[Login], policy: Policy, stack: ExitStack) -> RemoteSources:
        bound = [Credential(urls.parse(each.place), each.header) for each in logins]
        bound.sort(key=lambda each: -len(each.place.path))
        return stack.enter_context(
            RemoteSources(self._directory / "fetch", policy, credentials=Credentials(tuple(bound)), trees=self._trees)
        )

    def _workshop(self, fetcher: RemoteSources, stack: ExitStack, settings: RenderSettings) -> Workshop:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-bot-render-"))
        return Workshop(
            tools=self._tools(), cache=self._cache, fetcher=fetcher, own=lambda _url: False, scratch=Path(scratch),
            build_options=settings.kustomize.build_options,
            limits=self._limits._replace(seconds=min(self._limits.seconds, seconds(settings.timeout))),
            deadline=Deadline(seconds(settings.deadline)),
        )  # fmt: skip


def _read_nothing(_oids: Any) -> dict[str, bytes]:
    return {}


_NOWHERE = Tree("", {}, _read_nothing)
"""Where charts of a Helm repository are rendered."""


def _is_above(file: str, place: str) -> bool:
    """Whether a file lies beside a directory or one of those above it: projects stand for all environments there."""
    folder = file.rpartition("/")[0]
    return not folder or place.startswith(f"{folder}/")


def _pinned(application: Application, commits: tuple[str, ...]) -> Application:
    """The Application with every Git source at its commit."""
    sources = tuple(
        msgspec.structs.replace(source, target_revision=commit or source.target_revision)
        for source, commit in zip(application.sources, commits, strict=True)
    )
    return msgspec.structs.replace(application, spec=msgspec.structs.replace(application.spec, sources=sources))


def _places(repositories: Iterable[str]) -> list[str]:
    """Repositories as URLs that a policy may allow; a registry without a scheme is one of OCI's."""
    return [each if "://" in each or each.startswith("git@") else f"oci://{each}" for each in repositories if each]


def _readable(named: Iterable[str]) -> Iterator[str]:
    """Those that can be allowed: what is wrong in one Application is its own affair, not that of all others."""
    for entry in named:
        try:
            Policy.from_settings(_places([entry]))
        except FetchError:
            continue
        yield entry


def is_git(source: Source) -> bool:
    """Whether a source is a Git repository, not a chart of a Helm repository or registry."""
    return not source.chart
