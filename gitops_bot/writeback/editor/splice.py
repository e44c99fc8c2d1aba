"""Which characters of a text are replaced by which, and what must be true of the text afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from gitops_bot.manifests.yaml import YamlError, resolve_plain
from gitops_bot.writeback.editor.nodes import Stream, differ
from gitops_bot.writeback.editor.problems import Refusal
from gitops_bot.writeback.editor.scalar import Kind, guessed


class Splice(NamedTuple):
    """Characters of a text and what stands there afterwards."""

    start: int
    end: int
    """Behind the last one; equal to ``start`` where something is only added."""
    text: str


class Expected(NamedTuple):
    """One event that must stand in the text afterwards."""

    kind: str
    """scalar, map, seq, or an end: map end, seq end, or libyaml's name of a document's begin or end."""
    value: str = ""
    reads: Kind | Literal["text", "any"] = "string"
    """Of a scalar: what every reader must take it for; ``text`` within quotes or as a block, ``any`` as before."""
    anchor: str | None = None
    tag: str | None = None


class Swap(NamedTuple):
    """Events of the old text, and those that take their place."""

    at: int
    drop: int
    put: tuple[Expected, ...]


class Change(NamedTuple):
    """What one edit does to a text, and the proof of it."""

    splice: Splice
    swaps: tuple[Swap, ...]
    """In the order of the text."""
    notes: tuple[str, ...] = ()


def apply(text: str, splices: Sequence[Splice]) -> str:
    """The text with every splice made; they must be in order and not overlap."""
    out: list[str] = []
    done = 0
    for splice in splices:
        out += [text[done : splice.start], splice.text]
        done = splice.end
    out.append(text[done:])
    return "".join(out)


def prove(old: Stream, text: str, swaps: Sequence[Swap]) -> Stream:
    """Read the new text, and compare every event of it with the old one's.

    Whatever no swap names must say exactly what it said: kind, value, anchor, tag, quotes, document marks; so every
    path of every document but the edited ones reads as before. Raises Refusal when anything else has changed.
    """
    try:
        new = Stream(text)
    except YamlError as error:
        raise Refusal(f"the file could not be read after the edit ({error.problem})", error.line) from None
    at = there = 0
    for swap in (*swaps, Swap(len(old.said), 0, ())):
        same = swap.at - at
        strange = differ(old, at, new, there, same)
        if strange is not None:
            line = new.line(min(there + strange, len(new.said) - 1))
            raise Refusal("the edit would change other values of the file", line)
        at, there = swap.at + swap.drop, there + same
        for expected in swap.put:
            _is(new, there, expected)
            there += 1
    if there != len(new.said):
        raise Refusal("the edit would add or remove other values")
    return new


def _is(new: Stream, node: int, expected: Expected) -> None:
    """Raises Refusal when an event of the new text is not the one that was meant."""
    if node >= len(new.said):
        raise Refusal("the edit would remove other values")
    line, name = new.line(node), new.kind(node)
    if name != expected.kind:
        raise Refusal("the edited text does not read as it was meant", line)
    if name not in ("scalar", "map", "seq"):
        return
    if (new.anchor(node), new.tag(node)) != (expected.anchor, expected.tag):
        raise Refusal("the edit would change an anchor or a tag", line)
    if name != "scalar":
        return
    if new.value(node) != expected.value or not _reads(new, node, expected):
        raise Refusal("the new value would not read as it was meant", line)


def _reads(new: Stream, node: int, expected: Expected) -> bool:
    plain, value = new.plain(node), expected.value
    if expected.reads == "any":
        return True
    if expected.reads == "string":
        return not plain or (not guessed(value) and resolve_plain(value) == value)
    if expected.reads == "text":
        return not plain
    resolved = resolve_plain(value) if plain else None
    is_boolean = isinstance(resolved, bool)
    return is_boolean if expected.reads == "boolean" else isinstance(resolved, (int, float)) and not is_boolean
