"""Whatever is to be told, it fits, it is whole, and it counts right."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.text.fit import BUDGET, LEAST, Fitted, fit_comment, utf16
from gitops_bot.text.marker import marker_length, read_marker, write_marker
from gitops_bot.text.summary import fit_summary, utf8
from gitops_bot.text.view import Missing, View
from tests.text.judge import judged
from tests.text.views import block, diff_of, risk, view_of, views

DOTS = ("🟢", "🟡", "🔴")
TOLD = re.compile(f"^(?:- |<details(?: open)?><summary>)(?:{'|'.join(DOTS)}) (?:\\*\\*|<b>)", re.MULTILINE)
"""How a change begins; no foreign text gets such a line outside of a fence, and none of the diffs here holds one."""
BIG = 10_000_000


def distinct(view: View) -> int:
    return sum(len(section.blocks) for section in view.sections)


def check(view: View, fitted: Fitted, budget: int) -> None:
    """Judge a comment from outside: its length in every reading, what is open in it, and what it says of itself."""
    assert utf16(fitted.text) <= budget
    assert len(fitted.text) <= budget
    found = judged(fitted.text)
    assert len(TOLD.findall(fitted.text)) == fitted.shown
    assert sum(text.startswith(DOTS) for text in found.summaries) <= fitted.shown
    assert fitted.of == distinct(view)
    said = re.search(r"^\*\*(\d+) of (\d+) changes shown\*\*(?: \(([^)]*)\))?", fitted.text, re.MULTILINE)
    if said is None:
        assert fitted.shown == fitted.of
        return
    assert (int(said[1]), int(said[2])) == (fitted.shown, fitted.of)
    assert sum(int(number) for number in re.findall(r"\d+", said[3] or "")) == fitted.shown
    left_out = re.findall(r"^… and (\d+) more changes?$", fitted.text, re.MULTILINE)
    assert sum(map(int, left_out)) <= fitted.of - fitted.shown


@settings(max_examples=80, deadline=None)
@given(views(), st.sampled_from([BUDGET, 30_000, 9_000, 4_000, 1_500]))
def test_everything_fits_and_is_whole(view, budget):
    fitted = fit_comment(view, budget=budget)
    check(view, fitted, budget)
    assert fitted == fit_comment(view, budget=budget)


@settings(max_examples=40, deadline=None)
@given(views(texts=st.text(max_size=3_000), most=4), st.sampled_from([BUDGET, 2_000, LEAST + 400]))
def test_names_and_messages_of_any_length_fit(view, budget):
    check(view, fit_comment(view, budget=budget), budget)


def nested(number: int) -> str:
    return f"@@ -1 +1 @@\n+{'`' * number}\n+a\n+{'`' * number}\n"


CASES = {
    "nothing": view_of,
    "one empty diff": lambda: view_of(block(0)),
    "one huge diff": lambda: view_of(block(0, diff_of(BIG))),
    "one huge line": lambda: view_of(block(0, "@@ -1 +1 @@\n+" + "é中🎉" * (BIG // 3) + "\n")),
    "backticks only": lambda: view_of(block(0, "@@ -1 +1 @@\n+" + "`" * BIG + "\n")),
    "invisible only": lambda: view_of(block(0, "@@ -1 +1 @@\n" + "+\u202e\x1b\x00\n" * (BIG // 40))),
    "hunk headers only": lambda: view_of(block(0, "@@ -1 +1 @@\n+\n" * (BIG // 14))),
    "a thousand large": lambda: view_of(*(block(n, diff_of(BIG // 1_000, n)) for n in range(1_000))),
    "many small": lambda: view_of(*(block(n, diff_of(100, n)) for n in range(20_000))),
    "half comes later": lambda: view_of(
        *(block(n, diff_of(5_000, n)) for n in range(1_000)),
        later=tuple(block(n, diff_of(5_000, n)) for n in range(1_000)),
    ),
    "nested fences": lambda: view_of(*(block(n, nested(n + 3)) for n in range(60))),
    "removals": lambda: view_of(*(block(n, diff_of(3_000, n), action="removed") for n in range(1_000))),
    "many apps": lambda: view_of(block(0, diff_of(500), apps=10_000), *(block(n, apps=30) for n in range(1, 300))),
    "many risks": lambda: view_of(
        *(block(n, diff_of(900, n)) for n in range(2_000)),
        risks=tuple(risk("immutable-field", f"Deployment web (shop-{n}-000)", targets=(f"shop-{n}-000",)) for n in range(2_000)),
    ),
    "many failures": lambda: view_of(
        block(0, diff_of(900)),
        verdict="failed",
        missing=tuple(Missing(ids=(f"apps/{n}",), reason=f"helm failed: {n} " + "x" * 3_000, failed=True) for n in range(3_000)),
        conflicts=tuple(f"values-{n}.yaml" for n in range(5_000)),
        warnings=tuple((f"shop-{n}", "two objects of one name") for n in range(5_000)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("budget", [BUDGET, 8_000])
def test_ten_megabytes_fit(case, budget):
    view = CASES[case]()
    check(view, fit_comment(view, budget=budget), budget)


def test_room_is_used():
    """Whatever rung it is, little of the budget is left over while anything could still be told."""
    for case in ("one huge diff", "invisible only", "a thousand large", "many small", "half comes later", "removals"):
        assert utf16(fit_comment(CASES[case]()).text) > BUDGET * 0.75, case


def test_the_rungs_in_turn():
    small = view_of(*(block(n, diff_of(1_000, n)) for n in range(5)))
    longer = view_of(*(block(n, diff_of(20_000, n)) for n in range(20)))
    many = view_of(*(block(n, diff_of(2_500, n), apps=2) for n in range(300)))
    most = view_of(*(block(n, diff_of(2_500, n), apps=2) for n in range(3_000)))
    assert [fit_comment(view).level for view in (small, longer, many, most)] == [0, 1, 2, 3]
    assert fit_comment(most, budget=1_100).level == 4
    assert "spec.replicas` `3` → `5`" in fit_comment(many).text
    assert "| and 5985 more |" in fit_comment(most).text


def test_on_the_lowest_rung_the_counts_and_the_worst_are_still_there():
    view = view_of(
        *(block(n, diff_of(2_500, n)) for n in range(3_000)), risks=(risk("data-deletion", "Namespace shop"),)
    )
    fitted = fit_comment(view, budget=1_100, elsewhere="the step summary")
    assert fitted.level == 4
    assert "1 to add, 2 to change, 3 to remove" in fitted.text
    assert "**deletion of data**" in fitted.text
    assert "**0 of 3000 changes shown**; all of it: the step summary\n" in fitted.text


def test_what_matters_most_is_told_first():
    blocks = [block(n, diff_of(3_000, n), apps=2) for n in range(3_000)]
    late = f"Deployment web ({blocks[2_999].members[0].namespace})"
    view = view_of(*blocks, risks=(risk("selector-change", late, targets=(blocks[2_999].members[0].targets)),))
    fitted = fit_comment(view)
    assert fitted.level == 3
    assert len(re.findall("^```+diff$", fitted.text, re.MULTILINE)) == 1
    assert "🛑 change of a selector</summary>" in fitted.text


def test_what_comes_later_waits_for_what_comes_at_once():
    now = tuple(block(n, diff_of(3_000, n)) for n in range(60))
    later = tuple(block(n, diff_of(3_000, n), action="removed") for n in range(100, 1_000))
    fitted = fit_comment(view_of(*now, later=later))
    head, _, tail = fitted.text.partition("#### ⏳ Later")
    assert head.count("🟡 ") == 60
    assert re.search(r"^… and \d+ more changes$", tail, re.MULTILINE)


def test_a_smaller_budget_after_a_refusal():
    view = CASES["a thousand large"]()
    shown = [fit_comment(view, budget=budget) for budget in (65_000, 32_500, 16_250, 8_000, 2_000)]
    assert [one.shown for one in shown] == sorted((one.shown for one in shown), reverse=True)
    with pytest.raises(ValueError, match="too small"):
        fit_comment(view, budget=LEAST - 1)


def test_the_same_bump_in_a_hundred_apps_is_short():
    names = 100
    bump = "@@ -15,7 +15,7 @@\n     spec:\n-      - image: ghcr.io/acme/api:v1\n+      - image: ghcr.io/acme/api:v2\n"
    fitted = fit_comment(view_of(block(0, bump, apps=names)))
    assert utf8(fitted.text) < 6_000
    assert all(f"shop-0-{index:03}" in fitted.text for index in range(names))


def test_the_digest_is_of_the_content_and_not_of_commits():
    view = view_of(*(block(n, diff_of(20_000, n)) for n in range(20)))
    other = msgspec.structs.replace(view, compared="main (aaaaaaaa) against the result of merging bbbbbbbb")
    first = fit_comment(view, elsewhere="run 1", marker=write_marker("a", "0" * 64))
    second = fit_comment(other, elsewhere="run 2", marker=write_marker("b", "1" * 64))
    assert first.text != second.text
    assert first.digest == second.digest
    changed = msgspec.structs.replace(view, headline="2 to add")
    assert fit_comment(changed).digest != first.digest
    assert re.fullmatch("[0-9a-f]{64}", first.digest)


def test_the_marker_is_the_first_line_and_counts():
    marker = write_marker("staging/a", "f" * 64)
    for view in (CASES["one huge diff"](), view_of()):
        fitted = fit_comment(view, marker=marker)
        assert read_marker(fitted.text) == ("staging/a", "f" * 64)
        assert utf16(fitted.text) <= BUDGET
        assert fitted.text.index("\n") + 1 == marker_length("staging/a")


def test_a_long_line_says_how_much_of_it_is_missing():
    view = view_of(block(0, "@@ -1 +1 @@\n+" + "x" * 200_000 + "\n"))
    text = fit_comment(view).text
    assert "x… (199501 more characters)\n" in text
    assert "… the end of 1 long line\n" in text


@settings(max_examples=30, deadline=None)
@given(views())
def test_the_summary_fits_as_well(view):
    text = fit_summary(view, budget_bytes=20_000)
    assert utf8(text) <= 20_000
    judged(text)


@pytest.mark.parametrize("case", ["one huge diff", "a thousand large", "one huge line", "many failures"])
def test_a_large_summary_fits_and_uses_its_room(case):
    text = fit_summary(CASES[case]())
    assert 500_000 * (case not in ("one huge line", "many failures")) < utf8(text) <= 1_000_000
    judged(text)
