"""Take a key out of its mapping."""

from __future__ import annotations

import re

from gitops_bot.writeback.editor.insert import last_character, line_before
from gitops_bot.writeback.editor.locate import Place
from gitops_bot.writeback.editor.nodes import Stream
from gitops_bot.writeback.editor.problems import Refusal
from gitops_bot.writeback.editor.splice import Change, Splice, Swap
from gitops_bot.writeback.editor.values import shared_notes

_REST = re.compile(r"[ \t]*(#[^\r\n]*)?(?:\r\n|\r|\n|\Z)")


def remove(stream: Stream, place: Place) -> Change:
    """Take out a key with its value, and the line or lines they stand on. Raises Refusal where that is not sound."""
    key, node = place.key, place.node
    line = stream.line(node)
    if key is None:
        raise Refusal("only a key of a mapping can be removed", line)
    inside = range(node, stream.after(node))
    for each in inside:
        if any(user not in inside for user in stream.users.get(each, ())):
            raise Refusal(f"it carries the anchor &{stream.anchor(each)}, which is used elsewhere", stream.line(each))
    parent = _parent(stream, place.root, key)
    keys = [each for each, _value in stream.pairs(parent)]
    if len(keys) == 1:
        raise Refusal("it is the only key of its mapping, which would be left empty", line)
    swap = Swap(key, stream.after(node) - key, ())
    notes = shared_notes(stream, place)
    if stream.flow(parent):
        splice = _in_braces(stream, parent, place)
    else:
        splice, told = _lines(stream, keys, place)
        notes += told
    return Change(splice, (swap,), tuple(notes))


def _in_braces(stream: Stream, parent: int, place: Place) -> Splice:
    """An entry of a mapping in braces, with the comma that belongs to it."""
    pairs = list(stream.pairs(parent))
    at = pairs.index((place.key or 0, place.node))
    if at:
        start, end = last_character(stream, pairs[at - 1][1]), last_character(stream, place.node)
    else:
        start, end = stream.start(pairs[0][0]), stream.start(pairs[1][0])
    _refuse_comment(stream.text[start:end], stream.line(place.node))
    return Splice(start, end, "")


def _lines(stream: Stream, keys: list[int], place: Place) -> tuple[Splice, list[str]]:
    """An entry of a block mapping: whole lines, or the place behind a dash, where the next key comes up."""
    source, key, line = stream.text, place.key or 0, stream.line(place.node)
    start, end = stream.start(key), last_character(stream, place.node)
    before, rest = line_before(source, start), _REST.match(source, end)
    if rest is None:
        raise Refusal("something stands behind it on its line", line)
    if before.strip(" "):
        if key != keys[0] or not re.fullmatch(r" *(?:- +)+", before):
            raise Refusal("its key does not begin the line", line)
        _refuse_comment(source[end : stream.start(keys[1])], line)
        return Splice(start, stream.start(keys[1]), ""), []
    begin, stop = start - len(before), rest.end()
    if not rest[0].endswith(("\r", "\n")):  # the file's last line, without an end: the one before loses its own
        begin -= len((re.search(r"(?:\r\n|\r|\n)\Z", source[:begin]) or [""])[0])
    return Splice(begin, stop, ""), ["the comment behind it goes too"] if rest[1] else []


def _parent(stream: Stream, root: int, key: int) -> int:
    """The mapping a key belongs to."""
    at = root
    while True:
        for child in stream.items(at):
            if child == key:
                return at
            if child < key < stream.after(child):
                at = child
                break
        else:
            raise Refusal("its mapping was not found", stream.line(key))


def _refuse_comment(text: str, line: int) -> None:
    if "#" in text:
        raise Refusal("a comment stands between it and its neighbour", line)
