"""The events of a YAML text with their marks: what stands where, down to aliases, which a composed tree hides.

libyaml's parser reads them (about 50,000 a second's tenth); nothing is resolved, expanded or built.
"""

from __future__ import annotations

import codecs
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

from yaml import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    MarkedYAMLError,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    YAMLError,
)
from yaml._yaml import CParser

from gitops_bot.manifests.yaml import MAX_ALIASED, MAX_DEPTH, YamlError, json_key, read_all, resolve_plain

MAX_BYTES = 8_000_000
"""How large a file may be that is edited; the largest values files in use have some hundred thousand bytes."""


def decode(data: bytes) -> tuple[str, bytes]:
    """The text of a file, and the byte order mark before it. Raises YamlError for anything but UTF-8."""
    if len(data) > MAX_BYTES:
        raise YamlError(f"the file is larger than {MAX_BYTES:,} bytes")
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    try:
        return data[len(mark) :].decode(), mark
    except UnicodeDecodeError as error:
        raise YamlError("the file is not UTF-8", data.count(b"\n", 0, error.start) + 1) from None


class Stream:
    """Every event of a text. A node is known by the index of its first event."""

    def __init__(self, text: str) -> None:
        """Take the text, without a byte order mark. Raises YamlError for anything that cannot be read or edited."""
        if len(text) > MAX_BYTES:
            raise YamlError(f"the file is larger than {MAX_BYTES:,} bytes")
        self.text = text
        self.said: list[tuple[Any, ...]] = []
        """What each event says: kind, value, anchor, tag, and what else its kind has; equal tuples mean the same."""
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.lines: list[int] = []
        self.columns: list[int] = []
        self.close: dict[int, int] = {}
        """Collection → the index of its end."""
        self.target: dict[int, int] = {}
        """Alias → the node it stands for."""
        self.users: dict[int, list[int]] = {}
        """Anchored node → its aliases."""
        self.roots: list[int] = []
        """The node of each document."""
        self.merges: set[int] = set()
        """Keys that are a merge key <<."""
        self.keys: set[int] = set()
        """Every node that is a key."""
        self.braces: list[tuple[int, int]] = []
        """First and last event of each outermost collection in braces or brackets."""
        self._entries: dict[int, dict[str, tuple[int, int]]] = {}
        _Reader(self).read()

    # -- what a node is

    def kind(self, node: int) -> str:
        """``scalar``, ``map``, ``seq`` or ``alias``; of an event that begins no node, its name."""
        return str(self.said[node][0])

    def resolved(self, node: int) -> int:
        """The node itself, or the one that an alias stands for."""
        return self.target.get(node, node)

    def value(self, node: int) -> str:
        """The text of a scalar or of what an alias stands for; empty for a collection."""
        return str(self.said[self.target.get(node, node)][1])

    def plain(self, node: int) -> bool:
        """Whether a scalar stands without quotes and tag, so that readers guess what it is."""
        said = self.said[node]
        return said[0] == "scalar" and said[4] is True

    def style(self, node: int) -> str:
        """Of a scalar ``'``, ``"``, ``|``, ``>`` or empty for none."""
        return str(self.said[node][5])

    def flow(self, node: int) -> bool:
        """Whether a collection is written in braces or brackets."""
        return bool(self.said[node][4])

    def tag(self, node: int) -> str | None:
        """The tag that is written on a node, in full; None without one."""
        tag: str | None = self.said[node][3]
        return tag

    def anchor(self, node: int) -> str | None:
        """The anchor on a node, or the name of an alias."""
        anchor: str | None = self.said[node][2]
        return anchor

    def key_text(self, node: int) -> str:
        """A key as JSON has it: ``on`` is "true" to Kubernetes, ``1`` is "1"."""
        value, node = self.value(node), self.resolved(node)
        if not self.plain(node):
            return value
        resolved = resolve_plain(value)
        return resolved if isinstance(resolved, str) else json_key(resolved)

    # -- where it stands

    def start(self, node: int) -> int:
        """Offset of a node's first character, anchor and tag included."""
        return self.starts[node]

    def end(self, node: int) -> int:
        """Offset behind a node's last character as libyaml has it; block collections and texts end later than seen."""
        return self.ends[self.close.get(node, node)]

    def within_braces(self, node: int) -> bool:
        """Whether a node stands in a collection that is written in braces or brackets."""
        at = bisect_left(self.braces, (node,)) - 1
        return at >= 0 and node < self.braces[at][1]

    def root(self, node: int) -> int:
        """The node of the document that a node is in."""
        return self.roots[bisect_right(self.roots, node) - 1]

    def line(self, node: int) -> int:
        """The line a node begins on; 1 is the first."""
        return self.lines[node] + 1

    def column(self, node: int) -> int:
        """Characters before a node on its line."""
        return self.columns[node]

    # -- what is in it

    def after(self, node: int) -> int:
        """The index behind a node."""
        return self.close.get(node, node) + 1

    def items(self, node: int) -> Iterator[int]:
        """The items of a list; keys and values in turn of a mapping."""
        end = self.close[node]
        child = node + 1
        while child < end:
            yield child
            child = self.after(child)

    def pairs(self, node: int) -> Iterator[tuple[int, int]]:
        """Key and value of each entry of a mapping."""
        children = self.items(node)
        return zip(children, children, strict=True)

    def get(self, node: int, name: str) -> int | None:
        """The value of a mapping's own key, aliases followed on the way in; None when it is no mapping or has none."""
        node = self.resolved(node)
        if self.kind(node) != "map":
            return None
        entry = self.entry(node, name)
        return entry[1] if entry else None

    def entry(self, node: int, name: str) -> tuple[int, int] | None:
        """Key and value of a mapping's own key; the name is meant as it is written, without quotes."""
        if node not in self._entries:
            own = ((key, value) for key, value in self.pairs(node) if key not in self.merges)
            self._entries[node] = {self.value(key): (key, value) for key, value in own}
        return self._entries[node].get(name)


def differ(old: Stream, at: int, new: Stream, there: int, count: int) -> int | None:
    """Of ``count`` events of two texts, from ``at`` and ``there`` on, the first that says something else.

    None: all say the same. Compared are what the event is, and its value, anchor, tag, quotes or brackets, and document
    marks: where two texts agree in all of it, every reader takes them for the same.
    """
    ours, theirs = old.said[at : at + count], new.said[there : there + count]
    if ours == theirs:
        return None
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(ours), len(theirs)))


def events(text: str) -> Iterator[Any]:
    """Every event of a text, read as it is asked for. Raises YamlError, with the line where there is one."""
    try:
        parser = CParser(text)
        yield from iter(parser.get_event, None)
    except (YAMLError, ValueError) as error:
        # The one place that words libyaml's complaints without the names and values in them.
        try:
            read_all(text.encode("utf-8", "surrogatepass"))
        except YamlError as told:
            raise told from None
        mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
        raise YamlError("not valid YAML", mark.line + 1 if mark else 0) from None


_MARKS = ("explicit", "version", "tags")
_MAP_END = ("map end", "", None, None)
_SEQ_END = ("seq end", "", None, None)


class _Frame:
    """A collection that is being read."""

    __slots__ = ("expects_key", "is_map", "key", "names", "size", "start")

    def __init__(self, start: int, *, is_map: bool) -> None:
        self.start = start
        self.is_map = is_map
        self.expects_key = is_map
        self.key = -1
        self.names: dict[str, int] = {}
        self.size = 1


class _Reader:
    """Fills a Stream in one pass, and refuses what nobody could edit with a clear conscience."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.stack: list[_Frame] = []
        self.anchors: dict[str, int] = {}
        self.sizes: dict[int, int] = {}
        self.aliased = 0
        self.flows_from: int | None = None

    def read(self) -> None:
        stream, stack = self.stream, self.stack
        say, start, end = stream.said.append, stream.starts.append, stream.ends.append
        line, column = stream.lines.append, stream.columns.append
        for index, event in enumerate(events(stream.text)):
            mark = event.start_mark
            start(mark.index)
            line(mark.line)
            column(mark.column)
            end(event.end_mark.index)
            kind = event.__class__
            if kind is ScalarEvent:
                say(("scalar", event.value, event.anchor, event.tag, bool(event.implicit[0]), event.style or ""))
                if event.anchor is not None:
                    self.anchors[event.anchor] = index
                if not stack:
                    stream.roots.append(index)
                    continue
                frame = stack[-1]
                frame.size += 1
                if frame.expects_key:
                    self.named(frame, index)
                    frame.expects_key = False
                else:
                    frame.expects_key = frame.is_map
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                name = "map" if kind is MappingStartEvent else "seq"
                say((name, "", event.anchor, event.tag, bool(event.flow_style)))
                self.opened(index, event.anchor, is_map=kind is MappingStartEvent)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                say(_MAP_END if kind is MappingEndEvent else _SEQ_END)
                self.closed(index)
            elif kind is AliasEvent:
                say(("alias", "", event.anchor, None))
                self.alias(index, event.anchor)
            else:
                say((kind.__name__, "", None, None, *(getattr(event, name, None) for name in _MARKS)))
                self.anchors.clear()
                self.aliased = 0

    def opened(self, index: int, anchor: str | None, *, is_map: bool) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise YamlError(f"nested deeper than {MAX_DEPTH} levels", self.stream.line(index))
        if anchor is not None:
            self.anchors[anchor] = index
        if not self.stack:
            self.stream.roots.append(index)
        elif self.stack[-1].expects_key:
            raise YamlError("a key is a mapping or a list", self.stream.line(index))
        else:
            self.stack[-1].expects_key = self.stack[-1].is_map
        if self.flows_from is None and self.stream.flow(index):
            self.flows_from = index
        self.stack.append(_Frame(index, is_map=is_map))

    def closed(self, index: int) -> None:
        frame = self.stack.pop()
        if self.flows_from == frame.start:
            self.flows_from = None
            self.stream.braces.append((frame.start, index))
        self.stream.close[frame.start] = index
        if self.stream.anchor(frame.start) is not None:
            self.sizes[frame.start] = frame.size
        if self.stack:
            self.stack[-1].size += frame.size

    def alias(self, index: int, anchor: str) -> None:
        line = self.stream.line(index)
        target = self.anchors.get(anchor)
        if target is None:
            raise YamlError("an alias of an anchor that is not defined before it", line)
        is_scalar = self.stream.kind(target) == "scalar"
        if not is_scalar and target not in self.sizes:
            raise YamlError("an alias refers to what contains it", line)
        size = self.sizes.get(target, 1)
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            raise YamlError(f"aliases add more than {MAX_ALIASED:,} nodes", line)
        self.stream.target[index] = target
        self.stream.users.setdefault(target, []).append(index)
        if not self.stack:
            self.stream.roots.append(index)
            return
        frame = self.stack[-1]
        frame.size += size
        if not frame.expects_key:
            frame.expects_key = frame.is_map
            return
        if not is_scalar:
            raise YamlError("a key is a mapping or a list", line)
        self.named(frame, index)
        frame.expects_key = False

    def named(self, frame: _Frame, index: int) -> None:
        stream = self.stream
        stream.keys.add(index)
        name = stream.key_text(index)
        if name == "<<" and stream.plain(index):
            stream.merges.add(index)
        first = frame.names.setdefault(name, index)
        if first == index and name != stream.value(index):  # `on` is "true", and still nobody's but its own
            first = frame.names.setdefault(stream.value(index), index)
        if first != index:
            shown = name if len(name) <= 80 else name[:79] + "…"
            problem = f"the key {shown} is there twice; it is also on line {stream.line(first)}"
            raise YamlError(problem, stream.line(index))
