"""What stands against writing values: versions on hold, and in protected environments whatever can move. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from gitops_bot.model.image import is_digest
from gitops_bot.model.moving import is_moving, is_moving_tag
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.writeback.editor.address import AddressError, parse
from gitops_bot.writeback.holds import Hold, counts, releases
from gitops_bot.writeback.places import Places
from gitops_bot.writeback.subjects import Subject

Where = Callable[[str], Collection[str]]
"""File → names of the environments that it is written for."""
_PINNED = re.compile(r"[0-9a-f]{16,}|[?&#](?:versionId|generation)=|@sha256:|#[0-9]{10,}", re.IGNORECASE)
"""What pins the content of a storage path: a digest or run id, a version id of S3, a generation of GCS."""


class Against(NamedTuple):
    """Why values may not be written; without reasons they may."""

    reasons: tuple[str, ...]
    """A sentence each, without first capital and final dot."""
    hint: str
    """What to do."""


def against(
    found: Sequence[Subject], holds: Iterable[Hold], tree: Tree, settings: Settings, *, where: Where, now: datetime
) -> Against:
    """What stands against the new values of these subjects.

    ``tree`` has the files that they are in. ``now`` is aware.
    """
    standing = held(found, holds, tree, where=where, now=now)
    reasons = [hold.told for hold in standing]
    for subject in found:
        for name in protected(settings, where(subject.file)) if subject.changed else ():
            reasons += [f"{name} is protected, and {reason}" for reason in _moving(subject)]
    hint = f"{releases(standing)} lets it be written again" if standing else "name a version that stays what it is"
    return Against(tuple(dict.fromkeys(reasons)), hint)


def protected(settings: Settings, names: Collection[str]) -> tuple[str, ...]:
    """The protected ones of some environments, in the order of the settings."""
    return tuple(name for name, each in settings.environments.items() if each.protected and name in names)


def held(
    found: Iterable[Subject], holds: Iterable[Hold], tree: Tree, *, where: Where, now: datetime
) -> tuple[Hold, ...]:
    """The holds that stand against the new values of these subjects, each once, in their order."""
    listed = list(holds)
    places = Places(tree)
    changed = [subject for subject in found if subject.changed]
    return tuple(
        hold for hold in listed if any(_stands(hold, subject, places, where(subject.file), now) for subject in changed)
    )


def _stands(hold: Hold, subject: Subject, places: Places, environments: Collection[str], now: datetime) -> bool:
    named = any(
        counts(hold, what, subject.versions(new=True), environments=environments, now=now)
        for what in (subject.what, *subject.also)
    )
    return named or any(
        counts(hold, hold.what, (version,), environments=environments, now=now)
        for version in _written_at(hold.what, subject, places)
    )


def _written_at(what: str, subject: Subject, places: Places) -> Iterator[str]:
    """What is written at the place that a hold names as ``FILE#PATH``, in whatever words."""
    file, mark, path = what.partition("#")
    if not mark or places.real(file) != places.real(subject.file):
        return
    try:
        spot = places.spot(file, parse(path))
    except AddressError:
        return
    for part in subject.parts:
        change = part.change
        if change.old != change.new and places.spot(change.file, change.address) == spot:
            yield change.new.text if change.new is not None else ""


def _moving(subject: Subject) -> Iterator[str]:
    """What can mean something else tomorrow among the new values."""
    if subject.kind == "image":
        written = subject._replace(said=()).versions(new=True)  # a digest that stands nowhere pins nothing
        if not any(map(is_digest, written)):
            for tag in filter(is_moving_tag, written):
                yield f"the tag {tag} of {subject.what} can move: name a version, or give the digest and a place for it"
    elif subject.kind == "model":
        yield from _moving_model(subject)


def _moving_model(subject: Subject) -> Iterator[str]:
    versions = subject.versions(new=True)
    for version in versions:
        if is_moving(version, version=True):
            yield f"the version {version} of {subject.what} is an alias that can move"
    for path in subject.texts("path"):
        if is_moving(path, version=False):
            yield f"the path {path} of {subject.what} can move"
        elif not any(_pins(path, version) for version in ("", *versions)):
            named = f"the version {' or '.join(versions)}, nor " if versions else ""
            yield (
                f"nothing in the path {path} of {subject.what} pins its content: "
                f"neither {named}a digest, nor a version id of the storage"
            )
    for data in subject.texts("data"):
        if is_moving(data, version=True):
            yield f"the data version {data} of {subject.what} can move"


def _pins(path: str, version: str) -> bool:
    """Whether a path names the version as a whole part, or has a digest or version id in it."""
    bare = re.escape(version.removeprefix("v"))
    named = bare and re.search(rf"(?<![0-9A-Za-z.])v?{bare}(?![0-9A-Za-z]|\.[0-9])", path)
    return bool(named) or _PINNED.search(path) is not None
