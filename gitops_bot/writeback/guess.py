"""Which image a tag or digest belongs to where no rule says so: by what stands beside it. Pure.

As ``repository`` beside it (with ``registry`` before it), in the same file or in the chart's ``values.yaml`` next to
it; or as the name of an entry of a kustomization's ``images``.
"""

from __future__ import annotations

import posixpath
from typing import Literal

from gitops_bot.model.tree import PathEscape, Tree
from gitops_bot.writeback.editor.address import Address, Key, Match
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.editor.read import read

_ROLES: dict[str, Literal["tag", "digest"]] = {"tag": "tag", "newTag": "tag", "digest": "digest"}


def image_at(tree: Tree, file: str, address: Address) -> tuple[str, Literal["tag", "digest"]] | None:
    """The image's repository, and whether the value is its tag or digest; None where it is neither, or not known."""
    *above, last = address.paths[-1]
    if not isinstance(last, Key) or last.name not in _ROLES or not above:
        return None
    role = _ROLES[last.name]
    parent = address._replace(paths=(*address.paths[:-1], tuple(above)))
    entry = above[-1]
    if isinstance(entry, Match) and above[:-1][-1:] == [Key("images")]:
        return _text(tree, file, parent / "newName") or entry.value, role
    if last.name == "newTag":
        return None
    for path in (file, posixpath.join(posixpath.dirname(file), "values.yaml")):
        repository = _text(tree, path, parent / "repository")
        if repository:
            registry = _text(tree, path, parent / "registry")
            return f"{registry}/{repository}" if registry else repository, role
    return None


def _text(tree: Tree, file: str, address: Address) -> str:
    try:
        value = read(tree.read(file), address)
    except (EditRefused, FileNotFoundError, PathEscape):
        return ""
    return value.text if value is not None and value.was == "string" else ""
