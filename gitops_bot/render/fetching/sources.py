"""The places elsewhere that a revision already names: what may be fetched when no settings say otherwise."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from gitops_bot.errors import NotRenderable
from gitops_bot.manifests.yaml import YamlError, load
from gitops_bot.model.tree import Tree
from gitops_bot.render.definitions import find_definitions
from gitops_bot.render.engines import remote
from gitops_bot.render.engines.kustomization import references
from gitops_bot.render.plain import KUSTOMIZATIONS

_DEPENDENCY = re.compile(rb"""^\s*(?:-\s*)?repository:\s*["']?([a-z+]+://[^\s"'#]+)""", re.M)
_PERHAPS_REMOTE = re.compile(rb"://|::|@|github\.com|gh:|helmCharts")


def named_sources(tree: Tree, own: Callable[[str], bool]) -> frozenset[str]:
    """Every URL of a repository or file elsewhere that the Applications, charts and kustomizations of a tree name.

    Templated URLs of ApplicationSets are left out: they name nothing before they are filled in.
    """
    found = {url for url in _of_definitions(tree) if url and not own(url) and "{{" not in url}
    return frozenset(found | set(_of_charts(tree)) | set(_of_kustomizations(tree)))


def _of_definitions(tree: Tree) -> Iterator[str]:
    definitions = find_definitions(tree)
    for definition in (*definitions.applications, *definitions.application_sets):
        yield from _urls(definition.document)


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
        if not _PERHAPS_REMOTE.search(content):
            continue
        try:
            document = load(content)
        except YamlError:
            continue
        if isinstance(document, dict):
            yield from _of_kustomization(document)


def _of_kustomization(document: dict[str, Any]) -> Iterator[str]:
    for reference in references(document):
        with suppress(NotRenderable):
            elsewhere = remote.parse(reference.value) if "\n" not in reference.value else None
            if elsewhere is not None:
                yield elsewhere.url
    for chart in document.get("helmCharts") or ():
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
