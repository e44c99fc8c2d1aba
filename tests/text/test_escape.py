"""Foreign text stays text. The judge is a CommonMark parser with tables and HTML switched on."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gitops_bot.text.escape import (
    fence,
    html_code,
    html_text,
    md_cell_code,
    md_code,
    md_lines,
    md_text,
    visible,
    visible_lines,
)

GAP = "\u200b"
RECOGNISED = re.compile(
    r"@\w|#\d|GH-\d|GHSA-|CVE-|://|www\.|:(?=[\w+-]{1,40}:)(?:\d*[a-z_+-][\w+-]*|100|1234):"
    r"|(?<![\w./:\u200b-])[0-9a-f]{7,40}(?![0-9a-z])",
    re.IGNORECASE,
)
"""What GitHub would make a mention, a reference, a link or an emoji of."""
pieces = st.sampled_from(
    [
        "`",
        "``",
        "```",
        "|",
        "\\",
        "\\|",
        "@",
        "@bob",
        "#",
        "#12",
        "GH-7",
        "GHSA-jfh8-c2jp-5v3q",
        "CVE-2026-1234",
        "acme/web#7",
        "acme/web@0123456789abcdef0123456789abcdef01234567",
        "0123456789ABCDEF0123456789abcdef01234567",
        "abcdef0",
        "@acme/team",
        ":tada:",
        ":+1:",
        ":100:",
        "==",
        "---",
        "1)",
        "    ",
        "gh-7",
        "fixes",
        "<",
        ">",
        "</details>",
        "<!--",
        "-->",
        "<b>",
        "&",
        "&amp;",
        "&#64;",
        "*",
        "**",
        "_",
        "__",
        "~~",
        "[",
        "]",
        "(",
        ")",
        "!",
        "$",
        "-",
        "+",
        "=",
        "1.",
        "https://",
        "www.",
        "a@b.io",
        "\x1b[31m",
        "\x07",
        "\r",
        "\n",
        "\t",
        "\u202e",
        "\u2066",
        "\u200b",
        "\u2028",
        "\x85",
        "\x9b",
        "é",
        "中",
        "🎉",
        "a",
        "b",
        "0",
        "{",
        "}",
        "%",
        "'",
        '"',
        "{{",
        "{%",
    ]
)
hostile = st.one_of(
    st.lists(pieces, max_size=8).map(" ".join), st.lists(pieces, max_size=8).map("".join), st.text(max_size=30)
)
markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


class Read(HTMLParser):
    """Collects the tags and the text of rendered Markdown, and the text outside of code."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.prose = ""
        self._code = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._code += tag in ("code", "pre")

    def handle_endtag(self, tag):
        self._code -= tag in ("code", "pre")

    def handle_comment(self, data):
        self.tags.append("!--")

    def handle_data(self, data):
        self.text += data
        self.prose += "" if self._code else data


def squeezed(text: str) -> str:
    """Text as a browser shows it: runs of blanks as one."""
    return " ".join(text.replace(GAP, "").split())


@given(hostile)
@example("\x1b]0;title\x07\u202ereversed\u2069")
def test_visible_text_is_one_printable_line_and_stays_what_it_is(text):
    shown = visible(text)
    assert not [sign for sign in shown if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")]
    assert visible(shown) == shown
    assert len(shown) >= len(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ☃ é 中", "plain ☃ é 中"),
        ("\x1b[31mred", "␛[31mred"),
        ("a\r\nb\tc\x7f", "a␍␊b␉c␡"),
        ("\u202egnp.exe", "<U+202E>gnp.exe"),
        ("\x9b2J\udcff\u2028", "<U+009B>2J<U+DCFF><U+2028>"),
    ],
)
def test_what_cannot_be_seen_is_drawn(text, shown):
    assert visible(text) == shown


def test_lines_part_at_line_feeds_only():
    assert visible_lines("a\n\tb\r\nc\x0bd\n") == ["a", "    b␍", "c␋d"]
    assert visible_lines("") == []


@given(hostile)
def test_prose_is_read_as_the_text_it_was(text):
    read = Read(markdown.render(f"it is {md_text(text)} here"))
    assert read.tags == ["p"]
    assert squeezed(read.text) == squeezed(f"it is {visible(text)} here")
    assert not RECOGNISED.search(read.text)


@given(hostile)
def test_a_message_of_several_lines_stays_one_item(text):
    read = Read(markdown.render(f"- it is {md_lines(text)} here\n- next"))
    assert [tag for tag in read.tags if tag != "br"] == ["ul", "li", "li"]
    assert not RECOGNISED.search(read.text)


@given(hostile)
@example("`")
@example("``` ` ")
@example("   ")
def test_code_is_read_as_the_text_it_was(text):
    read = Read(markdown.render(f"x {md_code(text)} y"))
    assert read.tags == ["p", "code"]
    assert squeezed(read.text) == squeezed(f"x {visible(text)} y")
    assert not RECOGNISED.search(read.prose)


@given(hostile, hostile)
@example("a\\|b", "`|`")
@example("\\", "|")
def test_a_row_keeps_its_cells(code, prose):
    table = f"| a | b | c |\n|---|---|---|\n| {md_cell_code(code)} | {md_text(prose)} | end |\n"
    html = markdown.render(table)
    cells = [Read(cell) for cell in re.findall(r"<td>(.*?)</td>", html, re.DOTALL)]
    assert [squeezed(cell.text) for cell in cells] == [squeezed(visible(code)), squeezed(visible(prose)), "end"]
    assert [cell.tags for cell in cells] == [["code"] if code else [], [], []]
    assert not RECOGNISED.search("".join(cell.prose for cell in cells))


@given(hostile)
def test_a_summary_holds_no_element_but_its_own(text):
    html = markdown.render(f"<details><summary>{html_code(text)} {html_text(text)}</summary>\n\nbody\n\n</details>\n")
    read = Read(html)
    assert read.tags == ["details", "summary", "code", "p"]
    assert squeezed(read.text) == squeezed(f"{visible(text)} {visible(text)} body")
    assert not RECOGNISED.search(read.prose)


@given(st.lists(hostile, min_size=1, max_size=5))
@example(["```", "~~~", "````"])
def test_nothing_gets_out_of_a_fence(lines):
    body = "\n".join(visible(line) for line in lines)
    html = markdown.render(f"{fence(body)}diff\n{body}\n{fence(body)}\n\nafter\n")
    read = Read(html)
    assert read.tags == ["pre", "code", "p"]
    assert read.text.startswith(body + "\n")
    assert read.prose.strip() == "after"


@given(hostile)
@example("---")
@example("===")
@example("- a")
@example("1.")
@example("12) a")
@example("    code")
@example("+")
def test_prose_may_begin_a_line(text):
    assume(text.strip(" "))  # a blank line ends a paragraph, whoever writes it
    for made in (md_text(text), html_text(text)):
        read = Read(markdown.render(f"before\n{made}\nafter\n\n{made} after\n"))
        assert [tag for tag in read.tags if tag != "br"] == ["p", "p"]


@pytest.mark.parametrize(
    "text", ["deployment.yaml:12: found", "2 to add, 14 to change", "a: b: c", "sha-abc1234", "12345"]
)
def test_what_nothing_recognises_is_left_alone(text):
    assert md_text(text) == text
