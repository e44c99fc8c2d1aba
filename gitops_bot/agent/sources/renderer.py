"""The renderer's side: from a request to manifests, with the same code and limits as a review. Knows no cluster."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from gitops_bot.agent.sources.reach import Offered, Places
from gitops_bot.agent.sources.rendering import (
    Answer,
    Define,
    Defined,
    Definition,
    Render,
    Rendered,
    Request,
)
from gitops_bot.doors import http
from gitops_bot.doors.blobs import Blobs
from gitops_bot.doors.cached_tree import Damaged
from gitops_bot.doors.credentials import Credentials
from gitops_bot.doors.open_trees import OpenTrees
from gitops_bot.doors.process import Limits
from gitops_bot.doors.remote_git import Bounds, RemoteGit
from gitops_bot.errors import BotError, UsageError
from gitops_bot.manifests.plan import plan_hash
from gitops_bot.manifests.yaml import YamlError
from gitops_bot.model import typed
from gitops_bot.model import url as urls
from gitops_bot.model.application import Application
from gitops_bot.model.settings import seconds
from gitops_bot.model.tree import Tree
from gitops_bot.render.applicationsets.applicationset import Expansion, expand
from gitops_bot.render.applicationsets.gotemplate import GoTemplates
from gitops_bot.render.cache import Cache
from gitops_bot.render.deadline import Deadline
from gitops_bot.render.definitions import Definition as Found
from gitops_bot.render.definitions import definitions_in, find_definitions
from gitops_bot.render.engines.toolbox import Toolbox
from gitops_bot.render.fetching.fetch import RemoteSources
from gitops_bot.render.own import OwnUrls
from gitops_bot.render.settings import read_settings
from gitops_bot.render.targets import application_target
from gitops_bot.render.unread import unread, untold
from gitops_bot.render.workshop import Workshop

_log = logging.getLogger(__name__)
_OPEN = 4
"""Commits whose trees stay open from one request to the next: one is rendered for many Applications."""
_GIT_SECONDS = 120.0
_KEPT_GIT = Bounds(repository=512 << 20, total=2 << 30)
_KEPT_CHARTS, _KEPT_RENDERS = 512 << 20, 256 << 20
"""Bytes of the cache, beside the repositories."""
_TRIM_EVERY = 50
"""Requests."""
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
        self._asked = 0

    def close(self) -> None:
        """Let go of what was kept open; nothing is asked any more."""
        self._trees.close()

    def answer(self, request: Request) -> Answer:
        """What is asked for, or why not; nothing is raised that a repository can cause."""
        self._asked += 1
        if self._asked % _TRIM_EVERY == 0:
            self._cache.trim(_KEPT_RENDERS)
            Blobs(self._directory / "fetch").trim(_KEPT_CHARTS)
        try:
            try:
                return self._answer(request, mends=True)
            except Damaged:
                # What is wrong with the cache is never worth an error: it is mended, and asked once more.
                return self._answer(request, mends=False)
        except BotError as error:
            return _failed(request, error.told)
        except YamlError as error:
            return _failed(request, f"the manifests cannot be read: {error}")
        except RecursionError:
            return _failed(request, "it is nested too deeply")
        except MemoryError:
            raise  # there may be none to go on with: a new process answers
        except Exception as error:  # noqa: BLE001 - one repository may not end the work on all others
            _log.exception("a mistake of this program")
            return _failed(request, f"a mistake of this program: {type(error).__name__}")

    def _answer(self, request: Request, *, mends: bool) -> Answer:
        with ExitStack() as stack:
            fetcher = self._sources(request, stack)
            try:
                if isinstance(request, Render):
                    return self._render(request, fetcher, stack)
                return self._define(request, fetcher, stack)
            except Damaged:
                if mends:
                    fetcher.mend()
                raise

    def _render(self, request: Render, fetcher: RemoteSources, stack: ExitStack) -> Rendered:
        application = _pinned(typed.convert(request.application, Application), request.commits)
        workshop = self._workshop(fetcher, stack, request)
        target = application_target(application, file="", own=lambda _url: False)
        preparation = workshop.prepare(target, _NOWHERE, request.capabilities)
        rendering = workshop.render(preparation)
        if isinstance(rendering.error, Damaged):
            raise rendering.error
        if rendering.error is not None:
            return Rendered(error=rendering.error.told, warnings=preparation.warnings)
        generated, problems = self._generated(rendering.manifests, application, request, fetcher)
        if problems:
            return Rendered(error="; ".join(problems), warnings=preparation.warnings)
        try:
            plan = "" if preparation.unstable else plan_hash(rendering.manifests, namespace=target.namespace)
        except YamlError as error:
            found = unread(preparation, rendering.manifests) or untold(error)
            return Rendered(error=found.told, warnings=preparation.warnings)
        return Rendered(
            manifests=rendering.manifests.decode("utf-8", "replace"),
            generated=generated,
            plan=plan,
            unstable=preparation.unstable,
            types=tuple(_NAMES[source.renderer] for source in preparation.sources),
            warnings=preparation.warnings,
        )

    def _generated(
        self, manifests: bytes, application: Application, request: Render, fetcher: RemoteSources
    ) -> tuple[tuple[dict[str, Any], ...], list[str]]:
        """What the ApplicationSets among an Application's manifests generate, and why it may not be all.

        The repository that their files are read from at the commit at hand is that of the first source in Git.
        """
        found = definitions_in(manifests, application.name)
        broken = [f"{each.id}: {each.reason}" for each in found.problems if each.failed]
        if broken or not found.application_sets:
            return (), broken
        source = next((each for each in application.sources if not each.chart), None)
        tree = fetcher.git(source.repo_url, source.target_revision) if source is not None else _NOWHERE
        own = OwnUrls([source.repo_url] if source is not None else [])
        expansions = self._expanded(found.application_sets, tree, own, fetcher, request.settings.empty_generators)
        problems = [f"{problem.id}: {problem.reason}" for each in expansions for problem in each.problems]
        return tuple(dict(document) for each in expansions for document in each.documents), problems

    def _expanded(
        self,
        sets: Iterable[Found],
        tree: Tree,
        own: OwnUrls,
        fetcher: RemoteSources,
        may_be_empty: Sequence[str],
    ) -> list[Expansion]:
        templates = GoTemplates(self._helm)
        return [
            expand(
                each, tree=tree, is_own=own, fetcher=fetcher, render_templates=templates,
                may_be_empty=any(fnmatchcase(each.name, glob) for glob in may_be_empty),
            )
            for each in sets
        ]  # fmt: skip

    def _define(self, request: Define, fetcher: RemoteSources, stack: ExitStack) -> Defined:
        tree = fetcher.git(request.url, request.commit)
        place = request.path.strip("/")
        if place and not any(True for _ in tree.below(place)):
            return Defined(error=f"{urls.shown(request.url)} has no directory {place} at {request.commit[:8]}")

        def here(file: str) -> bool:
            return not place or file == place or file.startswith(f"{place}/")

        found = find_definitions(tree, lambda file: here(file) or _is_above(file, place))
        try:
            settings, wrong = read_settings(tree), []
        except UsageError as error:
            settings, wrong = None, [error.told]
        may_be_empty = settings.render.empty_generators if settings is not None else ()

        problems = [*wrong, *(f"{each.id}: {each.reason}" for each in found.problems if each.failed)]
        definitions = [
            Definition(kind=each.kind, file=each.file, document=dict(each.document))
            for each in (*found.applications, *found.projects)
            if here(each.file) or each.kind == "AppProject"
        ]
        sets = [each for each in found.application_sets if here(each.file)]
        # What ApplicationSets read elsewhere; settings that cannot be read allow nothing.
        allow = settings.fetch.allow if settings is not None else ()
        beside = self._fetcher([request.url], allow, _offered(request), request.authorities, stack)
        expansions = self._expanded(sets, tree, OwnUrls([request.url]), beside, may_be_empty)
        for each, expansion in zip(sets, expansions, strict=True):
            problems += [f"{problem.id}: {problem.reason}" for problem in expansion.problems]
            definitions += [
                Definition(kind="Application", file=each.file, document=dict(document))
                for document in expansion.documents
            ]
        return Defined(
            definitions=tuple(definitions),
            problems=tuple(problems),
            settings=settings,
            elsewhere=bool(beside.fetched),
        )

    def _sources(self, request: Request, stack: ExitStack) -> RemoteSources:
        """What fetches for a request: files of Git when they are read. Raises FetchError for what is no URL."""
        if not isinstance(request, Render):
            return self._fetcher([request.url], (), _offered(request), request.authorities, stack)
        own = [source.repo_url for source in typed.convert(request.application, Application).sources]
        offered = Offered(request.logins, request.permitted, request.authorities)
        return self._fetcher(own, request.allow, offered, request.authorities, stack, anew=request.anew)

    def _fetcher(
        self, own: Sequence[str], allow: tuple[str, ...] | None, offered: Offered,
        authorities: Mapping[str, str], stack: ExitStack, *, anew: bool = False,
    ) -> RemoteSources:  # fmt: skip
        """What fetches from its own repositories and from what is allowed beside them (None: as ``Places`` says)."""
        places = Places(own, allow, offered)
        # What the logins of one project have opened is not there for others.
        folder = self._directory / "fetch" / (f"project-{offered.scope}" if offered.scope else "")
        return stack.enter_context(
            RemoteSources(
                folder,
                places,
                client=http.Client(offered, authorities=authorities),
                remote=RemoteGit(
                    folder, offered, seconds=_GIT_SECONDS, partial=True, bounds=_KEPT_GIT, trees=self._trees
                ),
                credentials=Credentials(),
                anew=anew,
            )
        )

    def _workshop(self, fetcher: RemoteSources, stack: ExitStack, request: Render) -> Workshop:
        settings = request.settings
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-bot-render-"))
        return Workshop(
            tools=self._tools(), cache=Cache(self._directory, anew=request.anew), fetcher=fetcher,
            own=lambda _url: False, scratch=Path(scratch),
            build_options=settings.kustomize.build_options,
            limits=self._limits._replace(seconds=min(self._limits.seconds, seconds(settings.timeout))),
            deadline=Deadline(seconds(settings.deadline)),
        )  # fmt: skip


def _offered(request: Define) -> Offered:
    """What opens places for definitions: whoever writes them says what all projects may."""
    return Offered(request.logins, ("*",), request.authorities)


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


def _failed(request: Request, error: str) -> Answer:
    return Rendered(error=error) if isinstance(request, Render) else Defined(error=error)
