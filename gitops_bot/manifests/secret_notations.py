"""Secrets in notations of their own: XML, and the words of ``.netrc``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from gitops_bot.manifests.secret_names import Where, is_open_value, is_secret_name


class Span(NamedTuple):
    """A part of a text that is a secret."""

    start: int
    end: int
    label: str
    """What it is there, so that the same part is found again in another version of the text."""


_NETRC = re.compile(
    r"(?:\bmachine\s++\S++|\bdefault)\s++(?:(?:login|account)\s++\S++\s++){1,2}password\s++(\S++)"
    r"|\bmachine\s++\S++\s++password\s++(\S++)(?=\s++login\b)"
)
"""A login of ``.netrc``; the login's name tells it from prose."""
_ELEMENT = re.compile(
    r"<(?P<name>[A-Za-z_][\w.:-]*+)(?:\s[^<>]*+)?>(?P<text>[^<>]*+)(?:<!\[CDATA\[(?P<raw>[^\]]*+)\]\]>\s*+)?</(?P=name)\s*+>"
)
_PROPERTY = re.compile(r"<name>\s*+(?P<name>[^<>\s]{1,200}+)\s*+</name>\s*+<value>(?P<text>[^<>]*+)</value>")
"""Hadoop's configuration, and what follows its example."""
_ATTRIBUTE = re.compile(
    r"\b(?:name|key)=\"(?P<name>[^\"<>\n]{1,200}+)\"(?:\s++value=\"(?P<text>[^\"\n]*+)\"|[^<>]{0,300}+>(?P<raw>[^<>]*+)</)"
)


def in_words(text: str) -> Iterator[Span]:
    """Passwords of ``.netrc``, wherever its lines stand."""
    if "password" not in text or not ("machine" in text or "default" in text):
        return
    for match in _NETRC.finditer(text):
        group = 1 if match[1] is not None else 2
        if not is_open_value("password", match[group]):
            yield Span(*match.span(group), "netrc")


def in_xml(text: str) -> Iterator[Span]:
    """Elements, properties and attributes of XML whose name says that their text is secret."""
    if ">" not in text or not ("</" in text or "/>" in text):
        return
    yield from _named(_ELEMENT, text, "field")
    yield from _named(_PROPERTY, text, "variable")
    yield from _named(_ATTRIBUTE, text, "variable")


def _named(pattern: re.Pattern[str], text: str, where: Where) -> Iterator[Span]:
    for match in pattern.finditer(text):
        name = match["name"]
        if not is_secret_name(name, where):
            continue
        for group in ("text", "raw") if "raw" in pattern.groupindex else ("text",):
            value = match[group]
            if value and value.strip() and not is_open_value(name, value, where):
                start = match.start(group) + len(value) - len(value.lstrip())
                yield Span(start, start + len(value.strip()), f"<{name}>")
