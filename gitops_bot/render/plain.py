"""What is deployed without an Application: charts, kustomize overlays and directories of manifests."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator
from fnmatch import fnmatch
from typing import Any

from gitops_bot.manifests.documents import decode
from gitops_bot.manifests.recognise import is_manifest
from gitops_bot.manifests.yaml import YamlError, load
from gitops_bot.model.application import FoundDirectory, HelmOptions, KustomizeOptions, Source
from gitops_bot.model.target import Target
from gitops_bot.model.tree import Tree
from gitops_bot.render.engines.directory import SKIP

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_LIBRARY = re.compile(rb"""^type:\s*["']?library\b""", re.M)
_FILE_DEPENDENCY = re.compile(rb"""repository:\s*["']?file://([^\s"'#]+)""")


def charts(tree: Tree, claimed: Collection[str]) -> Iterator[Target]:
    """One target for each chart nobody else uses: one per ``values-<env>.yaml`` beside it, else one with its defaults.

    ``claimed`` are the files that Applications render. Library charts, vendored subcharts and charts that another
    chart depends on by ``file://`` are no targets.
    """
    files = [path for path in tree.below("") if posixpath.basename(path) == "Chart.yaml" and _is_file(tree, path)]
    homes = {posixpath.dirname(path) for path in files}
    contents = _contents(tree, files)
    used = {
        posixpath.normpath(posixpath.join(posixpath.dirname(path), match.group(1).decode("utf-8", "replace")))
        for path in files
        for match in _FILE_DEPENDENCY.finditer(contents[path])
    }
    for path in files:
        home = posixpath.dirname(path)
        if path in claimed or home in used or _vendored(home, homes) or _LIBRARY.search(contents[path]):
            continue
        name = posixpath.basename(home) or "release"
        values = [
            posixpath.basename(file)
            for file in tree.children(home)
            if fnmatch(posixpath.basename(file), "values-*.y*ml") and _is_file(tree, file)
        ]
        for value_file in values or [""]:
            environment = f" ({value_file.rpartition('.')[0]})" if value_file else ""
            yield Target(
                id=f"helm:{home}#{value_file}" if value_file else f"helm:{home}",
                name=f"{home or '.'}{environment}",
                file=home,
                kind="Helm",
                path=home,
                homes=(home,),
                namespace="default",
                sources=(
                    Source(
                        path=home,
                        helm=HelmOptions(release_name=name, value_files=(value_file,) if value_file else ()),
                    ),
                ),
            )


def overlays(tree: Tree, claimed: Collection[str]) -> Iterator[Target]:
    """One target for each kustomization that no other one includes and no Application renders; components are none."""
    files = [path for path in tree.below("") if posixpath.basename(path) in KUSTOMIZATIONS and _is_file(tree, path)]
    contents = _contents(tree, files)
    homes: dict[str, Any] = {}
    for path in files:
        homes.setdefault(posixpath.dirname(path), _kustomization(contents[path]))
    included = {
        posixpath.normpath(posixpath.join(home, reference))
        for home, kustomization in homes.items()
        for reference in _references(kustomization)
    }
    taken = {posixpath.dirname(path) for path in claimed if posixpath.basename(path) in KUSTOMIZATIONS}
    for home, kustomization in homes.items():
        component = isinstance(kustomization, dict) and kustomization.get("kind") == "Component"
        if home not in taken and (home or ".") not in included and not component:
            yield Target(
                id=f"kustomize:{home}",
                name=home or ".",
                file=home,
                kind="Kustomize",
                path=home,
                homes=(home,),
                sources=(Source(path=home, kustomize=KustomizeOptions()),),
            )


def directories(tree: Tree, claimed: Collection[str]) -> Iterator[Target]:
    """One target for each directory of manifests that nothing else reads.

    Hidden directories and everything inside a chart or below a kustomization are left out: their files are read by
    the tool that owns the place, or by nobody.
    """
    owned = {posixpath.dirname(path) for path in tree.below("") if _owner(path)}
    candidates: dict[str, list[str]] = {}
    for path in tree.below(""):
        if not path.endswith((".yaml", ".yml", ".json")) or path in claimed or not _is_file(tree, path):
            continue
        home = posixpath.dirname(path)
        if not _hidden(path) and not _inside(home, owned):
            candidates.setdefault(home, []).append(path)
    contents = _contents(tree, [path for paths in candidates.values() for path in paths])
    for home, paths in candidates.items():
        manifests = [path for path in paths if _is_deployed(path, contents[path])]
        if manifests:
            names = sorted(posixpath.basename(path) for path in manifests)
            yield Target(
                id=f"directory:{home}",
                name=home or ".",
                file=home,
                kind="Directory",
                path=home,
                homes=(home,),
                sources=(Source(path=home, directory=FoundDirectory(include=_either(names))),),
            )


def _is_deployed(path: str, content: bytes) -> bool:
    """Whether a directory's reader takes objects from a file: it holds manifests and does not ask to be passed over."""
    return is_manifest(content, is_json=path.endswith(".json")) and SKIP not in decode(content)


def _either(names: list[str]) -> str:
    """A glob that matches exactly these file names."""
    quoted = [re.sub(r"([*?\[\]{}\\,])", r"\\\1", name) for name in names]
    return quoted[0] if len(quoted) == 1 else "{" + ",".join(quoted) + "}"


def _kustomization(content: bytes) -> Any:
    try:
        return load(content)
    except YamlError:
        return None


def _references(kustomization: Any) -> Iterator[str]:
    if not isinstance(kustomization, dict):
        return
    for field in ("resources", "bases", "components", "generators", "transformers", "validators"):
        for reference in kustomization.get(field) or ():
            if isinstance(reference, str) and "\n" not in reference:
                yield reference


def _contents(tree: Tree, paths: list[str]) -> dict[str, bytes]:
    oids = {path: entry.oid for path in paths if (entry := tree.entry(path)) is not None}
    blobs = tree.blobs(oids.values())
    return {path: blobs[oid] for path, oid in oids.items()}


def _is_file(tree: Tree, path: str) -> bool:
    entry = tree.entry(path)
    return entry is not None and entry.is_file


def _owner(path: str) -> bool:
    name = posixpath.basename(path)
    return name == "Chart.yaml" or name in KUSTOMIZATIONS


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _inside(home: str, owned: Collection[str]) -> bool:
    while True:
        if home in owned:
            return True
        if not home:
            return False
        home = posixpath.dirname(home)


def _vendored(home: str, homes: Collection[str]) -> bool:
    parts = home.split("/")
    return any(part == "charts" and "/".join(parts[:at]) in homes for at, part in enumerate(parts[:-1]))
