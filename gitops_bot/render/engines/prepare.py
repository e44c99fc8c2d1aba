"""Preparing a source: who renders it, from which files, with which arguments. Nothing runs here."""

from __future__ import annotations

from gitops_bot.model.application import Source
from gitops_bot.model.tree import Tree
from gitops_bot.render.engines import directory, helm, kustomize
from gitops_bot.render.engines.context import Context
from gitops_bot.render.engines.inputs import Mount
from gitops_bot.render.engines.notes import inspect
from gitops_bot.render.engines.source import directory_of, overridden, renderer_of
from gitops_bot.render.engines.substitute import build_environment
from gitops_bot.render.prepared import Prepared

__all__ = ["Context", "inspect", "plan", "prepare"]


def prepare(source: Source, tree: Tree, context: Context) -> Prepared:
    """A source, ready to render: the exact files the renderer may read, its arguments, and what must be said of it.

    Reads the content of every input once in a run; where many keys are wanted and few renders, ``plan`` the many and
    ``inspect`` (render.notes) the few. Raises as ``plan`` does.
    """
    return inspect(plan(source, tree, context))


def plan(source: Source, tree: Tree, context: Context) -> Prepared:
    """The same without ``unstable`` and without warnings from the inputs' content; its key is the same.

    ``tree`` is the tree of the source's repository, or the unpacked chart when ``source.chart`` is set.
    Raises NotRenderable for what cannot be rendered here by its nature (a plugin, Jsonnet, a missing path, an LFS
    pointer …) and RenderError for mistakes and for what must not be read; both say what and where.
    """
    label = f"the chart {source.chart}" if source.chart else "this repository"
    mount = Mount("repo", tree, label)
    place = directory_of(source, mount)
    source = overridden(source, mount, place, context.app_name)
    renderer = renderer_of(source, mount, place)
    environment = build_environment(
        app_name=context.app_name,
        namespace=context.namespace,
        project=context.project,
        revision=context.revision,
        repo_url=source.repo_url,
        path=source.path or "",
        target_revision=source.target_revision,
    )
    if renderer == "directory":
        return directory.prepare(source, mount, place)
    if renderer == "kustomize":
        return kustomize.prepare(source, mount, place, environment, context)
    refs = {
        name: mount if other.oid == tree.oid else Mount(f"refs/{name}", other, f"the repository of ${name}")
        for name, other in context.refs.items()
    }
    return helm.prepare(source, mount, place, refs, environment, context)
