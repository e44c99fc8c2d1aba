"""Whether a piece of Markdown leaves something open behind it: what a user's template writes is looked at, not trusted.

Reads lines as CommonMark does where it matters here: fences, HTML comments, ``<details>``. Stricter than it: what is
odd is refused, since our own template stands ready. Pure.
"""

from __future__ import annotations

import re

from gitops_bot.text.escape import visible

_OPENS = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")
_TAG = re.compile(
    r"(?<!\\)(?:<(/?)(details|summary)\b[^<>]*>|<!--|<(?:/?)(?:pre|script|style|textarea)\b|<!\[|<\?)", re.IGNORECASE
)


def open_end(text: str) -> str:
    """Say what a piece leaves open, or otherwise does to what comes after it; ``""`` for a piece whole in itself."""
    fence = ""
    opened: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        bare = line.lstrip("> ") if line.startswith(">") else line
        if fence:
            if re.fullmatch(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}[ \t]*", bare):
                fence = ""
            continue
        if found := _OPENS.match(bare):
            fence = found[1]
            continue
        for tag in _TAG.finditer(_CODE.sub("", line)):
            if problem := _tag(tag, opened):
                return f"{problem} in line {number} of what it writes"
    if fence:
        return f"a fence ({fence}) is not closed"
    if opened:
        return f"<{opened[-1]}> is not closed"
    if text and not text.endswith("\n"):
        return "what it writes does not end its last line"
    return (
        ""
        if all(visible(line.replace("\t", "")) == line.replace("\t", "") for line in text.split("\n"))
        else ("what it writes holds characters that cannot be seen")
    )


def _tag(tag: re.Match[str], opened: list[str]) -> str:
    """Follow one tag; says what is wrong with it, or ``""``."""
    if tag[2] is None:
        return f"{tag[0]} is not allowed"
    name = tag[2].lower()
    if not tag[1]:
        opened.append(name)
        return ""
    if not opened or opened[-1] != name:
        return f"</{name}> closes nothing"
    opened.pop()
    return ""
