"""Making foreign text harmless: names, values and error messages come from a repository that may mean harm. Pure.

The rules for Markdown are those of GitHub's flavour (CommonMark with tables and bare links) and of what GitHub does
to the rendered text afterwards: mentions, references to issues, closing words. None of that happens inside code; in
prose a zero-width space is put where such a thing would be recognised.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_C0_PICTURES = 0x2400
"""Unicode's pictures of the control characters, in the same order: ESC is drawn as U+241B."""

_HARMLESS = re.compile(r"[ -~\xa1-\xac\xae-\u024f]*")
"""Fast path: printable ASCII and Latin."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that are not seen, or that change how other characters are seen."""

_MARKUP = re.compile(r"[\\`*_\[\]<>#!|~$&]")
"""What Markdown, its tables and GitHub's formulas read inside a line."""

_HTML_MARKUP = re.compile(r"""[\\`*_\[\]<>#!|~$&"']""")
"""The same and what HTML reads."""

_RECOGNISED = re.compile(
    r"@|#(?=\d)|(?i:GH)(?=-\d)|(?i:GHSA|CVE)(?=-)|:(?=//)|(?i:www)(?=\.)|:(?!(?!100:|1234:)\d{1,40}:)(?=[\w+-]{1,40}:)"
    r"|(?P<commit>(?<![\w./:-])[0-9a-fA-F]{7,40}(?![0-9A-Za-z]))"
)
"""Behind these GitHub sees a mention, an issue, a link, an advisory, an emoji's name or a commit's id (7 to 40 hex
digits); backslashes do not stop it."""

_SHORTEST = 6
"""Hex digits that are too few for a commit's id."""

_BEGINNING = re.compile(r"\A(\d{1,9}(?=[.)](?!\S))|(?=[-+=]| {4}))(.)")
"""A list's mark, an underline or an indent at the beginning of a text."""

_GAP = "&#8203;"
"""A zero-width space: nothing is seen, nothing is recognised."""


class Safe(str):
    """Markdown that is ours, or foreign text made harmless: it may be written out as it is."""

    __slots__ = ()


_URL = re.compile(r"https?://[^\s<>()\"'`\\\[\]{}|^]{1,2000}")


def escaped(value: object) -> str:
    """Make any value harmless unless it is ``Safe`` already: for Markdown prose, its tables and HTML alike."""
    return value if isinstance(value, Safe) else html_text(str(value))


def visible(text: str) -> str:
    """Draw what cannot be seen: control characters, ANSI escapes, bidi overrides, zero-width and line-break characters.

    Takes any text, returns one line without any character that could move a cursor, colour a terminal, reorder or
    hide text. Applying it twice changes nothing more.
    """
    return text if _HARMLESS.fullmatch(text) else "".join(map(_draw, text))


def visible_lines(text: str) -> list[str]:
    """Split text at line feeds only and make each line visible; tabs become four spaces; a final line feed ends it."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [visible(line.replace("\t", "    ")) for line in lines]


def fence(text: str) -> str:
    """Give a fence of backticks that nothing inside the text can close."""
    return "`" * max(3, _longest_run(text) + 1)


def md_code(text: str) -> str:
    """Make a Markdown code span that shows the text as it is; not for tables and not for ``<summary>``.

    Blank text becomes an HTML element, because a code span cannot hold it.
    """
    shown = visible(text)
    if not shown.strip():
        return html_code(text)
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def md_cell_code(text: str) -> str:
    """Make a code span for a table's cell; the empty text gives an empty cell.

    Where backslashes or backticks stand in the text, GitHub would count its bars differently: it becomes an HTML
    element.
    """
    if not text:
        return ""
    shown = visible(text)
    if "\\" in shown or "`" in shown:
        return f"<code>{_unrecognised(shown, _entities)}</code>"
    return md_code(shown).replace("|", "\\|")


def html_code(text: str) -> str:
    """Make an HTML code element, for ``<summary>``, where Markdown is not read."""
    return f"<code>{_entities(visible(text))}</code>"


def html_text(text: str) -> str:
    """Make HTML text without mentions, references or links, for ``<summary>``; harmless in Markdown prose as well."""
    return _begun(_unrecognised(visible(text), _entities))


def md_text(text: str) -> str:
    """Make Markdown prose that shows the text as it is: no markup, mention, reference, link or HTML comes out of it.

    Also for tables, and at the beginning of a line.
    """
    return _begun(_unrecognised(visible(text), lambda part: _MARKUP.sub(r"\\\g<0>", part)))


def md_link(text: str, url: str) -> str:
    """Make a link of Markdown of ours, or leave it without one where the URL is none of the web's. Also for tables."""
    return f"[{text}](<{url}>)" if _URL.fullmatch(url) else text


def md_lines(text: str) -> str:
    """Make Markdown prose of a message that may have several lines; they stay one item of a list or one cell."""
    return "<br>".join(map(md_text, visible_lines(text.strip())))


def _begun(text: str) -> str:
    """Keep a text that begins a line from beginning a list, a heading's underline or indented code."""
    return _BEGINNING.sub(lambda found: f"{found[1]}&#{ord(found[2])};", text, count=1)


def _draw(sign: str) -> str:
    """Draw one character: itself when it is seen as it is."""
    code = ord(sign)
    if code < 0x20:
        return chr(_C0_PICTURES + code)
    if code == 0x7F:
        return "\u2421"
    return f"<U+{code:04X}>" if unicodedata.category(sign) in _UNSEEN else sign


def _longest_run(text: str) -> int:
    """Length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)


def _entities(text: str) -> str:
    """Write everything that HTML or Markdown could read as a numeric entity."""
    return _HTML_MARKUP.sub(lambda found: f"&#{ord(found[0])};", text)


def _unrecognised(text: str, escape: Callable[[str], str]) -> str:
    """Escape the text and put a gap behind every place where GitHub would recognise something."""
    parts, last = [], 0
    for found in _RECOGNISED.finditer(text):
        end = found.start() + _SHORTEST if found["commit"] else found.end()
        parts.append(escape(text[last:end]))
        parts += [text[index : min(index + _SHORTEST, found.end())] for index in range(end, found.end(), _SHORTEST)]
        last = found.end()
    return _GAP.join((*parts, escape(text[last:])))
