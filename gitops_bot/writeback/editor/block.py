"""The text of a block scalar (``|``, ``>``) and where each character of it stands in the file."""

from __future__ import annotations

import re
from typing import NamedTuple

from gitops_bot.writeback.editor.nodes import Stream
from gitops_bot.writeback.editor.problems import Refusal

_HEADER = re.compile(r"([|>])([0-9+-]{0,2})[ \t]*(?:#[^\r\n]*)?(\r\n|\r|\n|\Z)")
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")


class Block(NamedTuple):
    """A block scalar taken apart."""

    indicators: int
    """Offset behind the ``|`` or ``>``, where its indicators stand."""
    marks: str
    """Those indicators: a digit for the indentation, ``-`` or ``+`` for the final newlines."""
    indent: int
    """Columns before its lines."""
    lines: tuple[int, ...]
    """Offset of the first character of each line of the value, behind the indentation."""
    starts: tuple[int, ...]
    """Offset of the beginning of each of these lines in the file."""
    content_end: int
    """Offset behind the last line that is not blank, before its newline."""
    end: int
    """Offset behind all its lines, trailing blank ones included, before the last newline."""

    @property
    def keeps(self) -> bool:
        return "+" in self.marks


def read_block(stream: Stream, node: int, start: int, *, only_ends: bool = False) -> Block:
    """Take apart the block scalar whose ``|`` or ``>`` stands at ``start``. Raises Refusal where it cannot be sure.

    With ``only_ends`` it need not be sure of the indentation, which is then wrong where it cannot be told.
    """
    text = stream.text
    header = _HEADER.match(text, start)
    if header is None:
        raise Refusal("the head of the block text is not understood", stream.line(node))
    stop = stream.end(node)
    rows: list[tuple[int, str]] = []
    at = header.end()
    while at < stop:
        row = _LINE.match(text, at)
        assert row is not None
        if row.end() > stop and row[1].strip(" ") and row.start() + len(row[1]) > stop:
            break  # libyaml's mark stands within the indentation of the line that follows the block
        rows.append((at, row[1]))
        at = row.end()
        if row.end() == row.start():
            break
    try:
        indent = _indent(stream, node, header, rows)
    except Refusal:
        if not only_ends:
            raise
        indent = len(stream.text)
    filled = [index for index, (_at, row) in enumerate(rows) if row.strip(" ") or len(row) > indent]
    last = filled[-1] if filled else -1
    ends = [at + len(row) for at, row in rows]
    return Block(
        indicators=start + 1,
        marks=header[2],
        indent=indent,
        lines=tuple(at + min(indent, len(row)) for at, row in rows),
        starts=tuple(at for at, _row in rows),
        content_end=ends[last] if last >= 0 else header.end(2),
        end=ends[-1] if ends else header.end(2),
    )


def _indent(stream: Stream, node: int, header: re.Match[str], rows: list[tuple[int, str]]) -> int:
    """Columns of indentation. A literal's value tells; of a folded one only the first line does."""
    if header[1] == "|":
        value = stream.value(node).split("\n")
        widths = {len(row) - len(text) for (_at, row), text in zip(rows, value, strict=False) if text}
        if len(widths) == 1:
            return widths.pop()
        if widths:
            raise Refusal("the block text has breaks that YAML readers see differently", stream.line(node))
    first = next((row for _at, row in rows if row.strip(" ")), None)
    if first is None or re.search(r"[0-9]", header[2]):
        raise Refusal("the indentation of the block text cannot be told", stream.line(node))
    return len(first) - len(first.lstrip(" "))


def offset(block: Block, value: str, at: int) -> int:
    """Where in the file the character at this offset of a literal block's value stands.

    Raises Refusal for an offset behind the last newline.
    """
    line = value.count("\n", 0, at)
    if line >= len(block.lines):
        raise Refusal("the edit would reach behind the end of the block text")
    return block.lines[line] + at - (value.rfind("\n", 0, at) + 1)
