"""Every case as a reader sees it. `GITOPS_BOT_UPDATE_GOLDENS=1` writes the files anew.

Whoever does that reads their diff: it is what users will see.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from gitops_bot.model.report import Report
from gitops_bot.review.view import build_view
from gitops_bot.text.diff_json import encode_report
from gitops_bot.text.markdown import build_comment
from gitops_bot.text.terminal import plain_text
from tests.review.cases import CASES

GOLDENS = Path(__file__).parent / "goldens"


def judge(path: Path, text: str) -> None:
    if os.environ.get("GITOPS_BOT_UPDATE_GOLDENS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_report_comment_and_terminal_read_as_agreed(case):
    report = CASES[case]()
    written = encode_report(report)
    judge(GOLDENS / case / "report.json", written.decode())
    # From here on the file is the input: what people read needs nothing that the JSON does not carry.
    view = build_view(msgspec.json.decode(written, type=Report))
    assert view == build_view(report)
    judge(GOLDENS / case / "comment.md", build_comment(view).text)
    judge(GOLDENS / case / "terminal.txt", plain_text(view))


def test_there_is_no_golden_without_its_case():
    assert {path.name for path in GOLDENS.iterdir()} == set(CASES)
