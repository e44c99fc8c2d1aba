"""Repeating and waiting: GitHub's rules on limits, and never blind where something new is made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.doors.github.pacing import (
    GiveUp,
    Heard,
    Patience,
    ReadBack,
    Trouble,
    Wait,
    judge,
    next_step,
    server_time,
)

NOW = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
DEFAULT = Patience()
DATE_IN_90_S = "Mon, 21 Sep 2026 14:14:50 GMT"


def heard(status: int, body: str = "", **headers: str) -> Heard:
    return Heard(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def step(
    trouble: Trouble | None, method: str = "GET", attempt: int = 1, waited: float = 0.0, patience: Patience = DEFAULT
):
    assert trouble is not None
    return next_step(trouble, method, attempt, waited=waited, patience=patience, jitter=0.0, now=NOW)


@pytest.mark.parametrize("status", [200, 201, 204, 301, 304, 400, 401, 403, 404, 409, 410, 422, 451, 501])
def test_final_answers_are_not_repeated(status):
    assert judge(heard(status, '{"message": "Resource not accessible by integration"}'), NOW) is None


def test_a_plain_refusal_with_requests_left_is_no_limit():
    assert (
        judge(
            heard(
                403,
                '{"message": "Must have admin rights"}',
                x_ratelimit_remaining="4999",
                x_ratelimit_reset="1790000100",
            ),
            NOW,
        )
        is None
    )


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (heard(429), None),
        (heard(429, retry_after="17"), 17.0),
        (heard(403, retry_after="17"), 17.0),
        (heard(429, retry_after=DATE_IN_90_S), 90.0),
        (heard(429, retry_after="Mon, 21 Sep 2020 14:14:50 GMT"), 1.0),
        (heard(429, retry_after="0"), 1.0),
        (heard(429, retry_after="-5"), None),
        (heard(429, retry_after="soon"), None),
        (heard(429, retry_after=""), None),
        (heard(403, '{"message": "You have exceeded a secondary rate limit. Please wait"}'), None),
        (heard(403, '{"message": "You have triggered an abuse detection mechanism."}'), None),
        (heard(422, '{"message": "Validation Failed", "errors": [{"message": "was submitted too quickly"}]}'), None),
        (heard(403, x_ratelimit_remaining="0", x_ratelimit_reset="1790000120"), 121.0),
        (heard(429, x_ratelimit_remaining="0", x_ratelimit_reset="1790000120.0"), 121.0),
        (heard(403, x_ratelimit_remaining="0", x_ratelimit_reset="1780000000"), 1.0),
        (heard(403, x_ratelimit_remaining="0"), None),
        (heard(403, x_ratelimit_remaining="0", x_ratelimit_reset="never"), None),
        # What GitHub asks for by retry-after goes before the hour's reset.
        (heard(429, retry_after="5", x_ratelimit_remaining="0", x_ratelimit_reset="1790003600"), 5.0),
        # The reset says nothing about a secondary limit while requests remain.
        (heard(403, "secondary rate limit", x_ratelimit_remaining="4000", x_ratelimit_reset="1790000005"), None),
    ],
)  # fmt: skip
def test_limits_are_recognised_and_say_how_long(answer, after):
    assert judge(answer, NOW) == Trouble("limit", f"GitHub's rate limit was reached ({answer.status})", after)


def test_a_limit_that_does_not_say_how_long_is_a_minute_and_doubles():
    limit = judge(heard(429), NOW)
    patient = Patience(seconds=10_000)
    assert [step(limit, attempt=n, patience=patient).seconds for n in (1, 2, 3)] == [60, 120, 240]


def test_faults_back_off_and_end():
    fault = judge(heard(502), NOW)
    assert fault == Trouble("fault", "GitHub answered 502")
    assert [step(fault, attempt=n).seconds for n in range(1, 6)] == [0.5, 1, 2, 4, 8]
    assert step(fault, attempt=6) == GiveUp("GitHub answered 502 (6 attempts)")


def test_a_fault_may_ask_for_time():
    assert step(judge(heard(503, retry_after="20"), NOW)).seconds == 20


def test_a_lost_connection_is_a_fault_told_in_words():
    assert judge(Heard(0, {}, "the connection was reset"), NOW) == Trouble("fault", "the connection was reset")


@pytest.mark.parametrize("answer", [heard(502), heard(429), heard(403, "secondary rate limit"), heard(0, "lost")])
def test_a_post_is_read_back_before_it_is_repeated(answer):
    assert isinstance(step(judge(answer, NOW), "POST"), ReadBack)
    for method in ("GET", "PATCH", "DELETE", "PUT"):
        assert isinstance(step(judge(answer, NOW), method), Wait)


def test_a_limit_beyond_patience_says_until_when_it_holds():
    limit = judge(heard(403, x_ratelimit_remaining="0", x_ratelimit_reset="1790001799"), NOW)
    given_up = step(limit, waited=100)
    assert given_up == GiveUp(
        "GitHub's rate limit was reached (403); it holds until 2026-09-21 14:43:20 UTC, and at most 200 s more are waited"
    )


@pytest.mark.parametrize("reset", ["9" * 12, "9" * 400, "1790000000000"])
def test_absurd_times_are_given_up_not_crashed_over(reset):
    limit = judge(heard(403, x_ratelimit_remaining="0", x_ratelimit_reset=reset), NOW)
    assert isinstance(step(limit), GiveUp)
    assert isinstance(step(judge(heard(429, retry_after=reset), NOW)), GiveUp)


def test_the_servers_clock_counts():
    assert server_time({"date": DATE_IN_90_S}, 5.0) == NOW + 90
    assert server_time({}, 5.0) == 5.0
    assert server_time({"date": "yesterday"}, 5.0) == 5.0


headers = st.dictionaries(
    st.sampled_from(["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "date"]),
    st.one_of(st.text(max_size=30), st.integers().map(str), st.floats().map(str), st.just("0"), st.just(DATE_IN_90_S)),
)


@given(
    st.sampled_from([0, 403, 408, 422, 429, 500, 502, 503, 504]),
    headers,
    st.sampled_from(["", "secondary rate limit", "lost"]),
    st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    st.integers(1, 10_000),
    st.floats(0, 400),
    st.floats(0, 1, exclude_max=True),
)
def test_whatever_is_answered_waiting_stays_within_patience(status, said, body, method, attempt, waited, jitter):
    trouble = judge(Heard(status, said, body), NOW)
    if trouble is None:
        return
    patience = Patience()
    decided = next_step(trouble, method, attempt, waited=waited, patience=patience, jitter=jitter, now=NOW)
    if isinstance(decided, GiveUp):
        assert decided.reason
    else:
        assert 0.5 <= decided.seconds <= patience.seconds - waited
        assert isinstance(decided, ReadBack) == (method == "POST")


@given(st.lists(st.sampled_from(["fault", "limit"]), min_size=30, max_size=60))
def test_every_sequence_ends(kinds):
    waited = 0.0
    for attempt, kind in enumerate(kinds, 1):
        decided = next_step(
            Trouble(kind, "it"), "GET", attempt, waited=waited, patience=Patience(), jitter=0.5, now=NOW
        )
        if isinstance(decided, GiveUp):
            assert waited <= 300
            return
        waited += decided.seconds
    pytest.fail("no end")
