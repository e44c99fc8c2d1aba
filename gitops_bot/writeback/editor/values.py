"""Replace one scalar: which characters go, which come, in the user's own quotes."""

from __future__ import annotations

import re
from typing import Literal

from gitops_bot.manifests.yaml import resolve_plain
from gitops_bot.writeback.editor.block import read_block
from gitops_bot.writeback.editor.locate import Place
from gitops_bot.writeback.editor.nodes import Stream
from gitops_bot.writeback.editor.problems import Refusal
from gitops_bot.writeback.editor.scalar import Kind, guessed, why_not, write
from gitops_bot.writeback.editor.splice import Change, Expected, Splice, Swap

_STR = "tag:yaml.org,2002:str"
_GAP = re.compile(r"(?:[ \t]+|(?:(?<=[ \t])|^)#[^\r\n]*|\r\n|\r|\n)*", re.MULTILINE)
_PROPERTY = re.compile(r"&[^\s,\[\]{}]+|!<[^>\s]*>|![^\s,\[\]{}]*")

Was = Literal["string", "number", "boolean", "null"]
"""What Kubernetes takes a scalar for."""


def was(stream: Stream, node: int) -> Was:
    """What Kubernetes takes a scalar, or the one an alias stands for, to be."""
    node = stream.resolved(node)
    if not stream.plain(node):
        return "string"
    value = resolve_plain(stream.value(node))
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else "string"


def kind_after(old: Was | None, text: str) -> Kind:
    """What a text is written as where nobody says it, after what stood there (None for nothing).

    Replicas stay a number; ``1.10`` becomes text, because a number would lose its last digit.
    """
    loses = "." in text and text.endswith("0")
    if old in ("number", "boolean") and not loses and not why_not(text, old):
        return old
    return "string"


def reads_as(stream: Stream, node: int, text: str, kind: Kind) -> bool:
    """Whether every reader already takes the scalar for this value."""
    node = stream.resolved(node)
    if stream.kind(node) != "scalar" or stream.value(node) != text:
        return False
    if kind == "string":
        return stream.tag(node) == _STR or not stream.plain(node) or not guessed(text)
    return was(stream, node) == kind


def content(stream: Stream, node: int) -> tuple[int, int]:
    """Where a scalar's own characters begin and end, behind its anchor and tag."""
    text, at, end = stream.text, stream.start(node), stream.end(node)
    for _each in range((stream.anchor(node) is not None) + (stream.tag(node) is not None)):
        gap = _GAP.match(text, at)
        found = _PROPERTY.match(text, gap.end() if gap else at)
        if found is None:
            raise Refusal("the anchor or tag before the value is not understood", stream.line(node))
        at = found.end()
    if at > stream.start(node) and at < end:
        gap = _GAP.match(text, at)
        at = gap.end() if gap else at
    return at, max(at, end)


def replace(stream: Stream, place: Place, text: str, kind: Kind) -> Change:
    """Give the scalar at a place another value. Raises Refusal where that is not sound."""
    node = place.node
    notes = list(shared_notes(stream, place))
    if stream.kind(node) == "alias":
        return _replace_alias(stream, node, text, kind)
    line = stream.line(node)
    if stream.kind(node) != "scalar":
        raise Refusal(f"it is a {'mapping' if stream.kind(node) == 'map' else 'list'}, not a single value", line)
    tag = stream.tag(node)
    if tag not in (None, _STR):
        raise Refusal("it carries a tag, which gives the value another meaning", line)
    if tag is not None and kind != "string":
        raise Refusal(f"it carries a tag that makes it text, so it cannot become a {kind}", line)
    for user in stream.users.get(node, ()):
        if user in stream.keys:
            raise Refusal("the value is used as a key through an alias, which would be renamed", stream.line(user))
    old = was(stream, node)
    if kind == "string" and old in ("number", "boolean"):
        notes.append(f"the old value is a {old} to readers, the new one is text")
    expected = Expected("scalar", text, kind, stream.anchor(node), tag)
    swap = Swap(node, 1, (expected,))
    style = stream.style(node)
    if style in ("|", ">"):
        return Change(_replace_block(stream, node, text, kind), (swap,), tuple(notes))
    start, end = content(stream, node)
    if start == end:
        return Change(_fill(stream, node, start, text, kind), (swap,), tuple(notes))
    new = write(text, kind, quote=_quote(stream, node), flow=stream.within_braces(node))
    return Change(Splice(start, end, new), (swap,), tuple(notes))


def shared_notes(stream: Stream, place: Place) -> list[str]:
    """What else follows the edit, because the value or something around it is anchored and used elsewhere."""
    notes = []
    for node in place.shared:
        users = stream.users[node]
        lines = ", ".join(str(stream.line(user)) for user in users[:10]) + (", …" if len(users) > 10 else "")
        many = len(users) > 1
        notes.append(
            f"the alias{'es' if many else ''} of &{stream.anchor(node)} follow{'' if many else 's'} "
            f"(line{'s' if many else ''} {lines})"
        )
    return notes


def _replace_alias(stream: Stream, node: int, text: str, kind: Kind) -> Change:
    target = stream.target[node]
    if stream.kind(target) != "scalar":
        what = "mapping" if stream.kind(target) == "map" else "list"
        raise Refusal(f"it is an alias of a {what}, not a single value", stream.line(node))
    new = write(text, kind, quote=_quote(stream, target), flow=stream.within_braces(node))
    note = f"it was an alias of &{stream.anchor(node)} (line {stream.line(target)}); only this use has changed"
    splice = Splice(stream.start(node), stream.end(node), new)
    return Change(splice, (Swap(node, 1, (Expected("scalar", text, kind),)),), (note,))


def _quote(stream: Stream, node: int) -> str:
    style = stream.style(node)
    if style in ("'", '"'):
        return style
    return '"' if json_like(stream, node) else ""


def json_like(stream: Stream, node: int) -> bool:
    """Whether a node's document is JSON: in braces or brackets from its beginning, its first key in double quotes."""
    root = stream.root(node)
    if root == node or stream.kind(root) not in ("map", "seq") or not stream.flow(root):
        return False
    first = next((each for each in range(root, stream.after(root)) if each in stream.keys), None)
    return first is None or stream.style(stream.resolved(first)) == '"'


def _fill(stream: Stream, node: int, at: int, text: str, kind: Kind) -> Splice:
    """Write a value where there is none: behind the colon or the dash, or behind an anchor or tag."""
    source = stream.text
    refuse_without_colon(stream, node, at)
    new = write(text, kind, quote=_quote(stream, node), flow=stream.within_braces(node))
    if source[at : at + 1] == " " and source[at + 1 : at + 2] in ("", "\r", "\n"):
        return Splice(at + 1, at + 1, new)
    return Splice(at, at, new if source[at - 1].isspace() else " " + new)


def refuse_without_colon(stream: Stream, node: int, at: int) -> None:
    """Raises Refusal for an empty value that no colon or dash announces, as in ``{a, b}``."""
    bare = stream.anchor(node) is None and stream.tag(node) is None
    if bare and stream.text[max(0, at - 1000) : at].rstrip()[-1:] not in (":", "-", "?"):
        raise Refusal("the key has no colon behind which a value could stand", stream.line(node))


def _replace_block(stream: Stream, node: int, text: str, kind: Kind) -> Splice:
    """Give a block scalar another text in its own indentation; the final newlines decide its ``-`` or ``+``."""
    line = stream.line(node)
    if kind != "string":
        raise Refusal(f"it is a block text, which cannot become a {kind}", line)
    start, _end = content(stream, node)
    block = read_block(stream, node, start)
    body = text.rstrip("\n")
    rows = body.split("\n")
    if stream.style(node) == ">" and len(rows) > 1:
        raise Refusal("it is a folded text (>), in which new lines would be lost; write it as a literal one (|)", line)
    hinted = re.search(r"[0-9]", block.marks)
    if not rows[0].strip() or (rows[0][0] in " \t" and not hinted):
        raise Refusal("the new text does not begin with a filled line, as a block text must", line)
    folds = stream.style(node) == ">" and rows[0][0] in " \t"
    if folds or not all(row.replace("\t", " ").isprintable() for row in rows):
        raise Refusal("the new text has characters that a block text cannot hold", line)
    trailing = len(text) - len(body)
    chomp = "-" if trailing == 0 else "" if trailing == 1 else "+"
    marks = (hinted[0] if hinted else "") + chomp
    if set(marks) == set(block.marks):
        marks = block.marks
    pad = " " * block.indent
    newline = line_break(stream.text, block.indicators)
    head = stream.text[block.indicators + len(block.marks) : block.starts[0]] if block.starts else newline
    new = marks + head + newline.join(pad + row if row else "" for row in rows) + newline * max(0, trailing - 1)
    return Splice(block.indicators, block.end if block.keeps else block.content_end, new)


def line_break(text: str, at: int) -> str:
    """The line break that the line at this offset ends with; where it has none, the text's first, else a newline."""
    found = re.compile(r"\r\n|\n|\r").search(text, at) or re.search(r"\r\n|\n|\r", text)
    return found[0] if found else "\n"
