"""A rendered stream as documents: split and hashed as text, so that unchanged ones never reach a parser."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise
from typing import Any, NamedTuple

from gitops_bot.manifests import yaml

_BLANK = b" \t\r\n"
_MARK_ENDS = frozenset((b"", b" ", b"\t", b"\r", b"\n"))
_COMMENTS = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n|[ \t]*#[^\n]*\Z)+")
_DIRECTIVES = re.compile(rb"(?:%[^\n]*\n|[ \t]*(?:#[^\n]*)?\r?\n)+")


class Document(NamedTuple):
    """One document of a stream."""

    text: bytes
    """Its YAML without the marker line (kept where content follows the marker) and without comments before it."""
    digest: bytes
    """SHA-256 of ``text``."""
    offset: int
    """Where ``text`` starts in the stream, in bytes."""


def split(stream: bytes) -> list[Document]:
    """The documents of a stream that have content, in order.

    Documents end at lines that start with ``---`` or ``...`` in the first column, as in YAML; comments before the
    content are no part of it, so that a renamed template changes nothing.
    """
    documents = []
    for start, end in _spans(stream):
        start, text = _content(stream, start, end)
        if text:
            documents.append(Document(text, hashlib.sha256(text).digest(), start))
    return documents


def decode(stream: bytes) -> bytes:
    """The stream as UTF-8 without a byte order mark; UTF-16 is recognised by its mark.

    Raises YamlError for broken UTF-16.
    """
    if stream[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return stream.decode("utf-16").encode()
        except UnicodeError:
            raise yaml.YamlError("text that is not valid UTF-16") from None
    return stream.removeprefix(b"\xef\xbb\xbf")


def _spans(stream: bytes) -> list[tuple[int, int]]:
    """Start and end of each document; the start is that of the marker line, or behind the line of the last end."""
    marks = _marks(stream, b"---")
    if b"\n..." in stream or stream.startswith(b"..."):
        marks = sorted([*marks, *_marks(stream, b"...")])
    bounds = [0, *marks, len(stream)] if not marks or marks[0] else [*marks, len(stream)]
    return list(pairwise(bounds))


def _marks(stream: bytes, mark: bytes) -> list[int]:
    found = [0] if stream.startswith(mark) and stream[3:4] in _MARK_ENDS else []
    needle, at = b"\n" + mark, stream.find(b"\n" + mark)
    while at >= 0:
        if stream[at + 4 : at + 5] in _MARK_ENDS:
            found.append(at + 1)
        at = stream.find(needle, at + 4)
    return found


def _content(stream: bytes, start: int, end: int) -> tuple[int, bytes]:
    """Where the content of a document starts, and the content; empty when there is none."""
    if stream.startswith((b"---", b"..."), start) and stream[start + 3 : start + 4] in _MARK_ENDS:
        line_end = stream.find(b"\n", start, end)
        line_end = end if line_end < 0 else line_end
        rest = stream[start + 3 : line_end].strip(_BLANK)
        if rest and not rest.startswith(b"#"):
            return start, stream[start:end].rstrip(_BLANK) + b"\n"
        start = min(line_end + 1, end)
    if stream.startswith(b"%", start):
        match = _DIRECTIVES.match(stream, start, end)
        start = match.end() if match else start
    if stream[start : start + 1] in _MAY_BE_COMMENT:
        match = _COMMENTS.match(stream, start, end)
        start = match.end() if match else start
    # Only line ends are cut: spaces may belong to a literal block's last line, blank lines to one that keeps them.
    text = stream[start:end]
    kept = text.rstrip(b"\r\n")
    if len(text) - len(kept) > 1 and _KEEPS.search(text):
        return start, text if kept.strip(_BLANK) else b""
    return start, kept + b"\n" if kept and not kept.isspace() else b""


_MAY_BE_COMMENT = frozenset((b"#", b" ", b"\t", b"\r", b"\n"))
_KEEPS = re.compile(rb"[|>][0-9]?\+[0-9]?[ \t]*(?:#[^\n]*)?\r?\n")
"""A block scalar that keeps its blank lines at the end: the document's own blank lines may be part of it."""


def line_of(stream: bytes, document: Document) -> int:
    """The line of the stream a document's text starts on; 1 is the first."""
    return stream.count(b"\n", 0, document.offset) + 1


def placed(error: yaml.YamlError, stream: bytes, document: Document) -> yaml.YamlError:
    """What is wrong in a document's text, with its line of the stream (the document's first when unknown)."""
    return yaml.YamlError(error.problem, line_of(stream, document) + max(error.line, 1) - 1)


# -- Secrets ------------------------------------------------------------------------------------------------------

_SECRET = re.compile(rb"Secret(?:List)?['\"]?[ \t]*(?:[,}\]\r\n#]|\Z)")
_ESCAPED = re.compile(rb"\\(?:(?:x|u00|U000000)(?:6[bB9eE45]|53|63|7[24])|\r?\n)")
_BEFORE = re.compile(rb"(?:\A|[\n:,\[{?-]|[&!|>]\S*)[ \t]*['\"]?\Z")


def holds_secret(stream: bytes) -> bool:
    """Whether the stream may hold a Secret (or a list of them), in any notation.

    Meant for deciding what may be stored: it errs on the side of True, such as for a ConfigMap that quotes a Secret.
    """
    stream = decode(stream) if stream[:2] in (b"\xff\xfe", b"\xfe\xff") else stream
    for match in _SECRET.finditer(stream):
        if _BEFORE.search(stream[max(0, match.start() - 80) : match.start()]):
            return True
    return any(_hidden_secret(document.text) for document in split(stream)) if _ESCAPED.search(stream) else False


def _hidden_secret(text: bytes) -> bool:
    """Whether a document with escapes in it spells a Secret; True also when it cannot be read."""
    if not _ESCAPED.search(text):
        return False
    try:
        return any(_is_secret(each) for each in yaml.load_all(text))
    except yaml.YamlError:
        return True


def _is_secret(value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_secret(item) for item in value)
    if not isinstance(value, dict):
        return False
    return value.get("kind") in ("Secret", "SecretList") or any(_is_secret(item) for item in value.values())
