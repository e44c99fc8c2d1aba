"""The HTML report: whole, self-contained, harmless, bounded."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given, settings

from gitops_bot.review.view import build_view
from gitops_bot.text import html
from gitops_bot.text.html import html_report
from tests.review.cases import CASES
from tests.text.views import block, diff_of, view_of, views

VOID = {"br", "meta"}
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "section", "nav", "footer", "h1", "h2", "p", "br"),
    *("ul", "li", "a", "code", "pre", "span", "strong", "em", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.comments = 0
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_comment(self, data):
        self.comments += 1

    def handle_data(self, data):
        self.text += data


def read(view) -> Page:
    page = Page(html_report(view).decode())
    assert page.stack == []
    assert page.comments == 0
    assert {tag for tag, _ in page.tags} <= ELEMENTS
    for _, attrs in page.tags:
        assert set(attrs) <= {"lang", "charset", "http-equiv", "content", "name", "class", "id", "open", "href"}
        assert re.fullmatch(r"#c\d+", attrs.get("href", "#c0"))
    return page


@settings(max_examples=60, deadline=None)
@given(views(most=5))
def test_foreign_text_makes_no_element(view):
    page = read(view)
    assert html_report(view) == html_report(view)
    changes = [attrs["id"] for tag, attrs in page.tags if tag == "details" and "id" in attrs]
    assert changes == [f"c{index}" for index in range(sum(len(one.blocks) for one in view.sections))]
    assert {attrs["href"] for tag, attrs in page.tags if tag == "a"} <= {f"#{name}" for name in changes}


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_whole(case):
    view = build_view(CASES[case]())
    assert view.headline in read(view).text


def test_it_loads_nothing_and_its_policy_allows_its_own_style_only():
    text = html_report(view_of(block(0, diff_of(100)))).decode()
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in text
    assert "//" not in style
    assert " style=" not in text


def test_diff_lines_are_coloured_and_complete():
    diff = "@@ -1,3 +1,3 @@\n a\n-b\n+c\n+d\n@@ -9 +9 @@\n e\n"
    text = html_report(view_of(block(0, diff))).decode()
    assert '<pre class="diff"><span class="c"> a</span><span class="r">-b</span><span class="a">+c\n+d</span>' in text


def test_a_large_report_is_bounded_and_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(html, "MOST_DIFF", 100_000)
    view = view_of(*(block(n, diff_of(60_000, n)) for n in range(100)))
    text = html_report(view).decode()
    assert len(text) < 400_000
    shown = text.count('class="diff"')
    left_out = len(re.findall(r"… \d+ more lines", text))
    assert 0 < shown < 100
    assert left_out == 99


def test_ten_megabytes_are_whole():
    diff = diff_of(10_000_000)
    report = html_report(view_of(block(0, diff)))
    assert len(report) < 3 * len(diff.encode())
    assert b"more lines" not in report


def test_many_changes_of_an_app_are_counted_in_its_contents():
    blocks = [block(n, apps=1) for n in range(300)]
    same = blocks[0].members
    text = html_report(view_of(*(msgspec.structs.replace(one, members=same) for one in blocks))).decode()
    assert text.count('href="#c') == 100
    assert "<li>and 200 more</li>" in text
