"""What was read decides whether anything must be read again."""

from __future__ import annotations

from gitops_bot.render.trace import TracedTree
from tests.render.trees import tree_of

FILES = {"web/a.yaml": "a", "web/sub/b.yaml": "b", "other/c.yaml": "c"}


def test_reads_hold_where_every_answer_is_the_same() -> None:
    traced = TracedTree(tree_of(FILES))
    traced.read("web/a.yaml")
    assert traced.entry("web/missing") is None
    assert "web/also-missing" not in traced
    assert traced.reads.hold_on(tree_of({**FILES, "other/c.yaml": "changed"}))
    assert not traced.reads.hold_on(tree_of({**FILES, "web/a.yaml": "changed"}))
    assert not traced.reads.hold_on(tree_of({**FILES, "web/missing": "now here"}))
    assert not traced.reads.hold_on(tree_of({**FILES, "web/also-missing": "now here"}))


def test_listing_a_directory_asks_about_all_of_it() -> None:
    for listing in ("below", "children"):
        traced = TracedTree(tree_of(FILES))
        list(getattr(traced, listing)("web"))
        assert traced.reads.hold_on(tree_of({**FILES, "other/d.yaml": "new"}))
        assert not traced.reads.hold_on(tree_of({**FILES, "web/sub/new.yaml": "new"}))


def test_a_link_is_part_of_what_was_read() -> None:
    traced = TracedTree(tree_of(FILES, {"link": "web/a.yaml"}))
    traced.read("link")
    assert not traced.reads.hold_on(tree_of(FILES, {"link": "other/c.yaml"}))
    assert set(traced.reads.files()) >= {"link", "web/a.yaml"}


def test_that_a_directory_is_there_says_nothing_of_what_is_in_it() -> None:
    traced = TracedTree(tree_of(FILES))
    traced.read("web/sub/b.yaml")
    assert traced.reads.hold_on(tree_of({**FILES, "web/new.yaml": "new"}))
    assert not traced.reads.hold_on(tree_of({"web/a.yaml": "a", "web/sub": "a file now"}))
