"""From an address to the node it leads to, or to the sentence that says why it leads nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

from gitops_bot.writeback.editor.address import Document, Index, Key, Match, Step, write_path
from gitops_bot.writeback.editor.nodes import Stream
from gitops_bot.writeback.editor.problems import Refusal

_NAMED = 500
"""How many keys are compared for a nearest name."""


class Place(NamedTuple):
    """How far an address leads."""

    node: int
    """The node it leads to, or with ``rest`` the deepest one it leads to."""
    key: int | None
    """The key of that node; None for an item of a list and for a document."""
    root: int
    """The node of its document."""
    rest: tuple[Step, ...] = ()
    """Steps that lead nowhere; empty when the node is the one that is meant."""
    why: str = ""
    """Why they lead nowhere."""
    shared: tuple[int, ...] = ()
    """Anchored nodes on the way, the last one included, that aliases refer to."""


def locate(stream: Stream, document: Document | None, path: Sequence[Step]) -> Place:
    """The place of a path, in the document that is meant or in the only one where it leads to something.

    A place with ``rest`` is one where the path could go on. Raises Refusal for everything else.
    """
    roots = _roots(stream, document)
    if len(roots) == 1:
        return _walk(stream, roots[0], path)
    first = path[0]
    places = [
        _walk_or_refuse(stream, root, path)
        for root in roots
        if not isinstance(first, Key) or stream.kind(root) != "map" or stream.entry(root, first.name)
    ]
    found = [place for place in places if isinstance(place, Place) and not place.rest]
    if len(found) == 1:
        return found[0]
    if found:
        lines = ", ".join(str(stream.line(place.node)) for place in found)
        raise Refusal(
            f"{len(found)} documents of the file have it (lines {lines}); say which, as Kind/name: before the path",
            stream.line(found[1].node),
        )
    refused = [place for place in places if isinstance(place, Refusal) and not place.missing]
    if refused:
        raise refused[0]
    raise Refusal(
        f"none of the file's {len(roots)} documents has it; say which one is meant, as Kind/name: before the path",
        missing=True,
    )


def _roots(stream: Stream, document: Document | None) -> list[int]:
    roots = stream.roots
    if not roots:
        raise Refusal("the file is empty", missing=True)
    if document is None:
        filled = [root for root in roots if not is_null(stream, root)]
        return filled or roots[:1]
    if document.number is not None:
        if document.number >= len(roots):
            raise Refusal(f"there is no document {document.number}; the file has {len(roots)}, counted from 0")
        return [roots[document.number]]
    names = [_names(stream, root) for root in roots]
    wanted = (document.kind, document.name)
    found = [
        root
        for root, (kind, name, namespace) in zip(roots, names, strict=True)
        if (kind, name) == wanted and document.namespace in ("", namespace)
    ]
    if len(found) == 1:
        return found
    if found:
        lines = ", ".join(str(stream.line(root)) for root in found)
        raise Refusal(f"{len(found)} documents are {document} (lines {lines}); say the namespace or the index")
    there = sorted({f"{kind}/{name}" for kind, name, _namespace in names if kind and name})
    raise Refusal(f"no document is {document}{_nearest(str(document), there)}")


def _names(stream: Stream, root: int) -> tuple[str, str, str]:
    """Kind, name and namespace of a document."""

    def text(node: int | None, key: str) -> tuple[int | None, str]:
        found = stream.get(node, key) if node is not None else None
        return found, stream.value(found) if found is not None else ""

    metadata, _none = text(root, "metadata")
    return text(root, "kind")[1], text(metadata, "name")[1], text(metadata, "namespace")[1]


def is_null(stream: Stream, node: int) -> bool:
    """Whether a node is an empty value or a null without quotes."""
    return stream.plain(node) and stream.value(node) in ("", "~", "null", "Null", "NULL")


def _walk_or_refuse(stream: Stream, root: int, path: Sequence[Step]) -> Place | Refusal:
    try:
        return _walk(stream, root, path)
    except Refusal as refusal:
        return refusal


def _walk(stream: Stream, root: int, path: Sequence[Step]) -> Place:
    node, key = root, None
    shared: list[int] = []
    for at, step in enumerate(path):
        if stream.kind(node) == "alias":
            raise _through_alias(stream, node, path[:at])
        if stream.users.get(node):
            shared.append(node)
        if is_null(stream, node):
            return Place(node, key, root, tuple(path[at:]), f"{_where(path[:at])} is empty", tuple(shared))
        found = _step(stream, node, step, path[:at])
        if isinstance(found, str):
            return Place(node, key, root, tuple(path[at:]), found, tuple(shared))
        node, key = found
    if stream.kind(node) != "alias" and stream.users.get(node):
        shared.append(node)
    return Place(node, key, root, shared=tuple(shared))


def _where(path: Sequence[Step]) -> str:
    return write_path(tuple(path)) or "the document"


def _through_alias(stream: Stream, node: int, path: Sequence[Step]) -> Refusal:
    anchored = stream.target[node]
    return Refusal(
        f"{_where(path)} is an alias of &{stream.anchor(node)} (line {stream.line(anchored)}); an edit behind it would "
        "change other values too: edit the anchored value, or write the keys out here",
        stream.line(node),
    )


def _step(stream: Stream, node: int, step: Step, path: Sequence[Step]) -> tuple[int, int | None] | str:
    """Node and key that one step leads to, or why it leads nowhere."""
    kind = stream.kind(node)
    if isinstance(step, Key):
        if kind == "seq":
            raise Refusal(
                f"{_where(path)} is a list; choose an item, by a field as [name=api] or by its place as [0]",
                stream.line(node),
            )
        if kind == "scalar":
            raise Refusal(f"{_where(path)} is a single value; nothing can be below it", stream.line(node))
        return _entry(stream, node, step.name, path)
    if kind != "seq":
        raise Refusal(f"{_where(path)} is not a list", stream.line(node))
    if isinstance(step, Index):
        items = list(stream.items(node))
        if step.number < len(items):
            return items[step.number], None
        count = f"{len(items)} item{'s' if len(items) != 1 else ''}"
        raise Refusal(f"{_where(path)} has {count}, counted from 0", stream.line(node))
    return _matching(stream, node, step, path)


def _entry(stream: Stream, node: int, name: str, path: Sequence[Step]) -> tuple[int, int | None] | str:
    entry = stream.entry(node, name)
    if entry:
        return entry[1], entry[0]
    keys = [stream.value(key) for key, _value in stream.pairs(node) if key not in stream.merges]
    origin = merged(stream, node, name)
    if origin is not None:
        return (
            f"{_where(path)} has {_shown(name)} only through a merge key << (it stands on line {stream.line(origin)}, "
            "where an edit would change other values too)"
        )
    return f"{_where(path)} has no key {_shown(name)}{_nearest(name, keys)}"


def merged(stream: Stream, node: int, name: str) -> int | None:
    """The value that merge keys bring into a mapping under a name; None when they bring none."""
    for key, value in stream.pairs(node):
        if key in stream.merges:
            found = _brought(stream, value, name, set())
            if found is not None:
                return found
    return None


def _brought(stream: Stream, value: int, name: str, seen: set[int]) -> int | None:
    base = stream.resolved(value)
    if base in seen:
        return None
    seen.add(base)
    if stream.kind(base) == "map":
        own = stream.get(base, name)
        if own is not None:
            return own
        bases = [each for key, each in stream.pairs(base) if key in stream.merges]
    else:
        bases = list(stream.items(base)) if stream.kind(base) == "seq" else []
    return next((found for each in bases if (found := _brought(stream, each, name, seen)) is not None), None)


def _matching(stream: Stream, node: int, step: Match, path: Sequence[Step]) -> tuple[int, int | None] | str:
    found: list[int] = []
    names: list[str] = []
    for item in stream.items(node):
        field = stream.get(item, step.field)
        if field is None or stream.kind(stream.resolved(field)) != "scalar":
            continue
        if stream.value(field) == step.value:
            found.append(item)
        elif step.field == "name":  # what other fields hold is nobody's name, and perhaps a secret
            names.append(stream.value(field))
    where = write_path((*path, step))
    if len(found) > 1:
        lines = ", ".join(str(stream.line(item)) for item in found)
        raise Refusal(f"{where} is ambiguous: {len(found)} items have it (lines {lines})", stream.line(found[1]))
    if found:
        return found[0], None
    return f"{_where(path)} has no item with {step.field} {_shown(step.value)}{_nearest(step.value, names)}"


def _shown(name: str) -> str:
    return name if len(name) <= 80 else name[:79] + "…"


def _nearest(name: str, names: Sequence[str]) -> str:
    """The end of a sentence that names what was perhaps meant; empty without anything alike."""
    short = [each for each in names[:_NAMED] if 0 < len(each) <= 80]
    near = get_close_matches(name[:80], short, n=3, cutoff=0.6)
    if not near and 0 < len(short) <= 5:
        return f"; there {'is' if len(short) == 1 else 'are'} {', '.join(short)}"
    return f"; did you mean {' or '.join(near)}?" if near else ""
