"""A chart's directory as Helm wants it: its files, and in ``charts/`` every dependency it declares."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_bot.errors import RenderError
from gitops_bot.manifests.yaml import YamlError, load
from gitops_bot.render.engines.inputs import Inputs, Mount, follow, join
from gitops_bot.render.prepared import Fetcher

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def gather(inputs: Inputs, mount: Mount, directory: str, place: str, fetcher: Fetcher) -> tuple[str, ...]:
    """Put a chart and the dependencies it lacks below the scratch path ``place``; returns warnings.

    What lies in ``charts/`` is taken as it is; ``file://`` dependencies come from the same tree, all others from the
    fetcher, at the version the lock file pins. Only the chart's own dependencies are brought, as
    ``helm dependency build`` does; those that a dependency lacks in turn are warned of.
    Raises RenderError for a broken or missing Chart.yaml and for a dependency that cannot be had.
    """
    inputs.directory(mount, directory, place=place)
    vendored = set(_vendored(mount, directory))
    warnings: list[str] = []
    placed: dict[tuple[str, str], str] = {}
    for entry in dependencies(mount, directory):
        name, version, _ = entry
        if name in vendored or (name, version) in placed:
            continue
        target = f"{place}/charts/{name}"
        if target in placed.values():
            target = f"{target}-{len(placed)}"
        placed[name, version] = target
        warnings += _bring(inputs, mount, directory, target, entry, fetcher)
    return tuple(warnings)


def _bring(
    inputs: Inputs, mount: Mount, directory: str, place: str, entry: tuple[str, str, str], fetcher: Fetcher
) -> list[str]:
    name, version, repository = entry
    if repository.startswith("file://"):
        path = repository.removeprefix("file://")
        if path.startswith("/"):
            raise RenderError(f"the dependency {name} of {_shown(directory)} is the absolute path {path}",
                              hint="write its repository relative, as file://../name")  # fmt: skip
        source, real = mount, follow(mount, join(directory, path))[0]
        if real is None:
            raise RenderError(f"the dependency {name} of {_shown(directory)} is not at {repository}",
                              hint="correct its repository in Chart.yaml")  # fmt: skip
    elif not repository:
        raise RenderError(
            f"the dependency {name} of {_shown(directory)} is not in its charts/ and names no repository",
            hint="commit it to charts/, or give its repository in Chart.yaml",
        )
    else:
        source, real = Mount("", fetcher.chart(repository, name, version), f"the chart {name} {version}"), ""
    inputs.directory(source, real, place=place)
    have = set(_vendored(source, real))
    return [
        f"the dependency {name} lacks its own dependency {other}, which Helm then leaves out"
        for other, _, _ in dependencies(source, real)
        if other not in have
    ]


def dependencies(mount: Mount, directory: str) -> Iterator[tuple[str, str, str]]:
    """The declared dependencies of a chart as (name, version or range, repository), in order.

    The version is the lock file's where it has one. Raises RenderError for a broken file and for names that are no
    names of charts (``..``).
    """
    metadata = document(mount, directory, "Chart.yaml")
    if metadata is None:
        raise RenderError(f"there is no Chart.yaml in {_shown(directory)}", hint="name the chart's directory")
    older = document(mount, directory, "requirements.yaml")
    lock = document(mount, directory, "requirements.lock" if older else "Chart.lock") or {}
    pinned = {
        (item.get("name"), str(item.get("repository") or "").rstrip("/")): str(item.get("version") or "")
        for item in _items(lock)
    }
    for item in _items(older if older and "dependencies" in older else metadata):
        name, repository = str(item.get("name") or ""), str(item.get("repository") or "")
        if not _NAME.fullmatch(name):
            raise RenderError(f"{_shown(directory)} has a dependency with the name {name!r}", hint="correct Chart.yaml")
        yield name, pinned.get((name, repository.rstrip("/"))) or str(item.get("version") or ""), repository


def document(mount: Mount, directory: str, name: str) -> dict[str, Any] | None:
    """A YAML file of the chart as a mapping; None when there is no such file. Raises RenderError for a broken one."""
    path = posixpath.join(directory, name)
    real, _ = follow(mount, path)
    entry = mount.tree.entry(real) if real is not None else None
    if entry is None or not entry.is_file:
        return None
    try:
        found = load(mount.tree.blobs([entry.oid])[entry.oid], strict=False)
    except YamlError as error:
        raise RenderError(f"{path}: {error}") from error
    if found is not None and not isinstance(found, dict):
        raise RenderError(f"{path} does not hold a mapping")
    return found or {}


def _items(holder: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = holder.get("dependencies")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _vendored(mount: Mount, directory: str) -> Iterator[str]:
    """Names of the charts in ``charts/``: of a directory its Chart.yaml's, of an archive those its file name allows."""
    home, _ = follow(mount, join(directory, "charts"))
    if home is None:
        return
    for path in list(mount.tree.children(home)):
        base = posixpath.basename(path)
        if base.startswith(("_", ".")):
            continue
        real, _ = follow(mount, path)
        entry = mount.tree.entry(real) if real is not None else None
        if entry is not None and entry.is_directory and real is not None:
            metadata = document(mount, real, "Chart.yaml")
            if metadata is not None:
                yield str(metadata.get("name") or base)
        elif base.endswith(".tgz"):
            archived = re.match(r"(.+?)-v?\d+\.", base)
            yield archived.group(1) if archived else base.removesuffix(".tgz")


def _shown(directory: str) -> str:
    return f"the chart {directory}" if directory else "the chart"
