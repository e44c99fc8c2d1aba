"""Read single values of a YAML file, with where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gitops_bot.manifests.yaml import YamlError
from gitops_bot.writeback.editor.address import Address, Document, Index, Key, Step
from gitops_bot.writeback.editor.inside import text_within
from gitops_bot.writeback.editor.locate import Place, locate
from gitops_bot.writeback.editor.nodes import Stream, decode
from gitops_bot.writeback.editor.problems import EditRefused, Problem, Refusal
from gitops_bot.writeback.editor.values import Was, was


class Value(NamedTuple):
    """A scalar of a file."""

    address: Address
    text: str
    """As a reader has it, without quotes."""
    was: Was
    """What Kubernetes takes it for."""
    line: int
    """1 is the first line."""


def read(data: bytes, address: Address) -> Value | None:
    """The scalar at an address; None when the path leads to nothing, or to a mapping or list.

    Raises EditRefused for a file that cannot be read, and for an address that is ambiguous or does not fit the file.
    """
    try:
        stream = Stream(decode(data)[0])
    except YamlError as error:
        raise EditRefused([Problem(error.problem, str(address), error.line)]) from None
    try:
        stream, place, before = follow(stream, address)
    except Refusal as refusal:
        if refusal.missing:
            return None
        raise EditRefused([Problem(refusal.reason, str(address), refusal.line)]) from None
    node = stream.resolved(place.node)
    if place.rest or stream.kind(node) != "scalar":
        return None
    return Value(address, stream.value(node), was(stream, node), before + stream.line(place.node))


def follow(stream: Stream, address: Address) -> tuple[Stream, Place, int]:
    """The place an address leads to, the text it is in, and the lines before that text. Raises Refusal."""
    before, document = 0, address.document
    for path in address.paths[:-1]:
        place = locate(stream, document, path)
        if place.rest:
            raise Refusal(place.why, before + stream.line(place.node), missing=True)
        text, lines = text_within(stream, place)
        before, document = before + lines, None
        try:
            stream = Stream(text)
        except YamlError as error:
            raise Refusal(f"in the text: {error.problem}", before + error.line) from None
    return stream, locate(stream, document, address.paths[-1]), before


def line_of(stream: Stream, address: Address) -> int:
    """The line of what an address leads to. Raises Refusal."""
    stream, place, before = follow(stream, address)
    return before + stream.line(place.node)


def scalars(data: bytes) -> Iterator[Value]:
    """Every scalar that an edit could lead to, in the order of the file; aliases of collections are not entered.

    Several documents are told apart by their index. Raises EditRefused for a file that cannot be read.
    """
    try:
        stream = Stream(decode(data)[0])
    except YamlError as error:
        raise EditRefused([Problem(error.problem, line=error.line)]) from None
    return scalars_of(stream)


def scalars_of(stream: Stream) -> Iterator[Value]:
    """As ``scalars``, of a text that has been read."""
    for node, address in nodes_of(stream):
        real = stream.resolved(node)
        yield Value(address, stream.value(real), was(stream, real), stream.line(node))


def nodes_of(stream: Stream) -> Iterator[tuple[int, Address]]:
    """The node and address of every scalar, and of every alias of one, that is no key and no document of its own."""
    for index, root in enumerate(stream.roots):
        document = Document(number=index) if len(stream.roots) > 1 else None
        yield from _below(stream, root, (), document)


def _below(
    stream: Stream, node: int, path: tuple[Step, ...], document: Document | None
) -> Iterator[tuple[int, Address]]:
    kind = stream.kind(node)
    if kind == "map":
        for key, value in stream.pairs(node):
            if key not in stream.merges:
                yield from _below(stream, value, (*path, Key(stream.value(key))), document)
    elif kind == "seq":
        for number, item in enumerate(stream.items(node)):
            yield from _below(stream, item, (*path, Index(number)), document)
    elif path and stream.kind(stream.resolved(node)) == "scalar":
        yield node, Address((path,), document)
