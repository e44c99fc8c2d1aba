"""The next tag: newer than all, whatever the order tags were made in, and whatever was deleted."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.errors import UsageError
from gitops_bot.model.github import Tag
from gitops_bot.render.fetching.semver import newest
from gitops_bot.writeback.moves.versions import Used, newest_release, next_tag, releases, tagged

GLOB = "v*.*.*"


def tags(*names: str) -> list[Tag]:
    return [Tag(name=name, commit=f"{index:040x}") for index, name in enumerate(names, 1)]


@pytest.mark.parametrize(
    ("names", "level", "expected"),
    [
        ([], "patch", "v1.0.0"),
        ([], "major", "v1.0.0"),
        (["v1.0.0"], "patch", "v1.0.1"),
        (["v1.0.0"], "minor", "v1.1.0"),
        (["v1.4.2"], "minor", "v1.5.0"),
        (["v1.4.2"], "major", "v2.0.0"),
        (["v1.5.0", "v1.4.3"], "patch", "v1.5.1"),  # a backport was tagged last
        (["v1.9.0", "v1.10.0"], "patch", "v1.10.1"),  # numbers, not text
        (["v1.4.0", "v2.0.0-rc.1"], "patch", "v1.4.1"),
        (["v1.4.0", "v2.0.0-rc.1"], "major", "v2.0.0"),
        (["v1.4.0", "v1.4.1-rc.1"], "patch", "v1.4.1"),
        (["v1.4.0-rc.1"], "patch", "v1.0.0"),
        (["v1.4.0", "v1.4.1+build.7"], "patch", "v1.4.2"),
        (["v1.4.0", "vendor.1.2", "v1.x.0", "latest", "v1..3", "v٣.0.0"], "patch", "v1.4.1"),
    ],
)
def test_the_next_tag_is_one_after_the_newest_release(names: list[str], level: str, expected: str) -> None:
    assert next_tag(tags(*names), GLOB, level).name == expected
    assert next_tag(reversed(tags(*names)), GLOB, level).name == expected


@pytest.mark.parametrize(
    ("glob", "names", "level", "expected"),
    [
        ("churn/v*", ["churn/v1.2.3", "billing/v9.0.0", "v7.0.0"], "patch", "churn/v1.2.4"),
        ("churn-api-*.*.*", ["churn-api-1.2.3"], "minor", "churn-api-1.3.0"),
        ("env2/v*", [], "patch", "env2/v1.0.0"),
        ("v3.*.*", [], "patch", "v3.0.0"),
        ("v3.*.*", ["v3.1.0", "v4.0.0"], "minor", "v3.2.0"),
        ("v3.2.*", [], "patch", "v3.2.0"),
        ("*.*.*", ["1.2.3"], "patch", "1.2.4"),
        ("*", ["1.2.3", "latest", "churn/v9.0.0", "v1.1.0"], "minor", "1.3.0"),
        ("*", ["main"], "patch", "1.0.0"),
        ("*.*.*", ["v1.2.3"], "patch", "v1.2.4"),
        ("v*-prod", ["v1.2.3-prod", "v9.0.0"], "patch", "v1.2.4-prod"),
        ("v[0-9]*.*.*", ["v1.2.3"], "patch", "v1.2.4"),
    ],
)
def test_the_tag_has_the_shape_of_the_pattern(glob: str, names: list[str], level: str, expected: str) -> None:
    assert next_tag(tags(*names), glob, level).name == expected


def test_a_pattern_that_cannot_take_the_next_tag_is_refused() -> None:
    with pytest.raises(UsageError, match=r"v4\.0\.0, and the environment follows v3"):
        next_tag(tags("v3.1.0"), "v3.*.*", "major")
    with pytest.raises(UsageError, match="one tag, not a pattern"):
        next_tag([], "production")


def test_a_deleted_release_is_not_made_again_and_the_next_one_is_newer() -> None:
    found = next_tag(tags("v1.3.0", "v1.4.0"), GLOB, used=Used(deployed=("v1.5.0", "v1.4.0", "main", "v2.0.0-rc.1")))
    assert (found.name, found.previous) == ("v1.5.1", "v1.4.0")
    assert found.notes == (
        "v1.5.0 was deployed and its tag is gone; the next tag is newer, so that the agent takes it",
    )
    assert next_tag(tags("v1.5.0"), GLOB, used=Used(deployed=("v1.4.0",))).notes == ()


def test_a_release_beside_the_branch_is_told() -> None:
    found = next_tag(tags("v1.4.0", "v1.4.1"), GLOB, contained=lambda commit: commit != f"{2:040x}")
    assert found.name == "v1.4.2"
    assert "v1.4.1 was made of a commit that this branch does not have" in found.notes[0]
    assert next_tag(tags("v1.4.0", "v1.4.1"), GLOB, contained=lambda commit: commit != f"{1:040x}").notes == ()


def test_tags_that_a_range_takes_for_newer_are_told() -> None:
    found = next_tag(tags("v1.4.0", "v2", "v1", "v1.4"), GLOB)
    assert found.name == "v1.4.1"
    assert found.notes == ("an Application that follows a range of versions takes the tag v2 for newer than v1.4.1",)


def test_a_commit_that_has_its_release_is_not_tagged_again() -> None:
    known = [
        *tags("v1.4.0", "v1.5.0"),
        Tag(name="v1.4.1", commit=f"{1:040x}"),
        Tag(name="v2.0.0-rc", commit=f"{1:040x}"),
    ]
    found = tagged(known, GLOB, f"{1:040x}")
    assert found is not None
    assert found.name == "v1.4.1"
    assert tagged(known, GLOB, "f" * 40) is None


def test_numbers_are_as_large_as_the_agent_reads_them() -> None:
    largest = 2**64 - 1
    assert next_tag(tags("v1.0.0", "v20261129175240.0.0"), GLOB).name == "v20261129175240.0.1"
    assert [each.name for each in releases(tags(f"v1.0.{largest}", "v1.0.0"), GLOB)] == ["v1.0.0", f"v1.0.{largest}"]
    assert next_tag(tags(f"v1.0.{largest}"), GLOB, "minor").name == "v1.1.0"
    with pytest.raises(UsageError, match=f"no patch version comes after v1.0.{largest}"):
        next_tag(tags(f"v1.0.{largest}"), GLOB)
    endless = ("v" + "9" * 5000 + ".0.0", f"v1.0.{largest + 1}", "v1.0.0" + "0" * 300)
    assert releases(tags(*endless), GLOB) == []


def test_a_tag_of_no_commit_is_no_release_and_its_name_is_taken() -> None:
    known = [*tags("v1.4.0"), Tag(name="v1.5.0", commit=""), Tag(name="v1.2.0", commit="")]
    assert [release.name for release in releases(known, GLOB)] == ["v1.4.0"]
    found = next_tag(known, GLOB, "minor")
    assert (found.name, found.previous) == ("v1.6.0", "v1.4.0")
    assert found.notes == ("v1.5.0 is a tag of no commit; the next tag is newer, so that the agent takes it",)
    assert tagged(known, GLOB, "") is None


def test_what_was_announced_is_not_made_of_another_commit() -> None:
    found = next_tag(tags("v1.4.0"), GLOB, used=Used(announced=("v1.4.1", "v1.3.9")))
    assert (found.name, found.previous) == ("v1.4.2", "v1.4.0")
    (note,) = found.notes
    assert note.startswith("v1.4.1 was announced by a promotion that is merged, and there is no such tag")
    assert next_tag(tags("v1.4.1"), GLOB, used=Used(announced=("v1.4.1",))).notes == ()


def test_two_tags_of_one_version_are_told_unless_they_are_one_commit() -> None:
    found = next_tag(tags("1.2.3", "v1.2.3", "1.0.0"), "*")
    assert (found.name, found.previous) == ("v1.2.4", "v1.2.3")
    assert found.notes == (
        "1.2.3 and v1.2.3 are one version of different commits: which of them is deployed cannot be known",
    )
    same = [Tag(name=name, commit="a" * 40) for name in ("1.2.3", "v1.2.3")]
    assert next_tag(same, "*").notes == ()
    assert next_tag(tags("1.2.3", "v1.2.3", "1.3.0"), "*").notes == ()


numbers = st.integers(0, 30)
names = st.builds(
    lambda core, pre: f"v{core[0]}.{core[1]}.{core[2]}{pre}",
    st.tuples(numbers, numbers, numbers),
    st.sampled_from(["", "", "", "-rc.1", "-0", "+build"]),
)


@given(
    st.lists(names | st.text(max_size=8), max_size=12),
    st.sampled_from(["major", "minor", "patch"]),
    st.lists(names, max_size=3),
)
def test_the_next_tag_is_what_the_agent_will_take(there: list[str], level: str, deployed: list[str]) -> None:
    found = next_tag(tags(*there), GLOB, level, used=Used(deployed=tuple(deployed)))
    assert fnmatchcase(found.name, GLOB)
    assert found.name not in there
    matching = [name for name in [*there, *deployed, found.name] if fnmatchcase(name, GLOB)]
    assert newest(">=0.0.0", matching) == found.name  # as Argo CD's rule for ranges reads it
    release = newest_release(tags(*there), GLOB)
    assert found.previous == (release.name if release else "")
    assert next_tag([*tags(*there), Tag(name=found.name, commit="a" * 40)], GLOB, level).previous == found.name
