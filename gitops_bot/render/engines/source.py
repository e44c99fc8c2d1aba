"""One source as it counts: parameter override files merged in, options that say nothing left out, its renderer."""

from __future__ import annotations

import posixpath
from typing import Any, Literal

import msgspec

from gitops_bot.errors import NotRenderable, RenderError
from gitops_bot.manifests.yaml import YamlError, load
from gitops_bot.model import typed
from gitops_bot.model.application import DirectoryOptions, HelmOptions, KustomizeOptions, Source
from gitops_bot.render.engines.inputs import Mount, follow
from gitops_bot.render.prepared import Renderer

KUSTOMIZATION_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_PROTECTED = ("repoURL", "path", "chart", "targetRevision")
_NOTHING: dict[str, Any] = {"helm": HelmOptions(), "kustomize": KustomizeOptions(), "directory": DirectoryOptions()}


def directory_of(source: Source, mount: Mount) -> str:
    """The real path of the source's directory in its tree; ``""`` is the root, and where a chart from afar lies.

    Raises NotRenderable when it is gone, RenderError when the path leads out of the tree.
    """
    if source.chart:
        return ""
    path = source.path or ""
    if path.startswith("/"):
        raise RenderError(f"the path {path} is absolute", hint="write spec.source.path relative to the repository")
    real, _ = follow(mount, path)
    entry = mount.tree.entry(real) if real is not None else None
    if real is None or entry is None:
        raise NotRenderable(
            f"the path {path} is not in {mount.label} (any more)", hint="correct spec.source.path, or restore it"
        )
    if entry.is_submodule:
        raise NotRenderable(f"the path {path} is a Git submodule, whose content is not in {mount.label}")
    if not entry.is_directory:
        raise RenderError(f"the path {path} is a file, not a directory", hint="name its directory in spec.source.path")
    return real


def overridden(source: Source, mount: Mount, directory: str, app_name: str) -> Source:
    """The source with ``.argocd-source.yaml`` and ``.argocd-source-<app>.yaml`` merged in, in this order.

    They are JSON merge patches and cannot change where the source comes from. Raises RenderError for a broken one.
    """
    names = [".argocd-source.yaml", *([f".argocd-source-{app_name}.yaml"] if app_name else [])]
    for name in names:
        path = posixpath.join(directory, name)
        real, _ = follow(mount, path)
        entry = mount.tree.entry(real) if real else None
        if entry is None or not entry.is_file:
            continue
        try:
            patch = load(mount.tree.blobs([entry.oid])[entry.oid], strict=True)
        except YamlError as error:
            raise RenderError(f"{path}: {error}") from error
        if patch is None:
            continue
        if not isinstance(patch, dict):
            raise RenderError(f"{path} does not hold a mapping", hint="it takes the fields of spec.source")
        patch = {key: value for key, value in patch.items() if key not in _PROTECTED}
        try:
            source = typed.convert(merge_patch(msgspec.to_builtins(source), patch), Source)
        except msgspec.ValidationError as error:
            raise RenderError(f"{path}: {error}") from error
    return source


def merge_patch(document: Any, patch: Any) -> Any:
    """RFC 7396: mappings merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def renderer_of(source: Source, mount: Mount, directory: str) -> Renderer:
    """Who renders the source: its explicit options decide, else what lies in its directory.

    Options that are given but empty say nothing, and where both a chart and a kustomization lie in the directory the
    kustomization wins, both as in Argo CD's code. Raises NotRenderable for a plugin.
    """
    if source.plugin is not None:
        name = source.plugin.get("name") if isinstance(source.plugin, dict) else None
        raise NotRenderable(f"it is rendered by the plugin {name or '(discovered)'}, and plugins are never run")
    names: tuple[Literal["helm", "kustomize", "directory"], ...] = ("helm", "kustomize", "directory")
    explicit = [name for name in names if getattr(source, name) not in (None, _NOTHING[name])]
    if len(explicit) > 1:
        raise RenderError(f"its source has options for {' and '.join(explicit)}", hint="keep one of them")
    if explicit:
        return explicit[0]
    if source.chart:
        return "helm"
    if any(_is_file(mount, posixpath.join(directory, name)) for name in KUSTOMIZATION_NAMES):
        return "kustomize"
    return "helm" if _is_file(mount, posixpath.join(directory, "Chart.yaml")) else "directory"


def _is_file(mount: Mount, path: str) -> bool:
    entry = mount.tree.entry(path)
    return entry is not None and (entry.is_file or entry.is_link)
