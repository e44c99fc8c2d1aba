"""Comments that say what a value is: Flux's ``# {"$imagepolicy": "ns:policy:tag"}``, and ours.

    tag: v1.2.3          # gitops-bot: image ghcr.io/acme/api:tag
    image: api:v1.2.3    # gitops-bot: image ghcr.io/acme/api
    version: v1          # gitops-bot: model churn-model:version

The part behind the last colon says what of the image (``tag``, ``digest``, ``name``; none: the whole reference) or of
the model (``version``, ``path``, ``data``) stands there. A marker speaks of the value before it on its line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Literal, NamedTuple

from gitops_bot.manifests.yaml import YamlError
from gitops_bot.writeback.editor.address import Address
from gitops_bot.writeback.editor.nodes import Stream, decode
from gitops_bot.writeback.editor.problems import Problem, Refusal
from gitops_bot.writeback.editor.read import nodes_of
from gitops_bot.writeback.editor.values import content

What = Literal["policy", "image", "model"]
_MARKER = re.compile(
    r"""(?<![^\s])\#\ *(?: \{\ *"\$imagepolicy"\ *:\ *"(?P<policy>[^"\r\n]*)"\ *\}
    | gitops-bot:[ \t]*(?P<what>[^\s:]*)[ \t]*(?P<name>[^\s]*) )""",
    re.VERBOSE,
)
_PARTS: dict[str, tuple[str, ...]] = {
    "policy": ("tag", "name", "digest"),
    "image": ("tag", "digest", "name"),
    "model": ("version", "path", "data"),
}
_BETWEEN = re.compile(r"[ \t,}\]]*")


class Marker(NamedTuple):
    """A value that a comment speaks of."""

    what: What
    """``policy`` for Flux's."""
    name: str
    """``namespace:policy``, the image's repository, or the model's name."""
    part: str
    """Empty: the whole image reference."""
    address: Address
    line: int
    """1 is the first line."""
    value: str


class Markers(NamedTuple):
    """All markers of a file."""

    found: tuple[Marker, ...]
    """In the order of the file."""
    problems: tuple[Problem, ...]
    """Markers that cannot be understood, or that stand beside no value."""


def find_markers(data: bytes) -> Markers:
    """The markers of a file; one without any is not even parsed. A file that cannot be read is a problem."""
    if b"$imagepolicy" not in data and b"gitops-bot:" not in data:
        return Markers((), ())
    try:
        stream = Stream(decode(data)[0])
    except YamlError as error:
        return Markers((), (Problem(error.problem, line=error.line),))
    found: list[Marker] = []
    problems: list[Problem] = []
    beside = [(node, address) for node, address in nodes_of(stream) if not _is_block(stream, node)]
    ends = sorted((stream.end(node), node, address) for node, address in beside)
    spans = sorted((_begin(stream, node), stream.end(node)) for node in _scalars(stream))
    line, counted = 1, 0
    for match in _MARKER.finditer(stream.text):
        at = match.start()
        line, counted = line + stream.text.count("\n", counted, at), at
        inside = bisect_right(spans, (at, len(stream.text))) - 1
        if inside >= 0 and spans[inside][0] <= at < spans[inside][1]:
            continue  # part of a text, and no comment
        read = _read(match)
        if isinstance(read, str):
            problems.append(Problem(read, line=line))
            continue
        before = bisect_right(ends, at, key=lambda end: end[0]) - 1
        if before < 0 or not _BETWEEN.fullmatch(stream.text, ends[before][0], at):
            problems.append(Problem("the marker stands beside no value", line=line))
            continue
        _end, node, address = ends[before]
        found.append(Marker(*read, address, line, stream.value(node)))
    return Markers(tuple(found), tuple(problems))


def _is_block(stream: Stream, node: int) -> bool:
    return stream.kind(node) == "scalar" and stream.style(node) in ("|", ">")


def _begin(stream: Stream, node: int) -> int:
    """Offset from which on a scalar is text: comments stand behind anchors, tags and the heads of block texts too."""
    try:
        start, end = content(stream, node)
    except Refusal:
        return stream.start(node)
    if not _is_block(stream, node):
        return start
    line_end = stream.text.find("\n", start, end)
    return line_end if line_end >= 0 else end


def _scalars(stream: Stream) -> list[int]:
    return [node for node, said in enumerate(stream.said) if said[0] == "scalar"]


def _read(match: re.Match[str]) -> tuple[What, str, str] | str:
    """What a marker says, or what is wrong with it."""
    policy = match["policy"]
    if policy is not None:
        namespace, _colon, rest = policy.partition(":")
        name, _colon, part = rest.partition(":")
        if not namespace or not name or part not in ("", *_PARTS["policy"]):
            return "the marker is not of the form namespace:policy, :tag, :name or :digest behind it"
        return "policy", f"{namespace}:{name}", part
    what, name = match["what"], match["name"]
    if what not in ("image", "model") or not name:
        return "the marker is not of the form gitops-bot: image REPOSITORY[:tag] or model NAME:version"
    head, colon, part = name.rpartition(":")
    if colon and part in _PARTS[what]:
        return ("image" if what == "image" else "model"), head, part
    if what == "model":
        return f"the marker of a model ends in one of :{', :'.join(_PARTS['model'])}"
    return "image", name, ""
