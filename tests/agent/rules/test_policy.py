from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.agent.rules.policy import (
    Automated,
    Backoff,
    NamespaceMetadata,
    PolicyError,
    Retry,
    SyncPolicy,
    read,
    seconds,
)

FULL = Path(__file__).parents[2] / "fixtures" / "full-application" / "argocd" / "application.yaml"


def test_the_application_that_has_everything() -> None:
    spec = yaml.safe_load(FULL.read_text())["spec"]
    assert read(spec["syncPolicy"]) == SyncPolicy(
        automated=Automated(prune=True, self_heal=True),
        sync_options=("CreateNamespace=true", "PrunePropagationPolicy=foreground", "PruneLast=true"),
        retry=Retry(limit=5, backoff=Backoff(duration=5, factor=2, max_duration=180)),
    )


@pytest.mark.parametrize(
    "written", [None, {}, {"automated": None, "retry": None, "syncOptions": None}, {"newThing": 1}]
)
def test_a_policy_that_says_nothing_asks_for_nothing(written: Any) -> None:
    policy = read(written)
    assert policy == SyncPolicy()
    assert policy.automatic is None


@pytest.mark.parametrize(
    ("automated", "automatic"),
    [
        ({}, True),
        ({"enabled": None}, True),
        ({"enabled": True}, True),
        ({"enabled": False, "prune": True}, False),
        (None, False),
    ],
)
def test_automated_is_on_where_it_is_there_and_not_switched_off(automated: Any, automatic: bool) -> None:
    assert (read({"automated": automated}).automatic is not None) is automatic


def test_nulls_are_what_go_makes_of_them() -> None:
    assert read({"automated": {"prune": None, "selfHeal": True}}).automated == Automated(self_heal=True)
    assert read({"retry": {"limit": None, "backoff": None}}).retry == Retry()


def test_namespace_metadata() -> None:
    written = {"managedNamespaceMetadata": {"labels": {"a": "b"}, "annotations": None}}
    assert read(written).namespace_metadata == NamespaceMetadata(labels={"a": "b"})


def test_retries_that_nobody_configured() -> None:
    policy = SyncPolicy()
    assert policy.retries(automated=True).limit == 5
    assert policy.retries(automated=False).limit == 0
    assert read({"retry": {"limit": 2}}).retries(automated=False).limit == 2


@pytest.mark.parametrize(
    ("limit", "done", "allowed"), [(0, 0, False), (1, 0, True), (1, 1, False), (5, 4, True), (-1, 999, True)]
)
def test_limits(limit: int, done: int, allowed: bool) -> None:
    assert Retry(limit=limit).allows(done) is allowed


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("5", 5), (5, 5), ("0", 0), ("-1", -1), ("+7", 7), ("5s", 5), ("2m", 120), ("1h30m", 5400), ("1.5h", 5400), (".5s", 0.5),
        ("2.s", 2), ("300ms", 0.3), ("-1m", -60), ("+1m", 60), ("1us", 1e-6), ("1µs", 1e-6), ("1μs", 1e-6), ("1ns", 1e-9), ("1h1h", 7200),
    ],
)  # fmt: skip
def test_durations_as_go_reads_them(written: str | int, expected: float) -> None:
    assert seconds(written) == pytest.approx(expected)


@pytest.mark.parametrize(
    "written", ["", "5 s", " 5s", "1d", "s", ".s", "5x", "1h-3m", "five", "-", "1.5", "\u0665", "5s\n"]
)
def test_what_go_does_not_read_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds(written)


@settings(deadline=None)
@given(st.text(max_size=20))
def test_no_text_breaks_the_reading_of_durations(text: str) -> None:
    try:
        assert isinstance(seconds(text), float)
    except ValueError as error:
        assert "is no duration" in str(error)  # noqa: PT017


def test_all_problems_of_a_backoff_are_told_at_once() -> None:
    with pytest.raises(PolicyError) as refused:
        read({"retry": {"limit": 1, "backoff": {"duration": "soon", "maxDuration": "1d", "factor": 0}}})
    for part in ("backoff.duration", "'soon'", "backoff.maxDuration", "'1d'", "factor"):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ({"automated": {"prune": "yes"}}, r"^spec\.syncPolicy\.automated\.prune: expected bool, got str$"),
        ({"automated": True}, r"^spec\.syncPolicy\.automated: "),
        ({"syncOptions": "Prune=false"}, r"^spec\.syncPolicy\.syncOptions: "),
        ({"syncOptions": [1]}, r"^spec\.syncPolicy\.syncOptions\[0\]: expected str, got int$"),
        ({"retry": {"limit": "5"}}, r"^spec\.syncPolicy\.retry\.limit: "),
        ([], r"^spec\.syncPolicy: "),
    ],
)
def test_a_policy_that_cannot_be_read_is_refused_and_not_read_half(written: Any, place: str) -> None:
    with pytest.raises(PolicyError, match=place):
        read(written)
