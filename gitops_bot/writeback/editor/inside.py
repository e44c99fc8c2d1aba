"""Values that stand in a text which is YAML itself, such as ``helm.values: |`` of an Application."""

from __future__ import annotations

from gitops_bot.writeback.editor.block import offset, read_block
from gitops_bot.writeback.editor.locate import Place
from gitops_bot.writeback.editor.nodes import Stream
from gitops_bot.writeback.editor.problems import Refusal
from gitops_bot.writeback.editor.splice import Splice
from gitops_bot.writeback.editor.values import content, line_break


def text_within(stream: Stream, place: Place) -> tuple[str, int]:
    """The text at a place, and the line before its first one. Raises Refusal for all but literal texts (``|``)."""
    node, line = place.node, stream.line(place.node)
    if stream.kind(node) == "alias":
        raise Refusal("it is an alias; edit the text at its anchor", line)
    if stream.kind(node) != "scalar":
        raise Refusal("it is not a text, so nothing can be inside it; write a dot instead of |", line)
    style = stream.style(node)
    if style != "|":
        how = {">": "folded (>)", "'": "quoted", '"': "quoted"}.get(style, "on the key's own line")
        raise Refusal(
            f"the text is {how}; only a literal one (|) keeps its lines apart so that one can be edited", line
        )
    start, _end = content(stream, node)
    return stream.value(node), line + stream.text.count("\n", stream.start(node), start)


def brought_out(stream: Stream, place: Place, old: str, new: str) -> Splice:
    """What must be spliced into the file so that the literal text at a place becomes ``new``.

    Only what differs is touched, so blanks at the ends of other lines stay. Raises Refusal where it does not fit.
    """
    start, _end = content(stream, place.node)
    block = read_block(stream, place.node, start)
    before, after = _common(old, new)
    begin = offset(block, old, before)
    end = offset(block, old, len(old) - after)
    pad, newline = " " * block.indent, line_break(stream.text, start)
    first, *rows = new[before : len(new) - after].split("\n")
    out = [first]
    follows = new[len(new) - after : len(new) - after + 1]
    for index, row in enumerate(rows):
        is_last = index == len(rows) - 1
        filled = row or (is_last and follows not in ("", "\n"))
        out.append(f"{newline}{pad}{row}" if filled else newline)
    return Splice(begin, end, "".join(out))


def _common(old: str, new: str) -> tuple[int, int]:
    """How many characters two texts have in common at the beginning and at the end.

    An added line counts from the end of the line before it, so that it is added there.
    """
    shorter = min(len(old), len(new))
    before = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    limit = shorter - before
    after = next((at for at in range(limit) if old[-1 - at] != new[-1 - at]), limit)
    if before and after < shorter and old[before - 1] == old[-1 - after] == new[-1 - after] == "\n":
        return before - 1, after + 1
    return before, after
