"""Which version is newer, by what evidence; and what a commit's trailers say of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.writeback.order import Versions, stand
from gitops_bot.writeback.sources import Built
from gitops_bot.writeback.trailers import Bumped, Trailers, read_trailers, write_trailers

LINE = ["a" * 40, "b" * 40, "c" * 40]
"""Commits, oldest first."""


def ancestor(one, other):
    found = [[commit for commit in LINE if commit.startswith(each)] for each in (one, other)]
    return LINE.index(found[0][0]) <= LINE.index(found[1][0]) if all(found) else None


def relation(order, old, new, now=Built(), past=Built()):  # noqa: B008
    return stand(order, Versions(old, new), past, now, ancestor)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("v1.2.3", "v1.2.3", "same"),
        ("", "v1.0.0", "newer"),
        ("v1.9.0", "v1.10.0", "newer"),
        ("1.10", "1.9", "older"),
        ("v1.2.3-rc.1", "v1.2.3", "newer"),
        ("v1.2.3", "v1.2.4-rc.1", "newer"),
        ("v1.2.3", "v1.2.3-rc.1", "older"),
        ("sha-abc1234", "v1.2.3", "unknown"),
        ("v1.2.3", "latest", "unknown"),
        ("1.0.0+a", "1.0.0+b", "newer"),
        ("9", "10", "newer"),
    ],
)
def test_by_semantic_version(old, new, expected):
    assert relation("semver", old, new).relation == expected


def test_exactly_what_is_asked_for():
    assert relation("exact", "v2.0.0", "v1.0.0").relation == "newer"


def test_newest_by_the_commits_in_the_tags():
    assert relation("newest", "sha-aaaaaaa", "sha-bbbbbbb").relation == "newer"
    found = relation("newest", "sha-bbbbbbb", "sha-aaaaaaa")
    assert found == ("older", "by the ancestry of the source commits bbbbbbb and aaaaaaa")


def test_newest_by_the_commits_in_the_trailers_goes_before_the_runs():
    past = Built(commit=LINE[2], run=3)
    assert relation("newest", "x", "y", Built(commit=LINE[0], run=9), past).relation == "older"
    assert relation("newest", "x", "y", Built(commit=LINE[0], run=9), Built(commit="d" * 40, run=3)) == (
        "newer", "by the numbers of the builds, 3 and 9"
    )  # fmt: skip


def test_one_commit_built_twice_is_told_apart_by_the_runs():
    past = Built(commit=LINE[1], run=7)
    assert relation("newest", "x", "y", Built(commit=LINE[1], run=6), past).relation == "older"


def test_runs_of_different_repositories_say_nothing():
    past = Built(repository="acme/a", commit=LINE[0], run=7)
    found = relation("newest", "x", "y", Built(repository="acme/b", commit=LINE[1], run=9), past)
    assert found.relation == "unknown"
    assert "order of events" in found.evidence


VERSION = st.builds(lambda a, b, c: f"v{a}.{b}.{c}", *[st.integers(0, 30)] * 3)


@settings(deadline=None)
@given(VERSION, VERSION)
def test_the_order_of_versions_is_total(one, other):
    opposite = {"newer": "older", "older": "newer", "same": "same"}
    assert relation("semver", one, other).relation == opposite[relation("semver", other, one).relation]


# -- trailers ---------------------------------------------------------------------------------------------------------

WORD = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
MAYBE = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@settings(deadline=None)
@given(
    st.builds(
        Trailers,
        environment=MAYBE,
        bumps=st.lists(
            st.builds(Bumped, kind=st.sampled_from(["image", "model", "value"]), what=WORD, old=MAYBE, new=MAYBE, digest=MAYBE),
            max_size=3,
        ).map(tuple),
        repository=MAYBE.filter(lambda text: text != "-"), commit=MAYBE, run=st.integers(0, 10**9), run_url=MAYBE,
        metrics=st.dictionaries(WORD, st.dictionaries(WORD, st.integers(-1000, 1000).map(lambda n: n / 8), min_size=1), max_size=2),
    )
)  # fmt: skip
def test_trailers_are_read_as_they_were_written(trailers):
    message = "subject\n\nbody\n\n" + "\n".join(f"{name}: {value}" for name, value in write_trailers(trailers))
    assert read_trailers(message) == trailers


@settings(deadline=None)
@given(st.text())
def test_any_message_says_something_or_nothing(message):
    read_trailers(message)


def test_only_the_last_paragraph_speaks_but_for_who_merged_it():
    line = "Gitops-Bot-Bump: image a old=1 new=2"
    assert read_trailers(f"x\n\n{line}\n\nmore\n").bumps == ()
    assert read_trailers(f"x\n\n{line}\n\nCo-authored-by: a <a@b>\n").of("image", "a").new == "2"
    assert read_trailers(f"x\r\n\r\nSigned-off-by: a <a@b>\r\n{line}\r\n").of("image", "a").new == "2"


def test_the_commit_in_the_tag_counts_before_the_workflow_s_own():
    """A workflow started on the newest commit may write what was built of an older one."""
    past = Built(commit=LINE[0], run=3)
    found = relation("newest", f"sha-{'b' * 7}", f"sha-{'a' * 7}", Built(commit=LINE[2], run=9), past)
    assert found.relation == "older"
