"""An outside judge of Markdown: a CommonMark parser and an HTML parser say what a piece of text really is."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from tests.text.test_escape import RECOGNISED

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
VOID = {"br", "img", "hr", "input", "meta", "link"}
OURS = {
    *("h3", "h4", "p", "sub", "blockquote", "strong", "em", "ul", "li", "code", "br", "pre", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td", "b", "i"),
}
"""Elements that a comment of ours is made of."""


class Elements(HTMLParser):
    """Follows the elements of rendered Markdown: every one must be closed, in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.seen: list[str] = []
        self.wrong: list[str] = []
        self.comments: list[str] = []
        self.prose: list[str] = []
        self.summaries: list[str] = []
        self.items: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag in VOID:
            return
        self.stack.append(tag)
        if tag == "summary":
            self.summaries.append("")
        if tag == "li":
            self.items.append("")

    def handle_endtag(self, tag):
        if tag not in VOID and (not self.stack or self.stack.pop() != tag):
            self.wrong.append(tag)

    def handle_comment(self, data):
        self.comments.append(data)

    def handle_data(self, data):
        if "code" not in self.stack and "pre" not in self.stack:
            self.prose.append(data)
        if "summary" in self.stack:
            self.summaries[-1] += data
        if "li" in self.stack and "details" not in self.stack:
            self.items[-1] += data


def judged(text: str) -> Elements:
    """Parse a whole comment; fail where anything is left open, hidden, or of nobody's making."""
    lines = text.split("\n")
    for token in PARSER.parse(text):
        if token.type == "fence":
            first, end = token.map
            assert re.fullmatch(rf"{re.escape(token.markup)}`*", lines[end - 1]), f"fence of line {first} is open"
            assert end - 1 > first
            assert token.info == "diff"
        assert token.type != "code_block", "an indented code block that nobody meant"
    found = Elements(PARSER.render(text))
    assert found.wrong == []
    assert found.stack == []
    assert set(found.seen) <= OURS
    assert len(found.comments) <= 1
    assert found.seen.count("details") == found.seen.count("summary")
    assert not RECOGNISED.search("\n".join(found.prose))
    return found
