"""Add a key that is not there, behind the last one of its mapping and in the file's own indentation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gitops_bot.writeback.editor.address import Index, Key, Match, Step
from gitops_bot.writeback.editor.block import read_block
from gitops_bot.writeback.editor.locate import Place, is_null, merged
from gitops_bot.writeback.editor.nodes import Stream
from gitops_bot.writeback.editor.problems import Refusal
from gitops_bot.writeback.editor.scalar import Kind, write
from gitops_bot.writeback.editor.splice import Change, Expected, Splice, Swap
from gitops_bot.writeback.editor.values import content, json_like, line_break, refuse_without_colon, shared_notes

_BREAK = re.compile(r"\r\n|\n|\r|\Z")
_REST = re.compile(r"[ \t]*(?:(?<=[ \t])#[^\r\n]*)?(?=\r|\n|\Z)")
_COMMENTS = re.compile(r"^[ \t]*#[^\r\n]*", re.MULTILINE)
_MAP_END, _SEQ_END = "map end", "seq end"


class _Style(NamedTuple):
    """How a file indents."""

    step: int
    """Columns from a key to the keys below it."""
    dash: int
    """Columns from a key to the dashes of its list."""


def insert(stream: Stream, place: Place, text: str, kind: Kind) -> Change:
    """Add what is missing at a place, with the value at its end. Raises Refusal where that is not sound."""
    node, line = place.node, stream.line(place.node)
    if any(isinstance(step, Index) for step in place.rest):
        raise Refusal("an item that is chosen by its place cannot be created; choose it by a field", line)
    if stream.kind(node) == "map" and isinstance(place.rest[0], Key):
        hidden = merged(stream, node, place.rest[0].name)
        if hidden is not None and (len(place.rest) > 1 or stream.kind(stream.resolved(hidden)) != "scalar"):
            raise Refusal("the key comes from a merge key <<; one of its own would hide the others below it", line)
    notes = tuple(shared_notes(stream, place))
    if is_null(stream, node):
        splice, swap = _into_null(stream, place, text, kind)
    elif stream.flow(node):
        splice, swap = _into_flow(stream, place, text, kind)
    else:
        splice, swap = _behind_last(stream, place, text, kind)
    return Change(splice, (swap,), notes)


def insert_into_nothing(stream: Stream, path: Sequence[Step], text: str, kind: Kind) -> Change:
    """Write the first key of a file that holds nothing but comments. Raises Refusal for a list's item."""
    if not all(isinstance(step, Key) for step in path):
        raise Refusal("only keys can be created in an empty file")
    source = stream.text
    newline = line_break(source, 0)
    rows = newline.join(_rows(path, write(text, kind), 0, _Style(2, 2)))
    glue = newline if source and not source.endswith(("\n", "\r")) else ""
    end = len(source)
    put = (Expected("DocumentStartEvent"), *_events(path, text, kind), Expected("DocumentEndEvent"))
    return Change(Splice(end, end, glue + rows + newline), (Swap(1, 0, put),))


# -- what is written ----------------------------------------------------------------------------------------------


def _rows(path: Sequence[Step], value: str, column: int, style: _Style) -> list[str]:
    """The lines of a chain of keys in block style; the first one begins at ``column``."""
    pad = " " * column
    first, rest = path[0], path[1:]
    if isinstance(first, Match):
        lead = f"{write(first.field, 'string')}: {write(first.value, 'string')}"
        below = _rows(rest, value, column + 2, style) if rest else []
        return [f"{pad}- {lead}", *below]
    assert isinstance(first, Key)
    name = write(first.name, "string")
    if not rest:
        return [f"{pad}{name}: {value}"]
    return [f"{pad}{name}:", *_rows(rest, value, column + (style.dash if _is_item(rest[0]) else style.step), style)]


def _is_item(step: Step) -> bool:
    return isinstance(step, Match)


def _inline(path: Sequence[Step], value: str, quote: str) -> str:
    """A chain of keys in braces, without the outermost ones."""
    first, rest = path[0], path[1:]
    if isinstance(first, Match):
        lead = f"{_flow(first.field, quote)}: {_flow(first.value, quote)}"
        return f"{{{lead}, {_inline(rest, value, quote)}}}" if rest else f"{{{lead}}}"
    assert isinstance(first, Key)
    return f"{_flow(first.name, quote)}: {_wrapped(rest, value, quote) if rest else value}"


def _wrapped(path: Sequence[Step], value: str, quote: str) -> str:
    inner = _inline(path, value, quote)
    return f"[{inner}]" if _is_item(path[0]) else f"{{{inner}}}"


def _flow(text: str, quote: str) -> str:
    return write(text, "string", quote=quote, flow=True)


def _events(path: Sequence[Step], value: str, kind: Kind) -> list[Expected]:
    """What a reader must find for a chain of keys, its outermost collection included."""
    if not path:
        return [Expected("scalar", value, kind)]
    if isinstance(path[0], Match):
        return [Expected("seq"), *_entry_events(path, value, kind), Expected(_SEQ_END)]
    return [Expected("map"), *_entry_events(path, value, kind), Expected(_MAP_END)]


def _entry_events(path: Sequence[Step], value: str, kind: Kind) -> list[Expected]:
    """The same without that outermost collection."""
    first, rest = path[0], path[1:]
    if isinstance(first, Match):
        below = _entry_events(rest, value, kind) if rest else []
        lead = [Expected("map"), Expected("scalar", first.field), Expected("scalar", first.value)]
        return [*lead, *below, Expected(_MAP_END)]
    assert isinstance(first, Key)
    return [Expected("scalar", first.name), *_events(rest, value, kind)]


# -- where it goes ------------------------------------------------------------------------------------------------


def _into_null(stream: Stream, place: Place, text: str, kind: Kind) -> tuple[Splice, Swap]:
    """Give a key without a value (or with ``null``) its first entry."""
    node, source = place.node, stream.text
    put = _events(place.rest, text, kind)
    put[0] = put[0]._replace(anchor=stream.anchor(node), tag=stream.tag(node))
    swap = Swap(node, 1, tuple(put))
    start, end = content(stream, node)
    if place.key is None and start == end and not _COMMENTS.sub("", source[start:]).strip():
        rows = _rows(place.rest, write(text, kind), 0, _Style(2, 2))
        newline = line_break(source, start)
        glue = "" if source.endswith(("\n", "\r")) else newline
        return Splice(len(source), len(source), glue + newline.join(rows) + newline), swap
    flow = stream.within_braces(node)
    bare = stream.anchor(node) is None and place.key is not None and stream.line(place.key) == stream.line(node)
    if start == end and bare and not flow and source[start - 1 : start] == ":":
        rest = _REST.match(source, start)
        if rest is not None and place.key is not None:
            style = _style(stream, place.root)
            deeper = style.dash if _is_item(place.rest[0]) else style.step
            newline = line_break(source, start)
            rows = _rows(place.rest, write(text, kind), stream.column(place.key) + deeper, style)
            return Splice(rest.end(), rest.end(), newline + newline.join(rows)), swap
    quote = '"' if json_like(stream, node) else ""
    inner = _wrapped(place.rest, write(text, kind, quote=quote, flow=True), quote)
    if start == end:
        refuse_without_colon(stream, node, start)
        return Splice(start, end, inner if source[start - 1].isspace() else " " + inner), swap
    return Splice(start, end, inner), swap


def _into_flow(stream: Stream, place: Place, text: str, kind: Kind) -> tuple[Splice, Swap]:
    """Add an entry to a collection in braces or brackets."""
    node, source = place.node, stream.text
    children = list(stream.items(node))
    keys = children[::2] if stream.kind(node) == "map" else []
    json = json_like(stream, node) or (bool(keys) and all(stream.style(key) == '"' for key in keys))
    json = json or (stream.flow(node) and node in stream.roots and not keys)
    quote = '"' if json else ""
    new = _inline(place.rest, write(text, kind, quote=quote, flow=True), quote)
    swap = Swap(stream.close[node], 0, tuple(_entry_events(place.rest, text, kind)))
    if not children:
        at = source.index("{" if stream.kind(node) == "map" else "[", content(stream, node)[0]) + 1
        return Splice(at, at, new), swap
    at = stream.end(children[-1])
    first = keys[-1] if keys else children[-1]
    own_line = line_before(source, stream.start(first))
    ends_line = re.compile(r"[ \t]*(?:\r\n|\n|\r)").match(source, at)
    if not own_line.strip(" \t") and ends_line and stream.start(first) - len(own_line) > stream.start(node):
        return Splice(at, at, f",{line_break(source, at)}{own_line}{new}"), swap
    return Splice(at, at, f", {new}"), swap


def _behind_last(stream: Stream, place: Place, text: str, kind: Kind) -> tuple[Splice, Swap]:
    """Add a line, or some, behind the last entry of a block mapping or list."""
    node, source = place.node, stream.text
    children = list(stream.items(node))
    at = last_character(stream, node)
    line_end = _BREAK.search(source, at)
    rest = _REST.match(source, at)
    if rest is None or line_end is None:
        raise Refusal("something stands behind the last entry on its line", stream.line(children[-1]))
    style = _style(stream, place.root)
    if stream.kind(node) == "seq":
        column = _dash(stream, children[0])
    else:
        column = stream.column(children[0])
        before = line_before(source, stream.start(children[0]))
        if "\t" in before or not re.fullmatch(r" *(?:- +)*(?:\? +)?", before):
            raise Refusal("the mapping's first key does not begin its line", stream.line(children[0]))
    newline = line_break(source, at)
    rows = _rows(place.rest, write(text, kind), column, style)
    swap = Swap(stream.close[node], 0, tuple(_entry_events(place.rest, text, kind)))
    return Splice(rest.end(), rest.end(), newline + newline.join(rows)), swap


def last_character(stream: Stream, node: int) -> int:
    """Offset behind the last character that belongs to a node, newlines of block texts left out."""
    while stream.kind(node) in ("map", "seq") and not stream.flow(node):
        *_others, node = stream.items(node)
    if stream.kind(node) == "scalar" and stream.style(node) in ("|", ">"):
        block = read_block(stream, node, content(stream, node)[0], only_ends=True)
        return block.end if block.keeps else block.content_end
    return stream.end(node)


def line_before(source: str, at: int) -> str:
    """What stands on a line before an offset."""
    return source[max(source.rfind("\n", 0, at), source.rfind("\r", 0, at)) + 1 : at]


def _dash(stream: Stream, item: int) -> int:
    """Column of the dash of a list's first item."""
    before = line_before(stream.text, stream.start(item)).rstrip(" ")
    if not re.fullmatch(r" *(?:- +)*-", before):
        raise Refusal("the list's first item does not stand behind its dash", stream.line(item))
    return len(before) - 1


def _style(stream: Stream, root: int) -> _Style:
    """The indentation a document uses, told by its first mapping and its first list below a key; else two columns."""
    step = dash = None
    for node in range(root, stream.after(root)):
        if stream.kind(node) != "map" or stream.flow(node):
            continue
        for key, value in stream.pairs(node):
            if stream.kind(value) not in ("map", "seq") or stream.flow(value) or stream.anchor(value):
                continue
            deeper = stream.column(value) - stream.column(key)
            if stream.kind(value) == "map" and deeper > 0:
                step = step or deeper
            elif stream.kind(value) == "seq" and deeper >= 0:
                dash = deeper if dash is None else dash
        if step and dash is not None:
            break
    return _Style(step or 2, 2 if dash is None else dash)
