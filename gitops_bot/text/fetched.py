"""What ``gitops-bot fetch`` prints."""

from __future__ import annotations

from collections.abc import Sequence

from gitops_bot.model.fetched import Fetched
from gitops_bot.text.escape import visible

_HEADINGS = ("KIND", "SOURCE", "WANTED", "IS", "DIGEST")


def to_text(fetched: Sequence[Fetched], failures: Sequence[str]) -> str:
    """A table of what there is now, then what could not be had with the reason, then a line that counts."""
    rows = [_row(one) for one in fetched]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in ((_HEADINGS, *rows) if rows else ())
    ]
    if failures:
        lines += [*([""] if lines else []), "Could not be fetched:", *(f"  {visible(reason)}" for reason in failures)]
    cached = sum(one.source == "cache" for one in fetched)
    lines += [""] if lines else []
    failed = f", {len(failures)} failed" if failures else ""
    lines.append(f"{len(fetched) - cached} fetched, {cached} in the cache already{failed}.")
    return "\n".join(lines) + "\n"


def _row(one: Fetched) -> tuple[str, str, str, str, str]:
    source = f"{one.url.rstrip('/')}/{one.name}" if one.name else one.url
    return one.kind, visible(source), visible(one.wanted or "-"), visible(one.version or "-"), one.digest
