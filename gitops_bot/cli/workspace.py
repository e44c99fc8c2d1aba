"""Everything a command needs to look at a repository: opened in one place, closed again whatever happens."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import msgspec

from gitops_bot.doors import tools as tool_door
from gitops_bot.doors.credentials import Credentials
from gitops_bot.doors.git import Repository
from gitops_bot.doors.process import Limits
from gitops_bot.errors import ToolError, UsageError
from gitops_bot.model.fetched import Fetched
from gitops_bot.model.settings import Settings, seconds
from gitops_bot.model.target import NotRendered, Target
from gitops_bot.model.tree import Tree
from gitops_bot.render.applicationsets.gotemplate import GoTemplates
from gitops_bot.render.cache import Cache
from gitops_bot.render.deadline import Deadline
from gitops_bot.render.discover import Discovery, Place, discover
from gitops_bot.render.engines.run import Program
from gitops_bot.render.engines.toolbox import Toolbox
from gitops_bot.render.fetching.deferred import ClosableFetcher, DeferredFetcher
from gitops_bot.render.fetching.policy import Policy
from gitops_bot.render.fetching.sources import named_sources
from gitops_bot.render.own import OwnUrls
from gitops_bot.render.prepared import Capabilities
from gitops_bot.render.select import unmatched
from gitops_bot.render.settings import CLUSTERS, read_cluster, read_settings
from gitops_bot.render.settings import FILE as SETTINGS
from gitops_bot.render.workshop import Workshop

_PLENTY = 1 << 30
"""Bytes; a container's default of 64 MiB is not enough for a large chart."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the options of a command ask for."""

    repo_urls: tuple[str, ...] = ()
    cache_dir: str | None = None
    no_cache: bool = False
    offline: bool = False
    credentials: Credentials | None = None
    """For sources from elsewhere; None: those that the environment names."""


class Workspace:
    """One repository, its policy and the workshop that renders from it."""

    def __init__(self, workshop: Workshop, own: OwnUrls, policy: Settings, sources: DeferredFetcher) -> None:
        self.workshop = workshop
        self.policy = policy
        """The settings of the tree that the workspace was opened for."""
        self._own = own
        self._sources = sources
        self._templates = GoTemplates(_helm_prefix(), deadline=workshop.deadline)

    def discover(self, tree: Tree, revision: str) -> Discovery:
        """What is deployed from a tree; ``revision`` is its commit id, ``""`` for the working tree."""
        place = Place(
            tree=tree,
            revision=revision,
            own=self._own,
            capabilities=_capabilities(tree, self.policy),
            may_be_empty=self.policy.render.empty_generators,
            fetcher=self._sources,
            render_templates=self._templates,
        )
        return discover(place, self.workshop)

    def kube_versions(self, tree: Tree) -> Callable[[Target], str]:
        """Tells the Kubernetes version of a target's cluster as a tree has it, ``""`` when nobody says.

        By the environments of the policy; where there is no snapshot, by the tree's own ``render.kube_version``.
        """
        try:
            own = read_settings(tree).render
        except UsageError:
            own = self.policy.render
        capabilities = _capabilities(tree, msgspec.structs.replace(self.policy, render=own))
        return lambda target: capabilities(target).kube_version

    @property
    def fetched(self) -> tuple[Fetched, ...]:
        """What was needed from elsewhere so far, in order."""
        return self._sources.fetched

    @property
    def warnings(self) -> tuple[str, ...]:
        """What came from the cache offline and may have moved since; one sentence each."""
        return self._sources.warnings

    def reaches(self, base_branch: str) -> Callable[[Target], str]:
        """Tells of a target which environment or revision it follows, where that is not the base branch."""

        def later(target: Target) -> str:
            if not base_branch or target.follows in ("", "HEAD", base_branch, f"refs/heads/{base_branch}"):
                return ""
            for name, environment in self.policy.environments.items():
                if target.follows in (environment.branch, environment.tag):
                    return f"{name} ({target.follows})"
            return target.follows

        return later


@contextmanager
def open_workspace(repository: Repository, tree: Tree, wanted: Wanted) -> Iterator[Workspace]:
    """Make ready to look at a repository; the settings in ``tree`` (a comparison's base) say what is allowed.

    Raises UsageError for settings that are wrong.
    """
    with ExitStack() as stack:
        settings = read_settings(tree)
        scratch = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-bot-render-", dir=_fast_directory()))
        )
        if wanted.cache_dir and os.path.exists(wanted.cache_dir) and not os.path.isdir(wanted.cache_dir):
            raise UsageError(f"--cache {wanted.cache_dir} is not a directory", hint="name a directory of your own")
        home = Path(wanted.cache_dir) if wanted.cache_dir else tool_door.user_cache()
        own = OwnUrls([*repository.remotes(), *_forge_urls(), *wanted.repo_urls, *settings.render.repositories])

        def remote() -> ClosableFetcher:
            from gitops_bot.render.fetching.fetch import RemoteSources

            allow = settings.fetch.allow
            policy = Policy.from_named(named_sources(tree, own)) if allow is None else Policy.from_settings(allow)
            return RemoteSources(home / "fetch", policy, offline=wanted.offline, credentials=wanted.credentials)

        sources = stack.enter_context(DeferredFetcher(remote))
        renders = Cache(None if wanted.no_cache else home)
        workshop = Workshop(
            tools=Toolbox(_program),
            cache=renders,
            fetcher=sources,
            own=own,
            scratch=scratch,
            build_options=settings.render.kustomize.build_options,
            limits=Limits(seconds=seconds(settings.render.timeout)),
            deadline=Deadline(seconds(settings.render.deadline)),
        )
        yield Workspace(workshop, own, settings, sources)
        renders.trim()


def _fast_directory() -> str | None:
    """Where scratch directories cost least: memory, when there is plenty and nobody chose a place by TMPDIR.

    Making and removing the few directories of a render on a disk takes as long as a third of the render itself.
    """
    memory = Path("/dev/shm")  # noqa: S108 - what is made in it has a random name and is ours alone
    if os.environ.get("TMPDIR") or not os.access(memory, os.W_OK | os.X_OK):
        return None
    free = os.statvfs(memory)
    return str(memory) if free.f_bavail * free.f_frsize >= _PLENTY else None


def _program(name: str) -> Program:
    tool = tool_door.find("helm" if name == "helm" else "kustomize")
    return Program(tool.prefix, tool.label.removeprefix(f"{tool.name} "))


def _helm_prefix() -> tuple[str, ...]:
    """How helm is run for ApplicationSets, most of which need none: a missing one is told when it is needed."""
    try:
        return tool_door.find("helm").prefix
    except ToolError:
        return ("helm",)


def _forge_urls() -> Sequence[str]:
    repository = os.environ.get("GITHUB_REPOSITORY")
    return [f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}"] if repository else []


def _capabilities(tree: Tree, settings: Settings) -> Callable[[Target], Capabilities]:
    """What the cluster of a target can do: its environment's snapshot in this tree, else the settings' version."""
    default = Capabilities(kube_version=settings.render.kube_version or "")

    @cache
    def of_cluster(name: str) -> Capabilities:
        cluster = read_cluster(tree, name)
        if cluster is None:
            return default
        return Capabilities(kube_version=cluster.kube_version, api_versions=cluster.api_versions)

    def of(target: Target) -> Capabilities:
        for environment in settings.environments.values():
            place = (environment.applications or "").strip("/")
            if environment.cluster and place and (target.file == place or target.file.startswith(f"{place}/")):
                return of_cluster(environment.cluster)
        return default

    return of


def settings_problems(tree: Tree) -> tuple[NotRendered, ...]:
    """What is wrong with the settings of a tree that are not in force yet: a change that breaks them is told."""
    try:
        read_settings(tree)
    except UsageError as error:
        return (NotRendered(id=SETTINGS, reason=error.told),)
    return ()


def missing_snapshots(tree: Tree) -> tuple[str, ...]:
    """A sentence for each cluster that the settings of a tree name and that has no snapshot in it."""
    try:
        environments = read_settings(tree).environments
    except UsageError:
        return ()
    paths = {f"{CLUSTERS}/{each.cluster}.yaml" for each in environments.values() if each.cluster}
    return tuple(
        f"the settings name the snapshot {path}, which is not there" for path in sorted(paths) if path not in tree
    )


def changed_paths(base: Tree, head: Tree) -> tuple[str, ...]:
    """The files that differ between two trees, in order."""
    paths = {*base.below(""), *head.below("")}
    return tuple(
        sorted(path for path in paths if base.entry(path) != head.entry(path) and not _is_directory(path, base, head))
    )


def _is_directory(path: str, *trees: Tree) -> bool:
    return any(entry is not None and entry.is_directory for entry in (tree.entry(path) for tree in trees))


def refuse_unmatched(globs: Sequence[str], targets: Sequence[Target]) -> None:
    """Raise UsageError naming every ``--app`` glob that means no target."""
    unknown = unmatched(targets, globs)
    if unknown:
        names = sorted({name for target in targets for name in (target.name, target.name.rpartition("/")[2])})
        near = get_close_matches(unknown[0], names, n=1)
        meant = next((target.name for target in targets if near and target.name.endswith(near[0])), "")
        hint = "`gitops-bot apps` lists them" + (f"; did you mean {meant}?" if meant else "")
        raise UsageError(f"--app {', '.join(unknown)} matches no target", hint=hint)
