"""The places elsewhere that a revision already names: what may be fetched when no settings say otherwise."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gitops_bot.manifests.yaml import YamlError, load
from gitops_bot.model.tree import Tree
from gitops_bot.render.definitions import find_definitions
from gitops_bot.render.plain import KUSTOMIZATIONS

_DEPENDENCY = re.compile(rb"""^\s*(?:-\s*)?repository:\s*["']?([a-z+]+://[^\s"'#]+)""", re.M)
_REMOTE = re.compile(r"^(?:[a-z+]+::|[a-z+]+://|git@|github\.com[:/]|[^/@\s]+@[^/:\s]+:)")


def named_sources(tree: Tree, own: Callable[[str], bool]) -> frozenset[str]:
    """Every URL of a repository or file elsewhere that the Applications, charts and kustomizations of a tree name.

    Templated URLs of ApplicationSets are left out: they name nothing before they are filled in.
    """
    found = {url for url in _of_definitions(tree) if url and not own(url) and "{{" not in url}
    return frozenset(found | set(_of_charts(tree)) | set(_of_kustomizations(tree)))


def _of_definitions(tree: Tree) -> Iterator[str]:
    for definition in find_definitions(tree).found:
        yield from _urls(definition.raw)


def _urls(value: Any) -> Iterator[str]:
    """The ``repoURL`` fields and remote value files anywhere in an Application or ApplicationSet."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "repoURL" and isinstance(item, str):
                yield item
            elif key == "valueFiles" and isinstance(item, list):
                yield from (file for file in item if isinstance(file, str) and "://" in file)
            else:
                yield from _urls(item)
    elif isinstance(value, list):
        for item in value:
            yield from _urls(item)


def _of_charts(tree: Tree) -> Iterator[str]:
    for content in _contents(tree, ("Chart.yaml", "requirements.yaml")):
        for match in _DEPENDENCY.finditer(content):
            url = match[1].decode("utf-8", "replace")
            if not url.startswith("file:"):
                yield url


def _of_kustomizations(tree: Tree) -> Iterator[str]:
    for content in _contents(tree, KUSTOMIZATIONS):
        if b":" not in content or not re.search(rb"://|::|@|github\.com|helmCharts", content):
            continue
        try:
            kustomization = load(content)
        except YamlError:
            continue
        if not isinstance(kustomization, dict):
            continue
        for field in ("resources", "bases", "components", "generators", "transformers", "validators"):
            for reference in kustomization.get(field) or ():
                if isinstance(reference, str) and _REMOTE.match(reference):
                    yield reference
        for chart in kustomization.get("helmCharts") or ():
            if isinstance(chart, dict) and isinstance(chart.get("repo"), str):
                yield chart["repo"]


def _contents(tree: Tree, names: Iterable[str]) -> Iterator[bytes]:
    wanted = frozenset(names)
    oids = [
        entry.oid
        for path in tree.below("")
        if posixpath.basename(path) in wanted and (entry := tree.entry(path)) is not None and entry.is_file
    ]
    return iter(tree.blobs(oids).values())
