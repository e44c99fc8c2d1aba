"""Reading ``.gitops-bot.yaml`` and the capability snapshots from a tree: all problems at once, each with its line."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.manifests import yaml
from gitops_bot.manifests.lines import lines_of
from gitops_bot.model import typed
from gitops_bot.model.check import Problem, problems
from gitops_bot.model.settings import Cluster, Settings, contradictions
from gitops_bot.model.tree import PathEscape, Tree

FILE = ".gitops-bot.yaml"
CLUSTERS = ".gitops-bot/clusters"

_REFERENCE = "docs/reference/settings.md explains every key"
_T = TypeVar("_T", bound=msgspec.Struct)


def read_settings(tree: Tree) -> Settings:
    """The settings of a tree; the defaults where there is no file or an empty one.

    Raises UsageError that lists every problem with its line and path.
    """
    document, data = _document(tree, FILE)
    if document is None:
        return Settings()
    settings = _typed(document, data, Settings, FILE)
    found = [Problem(*each) for each in contradictions(settings)]
    if found:
        raise _refusal(FILE, data, found)
    return settings


def read_cluster(tree: Tree, name: str) -> Cluster | None:
    """The capability snapshot of the cluster of this name, None when the tree has none. Raises as ``read_settings``."""
    if "/" in name:
        raise UsageError(f"{name} is no name of a cluster", hint=f"name a file of {CLUSTERS}, without .yaml")
    path = f"{CLUSTERS}/{name}.yaml"
    document, data = _document(tree, path)
    if document is None:
        return None
    return _typed(document, data, Cluster, path)


def read_clusters(tree: Tree) -> dict[str, Cluster]:
    """Every capability snapshot by the cluster's name, in order of names. Raises as ``read_settings``."""
    found = {}
    for path in tree.children(CLUSTERS):
        name = path.removeprefix(f"{CLUSTERS}/").removesuffix(".yaml")
        if path.endswith(".yaml") and (cluster := read_cluster(tree, name)) is not None:
            found[name] = cluster
    return found


def _document(tree: Tree, path: str) -> tuple[Any, bytes]:
    """The file's one document as plain values, None for an absent or empty file, and its bytes."""
    if path not in tree:
        return None, b""
    try:
        data = tree.read(path)
        return yaml.load(data, strict=True), data
    except (FileNotFoundError, PathEscape):
        raise UsageError(f"{path} is no file", hint="make it a file of the repository, or remove it") from None
    except yaml.YamlError as error:
        raise UsageError(f"{path} cannot be read: {error}", hint=_REFERENCE) from error


def _typed(document: Any, data: bytes, kind: type[_T], path: str) -> _T:
    found = list(problems(document, kind))
    if found:
        raise _refusal(path, data, found)
    return typed.convert(document, kind)


def _refusal(path: str, data: bytes, found: list[Problem]) -> UsageError:
    where = lines_of(data)
    told = []
    for problem in found:
        line = where.get(problem.path)
        place = f"line {line}: " if line else ""
        told.append((line or 0, f"  {place}{problem.path or 'the file'}: {problem.text}"))
    title = f"{path} has a problem" if len(told) == 1 else f"{path} has {len(told)} problems"
    return UsageError("\n".join([title, *(text for _, text in sorted(told))]), hint=_REFERENCE)
