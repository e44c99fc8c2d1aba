"""Where targets are prepared and rendered: the tools, the cache and the sources from afar, for one run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from gitops_bot.doors.process import DEFAULT_LIMITS, Limits
from gitops_bot.errors import FetchError, RenderError
from gitops_bot.model import url as urls
from gitops_bot.model.application import Source
from gitops_bot.model.target import Target
from gitops_bot.model.tree import PathEscape, Tree
from gitops_bot.render.cache import Cache
from gitops_bot.render.deadline import Deadline, no_time
from gitops_bot.render.engines.prepare import Context, prepare
from gitops_bot.render.engines.run import run
from gitops_bot.render.engines.toolbox import Toolbox
from gitops_bot.render.prepared import Capabilities, Fetcher, Prepared
from gitops_bot.render.trace import Reads, TracedTree


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """A target, ready to render on one side, or the reason why not."""

    target: Target
    sources: tuple[Prepared, ...] = ()
    error: RenderError | None = None
    reads: Reads
    """What was asked of this repository's tree to get here."""

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(warning for source in self.sources for warning in source.warnings))

    @property
    def unstable(self) -> str:
        """Why two renders may differ, ``""`` when they cannot."""
        return next((source.unstable for source in self.sources if source.unstable), "")


class Rendering(msgspec.Struct, frozen=True, kw_only=True):
    """What came of rendering: the manifests, or the error."""

    manifests: bytes = b""
    error: RenderError | None = None
    cached: bool = False
    """True when every source came from the cache."""


class Workshop:
    """Prepares and renders targets. Both remember: one preparation or render is never made twice in a run."""

    def __init__(
        self,
        *,
        tools: Toolbox,
        cache: Cache,
        fetcher: Fetcher,
        own: Callable[[str], bool],
        scratch: Path,
        build_options: tuple[str, ...] = (),
        limits: Limits = DEFAULT_LIMITS,
        deadline: Deadline | None = None,
    ) -> None:
        """Take the doors of one run.

        ``own`` tells which repository URLs mean the
        repository at hand; ``scratch`` is a private directory; ``build_options`` are the kustomize options that policy
        allows; ``limits`` hold for each render, ``deadline`` for all together (None for none). As many
        renders run at once as there are cores.
        """
        self._tools = tools
        self._cache = cache
        self._fetcher = fetcher
        self._own = own
        self._scratch = scratch
        self._build_options = build_options
        self._limits = limits
        self.deadline = deadline or Deadline()
        """The end of the run's time for rendering."""
        self.workers = _cores()
        """How many renders run at once."""
        self._prepared: dict[str, list[Preparation]] = {}
        self._kept: dict[str, Rendering] = {}
        self.runs = 0
        """How many times a renderer was really run."""

    # -- preparing ------------------------------------------------------------------------------------------------

    def prepare(self, target: Target, tree: Tree, capabilities: Capabilities, revision: str = "") -> Preparation:
        """Prepare a target on a tree; an error is part of the result.

        An earlier preparation of the same definition is taken over when all it read is the same on this tree.
        """
        project = target.application and target.application.spec.project
        definition = repr((target.name, target.namespace, target.sources, project, capabilities))
        known = self._prepared.setdefault(definition, [])
        for earlier in known:
            if earlier.reads.hold_on(tree):
                return msgspec.structs.replace(earlier, target=target)
        made = self._prepare(target, TracedTree(tree), capabilities, revision)
        known.append(made)
        return made

    def _prepare(self, target: Target, tree: TracedTree, capabilities: Capabilities, revision: str) -> Preparation:
        try:
            refs = {
                source.ref: self._tree_of(source, tree) for source in target.sources if source.ref and not source.chart
            }
            prepared = tuple(
                prepare(
                    source,
                    self._tree_of(source, tree),
                    Context(
                        app_name=target.name if target.application else "",
                        namespace=target.namespace,
                        project=target.application.spec.project if target.application else "default",
                        revision=revision if self._is_here(source) else source.target_revision,
                        refs=refs,
                        fetcher=self._fetcher,
                        capabilities=capabilities,
                        build_options=self._build_options,
                    ),
                )
                for source in target.sources
                if source.path is not None or source.chart
            )
            if not prepared:
                raise RenderError("it names no source to render", hint="give spec.source.path or spec.source.chart")
        except PathEscape as error:
            return Preparation(target=target, error=RenderError(str(error)), reads=tree.reads)
        except RenderError as error:
            return Preparation(target=target, error=error, reads=tree.reads)
        return Preparation(target=target, sources=prepared, reads=tree.reads)

    def _is_here(self, source: Source) -> bool:
        return not source.chart and (not source.repo_url or self._own(source.repo_url))

    def _tree_of(self, source: Source, tree: Tree) -> Tree:
        if source.chart:
            return self._fetcher.chart(source.repo_url, source.chart, source.target_revision)
        if self._is_here(source):
            return tree
        try:
            return self._fetcher.git(source.repo_url, source.target_revision)
        except FetchError as error:
            if source.path is not None and source.path in tree:
                hint = (
                    f"if it means this repository, name it in render.repositories or with --repo-url "
                    f"{urls.shown(source.repo_url)}; else {error.hint}"
                )
                raise FetchError(error.message, hint=hint) from error
            raise

    # -- rendering ------------------------------------------------------------------------------------------------

    def key(self, preparation: Preparation) -> str:
        """What a preparation would render from, as one text: equal keys, equal manifests."""
        if preparation.error is not None:
            return ""
        return " ".join(self._key(source) for source in preparation.sources)

    def _key(self, prepared: Prepared) -> str:
        return prepared.key({name: self._tools.need(name).version for name in prepared.tools})

    def render(self, preparation: Preparation) -> Rendering:
        """The manifests of all sources of a target, one after another; an error is part of the result."""
        if preparation.error is not None:
            return Rendering(error=preparation.error)
        return self._kept.get(self.key(preparation)) or self._render(preparation)

    def _render(self, preparation: Preparation) -> Rendering:
        streams, cached = [], True
        for source in preparation.sources:
            key = self._key(source)
            stream = self._cache.get(key) if source.renderer != "directory" else None
            if stream is None:
                cached = False
                try:
                    stream = self._run(source)
                except RenderError as error:
                    return Rendering(error=error)
                if source.renderer != "directory":
                    self._cache.put(key, stream)
            streams.append(stream.rstrip(b"\n") + b"\n")
        return Rendering(manifests=b"---\n".join(streams), cached=cached)

    def _run(self, source: Prepared) -> bytes:
        self.runs += source.renderer != "directory"
        limits = self._limits if source.renderer == "directory" else self.deadline.within(self._limits)
        try:
            return run(source, self._tools, scratch=self._scratch, limits=limits)
        except RenderError:
            if limits.seconds < self._limits.seconds and self.deadline.left <= 0:
                raise no_time() from None  # it was stopped before its own time was over
            raise

    def render_parents(self, preparations: Iterable[Preparation]) -> None:
        """Render many at once over the cores and keep what comes, so that ``render`` has it at once.

        Meant for the few targets that are rendered to find their children; all others are rendered once and let go.
        """
        wanted = {self.key(one): one for one in preparations if one.error is None}
        wanted = {key: one for key, one in wanted.items() if key not in self._kept}
        if len(wanted) < 2:
            self._kept.update({key: self._render(one) for key, one in wanted.items()})
            return
        with ThreadPoolExecutor(self.workers) as pool:
            self._kept.update(zip(wanted, pool.map(self._render, wanted.values()), strict=True))

    def render_in_order(self, preparations: Sequence[Preparation]) -> Iterator[tuple[Preparation, Rendering]]:
        """Each target with its rendering, in the order given, made over the cores."""
        with ThreadPoolExecutor(self.workers) as pool:
            yield from zip(preparations, pool.map(self.render, preparations), strict=True)

    def versions_used(self) -> dict[str, str]:
        """The versions of the tools that this run needed, by name; empty when it needed none."""
        return self._tools.used()


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
