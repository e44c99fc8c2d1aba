"""Leaving out of two large documents what is the same text in both, before they are parsed.

A parser reads a few megabytes a second; cutting block mappings by their indentation and comparing the pieces as text is
twenty times as fast. It is only done where the text is plain block style beyond doubt: anything else is parsed whole.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from gitops_bot.manifests import yaml
from gitops_bot.manifests.lists import has_other_keys
from gitops_bot.manifests.objects import expand

WORTH = 64 * 1024
"""Bytes from which a document is pruned."""
KEPT_LINES = 4
"""Pieces up to this many lines are kept, which keeps names and other small values readable."""

_KEY = re.compile(rb"([A-Za-z$_/][A-Za-z0-9$_./@-]*|\"[^\"\\\n]*\"|'[^'\n]*'):(?: +(.*))?")
_BLOCK_SCALAR = re.compile(rb"[|>][+-]?[ \t]*(?:#.*)?")
_UNSURE = re.compile(
    rb"""
    ^\ *\t                                              # a tab in the indentation
    | [^\n\r]\r[^\n]                                    # a lone carriage return, a line end to YAML
    | \xc2\x85 | \xe2\x80[\xa8\xa9]                     # line ends to YAML 1.1
    | (?:^|:|-|\?)\ +[&*!](?=\S)                        # anchors, aliases and tags
    | ^[&*!] | ^\ *\?(?:\ |$) | ^\ *<<                  # explicit keys, merge keys
    | ^\ *(?:-\ +)*(?:[^\s"'\#|>-][^\n]*?:\ +)?(?:
        "(?:[^"\\\n]|\\.)*\\?$                          # a quoted text that does not end on its line
        | '(?:[^'\n]|'')*$
        | \{[^\n]*[^}\s\n]\s*$ | \[[^\n]*[^\]\s\n]\s*$  # a flow collection that does not
        | [{\[]\s*$
    )
    """,
    re.MULTILINE | re.VERBOSE,
)


class _Piece(NamedTuple):
    """A key, or a list item, and everything under it: some lines of the text."""

    key: bytes
    first: int
    """Index of its first line."""
    end: int
    """Index behind its last line."""


class _Text:
    """One document as lines with their indentation."""

    def __init__(self, text: bytes) -> None:
        self.lines = text.split(b"\n")
        if self.lines and not self.lines[-1]:
            self.lines.pop()
        self.indents = [len(line) - len(line.lstrip(b" ")) if line.strip() else -1 for line in self.lines]

    def same(self, one: _Piece, text: _Text, other: _Piece) -> bool:
        """Whether two pieces have the same lines."""
        return one.end - one.first == other.end - other.first and (
            self.lines[one.first : one.end] == text.lines[other.first : other.end]
        )


def prune(before: bytes, after: bytes, worth: int = WORTH) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The two objects without their large equal parts; None where that is not certain to be right, or not worth it.

    What was left out is ``yaml.Unchanged`` in both. ``worth`` is the size in bytes from which it is tried.
    """
    if min(len(before), len(after)) < worth or _UNSURE.search(before) or _UNSURE.search(after):
        return None
    left, right = _Pruner(_Text(before), _Text(after)).run() or (b"", b"")
    if not left:
        return None
    try:
        old, new = (yaml.read_all(text, placeholders=True)[0] for text in (left, right))
    except yaml.YamlError:
        return None
    if len(expand(old)[0]) != 1 or len(expand(new)[0]) != 1 or len(old) != 1 or len(new) != 1:
        return None
    return old[0], new[0]


class _NotPlain(Exception):
    """The text is not what can be cut by its indentation."""


class _Pruner:
    """One pair of documents."""

    def __init__(self, left: _Text, right: _Text) -> None:
        self.left, self.right = left, right
        self.old: list[bytes] = []
        self.new: list[bytes] = []

    def run(self) -> tuple[bytes, bytes] | None:
        """Both texts with placeholders; None when one of them is not plain."""
        try:
            self._mapping(
                _pieces(self.left, 0, len(self.left.lines), 0), _pieces(self.right, 0, len(self.right.lines), 0), 0
            )
        except _NotPlain:
            return None
        return b"\n".join(self.old) + b"\n", b"\n".join(self.new) + b"\n"

    def _mapping(self, old: list[_Piece], new: list[_Piece], indent: int) -> None:
        """Write two mappings, equal values of some length left out, differing ones pruned in turn."""
        others = {piece.key: piece for piece in new}
        ours = {piece.key: piece for piece in old}
        if len(others) != len(new) or len(ours) != len(old):
            raise _NotPlain
        written: dict[bytes, list[bytes]] = {}
        for piece in old:
            other = others.get(piece.key)
            if other is None:
                self.old += self.left.lines[piece.first : piece.end]
            elif self.left.same(piece, self.right, other):
                lines = _placeholder(self.left, piece)
                self.old += lines
                written[piece.key] = lines
            else:
                written[piece.key] = self._differing(piece, other, indent)
        for other in new:
            self.new += written.get(other.key, self.right.lines[other.first : other.end])

    def _differing(self, one: _Piece, other: _Piece, indent: int) -> list[bytes]:
        """Write the base side of a value that differs; returns the lines of the head side."""
        inner = _Pruner(self.left, self.right)
        if not inner._descend(one, other, indent):
            self.old += self.left.lines[one.first : one.end]
            return self.right.lines[other.first : other.end]
        self.old += [self.left.lines[one.first], *inner.old]
        return [self.right.lines[other.first], *inner.new]

    def _descend(self, one: _Piece, other: _Piece, indent: int) -> bool:
        """Prune inside of two values; False where they are kept whole."""
        if _opener(self.left, one) is None or _opener(self.right, other) is None:
            return False
        inside = [_inside(text, piece) for text, piece in ((self.left, one), (self.right, other))]
        if inside[0] is None or inside[1] is None or inside[0][1] != inside[1][1]:
            return False
        (start, deeper), (start_other, _) = inside
        dashes = [text.lines[at].lstrip(b" ").startswith((b"- ", b"-\n")) or text.lines[at].strip() == b"-"
                  for text, at in ((self.left, start), (self.right, start_other))]  # fmt: skip
        if any(dashes):
            return all(dashes) and self._list(one, other, start, start_other, deeper)
        if deeper <= indent:
            return False
        self._mapping(
            _pieces(self.left, start, one.end, deeper), _pieces(self.right, start_other, other.end, deeper), deeper
        )
        return True

    def _list(self, one: _Piece, other: _Piece, start: int, start_other: int, indent: int) -> bool:
        """Prune inside the items of a list whose items have the same, unique names on both sides, in one order."""
        if has_other_keys(one.key.strip(b"\"'").decode("utf-8", "replace")):
            return False
        old, new = _items(self.left, start, one.end, indent), _items(self.right, start_other, other.end, indent)
        if old is None or new is None or len(old) != len(new):
            return False
        names = [_names(text, items, indent) for text, items in ((self.left, old), (self.right, new))]
        if names[0] is None or names[0] != names[1]:
            return False
        for left, right in zip(old, new, strict=True):
            inner = _Pruner(_item_text(self.left, left, indent), _item_text(self.right, right, indent))
            inner._mapping(
                _pieces(inner.left, 0, len(inner.left.lines), indent + 2),
                _pieces(inner.right, 0, len(inner.right.lines), indent + 2),
                indent + 2,
            )
            self.old += _with_dash(inner.old, indent)
            self.new += _with_dash(inner.new, indent)
        return True


def _pieces(text: _Text, start: int, end: int, indent: int) -> list[_Piece]:
    """The keys of a mapping with this indentation; raises _NotPlain for any line that does not fit."""
    firsts: list[tuple[int, bytes]] = []
    for index in range(start, end):
        here = text.indents[index]
        if here > indent or here < 0:
            if not firsts and here > 0 and not text.lines[index].lstrip(b" ").startswith(b"#"):
                raise _NotPlain
            continue
        line = text.lines[index]
        if here < indent:
            if line.lstrip(b" ").startswith(b"#"):
                continue
            raise _NotPlain
        body = line[indent:]
        if body.startswith(b"#") or (body.startswith(b"- ") or body.rstrip() == b"-") and firsts:
            continue
        match = _KEY.fullmatch(body.rstrip(b" \r"))
        if match is None:
            raise _NotPlain
        firsts.append((index, match[1]))
    bounds = [*(index for index, _ in firsts), end]
    return [_Piece(key, index, bounds[at + 1]) for at, (index, key) in enumerate(firsts)]


def _opener(text: _Text, piece: _Piece) -> bytes | None:
    """The first line's indentation and key when nothing but a comment follows the colon; else None."""
    line = text.lines[piece.first].strip(b" \r")
    match = _KEY.fullmatch(line)
    return match[1] if match and (match[2] or b"#").startswith(b"#") else None


def _inside(text: _Text, piece: _Piece) -> tuple[int, int] | None:
    """The first line under a key that has content, and its indentation; None when there is none."""
    for index in range(piece.first + 1, piece.end):
        if text.indents[index] >= 0 and not text.lines[index].lstrip(b" ").startswith(b"#"):
            return index, text.indents[index]
    return None


def _items(text: _Text, start: int, end: int, indent: int) -> list[_Piece] | None:
    """The items of a list whose dashes have this indentation; None for any line that does not fit."""
    firsts = []
    for index in range(start, end):
        if text.indents[index] == indent:
            if not text.lines[index].startswith(b"- ", indent) or text.lines[index][indent + 2 : indent + 3] == b" ":
                return None
            firsts.append(index)
        elif 0 <= text.indents[index] <= indent:
            return None
    bounds = [*firsts, end]
    return [_Piece(b"", index, bounds[at + 1]) for at, index in enumerate(firsts)]


_NAME = re.compile(rb"name: +([A-Za-z][A-Za-z0-9._-]*)[ \r]*")


def _names(text: _Text, items: list[_Piece], indent: int) -> list[bytes] | None:
    """The plain name of each item; None unless each has one and all differ."""
    found = []
    for item in items:
        names = [
            match[1]
            for index in range(item.first, item.end)
            if index == item.first or text.indents[index] == indent + 2
            if (match := _NAME.fullmatch(text.lines[index], indent + 2))
        ]
        if len(names) != 1 or not isinstance(yaml.resolve_plain(names[0].decode()), str):
            return None
        found += names
    return found if len(set(found)) == len(found) else None


def _item_text(text: _Text, item: _Piece, indent: int) -> _Text:
    """An item's lines as those of a mapping: its dash is a space."""
    cut = _Text(b"")
    first = text.lines[item.first]
    cut.lines = [b" " * (indent + 2) + first[indent + 2 :], *text.lines[item.first + 1 : item.end]]
    cut.indents = [indent + 2, *text.indents[item.first + 1 : item.end]]
    return cut


def _with_dash(lines: list[bytes], indent: int) -> list[bytes]:
    first = lines[0]
    return [first[:indent] + b"- " + first[indent + 2 :], *lines[1:]]


def _placeholder(text: _Text, piece: _Piece) -> list[bytes]:
    """A piece that is equal on both sides: as it is when it is short, else its key and how many lines it has."""
    count = piece.end - piece.first
    if count <= KEPT_LINES:
        return text.lines[piece.first : piece.end]
    line = text.lines[piece.first]
    match = _KEY.match(line, text.indents[piece.first])
    assert match is not None
    return [line[: match.end(1)] + b": " + yaml.UNCHANGED_TAG.encode() + b" " + str(count - 1).encode()]
