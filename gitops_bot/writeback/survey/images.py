"""Which images a repository deploys, and where their tags stand, as rules for ``bump --image``. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from gitops_bot.model.image import canonical
from gitops_bot.model.settings import ImageRule, ImageWrite
from gitops_bot.writeback.editor.address import Address, Key
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.editor.read import Value, read, scalars
from gitops_bot.writeback.editor.search import Found, Searched, above, named_images
from gitops_bot.writeback.editor.setters import image_name
from gitops_bot.writeback.survey.grouping import Grouped, by_names, grouped
from gitops_bot.writeback.survey.proposed import ProposedImage

_SPEAKS = re.compile(rb"""^[\s{-]*["']?(?:repository|newTag|image)["']?\s*:""", re.MULTILINE)
_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9._:-]*(?:/[a-z0-9][a-z0-9._-]*)*")
_SEMVER = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?")
_LARGEST = 262_144
"""Bytes: files of values are smaller, definitions of resources with ``image`` among their fields are larger."""
_FEW = 10
"""Images that are proposed although nothing tells whether they are built here."""
_MOST = 50
"""Images that are looked for everywhere."""


def find_images(
    files: Searched, environments: Sequence[str], owners: Sequence[str]
) -> tuple[tuple[ProposedImage, ...], tuple[str, ...]]:
    """Rules for the images that seem to be built for this repository, and a line for each other image.

    An image is one of them when an environment's own file writes it, or when one of ``owners`` (lower case) is a part
    of its name; where none is, and the images are few, all of them are.
    """
    small = Searched({path: data for path, data in files.contents.items() if len(data) <= _LARGEST})
    spellings = {canonical(name): name for name in sorted(_names(small), reverse=True)}
    places = {name: named_images(small, name) for name in sorted(spellings.values())[:_MOST]}
    groups = {
        name: grouped((by_names(each, small.contents) for each in found), environments)
        for name, found in places.items()
    }
    groups = {name: each for name, each in groups.items() if each}
    ours = [
        name
        for name, each in groups.items()
        if any(one.is_own for one in each) or set(name.lower().split("/")[:-1]) & set(owners)
    ]
    if not ours and len(groups) <= _FEW:
        ours = list(groups)
    proposed = tuple(_proposed(name, groups[name], small.contents) for name in ours)
    others = tuple(f"{name} ({each[0].found[0].told})" for name, each in groups.items() if name not in ours)
    return proposed, others


def _names(files: Searched) -> set[str]:
    """The repositories of every image that stands anywhere with a tag."""
    return {name for data in files.contents.values() if _SPEAKS.search(data) for name in _names_in(data)}


def _names_in(data: bytes) -> Iterator[str]:
    try:
        by_address = {value.address: value for value in scalars(data)}
    except EditRefused:
        return
    for value in by_address.values():
        last = value.address.paths[-1][-1]
        if not isinstance(last, Key):
            continue
        name = _name(value, last.name, by_address)
        if name and _REPOSITORY.fullmatch(name):
            yield name


def _name(value: Value, key: str, by_address: Mapping[Address, Value]) -> str:
    """The image that a scalar names, ``""`` for none."""
    parent = above(value.address)
    if key == "repository":
        registry = by_address.get(parent / "registry")
        return f"{registry.text}/{value.text}" if registry is not None and registry.text else value.text
    if key in ("newTag", "digest"):
        named = by_address.get(parent / "newName") or by_address.get(parent / "name")
        return named.text if named is not None and parent.paths[-1] and Key("images") in parent.paths[-1] else ""
    if key == "image" and image_name(value.text) != value.text:
        return image_name(value.text)
    return ""


def _proposed(name: str, groups: Sequence[Grouped], contents: Mapping[str, bytes]) -> ProposedImage:
    writes = tuple(
        ImageWrite(file=each.file, path=each.place("tag") or each.place("reference") or "", digest=each.place("digest"))
        for each in groups
    )
    tags = [_tag(one, contents) for each in groups for one in each.found]
    told = [tag for tag in tags if tag]
    order: Literal["semver", "newest"] = "semver" if told and all(map(_SEMVER.fullmatch, told)) else "newest"
    return ProposedImage(
        rule=ImageRule(repository=name, order=order, write=writes),
        why=tuple(one.told for each in groups for one in each.found),
    )


def _tag(found: Found, contents: Mapping[str, bytes]) -> str:
    """What is deployed at a place, ``""`` where nothing stands there yet."""
    place = found.places.get("tag") or found.places.get("reference")
    try:
        there = read(contents[found.file], place) if place is not None else None
    except EditRefused:
        return ""
    if there is None or "tag" in found.places:
        return there.text if there is not None else ""
    return there.text.partition("@")[0].rpartition(":")[2]
