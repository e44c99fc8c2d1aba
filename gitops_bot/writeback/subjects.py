"""What changed values are about: images and models by rule, by marker or by what stands beside them, else themselves.

Whoever writes values, and by whatever words they were asked for, is judged by this: what is written, and where. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from gitops_bot.model.image import is_digest, split
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.writeback.claims import Claim, Role, marked, ruled
from gitops_bot.writeback.editor.address import Address
from gitops_bot.writeback.editor.files import FileChange
from gitops_bot.writeback.editor.leaves import Leaf, leaves
from gitops_bot.writeback.guess import image_at
from gitops_bot.writeback.places import Places, Spot


class Moved(NamedTuple):
    """One value, before and after."""

    file: str
    """Where it is written."""
    address: Address
    old: Leaf | None
    """None: the key is new."""
    new: Leaf | None
    """None: the key goes."""


class Part(NamedTuple):
    """One value of a subject."""

    role: Role
    change: Moved


class Subject(NamedTuple):
    """An image, a model or a single value, with all its values, also those that stay as they are."""

    kind: Literal["image", "model", "value"]
    what: str
    """Repository, the model's name, or ``FILE#PATH``: as holds name it."""
    file: str
    parts: tuple[Part, ...]
    also: tuple[str, ...] = ()
    """What else claims these places: another rule, a marker, the repository that stands beside them."""
    said: tuple[str, ...] = ()
    """Names of the new version that may stand in no file."""
    places: Mapping[Role, Address] = {}
    """Where its parts stand, also where nothing is yet; empty for a single value."""

    @property
    def changed(self) -> bool:
        return any(part.change.old != part.change.new for part in self.parts)

    def moved(self, role: Role) -> bool:
        """Whether a value of one role changes."""
        return any(part.role == role and part.change.old != part.change.new for part in self.parts)

    def versions(self, *, new: bool) -> tuple[str, ...]:
        """The names under which a hold could mean what was written, or with ``new`` what is: tag, digest, version."""
        wanted = {"image": ("tag", "digest"), "model": ("version",), "value": ("value",)}[self.kind]
        leaves = [part.change.new if new else part.change.old for part in self.parts if part.role in wanted]
        texts = [leaf.text for leaf in leaves if leaf is not None and leaf.text]
        names = [name for text in texts for name in (names_of(text) if self.kind == "image" else (text,))]
        return tuple(dict.fromkeys([*names, *(self.said if new else ())]))

    def texts(self, role: Role) -> tuple[str, ...]:
        """The new texts of one role, without empty ones."""
        leaves = [part.change.new for part in self.parts if part.role == role]
        return tuple(leaf.text for leaf in leaves if leaf is not None and leaf.text)


def written(changes: Iterable[FileChange]) -> tuple[Moved, ...]:
    """Every value that edits have changed, in texts within a file as well, in order of file."""
    found: list[Moved] = []
    for change in changes:
        before, after = leaves(change.old), leaves(change.new)
        found += [
            Moved(change.path, at, before.get(at), after.get(at))
            for at in dict.fromkeys([*after, *before])
            if before.get(at) != after.get(at)
        ]
        found += [
            Moved(change.path, outcome.address, _text(outcome.old), _text(outcome.new))
            for _path, outcome in change.outcomes
            if outcome.changed and len(outcome.address.paths) > 1
        ]
    return tuple(found)


def _text(text: str | None) -> Leaf | None:
    return Leaf(text, "string") if text is not None else None


def names_of(text: str) -> tuple[str, ...]:
    """Tag and digest of a whole image reference; of a tag or digest alone just that."""
    if is_digest(text) or not any(sign in text for sign in "/:@"):
        return (text,)
    whole = split(text)
    return tuple(each for each in (whole.tag, whole.digest) if each)


def subjects(
    settings: Settings, changes: Iterable[Moved], tree: Tree, claims: Iterable[Claim] = ()
) -> tuple[Subject, ...]:
    """The changes by what they are about: images and models in the order of the rules; then single values.

    ``tree`` has the files, as they are to be: rules are sought in them, and what stands beside a value says what it is
    of. ``claims`` are what is known besides; they come first.
    """
    finder = _Finder(settings, tree, claims)
    groups: dict[tuple[int, str, str, str], list[Part]] = {}
    about: dict[tuple[int, str, str, str], tuple[Claim, list[str]]] = {}
    single: list[Subject] = []
    for change in changes:
        found = list(finder.claims(change))
        if not found:
            what = f"{change.file}#{change.address}"
            single.append(Subject("value", what, change.file, (Part("value", change),)))
            continue
        order, claim, role = found[0]
        key = (order, claim.what, change.file, str(next(iter(claim.places.values()), change.address)))
        groups.setdefault(key, []).append(Part(role, change))
        others = about.setdefault(key, (claim, []))[1]
        others += [other.what for _order, other, _role in found[1:] if other.what not in (claim.what, *others)]
    return (*(finder.whole(key[2], groups[key], *about[key]) for key in sorted(groups)), *single)


class _Known(NamedTuple):
    order: int
    claim: Claim
    spots: Mapping[Spot, Role]


_Found = tuple[int, Claim, Role]


class _Finder:
    """Finds what a value is of in one tree."""

    def __init__(self, settings: Settings, tree: Tree, claims: Iterable[Claim]) -> None:
        self.places = Places(tree)
        self._claims: dict[str, list[tuple[int, Claim]]] = {}
        order = 0
        for order, claim in enumerate((*claims, *ruled(settings))):
            self._claims.setdefault(self.places.real(claim.file), []).append((order, claim))
        self._last = order + 1
        self._known: dict[str, tuple[_Known, ...]] = {}

    def claims(self, change: Moved) -> Iterator[_Found]:
        """All that claims a value, the first in order first."""
        spot = self.places.spot(change.file, change.address)
        for known in self._in_file(spot.file):
            if spot in known.spots:
                yield known.order, known.claim, known.spots[spot]
        guessed = image_at(self.places, change.file, change.address, change.new or change.old)
        if guessed is not None:
            at = {self.places.spot(change.file, address): role for role, address in guessed.places.items()}
            yield self._last, guessed, at.get(spot, "name")

    def _in_file(self, file: str) -> tuple[_Known, ...]:
        if file not in self._known:
            there = self._claims.get(file, []) + [(self._last, claim) for claim in marked(self.places, file)]
            self._known[file] = tuple(
                _Known(order, claim, {self.places.spot(file, at): role for role, at in claim.places.items()})
                for order, claim in there
            )
        return self._known[file]

    def whole(self, file: str, parts: list[Part], claim: Claim, also: list[str]) -> Subject:
        """A subject with the parts that stay as they are."""
        spots = {self.places.spot(file, part.change.address) for part in parts}
        for role, address in claim.places.items():
            leaf = self.places.leaf(file, address)
            if leaf is not None and self.places.spot(file, address) not in spots:
                parts = [*parts, Part(role, Moved(file, address, leaf, leaf))]
        return Subject(claim.kind, claim.what, file, tuple(parts), tuple(also), claim.versions, claim.places)
