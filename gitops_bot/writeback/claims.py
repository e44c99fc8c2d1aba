"""Which values of a file belong together as one image or one model: by rules, and by markers beside them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from gitops_bot.errors import UsageError
from gitops_bot.model.settings import Settings
from gitops_bot.writeback.editor.address import Address, AddressError, parse
from gitops_bot.writeback.editor.leaves import leaves
from gitops_bot.writeback.editor.markers import find_markers
from gitops_bot.writeback.editor.search import above, policies, searched
from gitops_bot.writeback.environments import ENVIRONMENT
from gitops_bot.writeback.places import Places

Role = Literal["tag", "digest", "name", "version", "path", "data", "value"]
"""What a value is of its image or model. A whole reference is its tag; ``name`` is the repository or its host."""
_MARKED: Mapping[str, Role] = {
    "": "tag", "tag": "tag", "digest": "digest", "name": "name", "version": "version", "path": "path", "data": "data",
}  # fmt: skip


class Claim(NamedTuple):
    """That some places of one file are one image or one model."""

    kind: Literal["image", "model"]
    what: str
    """The image's repository as it is written there, or the model's name."""
    file: str
    places: Mapping[Role, Address]
    """Where its parts stand; there need not be anything yet."""
    versions: tuple[str, ...] = ()
    """Names of what is written that may stand in no file: the digest of an image that is only tagged there."""


def ruled(settings: Settings) -> Iterator[Claim]:
    """What the rules say, images first, for every environment. Raises UsageError for a path that is no address."""
    for image in settings.images:
        for place in image.write:
            for file in _filled(settings, place.file):
                yield Claim("image", image.repository, file, _parsed({"tag": place.path, "digest": place.digest}))
    for model in settings.models:
        for write in model.write:
            for file in _filled(settings, write.file):
                places = _parsed({"version": write.version, "path": write.path, "data": write.data})
                yield Claim("model", model.name, file, places)


def _filled(settings: Settings, file: str) -> Iterator[str]:
    if ENVIRONMENT not in file:
        yield file
    else:
        yield from (file.replace(ENVIRONMENT, name) for name in settings.environments)


def _parsed(places: Mapping[Role, str | None]) -> dict[Role, Address]:
    return {role: rule_address(path) for role, path in places.items() if path is not None}


def rule_address(path: str) -> Address:
    """The address that a rule of the settings names. Raises UsageError."""
    try:
        return parse(path)
    except AddressError as error:
        raise UsageError(f".gitops-bot.yaml: {error.message}", hint=error.hint) from None


def marked(places: Places, file: str) -> tuple[Claim, ...]:
    """What the markers of a file say, ours and Flux's.

    The parts of one image lie in one mapping, those of a model anywhere in the file.
    """
    found = find_markers(places.data(file)).found
    watched = policies(searched(places.tree)) if any(marker.what == "policy" for marker in found) else {}
    named = {places.spot(file, at): at for at in leaves(places.data(file))} if found else {}
    grouped: dict[tuple[str, str, str], dict[Role, Address]] = {}
    for marker in found:
        address = named.get(places.spot(file, marker.address), marker.address)
        what = watched.get(marker.name) if marker.what == "policy" else marker.name
        if what is not None:
            key = ("model", what, "") if marker.what == "model" else ("image", what, str(above(address)))
            grouped.setdefault(key, {}).setdefault(_MARKED[marker.part], address)
    return tuple(
        Claim("model" if kind == "model" else "image", what, file, parts)
        for (kind, what, _at), parts in grouped.items()
    )
