from __future__ import annotations

import io
import re
import subprocess
import sys
import unicodedata

import msgspec
import pytest
from rich.console import Console

from gitops_bot.model.target import NotRendered
from gitops_bot.review.report import build_report
from gitops_bot.review.view import build_view
from gitops_bot.text.layout import lay_out
from gitops_bot.text.terminal import STYLES, plain_text, print_lines, write
from tests.review.cases import CASES, MERGE, deployment, outcome, report, simple


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("case", CASES)
def test_plain_text_holds_nothing_that_moves_a_cursor(case):
    text = plain_text(build_view(CASES[case]()))
    assert text.endswith("\n")
    assert {unicodedata.category(sign) for sign in text.replace("\n", "")}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


@pytest.mark.parametrize("case", CASES)
def test_colour_adds_colour_and_no_other_word(case):
    view = build_view(CASES[case]())
    out = io.StringIO()
    print_lines(
        lay_out(view), Console(file=out, color_system=None, highlight=False, markup=False, emoji=False, width=40)
    )
    assert [line.rstrip() for line in out.getvalue().splitlines()] == plain_text(view).splitlines()


def test_a_pipe_gets_plain_text_and_a_terminal_colour(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    view, pipe, terminal = build_view(simple()), io.StringIO(), Terminal()
    write(view, pipe)
    write(view, terminal)
    assert pipe.getvalue() == plain_text(view)
    assert "\x1b[32m+  replicas: 3\x1b[0m" in terminal.getvalue()


def test_colour_can_be_forced_into_a_pipe(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    pipe = io.StringIO()
    write(build_view(simple()), pipe)
    assert "\x1b[32m+  replicas: 3" in pipe.getvalue()


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    write(build_view(simple()), terminal)
    assert "\x1b[32m" not in terminal.getvalue()


@pytest.mark.parametrize("forced", ["", "1"])
def test_a_stream_that_cannot_hold_a_sign_gets_the_rest(monkeypatch, forced):
    monkeypatch.setenv("FORCE_COLOR", forced)
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    write(build_view(CASES["hostile"]()), stream)
    stream.seek(0)
    assert "? a`b|c @admin #1 fixes #2" in re.sub(r"\x1b\[[0-9;]*m", "", stream.read())


def test_every_style_has_a_colour():
    used = {span.style for case in CASES.values() for line in lay_out(build_view(case())) for span in line}
    assert used <= set(STYLES)
    assert set(STYLES) - used <= {"change"}


def test_a_long_diff_says_how_much_is_missing():
    diff = "@@ -1,1 +1,301 @@\n" + "".join(f"+  line{n}: 1\n" for n in range(300)) + "-  gone: 1\n"
    long = msgspec.structs.replace(deployment("a"), diff=diff)
    text = plain_text(build_view(report(outcome("a", long))))
    assert "line199" in text
    assert "line200" not in text
    assert "… 101 more lines (100 added, 1 removed); all of it with --format json" in text


def test_names_of_many_apps_are_counted():
    text = plain_text(build_view(CASES["forty-apps"]()))
    assert "in 40 apps: shop-00, shop-01, shop-02, shop-03 and 36 more" in text
    assert text.count("replicas: 3") == 1


def test_a_message_of_several_lines_stays_under_its_name():
    found = msgspec.structs.replace(CASES["one-side-failed"](), not_rendered=())
    entry = CASES["one-side-failed"]().not_rendered[0]
    broken = msgspec.structs.replace(entry, reason="helm failed:\nline 2\n")
    text = plain_text(build_view(msgspec.structs.replace(found, not_rendered=(broken,))))
    assert "\n      helm failed:\n      line 2\n" in text


def test_many_that_share_a_reason_are_counted():
    found = [NotRendered(id=f"apps/{n:02}", reason="no network", failed=False) for n in range(30)]
    text = plain_text(build_view(build_report([], compared=MERGE, not_rendered=found)))
    assert "Not rendered (30)\n  ○ apps/00\n    apps/01\n" in text
    assert "\n    apps/19\n    and 10 more; all of them with --format json\n      no network\n" in text


def test_no_targets_do_not_look_green():
    assert plain_text(build_view(build_report([], compared=MERGE))).startswith("No targets: nothing was found")


def test_rich_and_jinja_are_loaded_only_when_used():
    modules = "gitops_bot.text.terminal, gitops_bot.text.markdown, gitops_bot.review.view, gitops_bot.review.report"
    code = f"import sys, {modules}\nprint(sorted({{'rich', 'jinja2'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
