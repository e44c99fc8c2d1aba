"""Git's own three-way merge of single texts."""

from __future__ import annotations

import pytest

from gitops_bot.doors.merge import merge_text

BASE = b"a\nb\nc\nd\ne\n"


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "merged"),
    [
        (b"x\n" + BASE, BASE, BASE.replace(b"d", b"D"), b"x\na\nb\nc\nD\ne\n"),
        (BASE, BASE, b"", b""),
        (BASE.replace(b"\n", b"\r\n"), BASE.replace(b"\n", b"\r\n"), BASE.replace(b"\n", b"\r\n") + b"f\r\n", BASE.replace(b"\n", b"\r\n") + b"f\r\n"),
        (b"a\nb\nc\nd\ne", b"a\nb\nc\nd\ne", b"A\nb\nc\nd\ne", b"A\nb\nc\nd\ne"),  # no final newline
        (BASE.replace(b"c", b"1"), BASE, BASE.replace(b"c", b"2"), None),
        (b"\0" + BASE, b"\0", b"\0x", None),  # no text
    ],
)  # fmt: skip
def test_a_merge_or_nothing(ours: bytes, base: bytes, theirs: bytes, merged: bytes | None) -> None:
    assert merge_text(ours, base, theirs) == merged
