"""The proof itself: whatever a wrong splice would do to a file, it is noticed."""

from __future__ import annotations

import pytest

from gitops_bot.writeback.editor.nodes import Stream
from gitops_bot.writeback.editor.problems import Refusal
from gitops_bot.writeback.editor.splice import Expected, Splice, Swap, apply, prove

BEFORE = "a: v1\nb: &x [1, '2', !!str 3]\nc: *x\nd: {e: f}\n---\ng: 1\n"
SWAPS = (Swap(4, 1, (Expected("scalar", "v2"),)),)


def test_the_meant_change_is_proved():
    new = prove(Stream(BEFORE), BEFORE.replace("v1", "v2"), SWAPS)
    assert new.text == "a: v2\nb: &x [1, '2', !!str 3]\nc: *x\nd: {e: f}\n---\ng: 1\n"
    prove(Stream(BEFORE), BEFORE.replace("v1", "'v2'"), SWAPS)
    prove(Stream(BEFORE), BEFORE, ())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v1", "v3"),
        ("v1", "v2 v"),
        ("v1", "&y v2"),
        ("v1", "!!str v2"),
        ("v1", "v2\nz: 1"),
        ("v1", "v2: 1"),
        ("v1", "{"),
        ("a: v1\n", "a: v2\na: v2\n"),
        ("a: v1", "q: v2"),
        ("a: v1", "'a': v2"),
        ("[1, '2'", "[1, 2"),
        ("[1,", "['1',"),
        ("&x", "&y"),
        ("*x", "[1, '2', 3]"),
        ("!!str 3", "3"),
        ("{e: f}", "\n  e: f"),
        ("---\n", ""),
        ("g: 1\n", ""),
        ("g: 1\n", "g: 1\n---\nh: 1\n"),
        ("---\ng", "--- !x\ng"),
        ("d: {e: f}\n---\n", "d: {e: f}\n...\n%YAML 1.1\n---\n"),
    ],
)
def test_any_other_change_is_refused(old, new):
    text = BEFORE.replace(old, new) if "v1" in old else BEFORE.replace("v1", "v2").replace(old, new)
    assert text != BEFORE
    with pytest.raises(Refusal):
        prove(Stream(BEFORE), text, SWAPS)


@pytest.mark.parametrize(
    ("text", "reads"),
    [("v2", "number"), ("2", "string"), ("'2'", "number"), ("2", "boolean"), ("v2", "text"), ("yes", "string")],
)
def test_a_value_that_reads_otherwise_is_refused(text, reads):
    swap = Swap(4, 1, (Expected("scalar", text.strip("'"), reads),))
    with pytest.raises(Refusal, match="would not read as it was meant"):
        prove(Stream("a: v1\n"), f"a: {text}\n", [swap])


def test_splices_are_made_in_order():
    assert apply("abcdef", [Splice(0, 1, "X"), Splice(2, 2, "-"), Splice(5, 6, "")]) == "Xb-cde"
