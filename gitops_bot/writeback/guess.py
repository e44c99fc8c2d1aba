"""Which image a value belongs to where neither rule nor marker says so: by what it is and what stands beside it. Pure.

A whole reference names its image itself. A tag or digest belongs to the ``repository`` beside it (with ``registry``
before it), in the same file or in the chart's ``values.yaml`` next to it, or to its entry of a kustomization's
``images``.
"""

from __future__ import annotations

import posixpath

from gitops_bot.model.image import has_host, reference
from gitops_bot.writeback.claims import Claim, Role
from gitops_bot.writeback.editor.address import Address, Index, Key, Match
from gitops_bot.writeback.editor.leaves import Leaf
from gitops_bot.writeback.places import Places

_IN_VALUES = ("tag", "digest", "repository", "registry")
_IN_ENTRY = ("newTag", "digest", "newName", "name", "tag")


def image_at(places: Places, file: str, address: Address, leaf: Leaf | None) -> Claim | None:
    """The image that a value (None: it is gone) says something of; None where it is of none, or that is not known."""
    return _whole(file, address, leaf) or _beside(places, file, address)


def _whole(file: str, address: Address, leaf: Leaf | None) -> Claim | None:
    """The image that a whole reference names.

    In a list of images it may stand behind ``name=``. Under another key than ``image`` its host must be there.
    """
    path = address.paths[-1]
    if leaf is None or leaf.was != "string":
        return None
    listed = len(path) > 1 and path[-2] == Key("images") and not isinstance(path[-1], Key)
    found = reference(leaf.text.rpartition("=")[2] if listed else leaf.text)
    if found is None or not (listed or path[-1] == Key("image") or has_host(found.repository)):
        return None
    return Claim("image", found.repository, file, {"tag": address})


def _beside(places: Places, file: str, address: Address) -> Claim | None:
    *steps, last = address.paths[-1]
    if not isinstance(last, Key) or not steps:
        return None
    parent = address._replace(paths=(*address.paths[:-1], tuple(steps)))
    entry = isinstance(steps[-1], (Match, Index)) and steps[-2:-1] == [Key("images")]
    if last.name in _IN_VALUES:
        for path in (file, posixpath.join(posixpath.dirname(file), "values.yaml")):
            repository = _text(places, path, parent / "repository")
            if repository:
                registry = _text(places, path, parent / "registry")
                what = f"{registry}/{repository}" if registry else repository
                return Claim("image", what, file, _parts(parent, "tag"))
    if entry and last.name in _IN_ENTRY:
        what = _text(places, file, parent / "newName") or _text(places, file, parent / "name")
        return Claim("image", what, file, _parts(parent, "tag" if last.name == "tag" else "newTag")) if what else None
    return None


def _parts(parent: Address, tag: str) -> dict[Role, Address]:
    return {"tag": parent / tag, "digest": parent / "digest"}


def _text(places: Places, file: str, address: Address) -> str:
    leaf = places.leaf(file, address)
    return leaf.text if leaf is not None and leaf.was == "string" else ""
