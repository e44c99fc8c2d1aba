"""A tree answers for every path, and no link leads out of it."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.model.tree import Entry, PathEscape, Tree

NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def tree(files: dict[str, bytes], links: dict[str, str] | None = None) -> Tree:
    blobs = {**files, **{path: target.encode() for path, target in (links or {}).items()}}
    entries = {
        path: Entry("120000" if path in (links or {}) else "100644", f"oid-{path}", len(content))
        for path, content in blobs.items()
    }
    for path in list(entries):
        while path := posixpath.dirname(path):
            entries.setdefault(path, Entry("040000", f"tree-{path}", 0))
    by_oid = {entry.oid: blobs[path] for path, entry in entries.items() if not entry.is_directory}
    return Tree("root", entries, lambda oids: {oid: by_oid[oid] for oid in oids})


def test_below_and_children_list_a_directory_and_nothing_that_only_starts_like_it() -> None:
    made = tree({"web/a.yaml": b"", "web/sub/b.yaml": b"", "web-old/c.yaml": b"", "web.yaml": b""})
    assert list(made.below("web")) == ["web/a.yaml", "web/sub", "web/sub/b.yaml"]
    assert list(made.children("web")) == ["web/a.yaml", "web/sub"]
    assert list(made.children("")) == ["web", "web-old", "web.yaml"]
    assert list(made.below("none")) == []


@given(st.dictionaries(PATHS, st.binary(max_size=3), max_size=8))
def test_every_file_is_below_each_of_its_directories(files: dict[str, bytes]) -> None:
    files = {path: data for path, data in files.items() if not any(p.startswith(f"{path}/") for p in files)}
    made = tree(files)
    for path, content in files.items():
        assert made.read(path) == content
        home = posixpath.dirname(path)
        assert path in made.children(home)
        while home:
            assert path in made.below(home)
            home = posixpath.dirname(home)


def test_links_are_followed_inside_the_tree() -> None:
    made = tree({"base/values.yaml": b"x"}, {"web/values.yaml": "../base/values.yaml", "web/base": "../base"})
    assert made.read("web/values.yaml") == b"x"
    assert made.resolve("web/base/values.yaml") == "base/values.yaml"
    assert made.resolve("web/base/missing") is None


@pytest.mark.parametrize(
    ("links", "path"),
    [
        ({}, "../etc/passwd"),
        ({}, "web/../../etc/passwd"),
        ({}, "missing/../../etc/passwd"),
        ({"out": "../../etc/passwd"}, "out"),
        ({"out": "/etc/passwd"}, "out"),
        ({"dir": ".."}, "dir/etc"),
        ({"a": "b", "b": "a"}, "a"),
        ({"self": "self/self"}, "self"),
    ],
)
def test_what_leads_out_or_never_ends_is_refused(links: dict[str, str], path: str) -> None:
    with pytest.raises(PathEscape):
        tree({"web/x": b""}, links).resolve(path)


def test_a_directory_a_missing_file_and_a_dangling_link_cannot_be_read() -> None:
    made = tree({"web/x": b""}, {"dangling": "nowhere"})
    for path in ("web", "missing", "dangling"):
        with pytest.raises(FileNotFoundError):
            made.read(path)
