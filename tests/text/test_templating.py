"""A repository's own templates: they may change everything people read, and break nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from gitops_bot.errors import UsageError
from gitops_bot.text.fit import fit_comment, utf16
from gitops_bot.text.summary import fit_summary
from gitops_bot.text.templating import NAMES, Templates
from tests.text.judge import judged
from tests.text.views import block, diff_of, risk, view_of, views

VIEW = view_of(
    block(0, diff_of(500)),
    block(1, diff_of(500), action="removed"),
    risks=(risk("selector-change", "Deployment web (shop-0-000)", targets=("shop-0-000",)),),
)
HEADER = "# {{ headline }} in {{ coverage }}\n\n"


def test_a_template_replaces_ours():
    text = fit_comment(VIEW, templates={"header.md.j2": HEADER}).text
    assert text.startswith("# 1 to add, 2 to change, 3 to remove in rendered 4 of 243")
    assert "<b>Deployment web" in text


def test_templates_may_include_each_other():
    shared = {"_name.md.j2": "{% macro name(x) %}**{{ x }}**{% endmacro %}"}
    own = "{% from '_name.md.j2' import name %}{{ name(headline) }}\n\n"
    assert fit_comment(VIEW, templates={**shared, "header.md.j2": own}).text.startswith("**1 to add, 2 to change")


@pytest.mark.parametrize(
    "source",
    [
        "{% set x %}**{{ headline }}**{% endset %}{{ x }}\n\n",
        "{% macro m() %}**{{ caller() }}**{% endmacro %}{% call m() %}{{ headline }}{% endcall %}\n\n",
        "{% block b %}**{{ headline }}**{% endblock %}\n\n",
        "{% for one in [headline] recursive %}{% if loop.depth == 1 %}{{ loop([one]) }}{% else %}**{{ one }}**{% endif %}{% endfor %}\n\n",
    ],
)
def test_what_is_escaped_once_is_not_escaped_again(source):
    view = view_of(headline="a & b")
    assert fit_comment(view, templates={"header.md.j2": source}).text.startswith("**a &#38; b**\n")


@settings(max_examples=50, deadline=None)
@given(views(most=3))
def test_what_a_template_writes_without_a_filter_is_harmless(view):
    plain = {
        "header.md.j2": "{{ icon }} x {{ headline }} {{ coverage }}\n\n",
        "block.md.j2": "{{ dot }} x {{ title }} {{ where }} {{ summary | join(' ') }} {{ hook ~ title }}\n\n",
        "line.md.j2": "{{ dot }} x {{ title | upper }} {{ where }}\n\n",
        "footer.md.j2": "{% for label, warning in warnings %}x {{ label ~ (warning | code) }}\n\n{% endfor %}",
    }
    judged(fit_comment(view, templates=plain).text)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("a\n{% if %}\n", 2),
        ("a\n\n{{ nothing }}\n", 3),
        ("{{ headline.__class__ }}\n", 1),
        ("a\n{{ headline.nothing }}\n", 2),
        ("{{ 1 / 0 }}\n", 1),
        ("{{ headline | nofilter }}\n", 1),
        ("{% include 'not-there.md.j2' %}\n", 1),
        ("a\n{% for a in range(10) %}\n{{ a.b }}\n{% endfor %}", 3),
        ("{{ headline.replace('a', 'b') }}\n", 1),
        ("{{ details.append(1) }}\n", 1),
        ("{{ [].__class__.__base__.__subclasses__() }}\n", 1),
        ("{{ lipsum() }}\n", 1),
    ],
)
def test_a_mistake_names_file_and_line(source, line):
    with pytest.raises(UsageError, match=rf"^template header\.md\.j2:{line}: .") as caught:
        fit_comment(VIEW, templates={"header.md.j2": source})
    assert "review.templates" in caught.value.hint


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{% set x %}{% for a in range(99999) %}{% for b in range(999) %}xxxxxxxxxx{% endfor %}{% endfor %}{% endset %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% include 'header.md.j2' %}",
        "{% block b %}{{ self.b() }}{{ self.b() }}{% endblock %}",
        "{% for a in [1] recursive %}{{ loop([1, 2]) }}{{ loop([1, 2]) }}{% endfor %}",
        "{% set n = namespace(x='aaaaaaaaaa') %}{% for a in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x='aaaaaaaaaa') %}{% for a in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for a in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x='aaaaaaaaaa') %}{% for a in range(60) %}{% set n.x = [n.x, n.x] | join %}{% endfor %}",
        "{% set n = namespace(x=9) %}{% for a in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
        "{{ 9 ** 9 ** 9 ** 9 }}",
        "{{ 'a' * 10 ** 12 }}",
        "{{ [0] * 1000000000000 }}",
        "{{ '%1000000000000d' % 1 }}",
        "{{ '{:>1000000000000}'.format(1) }}",
        "{{ 'a'.ljust(1000000000000) }}",
        "{{ 'a' | center(1000000000000) }}",
        "{{ range(1000000000000) | list }}",
        "{{ range(1000000000000) | sum }}",
        "{{ 'a' | format(1) }}",
        "{% for a in range(1000) %}" * 6 + "x" + "{% endfor %}" * 6,
    ],
)
def test_what_would_never_end_is_stopped(source):
    with pytest.raises(UsageError, match=r"^template header\.md\.j2"):
        fit_comment(VIEW, templates={"header.md.j2": source + "\n"})


@pytest.mark.parametrize(
    "source",
    [
        "<details><summary>x</summary>\n\n",
        "</details>\n",
        "```\n",
        "> ```\n",
        "~~~~\n```\n",
        "<!-- \n",
        "<!-- gitops-bot: key=a digest=b -->\n",
        "<details>\n```\n</details>\n```\n",
        "<summary>\n",
        "<script>\n",
        "<pre>\n",
        "no end of line",
        "a\x1b[2Jb\n",
    ],
)
def test_what_leaves_something_open_is_set_aside_with_a_note(source):
    fitted = fit_comment(VIEW, templates={"block.md.j2": source})
    judged(fitted.text)
    assert "the repository's template block.md.j2 is not used: " in fitted.text.replace("\\", "")
    assert fitted.text.replace("<sub>the rep", "").count("<b>Deployment web") == 2


def test_a_template_that_writes_too_much_is_set_aside():
    much = "x{% for a in range(9000) %} long{% endfor %}\n\n"
    fitted = fit_comment(VIEW, budget=20_000, templates={"header.md.j2": much})
    assert utf16(fitted.text) <= 20_000
    assert "header.md.j2 is not used: what it writes takes too much room" in fitted.text
    assert fitted.shown == 2


def test_a_block_that_writes_much_is_cut_like_any_other():
    much = "x{% for a in range(2000) %} long{% endfor %}\n\n"
    view = view_of(*(block(n, diff_of(100)) for n in range(40)))
    fitted = fit_comment(view, budget=30_000, templates={"block.md.j2": much})
    assert utf16(fitted.text) <= 30_000
    assert fitted.of == 40


def test_the_same_templates_make_the_same_digest():
    own = {"header.md.j2": "# {{ headline }}\n\n{{ compared }}\n\n"}
    assert fit_comment(VIEW, templates=own).digest == fit_comment(VIEW, templates=own).digest
    assert fit_comment(VIEW, templates=own).digest != fit_comment(VIEW).digest


def test_the_summary_uses_them_as_well():
    assert fit_summary(VIEW, templates={"header.md.j2": HEADER}).startswith("# 1 to add")


def test_every_template_is_ours_to_replace():
    kept = Templates()
    assert kept.notes == ()
    for name in NAMES:
        with pytest.raises(UsageError, match=rf"template {name}\.md\.j2:1: "):
            Templates({f"{name}.md.j2": "{% broken"})
    assert len(set(NAMES)) == len(NAMES)
    assert not re.search(r"\W", "".join(NAMES))
