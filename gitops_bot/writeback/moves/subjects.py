"""What changed values are about: images and models by the rules, anything else by file and path. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from gitops_bot.model.moving import is_moving, is_moving_tag
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.text.escape import md_cell_code
from gitops_bot.writeback.editor.address import Address, parse
from gitops_bot.writeback.editor.leaves import Leaf, shown
from gitops_bot.writeback.guess import image_at
from gitops_bot.writeback.holds import Hold, holding
from gitops_bot.writeback.moves.copying import Moved
from gitops_bot.writeback.trailers import Bumped, Trailers, write_trailers

_GUESSED = 1_000_000
"""Behind all rules."""

Role = Literal["tag", "digest", "version", "path", "data", "value"]
"""What a value is of its subject."""


class Part(NamedTuple):
    """One value of a subject."""

    role: Role
    change: Moved


class Subject(NamedTuple):
    """An image, a model or a single value, with all its values that were looked at."""

    kind: Literal["image", "model", "value"]
    what: str
    """Repository, the model's name, or ``FILE#PATH``: as holds name it."""
    file: str
    parts: tuple[Part, ...]

    @property
    def changed(self) -> bool:
        return any(part.change.old != part.change.new for part in self.parts)

    def versions(self, *, new: bool) -> tuple[str, ...]:
        """The names under which a hold could mean what was written, or with ``new`` what is: tag, digest, version."""
        wanted = {"image": ("tag", "digest"), "model": ("version",), "value": ("value",)}[self.kind]
        leaves = [part.change.new if new else part.change.old for part in self.parts if part.role in wanted]
        texts = [leaf.text for leaf in leaves if leaf is not None and leaf.text]
        return tuple(name for text in texts for name in (_of_reference(text) if self.kind == "image" else (text,)))


def _of_reference(text: str) -> tuple[str, ...]:
    """Tag and digest of a whole image reference; of a tag or digest alone just that."""
    whole, at, digest = text.partition("@")
    tag = whole.rpartition("/")[2].partition(":")[2] if "/" in whole or at or ":" in whole else whole
    if not at and ":" in text and "/" not in text and text.partition(":")[0] in ("sha256", "sha512"):
        return (text,)
    return tuple(each for each in (tag, digest) if each)


def subjects(settings: Settings, environment: str, changes: Iterable[Moved], tree: Tree) -> tuple[Subject, ...]:
    """The changes by what they are about: images first, then models, in the order of the rules; then single values.

    ``tree`` has the files: where no rule names a tag or digest, what stands beside it there says which image it is of.
    """
    known = _known(settings, environment)
    grouped: dict[tuple[int, str, str], list[Part]] = {}
    facts: dict[tuple[int, str, str], tuple[Literal["image", "model"], str]] = {}
    single: list[Subject] = []
    for change in changes:
        rule = known.get((change.file, change.address))
        guessed = None if rule else image_at(tree, change.file, change.address)
        if guessed is not None:
            rule = (_GUESSED, "image", *guessed)
        if rule is None:
            what = f"{change.file}#{change.address}"
            single.append(Subject("value", what, change.file, (Part("value", change),)))
            continue
        order, kind, what, role = rule
        grouped.setdefault((order, what, change.file), []).append(Part(role, change))
        facts[order, what, change.file] = (kind, what)
    ruled = [Subject(*facts[key], key[2], tuple(grouped[key])) for key in sorted(grouped)]
    return (*ruled, *single)


def _known(
    settings: Settings, environment: str
) -> dict[tuple[str, Address], tuple[int, Literal["image", "model"], str, Role]]:
    """Every place that a rule writes: its number, its kind, what it writes and which part of that."""
    found: dict[tuple[str, Address], tuple[int, Literal["image", "model"], str, Role]] = {}

    def note(
        number: int, kind: Literal["image", "model"], what: str, file: str, places: Mapping[Role, str | None]
    ) -> None:
        for role, path in places.items():
            if path is not None:
                found.setdefault((file.replace("{environment}", environment), parse(path)), (number, kind, what, role))

    for number, image in enumerate(settings.images):
        for place in image.write:
            note(number, "image", image.repository, place.file, {"tag": place.path, "digest": place.digest})
    for number, model in enumerate(settings.models, len(settings.images)):
        for write in model.write:
            places: Mapping[Role, str | None] = {"version": write.version, "path": write.path, "data": write.data}
            note(number, "model", model.name, write.file, places)
    return found


def held(found: Sequence[Subject], holds: Iterable[Hold], *, environment: str, now: datetime) -> tuple[Hold, ...]:
    """The holds that stand against the new values of these subjects, each once, in their order."""
    listed = list(holds)
    against = [
        hold
        for subject in found
        if subject.changed
        for hold in holding(listed, subject.what, subject.versions(new=True), environment=environment, now=now)
    ]
    return tuple(hold for hold in listed if hold in against)


def summary_lines(found: Sequence[Subject]) -> list[str]:
    """The changes in plain text, one line each, for a commit's message: ``ghcr.io/acme/api: sha-1 → sha-2``."""
    return [
        f"{_label(subject, part)}: {_plain(part.change, part.change.old)} → {_plain(part.change, part.change.new)}"
        for subject in found
        for part in subject.parts
        if part.change.old != part.change.new
    ]


def table(found: Sequence[Subject], apps: Mapping[str, Sequence[str]], *, heads: tuple[str, str]) -> str:
    """The changes as a Markdown table; ``apps`` are the names of the apps that read a file; ``heads`` name the sides.

    Foreign text is harmless, secrets are masked.
    """
    lines = [f"| app | what | {heads[0]} | {heads[1]} |", "|---|---|---|---|"]
    for subject in found:
        names = apps.get(subject.file) or (subject.file,)
        who = ", ".join(map(md_cell_code, names))
        for part in subject.parts:
            change = part.change
            if change.old != change.new:
                old, new = (_cell(change, leaf) for leaf in (change.old, change.new))
                lines.append(f"| {who} | {md_cell_code(_label(subject, part))} | {old} | {new} |")
    return "\n".join([*lines, ""])


def _label(subject: Subject, part: Part) -> str:
    if subject.kind == "value":
        return str(part.change.address)
    return subject.what if part.role in ("tag", "version") else f"{subject.what} {part.role}"


def _plain(change: Moved, leaf: Leaf | None) -> str:
    if leaf is None:
        return "(not set)"
    return shown(change.address, leaf) or '""'


def _cell(change: Moved, leaf: Leaf | None) -> str:
    if leaf is None:
        return "not set"
    return md_cell_code(shown(change.address, leaf)) or "empty"


def movable(found: Sequence[Subject]) -> list[str]:
    """What can mean something else tomorrow among the new values: a tag without a digest, a model's alias or path."""
    reasons = []
    for subject in found:
        new = {part.role: part.change.new.text for part in subject.parts if part.change.new is not None}
        if subject.kind == "image":
            names = [_of_reference(text) for role in ("tag", "digest") if (text := new.get(role))]
            flat = [name for each in names for name in each]
            if not any(":" in name for name in flat):
                reasons += [f"the tag {name} of {subject.what} can move" for name in flat if is_moving_tag(name)]
        elif subject.kind == "model":
            reasons += [
                f"the {role} {text} of {subject.what} can move"
                for role, text in new.items()
                if text and is_moving(text, version=role != "path")
            ]
    return reasons


def trailers(found: Sequence[Subject], environment: str, run_url: str = "") -> tuple[tuple[str, str], ...]:
    """What is written, as the lines that a bump's commit has too: programs read the last version from them."""
    bumps = []
    for subject in found:
        if not subject.changed or subject.kind == "value":
            continue
        old, new = subject.versions(new=False), subject.versions(new=True)
        digest = next((name for name in new if ":" in name), "")
        bumps.append(
            Bumped(
                kind=subject.kind,
                what=subject.what,
                old=old[0] if old else "",
                new=new[0] if new else "",
                digest=digest if subject.kind == "image" else "",
            )
        )
    return write_trailers(Trailers(environment=environment, bumps=tuple(bumps), run_url=run_url))
