"""The sticky comment against a GitHub that fails in every way it is known to: one comment, the right content, in time."""

from __future__ import annotations

import hashlib
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_bot.actions.sticky import BUDGET, Published, publish
from gitops_bot.doors.github.api import GitHub
from gitops_bot.doors.github.auth import App, Token
from gitops_bot.doors.github.errors import AccessDenied, TooLong, Unavailable
from gitops_bot.doors.github.pacing import Patience
from gitops_bot.errors import GitHubError, UsageError
from gitops_bot.text.marker import read_marker, write_marker
from tests.github import faults
from tests.github.fake import FakeGitHub

KEY = "gitops-bot"
COMMENTS = "/repos/shop/apps/issues/*/comments"
COMMENT = "/repos/shop/apps/issues/comments/*"
BOT = "github-actions[bot]"


class Time:
    """Virtual time: waiting moves it, and GitHub's clock with it."""

    def __init__(self, github: FakeGitHub) -> None:
        self.github = github
        self.passed = 0.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        assert seconds >= 0
        self.passed += seconds
        self.waits.append(seconds)
        self.github.advance(seconds)

    def clock(self) -> float:
        return self.passed


class Run:
    """One run of the bot on the pull request of a fake GitHub."""

    def __init__(self, github: FakeGitHub, auth: Token | App | None = None, **named) -> None:
        self.time = Time(github)
        self.door = GitHub(
            api_url=named.pop("api_url", github.url), repository="shop/apps",
            auth=auth or Token(github.tokens.actions.value), wait=self.time.wait, clock=self.time.clock,
            jitter=lambda: 0.5, **named,
        )  # fmt: skip

    def publish(self, pull, text: str = "2 to change", *, key: str = KEY, head: str = "", make=None) -> Published:
        try:
            return publish(self.door, pull.number, head or pull.head_sha, key, make or fixed(text))
        finally:
            self.door.close()
            assert self.door.requests <= 15 or self.door.waited, "more requests than a run may make"
            assert self.door.creations <= 3
            assert self.time.passed <= 300 + 15


def fixed(text: str):
    return lambda budget: (text, digest_of(text))


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def body_of(text: str, key: str = KEY) -> str:
    return f"{write_marker(key, digest_of(text))}\n{text}"


@pytest.fixture
def pull(github):
    repository = github.repository("shop/apps")
    return github.open_pull(repository, "change", files={"apps/web.yaml": "replicas: 2\n"})


def created(github: FakeGitHub) -> int:
    """How many comments there ever were."""
    return sum(event["event"] == "issue_comment" and event["action"] == "created" for event in github.events)


def bodies(github: FakeGitHub, author: str = BOT) -> list[str]:
    return [comment.body for comment in github.comments(1) if comment.login == author]


# -- without faults ---------------------------------------------------------------------------------------------------


def test_the_first_run_comments(github, pull):
    published = Run(github).publish(pull)
    assert bodies(github) == [body_of("2 to change")]
    assert published.action == "created"
    assert published.url.endswith(f"#issuecomment-{github.comments(1)[0].id}")


def test_a_second_run_with_other_content_edits_it(github, pull):
    Run(github).publish(pull)
    run = Run(github)
    assert run.publish(pull, "3 to change").action == "updated"
    assert bodies(github) == [body_of("3 to change")]
    assert run.door.creations == 0


def test_the_same_content_makes_no_write(github, pull):
    first = Run(github).publish(pull)
    before = len(github.writes())
    assert Run(github).publish(pull) == Published(first.url, "unchanged")
    assert len(github.writes()) == before
    assert github.comments(1)[0].edits == 0


def test_a_quiet_run_asks_three_things(github, pull):
    Run(github).publish(pull)
    before = len(github.requests)
    Run(github).publish(pull)
    assert [(one.method, one.path.rpartition("/")[2]) for one in github.requests[before:]] == [
        ("GET", "1"), ("POST", "graphql"), ("GET", "comments"),
    ]  # fmt: skip


def test_comments_of_others_with_our_marker_are_untouched(github, pull):
    for author in ("ada", "github-actions", "other-app[bot]"):
        github.comment(1, body_of("lies"), author)
    assert Run(github).publish(pull).action == "created"
    assert bodies(github) == [body_of("2 to change")]
    assert Run(github).publish(pull, "3 to change").action == "updated"
    assert [comment.body for comment in github.comments(1)] == [*[body_of("lies")] * 3, body_of("3 to change")]


def test_a_marker_in_a_quoted_reply_is_none(github, pull):
    quoted = "".join(f"> {line}\n" for line in body_of("2 to change").splitlines()) + "\nIs that so?"
    github.comment(1, quoted, BOT)
    github.comment(1, f"Look:\n{body_of('2 to change')}", BOT)
    assert Run(github).publish(pull).action == "created"
    assert bodies(github)[:2] == [quoted, f"Look:\n{body_of('2 to change')}"]


def test_the_login_is_compared_in_any_case(github, pull):
    github.comment(1, body_of("old"), "Gitops-Bot[bot]")
    assert Run(github, Token(github.tokens.app.value)).publish(pull).action == "updated"


def test_it_is_found_among_250_comments(github, pull):
    for number in range(130):
        github.comment(1, f"comment {number}")
    github.comment(1, body_of("old"), BOT)
    for number in range(120):
        github.comment(1, f"later {number}")
    run = Run(github)
    assert run.publish(pull).action == "updated"
    assert bodies(github) == [body_of("2 to change")]
    assert run.door.requests == 6  # three of them pages


def test_two_keys_make_two_comments(github, pull):
    Run(github).publish(pull, "of staging", key="staging")
    Run(github).publish(pull, "of production", key="production")
    assert Run(github).publish(pull, "of staging, again", key="staging").action == "updated"
    assert bodies(github) == [body_of("of staging, again", "staging"), body_of("of production", "production")]


def test_later_duplicates_go_and_the_oldest_stays(github, pull):
    for text in ("2 to change", "b", "c"):
        github.comment(1, body_of(text), BOT)
    oldest = github.comments(1)[0].id
    published = Run(github).publish(pull)
    assert (published.action, published.removed, published.left) == ("duplicates removed", 2, 0)
    assert [comment.id for comment in github.comments(1)] == [oldest]


def test_many_duplicates_go_over_several_runs(github, pull):
    for number in range(6):
        github.comment(1, body_of(f"{number}"), BOT)
    first = Run(github).publish(pull)
    assert (first.action, first.removed, first.left) == ("updated", 3, 2)
    assert Run(github).publish(pull) == Published(first.url, "duplicates removed", 2, 0)
    assert bodies(github) == [body_of("2 to change")]


def test_a_refused_removal_is_told_not_raised(github, pull):
    for text in ("2 to change", "b"):
        github.comment(1, body_of(text), BOT)
    github.faults.add("DELETE", COMMENT, faults.refused(403, "Resource not accessible by integration"))
    assert Run(github).publish(pull)[1:] == ("unchanged", 0, 1)


def test_an_impossible_key_is_told(github, pull):
    with pytest.raises(UsageError):
        Run(github).publish(pull, key="a key")


# -- the world moves --------------------------------------------------------------------------------------------------


def test_a_stale_head_writes_nothing(github, pull):
    assert Run(github).publish(pull, head="0" * 40) == Published("", "stale")
    assert github.comments(1) == []


def test_a_closed_pull_request_gets_no_comment(github, pull):
    pull.state = "closed"
    assert Run(github).publish(pull) == Published("", "closed")
    assert github.comments(1) == []


def test_a_comment_deleted_meanwhile_is_written_anew(github, pull):
    Run(github).publish(pull, "old")
    github.faults.add("PATCH", COMMENT, faults.meanwhile(pull.repository.comments.clear))
    assert Run(github).publish(pull).action == "created"
    assert bodies(github) == [body_of("2 to change")]


def test_when_the_oldest_was_deleted_the_next_of_ours_is_edited(github, pull):
    first = github.comment(1, body_of("a"), BOT)
    github.comment(1, body_of("b"), BOT)
    github.faults.add("PATCH", COMMENT, faults.meanwhile(lambda: pull.repository.comments.pop(first.id)))
    assert Run(github).publish(pull).action == "updated"
    assert bodies(github) == [body_of("2 to change")]


def test_a_push_during_a_long_wait_ends_the_run_without_a_write(github, pull):
    Run(github).publish(pull, "old")

    def push() -> None:
        pull.repository.commit({"apps/web.yaml": "replicas: 3\n"}, "change")

    def pushed_then_limited(request, proceed):
        push()
        return faults.too_many(120)(request, proceed)

    github.faults.add("PATCH", COMMENT, pushed_then_limited)
    assert Run(github).publish(pull) == Published("", "stale")
    assert bodies(github) == [body_of("old")]


def test_a_push_during_a_long_wait_creates_nothing(github, pull):
    def pushed_then_limited(request, proceed):
        pull.repository.commit({"apps/web.yaml": "replicas: 3\n"}, "change")
        return faults.secondary_limit(retry_after=60)(request, proceed)

    github.faults.add("POST", COMMENTS, pushed_then_limited)
    assert Run(github).publish(pull) == Published("", "stale")
    assert bodies(github) == []


@pytest.mark.parametrize("text", ["2 to change", "of the other run"])
def test_two_runs_at_once_leave_one_comment(github, pull, text):
    """The other run writes between our reading and our writing: its comment is the older one, and stays."""
    others = []

    def other_run() -> None:
        others.append(github.comment(1, body_of(text), BOT).id)

    github.faults.add("POST", COMMENTS, faults.meanwhile(other_run))
    published = Run(github).publish(pull)
    assert [comment.id for comment in github.comments(1)] == others
    assert bodies(github) == [body_of("2 to change")]
    assert published.removed == 1
    assert published.url.endswith(f"-{others[0]}")


def test_a_run_that_wrote_first_removes_the_later_one(github, pull):
    github.faults.add("POST", COMMENTS, faults.meanwhile(lambda: github.comment(1, body_of("later"), BOT), after=True))
    assert Run(github).publish(pull).action == "created"
    assert bodies(github) == [body_of("2 to change")]


def test_whole_runs_at_once_leave_one_comment_with_the_content_of_one(github, pull):
    """A whole second run happens inside the first, at each of its requests in turn."""
    for nth in range(1, 6):
        pull.repository.comments.clear()
        github.faults.clear()
        before = len(github.requests)
        inner = []

        def second(inner=inner) -> None:
            if not inner:
                inner.append(Run(github))
                inner[0].publish(pull, "second")

        github.faults.add("*", "*", faults.meanwhile(second), nth=nth)
        Run(github).publish(pull, "first")
        assert inner or len(github.requests) - before < nth
        assert bodies(github) == [body_of("first")]


# -- too long ---------------------------------------------------------------------------------------------------------


def ladder(budget: int) -> tuple[str, str]:
    text = f"{budget} " + "x" * (budget - len(str(budget)) - 1)
    return text, digest_of(text)


def test_the_budget_leaves_room_for_the_marker(github, pull):
    Run(github).publish(pull, make=ladder)
    assert len(bodies(github)[0]) == BUDGET


@pytest.mark.parametrize("limit", [40_000, 10_000, 4_100])
def test_a_comment_that_is_too_long_is_shortened(github, pull, limit):
    github.faults.add("*", "*comments*", faults.shorter_limit(limit), times=math.inf)
    assert Run(github).publish(pull, make=ladder).action == "created"
    assert limit / 2 < len(bodies(github)[0]) <= limit


@pytest.mark.parametrize("limit", [40_000, 4_100])
def test_a_shortened_comment_is_not_written_again_when_nothing_changed(github, pull, limit):
    github.faults.add("*", "*comments*", faults.shorter_limit(limit), times=math.inf)
    Run(github).publish(pull, make=ladder)
    assert Run(github).publish(pull, make=ladder).action == "unchanged"
    assert github.comments(1)[0].edits == 0


def test_what_is_too_long_at_the_smallest_is_an_error(github, pull):
    github.faults.add("*", "*comments*", faults.shorter_limit(100), times=math.inf)
    with pytest.raises(TooLong, match="too long"):
        Run(github).publish(pull, make=ladder)
    assert github.comments(1) == []


def test_a_text_that_gets_no_shorter_is_not_sent_again(github, pull):
    github.faults.add("*", "*comments*", faults.shorter_limit(10), times=math.inf)
    with pytest.raises(TooLong, match="shop/apps#1"):
        Run(github).publish(pull, "always the same")
    assert len([one for one in github.writes() if one.status == 422]) == 1


# -- GitHub fails -----------------------------------------------------------------------------------------------------

FAULTS = {
    "502 after": lambda github: faults.server_error(after_write=True),
    "502 before": lambda github: faults.server_error(),
    "503 after": lambda github: faults.server_error(503, after_write=True),
    "500 before": lambda github: faults.server_error(500),
    "504 after": lambda github: faults.server_error(504, after_write=True),
    "403 secondary": lambda github: faults.secondary_limit(),
    "403 secondary, retry-after": lambda github: faults.secondary_limit(retry_after=30),
    "429": lambda github: faults.too_many(),
    "429, retry-after": lambda github: faults.too_many(17),
    "403 primary": lambda github: faults.primary_limit(github.state, 90),
    "429 primary": lambda github: faults.primary_limit(github.state, 90, 429),
    "dropped before": lambda github: faults.dropped(),
    "dropped after": lambda github: faults.dropped(after_write=True),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("POST", 2), ("PATCH", 2)])
def test_every_write_survives_every_fault(github, pull, method, fault, times):
    existing = method == "PATCH"
    if existing:
        github.comment(1, body_of("old"), BOT)
    github.faults.add(method, "*comments*", FAULTS[fault](github), times=times)
    run = Run(github)
    assert run.publish(pull).action == ("updated" if existing else "created")
    assert bodies(github) == [body_of("2 to change")]
    assert run.door.requests <= 15
    assert created(github) == 1


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("nth", [1, 2, 3, 5])
def test_every_other_request_in_turn_survives_every_fault(github, pull, fault, nth):
    github.faults.add("*", "*", FAULTS[fault](github), nth=nth)
    Run(github).publish(pull)
    assert bodies(github) == [body_of("2 to change")]
    assert created(github) == 1


@pytest.mark.parametrize("fault", FAULTS)
def test_removing_a_duplicate_survives_every_fault(github, pull, fault):
    for text in ("a", "b"):
        github.comment(1, body_of(text), BOT)
    github.faults.add("DELETE", COMMENT, FAULTS[fault](github))
    assert Run(github).publish(pull)[1:] == ("updated", 1, 0)
    assert bodies(github) == [body_of("2 to change")]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_ends_in_time_and_leaves_at_most_one_comment(github, pull, fault):
    github.faults.add("*", "*comments*", FAULTS[fault](github), times=math.inf)
    run = Run(github)
    with pytest.raises(Unavailable):
        run.publish(pull)
    assert run.door.requests <= 15
    assert len(bodies(github)) <= 1


def test_a_limit_that_holds_too_long_is_told_at_once_with_its_end(github, pull):
    github.faults.add("POST", COMMENTS, faults.primary_limit(github.state, 1800))
    run = Run(github)
    with pytest.raises(Unavailable, match=r"holds until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC, and at most 300 s"):
        run.publish(pull)
    assert run.time.passed == 0


def test_a_read_only_token_is_told_as_such(github, pull):
    run = Run(github, Token(github.tokens.read_only.value))
    with pytest.raises(AccessDenied) as caught:
        run.publish(pull)
    assert caught.value.writing
    assert "shop/apps#1" in caught.value.message
    assert "pull-requests: write" in caught.value.hint
    assert "forks" in caught.value.hint
    assert github.comments(1) == []


@pytest.mark.parametrize("enterprise", [False, True])
@pytest.mark.parametrize("looked_up", [False, True])
def test_an_app_comments_under_its_own_name(github, pull, enterprise, looked_up):
    app = github.app
    auth = App(str(app.id), app.private_key, None if looked_up else app.installation_id)
    run = Run(github, auth, api_url=github.enterprise_url if enterprise else github.url)
    assert run.publish(pull).action == "created"
    assert bodies(github, "gitops-bot[bot]") == [body_of("2 to change")]
    assert run.door.requests <= 7
    again = Run(github, auth)
    assert again.publish(pull).action == "unchanged"


kinds = st.one_of(st.none(), st.none(), st.none(), st.sampled_from(sorted(FAULTS)))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(script=st.lists(kinds, max_size=16), existing=st.integers(0, 2))
def test_whatever_fails_there_are_never_two_comments_and_never_an_endless_wait(github, script, existing):
    """Two runs over one script of faults; where both were let through, the content is right."""
    repository = github.repository("shop/apps")
    pull = repository.pulls.get(1) or github.open_pull(repository, "change", files={"a.yaml": "a: 1\n"})
    repository.comments.clear()
    github.faults.clear()
    for number in range(existing):
        github.comment(1, body_of(f"{number}"), BOT)
    left = list(script)

    def next_fault(request, proceed):
        name = left.pop(0) if left else None
        return FAULTS[name](github)(request, proceed) if name else proceed()

    github.faults.add("*", "*", next_fault, times=math.inf)
    run = Run(github)
    try:
        run.publish(pull, "right")
    except GitHubError:
        assert any(script)
        assert len(bodies(github)) <= max(existing, 1)
    else:
        assert bodies(github)[0] == body_of("right")
        assert len(bodies(github)) <= max(existing, 1)
    github.faults.clear()
    Run(github).publish(pull, "right")
    assert bodies(github) == [body_of("right")]


def test_a_small_budget_of_requests_is_kept_even_then(github, pull):
    github.faults.add("*", "*", faults.server_error(), times=math.inf)
    run = Run(github, patience=Patience(requests=3))
    with pytest.raises(Unavailable, match="3 requests"):
        run.publish(pull)
    assert run.door.requests == 3


def test_the_marker_that_is_written_is_the_one_that_is_found(github, pull):
    Run(github).publish(pull)
    marker = read_marker(bodies(github)[0])
    assert marker is not None
    assert (marker.key, marker.digest) == (KEY, digest_of("2 to change"))
