"""Which commit of the application a version was built from."""

from __future__ import annotations

import pytest

from gitops_bot.model.github import CommitInfo
from gitops_bot.writeback.sources import Built, built, commit_in
from gitops_bot.writeback.trailers import Bumped, Trailers, write_trailers

API = "ghcr.io/acme/api"
FULL = "4f2a9c1" + "0" * 33


def bump(new, commit=FULL, repository="acme/shop", what=API, run_url="https://ci.example/1", **more):
    told = Trailers(
        bumps=(Bumped(kind=more.pop("kind", "image"), what=what, old="x", new=new, **more),), repository=repository,
        commit=commit, run=7, run_url=run_url,
    )  # fmt: skip
    lines = "\n".join(f"{name}: {value}" for name, value in write_trailers(told))
    return CommitInfo(sha="a" * 40, message=f"chore: bump\n\n{lines}")


@pytest.mark.parametrize(
    ("tag", "commit"),
    [("sha-abc1234", "abc1234"), ("main-0123456789ab", "0123456789ab"), ("4f2a9c1", "4f2a9c1"), ("v1.2.3", ""),
     ("sha-abc123", ""), ("1234567", "1234567"), ("build.4f2a9c1", "4f2a9c1"), ("xabc1234", ""), ("f" * 41, "")],
)  # fmt: skip
def test_the_commit_in_a_tag(tag, commit):
    assert commit_in(tag) == commit


@pytest.mark.parametrize(
    ("history", "versions", "expected"),
    [
        ([bump("v2", "5" * 40), bump("v1")], ["v1"], Built("acme/shop", FULL, "https://ci.example/1", 7)),
        ([bump("v1", "5" * 40), bump("v1")], ["v1"], Built("acme/shop", "5" * 40, "https://ci.example/1", 7)),
        # a promotion writes the version as well, and says no source
        ([bump("v1", "", "", run_url=""), bump("v1")], ["v1"], Built("acme/shop", FULL, "https://ci.example/1", 7)),
        ([bump("v1", what="ghcr.io/acme/other")], ["v1"], Built()),
        ([bump("v1", kind="model")], ["v1"], Built()),
        ([bump("v1", digest="sha256:1")], ["sha256:1"], Built("acme/shop", FULL, "https://ci.example/1", 7)),
        ([bump("v1", what="GHCR.io/acme/api")], ["v1"], Built("acme/shop", FULL, "https://ci.example/1", 7)),
        # the tag says it
        ([], ["sha-4f2a9c1"], Built("", "4f2a9c1")),
        ([bump("sha-4f2a9c1")], ["sha-4f2a9c1"], Built("acme/shop", FULL, "https://ci.example/1", 7)),
        ([bump("sha-4f2a9c1", "5" * 40)], ["sha-4f2a9c1"], Built("acme/shop", "4f2a9c1", "https://ci.example/1", 7)),
        ([bump("main-20261129", "5" * 40)], ["main-20261129"], Built("acme/shop", "5" * 40, "https://ci.example/1", 7)),
        # nothing that leads elsewhere
        ([bump("v1", repository="../orgs")], ["v1"], Built("", FULL, "https://ci.example/1", 7)),
        ([bump("v1", repository="acme/..")], ["v1"], Built("", FULL, "https://ci.example/1", 7)),
        ([bump("v1", commit="main")], ["v1"], Built("acme/shop", "", "https://ci.example/1", 7)),
    ],
)  # fmt: skip
def test_what_a_version_was_built_from(history, versions, expected):
    assert built(history, "image", API, versions) == expected


def test_the_history_is_read_as_far_as_the_version_only():
    def history():
        yield bump("v1")
        raise AssertionError("read too far")

    assert built(history(), "image", API, ["v1"]).commit == FULL
