"""The reference explains every signal, and none that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

from gitops_bot.model.signal import CATALOGUE

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "signals.md"
_ROW = re.compile(r"^\| \[?`([a-z-]+)`(?:\]\(#[a-z-]+\))? \| (error|warning|info) \| \S.* \| \S.* \|$", re.MULTILINE)


def test_the_table_is_the_catalogue_with_its_severities() -> None:
    rows = _ROW.findall(REFERENCE.read_text())
    assert dict(rows) == {id_: meaning.severity for id_, meaning in CATALOGUE.items()}
    assert len(rows) == len(CATALOGUE)


def test_links_within_the_page_lead_somewhere() -> None:
    text = REFERENCE.read_text()
    headings = {
        re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\(#([a-z-]+)\)", text)) <= headings
