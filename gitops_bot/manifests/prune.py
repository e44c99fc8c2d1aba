"""Leaving out of two large documents what is the same text in both, before they are parsed.

A parser reads a few megabytes a second; cutting block mappings by their indentation and comparing the pieces as text is
many times as fast. It is only done where every line is plain block style beyond doubt: anything else is parsed whole.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from gitops_bot.manifests import yaml
from gitops_bot.manifests.lists import has_other_keys
from gitops_bot.manifests.objects import expand

WORTH = 64 * 1024
"""Bytes from which a document is pruned."""
KEPT_LINES = 4
"""Pieces up to this many lines are kept, which keeps names and other small values readable."""

_LINE = re.compile(
    rb"""
    (?P<dash>-(?:[ ]+|$))?
    (?:
      (?P<key>[A-Za-z0-9$_./][A-Za-z0-9$_./@-]*|"[A-Za-z0-9$_./@-]+"|'[A-Za-z0-9$_./@-]+') : (?=[ ]|$)[ ]*
    )?
    (?:
      (?P<text>                                        # goes on in deeper lines
        [|>][+-]?[0-9]?[+-]?[ ]*(?:[ ]\#.*)?
        | (?: [^\s"'\#&*!|>%@`{}\[\],?:-] | [?:-](?=\S) ) .*
      )
      | (?P<closed>                                    # ends on its line
        (?: "(?:[^"\\]|\\.)*" | '(?:[^']|'')*'
          | \[ (?:[^][{}"'\#\\]|"(?:[^"\\]|\\.)*"|'[^']*')* \]
          | \{ (?:[^][{}"'\#\\]|"(?:[^"\\]|\\.)*"|'[^']*')* \}
        ) [ ]*(?:[ ]\#.*)?
      )
      | (?P<double> "(?:[^"\\]|\\.)*\\? )             # goes on to its closing quote
      | (?P<single> '(?:[^']|'')* )
      | (?:\#.*)?
    )
    """,
    re.VERBOSE,
)
_DOUBLE = re.compile(rb'(?:[^"\\]|\\.)*(?:\\?|(")[ ]*(?:[ ]#.*)?)')
_SINGLE = re.compile(rb"(?:[^']|'')*(?:(')[ ]*(?:[ ]#.*)?)?")
_QUOTED = {"double": _DOUBLE, "single": _SINGLE}
_LINE_ENDS = (b"\r", b"\t", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9", b"\xef\xbb\xbf")
"""What YAML may take for a line end or indentation and this module does not."""


class _Node:
    """A key, or a list item (key ``""``), with everything under it: some lines of the text."""

    __slots__ = ("children", "column", "end", "first", "key", "value")

    def __init__(self, key: str, column: int, first: int, value: bytes | None) -> None:
        self.key = key
        self.column = column
        """Of the key, or of the dash."""
        self.first = first
        """Index of its first line."""
        self.end = first + 1
        """Index behind its last line."""
        self.value = value
        """The value that stands on its line (or begins there), None when there is none."""
        self.children: Sequence[_Node] = ()


class _Line(NamedTuple):
    """What a line says."""

    column: int
    dash: bool
    key: str | None
    key_column: int
    value: bytes | None
    open: str
    """How the value may go on in deeper lines: ``text``, ``double``, ``single``; ``""`` where it may not."""


_Known = dict[bytes, _Line | None]
"""What each line says, None for one that is not plain block style."""
_UNKNOWN = _Line(0, False, None, 0, None, "")  # only its identity matters


class _Text(NamedTuple):
    """A document as lines, and the tree of their indentation."""

    lines: list[bytes]
    root: _Node

    def of(self, node: _Node) -> list[bytes]:
        """A node's lines."""
        return self.lines[node.first : node.end]


def prune(before: bytes, after: bytes, worth: int = WORTH) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The two objects without their large equal parts; None where that is not certain to be right, or not worth it.

    What was left out is ``yaml.Unchanged`` in both. ``worth`` is the size in bytes from which it is tried.
    """
    if min(len(before), len(after)) < worth:
        return None
    with _collector_paused():
        return _prune(before, after)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """A hundred thousand small objects without a cycle: looking for one in them costs more than making them."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _prune(before: bytes, after: bytes) -> tuple[dict[str, Any], dict[str, Any]] | None:
    known: _Known = {}
    left = _read(before, known)
    right = _read(after, known) if left else None
    if left is None or right is None:
        return None
    builder = _Builder(left, right)
    try:
        old, new = builder.mapping(left.root, right.root)
        builder.fill()
    except (_NotPlain, yaml.YamlError):
        return None
    return (old, new) if expand([old])[0] == [old] and expand([new])[0] == [new] else None


class _NotPlain(Exception):
    """The text is not what can be cut by its indentation."""


class _GoingOn:
    """A value that goes on in deeper lines: which lines are its own."""

    __slots__ = ("_deeper", "_quoted", "broken")

    def __init__(self) -> None:
        self._deeper: bytes | None = None
        self._quoted: re.Pattern[bytes] | None = None
        self.broken = False
        """Whether a quoted text is still open, or ended in the middle of a line."""

    def start(self, column: int, how: str) -> None:
        """A value begins whose further lines stand at this column or deeper."""
        self._deeper = b" " * column
        self._quoted = _QUOTED.get(how)
        self.broken = self._quoted is not None

    def takes(self, line: bytes) -> bool:
        """Whether the line is part of the value, or blank; once it is neither, the value is over."""
        if self._deeper is None or not line:
            return not line
        if not line.startswith(self._deeper):
            if line.isspace():
                return True
            self._deeper = None
            return False
        if self._quoted is not None:
            end = self._quoted.fullmatch(line)
            if end is None:
                self._deeper = None
                return False
            if end[1]:
                self._quoted, self.broken = None, False
        return True


def _read(text: bytes, known: _Known) -> _Text | None:
    """The tree of a text in plain block style; None for a line that is anything else.

    ``known`` remembers what each line says: nearly all lines of one side are on the other, too.
    """
    if any(mark in text for mark in _LINE_ENDS) or not text.endswith(b"\n"):
        return None
    # Blank lines at the end may be part of a block scalar that keeps them.
    lines = text.split(b"\n")[:-1]
    root = _Node("", -1, 0, None)
    stack = [(-1, root)]
    going_on = _GoingOn()
    for index, line in enumerate(lines):
        if going_on.takes(line):
            continue
        said = known.get(line, _UNKNOWN)
        if said is _UNKNOWN:
            said = known[line] = _line(line)
        if said is None:
            if line.strip(b" ")[:1] in (b"", b"#"):
                continue
            return None
        if going_on.broken or not _hang_line(stack, said, index):
            return None
        if said.open:
            going_on.start((said.column if said.key is None else said.key_column) + 1, said.open)
    if going_on.broken:
        return None
    for _, node in stack:
        node.end = len(lines)
    return _Text(lines, root)


def _line(line: bytes) -> _Line | None:
    """What a line in plain block style says; None for any other, for a comment and for a blank line."""
    column = len(line) - len(line.lstrip(b" "))
    match = _LINE.fullmatch(line, column)
    if match is None or (match["dash"] is None and match["key"] is None):
        return None
    text = match["text"]
    if text is not None and (b": " in text or text[-1:] == b":"):
        return None
    value = next((match[name] for name in ("text", "closed", "double", "single") if match[name] is not None), None)
    going_on = next((name for name in ("text", "double", "single") if match[name] is not None), "")
    key = None if match["key"] is None else _plain_key(match["key"])
    return _Line(column, match["dash"] is not None, key, match.start("key"), value, going_on)


def _hang_line(stack: list[tuple[int, _Node]], said: _Line, index: int) -> bool:
    """Put a line's dash and key into the tree; False where they do not fit.

    Levels are two for each column, and one more for a dash: a list may stand in the column of its key.
    """
    if said.dash:
        item = _Node("", said.column, index, said.value if said.key is None else None)
        if not _hang(stack, 2 * said.column + 1, item, index):
            return False
    if said.key is None:
        return True
    return _hang(stack, 2 * said.key_column, _Node(said.key, said.key_column, index, said.value), index)


def _hang(stack: list[tuple[int, _Node]], level: int, node: _Node, index: int) -> bool:
    last, parent = stack[-1]
    while last >= level:
        parent.end = index
        stack.pop()
        last, parent = stack[-1]
    siblings = parent.children
    if not siblings:
        if parent.value is not None or len(stack) > _MAX_STACK:
            return False
        parent.children = [node]
    else:
        first = siblings[0]
        if first.column != node.column or (first.key == "") != (node.key == ""):
            return False
        siblings.append(node)  # type: ignore[attr-defined]  # a list since it has its first item
    stack.append((level, node))
    return True


_MAX_STACK = 150


def _plain_key(key: bytes) -> str:
    if key[:1] in (b'"', b"'"):
        return key[1:-1].decode()
    return yaml.json_key(yaml.resolve_plain(key.decode()))


_Both = tuple[Any, Any]
"""A value of the base and of the head."""


class _Builder:
    """Makes the values of two trees; what only a YAML parser can read is collected and read at once."""

    def __init__(self, left: _Text, right: _Text) -> None:
        self.left, self.right = left, right
        self._chunks: list[bytes] = []
        self._slots: list[tuple[Any, Any]] = []
        """For each chunk the mapping or list, and the key or index, that its value goes to."""

    def fill(self) -> None:
        """Read what was collected and put it where it belongs. Raises YamlError, and _NotPlain for a surprise."""
        values, duplicates = yaml.read_all(b"".join(self._chunks))
        if len(values) != len(self._slots) or duplicates:
            raise _NotPlain
        for value, (container, key) in zip(values, self._slots, strict=True):
            if isinstance(value, dict) and len(value) == 1:
                (container[key],) = value.values()
            elif isinstance(value, list) and len(value) == 1:
                container[key] = value[0]
            else:
                raise _NotPlain

    def mapping(self, old: _Node, new: _Node) -> tuple[dict[str, Any], dict[str, Any]]:
        """Two mappings without what is equal and long."""
        ours, theirs = _by_key(old), _by_key(new)
        before: dict[str, Any] = dict.fromkeys(ours)
        after: dict[str, Any] = dict.fromkeys(theirs)
        for key, one in ours.items():
            other = theirs.get(key)
            if other is None:
                self.whole(self.left, one, before, key)
            else:
                self._pair(one, other, before, after, key)
        for key, other in theirs.items():
            if key not in ours:
                self.whole(self.right, other, after, key)
        return before, after

    def _pair(self, one: _Node, other: _Node, before: Any, after: Any, key: Any) -> None:
        """Put one key's value into both sides."""
        mine = self.left.of(one)
        if mine == self.right.of(other) and len(mine) > KEPT_LINES and not (key == "metadata" and one.column == 0):
            before[key] = after[key] = yaml.Unchanged(len(mine) - 1)
        elif one.children and other.children and one.children[0].key and other.children[0].key:
            before[key], after[key] = self.mapping(one, other)
        elif _alike(one, other):
            pairs = [self.mapping(*items) for items in zip(one.children, other.children, strict=True)]
            before[key], after[key] = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        else:
            self.whole(self.left, one, before, key)
            self.whole(self.right, other, after, key)

    def whole(self, text: _Text, node: _Node, container: Any, key: Any) -> None:
        """Put a node's whole value into a mapping or list."""
        if node.children:
            if node.children[0].key:
                inner: Any = {}
                container[key] = inner
                for name, child in _by_key(node).items():
                    inner[name] = None
                    self.whole(text, child, inner, name)
            else:
                items: list[Any] = [None] * len(node.children)
                container[key] = items
                for index, item in enumerate(node.children):
                    self.whole(text, item, items, index)
        elif node.value is not None:
            self._scalar(text, node, container, key)

    def _scalar(self, text: _Text, node: _Node, container: Any, key: Any) -> None:
        value = node.value
        if node.end - node.first == 1 and value is not None and _CERTAIN.fullmatch(value):
            container[key] = yaml.resolve_plain(value.decode())
            return
        first, *rest = text.of(node)
        # A key behind a dash stands alone here; its column is what the lines under it are indented against.
        self._chunks.append(b"\n".join([b"---", b" " * node.column + first[node.column :], *rest, b""]))
        self._slots.append((container, key))


_CERTAIN = re.compile(rb"[A-Za-z0-9/][A-Za-z0-9 /._@-]*[A-Za-z0-9/._@-]|[A-Za-z0-9]")
"""A plain text on one line with nothing in it that a parser could take for something else."""


def _by_key(node: _Node) -> dict[str, _Node]:
    found = {child.key: child for child in node.children}
    if len(found) != len(node.children) or "" in found:
        raise _NotPlain
    return found


def _alike(one: _Node, other: _Node) -> bool:
    """Whether the comparison is sure to pair two lists' items in this order: by equal and unique names."""
    if len(one.children) != len(other.children) or not one.children or has_other_keys(one.key):
        return False
    names = _names(one)
    return names is not None and names == _names(other)


def _names(node: _Node) -> list[bytes] | None:
    """The plain name of each item; None unless each has one and all differ."""
    found = []
    for item in node.children:
        names = [child for child in item.children if child.key == "name"]
        value = names[0].value if len(names) == 1 and names[0].end - names[0].first == 1 else None
        if value is None or not _CERTAIN.fullmatch(value) or not isinstance(yaml.resolve_plain(value.decode()), str):
            return None
        found.append(value)
    return found if len(set(found)) == len(found) else None
