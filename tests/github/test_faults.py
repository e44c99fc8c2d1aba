"""What goes wrong on demand, seen by PyGithub."""

from __future__ import annotations

import time

import github as pygithub
import pytest
import requests

from tests.github import faults
from tests.github.clients import client, status_of
from tests.github.fake import FakeGitHub
from tests.github.state import Pull, Repository

_COMMENTS = "/repos/*/issues/*/comments"


@pytest.mark.parametrize(
    ("fault", "status", "written"),
    [
        (faults.server_error(after_write=True), 502, 1),
        (faults.server_error(), 502, 0),
        (faults.secondary_limit(retry_after=60), 403, 0),
        (faults.secondary_limit(), 403, 0),
        (faults.too_many(5), 429, 0),
        (faults.too_many(), 429, 0),
        (faults.refused(401, "Bad credentials"), 401, 0),
        (faults.refused(404, "Not Found"), 404, 0),
        (faults.shorter_limit(3), 422, 0),
    ],
)
def test_a_fault_happens_once_and_at_the_named_request(
    github: FakeGitHub, shop: Repository, pull: Pull, fault: faults.Fault, status: int, written: int
) -> None:
    found = client(github).get_repo("shop/apps").get_pull(pull.number)
    github.faults.add("POST", _COMMENTS, fault, nth=2)
    found.create_issue_comment("one")
    assert status_of(lambda: found.create_issue_comment("two 2"))[0] == status
    found.create_issue_comment("three")
    assert len(github.comments(pull.number)) == 2 + written
    assert [bool(one.fault) for one in github.writes()] == [False, True, False]


@pytest.mark.parametrize("after_write", [False, True])
def test_a_connection_is_dropped_before_or_after_the_write(
    github: FakeGitHub, shop: Repository, pull: Pull, after_write: bool
) -> None:
    found = client(github).get_repo("shop/apps").get_pull(pull.number)
    github.faults.add("POST", _COMMENTS, faults.dropped(after_write=after_write))
    with pytest.raises(requests.ConnectionError):
        found.create_issue_comment("one")
    assert len(github.comments(pull.number)) == int(after_write)


def test_limits_carry_the_headers_that_tell_when_to_come_back(github: FakeGitHub, shop: Repository) -> None:
    header = {"Authorization": f"token {github.tokens.actions.value}"}
    github.faults.add("GET", "/repos/shop/apps", faults.secondary_limit(retry_after=7))
    github.faults.add("GET", "/repos/shop/apps", faults.primary_limit(github.state, 30))
    first = requests.get(f"{github.url}/repos/shop/apps", headers=header, timeout=10)
    assert (first.status_code, first.headers["X-RateLimit-Remaining"]) == (403, "0")
    assert 28 <= int(first.headers["X-RateLimit-Reset"]) - time.time() <= 31
    assert requests.get(f"{github.url}/repos/shop/apps", headers=header, timeout=10).status_code == 200


def test_the_head_moves_just_before_a_request_is_served(github: FakeGitHub, shop: Repository, pull: Pull) -> None:
    old = pull.head_sha
    push = faults.meanwhile(lambda: shop.commit({"late.yaml": "a: 1\n"}, "more"))
    github.faults.add("GET", "/repos/*/pulls/*", push)
    assert client(github).get_repo("shop/apps").get_pull(pull.number).head.sha == shop.head("more") != old


def test_a_slow_answer_is_slow(github: FakeGitHub, shop: Repository) -> None:
    github.faults.add("GET", "/repos/*", faults.slow(0.3))
    start = time.monotonic()
    client(github).get_repo("shop/apps")
    assert time.monotonic() - start >= 0.3


def test_pygithub_repeats_a_post_that_was_done(github: FakeGitHub, shop: Repository, pull: Pull) -> None:
    """Why our door has a retry policy of its own: the library's makes two comments of one."""
    found = client(github, retry=pygithub.GithubRetry(total=2)).get_repo("shop/apps").get_pull(pull.number)
    github.faults.add("POST", _COMMENTS, faults.server_error(after_write=True))
    found.create_issue_comment("one")
    assert len(github.comments(pull.number)) == 2
