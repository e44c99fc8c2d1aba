"""The decision table of automated sync, row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.agent.rules.autosync import Attempt, Decision, Full, Nothing, Seen, Selective, Situation, decide
from gitops_bot.agent.rules.policy import read
from gitops_bot.agent.rules.timing import Heals
from tests.agent.lives import key

NOW = datetime(2026, 11, 29, 18, 0, tzinfo=UTC)
A, B, OLD = key(name="a"), key(name="b"), key(name="old")
DIFFERS, EQUAL = Seen(key=A, status="OutOfSync"), Seen(key=B, status="Synced")
LEFT = Seen(key=OLD, status="OutOfSync", prune=True)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def decision(automated: dict[str, Any] | None = None, **given: Any) -> Decision:
    policy = read({"automated": {"prune": True, "selfHeal": True} if automated is None else automated})
    facts = {"now": NOW, "policy": policy, "status": "OutOfSync", "identity": "new", "resources": (DIFFERS, EQUAL)}
    return decide(Situation(**{**facts, **given}))


def done(*, succeeded: bool = True, seconds: float = 3600, failures: int = 1, identity: str = "new") -> Attempt:
    return Attempt(identity=identity, succeeded=succeeded, finished=ago(seconds), failures=0 if succeeded else failures)


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ({"automated": {"enabled": False, "prune": True}}, "automation-off"),
        ({"running": True}, "running"),
        ({"deleting": True}, "deleting"),
        ({"blocked": "ComparisonError: …"}, "blocked"),
        ({"status": "Synced", "resources": (EQUAL,)}, "in-sync"),
        ({"status": "Unknown"}, "unknown"),
        ({"automated": {"selfHeal": True}, "resources": (LEFT, EQUAL)}, "only-prunes"),
        ({"automated": {"prune": True}, "last": done()}, "self-heal-off"),
        ({"resources": (LEFT,)}, "wipe"),
        ({"last": done(), "resources": (Seen(key=OLD, status="OutOfSync", prune=True, held=True), EQUAL)}, "held"),
        ({"last": done(), "resources": ()}, "held"),
    ],
)
def test_what_starts_no_sync(given_: dict[str, Any], reason: str) -> None:
    found = decision(**given_)
    assert isinstance(found, Nothing)
    assert found.reason == reason


def test_no_policy_starts_nothing() -> None:
    facts = Situation(now=NOW, policy=read(None), status="OutOfSync", identity="new", resources=(DIFFERS,))
    assert decide(facts) == Nothing(reason="automation-off")


def test_a_new_commit_is_synced_at_once() -> None:
    assert decision() == Full(reason="new", at=NOW, prune=True)
    assert decision(last=done(identity="old")) == Full(reason="new", at=NOW, prune=True)
    assert decision(last=done(identity="old", succeeded=False, failures=9, seconds=1)) == Full(
        reason="new", at=NOW, prune=True
    )
    assert decision({}) == Full(reason="new", at=NOW, prune=False)


@pytest.mark.parametrize(("failures", "distance"), [(1, 180), (2, 360), (3, 720), (4, 1440), (5, 1800), (50, 1800)])
@pytest.mark.parametrize("self_heal", [True, False])
def test_a_failed_commit_is_tried_again_at_growing_distance(failures: int, distance: float, self_heal: bool) -> None:
    found = decision({"selfHeal": self_heal}, last=done(succeeded=False, failures=failures, seconds=60))
    assert found == Full(reason="again", at=ago(60) + timedelta(seconds=distance), prune=False)


def test_what_is_overdue_is_tried_now() -> None:
    assert decision(last=done(succeeded=False, seconds=9999)) == Full(reason="again", at=NOW, prune=True)


def test_self_heal_corrects_only_what_differs() -> None:
    assert decision(last=done()) == Selective(keys=frozenset({A}), at=NOW, prune=True)
    both = (DIFFERS, EQUAL, LEFT)
    assert decision(last=done(), resources=both) == Selective(keys=frozenset({A, OLD}), at=NOW, prune=True)
    assert decision({"selfHeal": True}, last=done(), resources=both) == Selective(
        keys=frozenset({A}), at=NOW, prune=False
    )


def test_objects_are_told_apart_by_their_namespace() -> None:
    twin = Seen(key=key(name="a", namespace="other"), status="Synced")
    assert decision(last=done(), resources=(DIFFERS, twin)) == Selective(keys=frozenset({A}), at=NOW, prune=True)


def test_each_object_waits_for_its_own_back_off() -> None:
    other = Seen(key=B, status="OutOfSync")
    heals = {A: Heals(4, ago(10))}
    assert decision(last=done(), resources=(DIFFERS, other), heals=heals) == Selective(
        keys=frozenset({B}), at=NOW, prune=True
    )
    assert decision(last=done(), heals=heals) == Selective(
        keys=frozenset({A}), at=ago(10) + timedelta(seconds=54), prune=True
    )
    assert decision(last=done(), heals=heals, heal_timeout=5) == Selective(keys=frozenset({A}), at=NOW, prune=True)


@pytest.mark.parametrize("last", [None, done(), done(succeeded=False), done(identity="old")])
def test_nothing_is_wiped_out_unless_that_is_allowed_or_approved(last: Attempt | None) -> None:
    found = decision(resources=(LEFT,), last=last)
    assert found == Nothing(reason="wipe")
    allowed = {"prune": True, "selfHeal": True, "allowEmpty": True}
    assert not isinstance(decision(allowed, resources=(LEFT,), last=last), Nothing)
    assert not isinstance(decision(resources=(LEFT,), last=last, approved=True), Nothing)


def test_an_application_that_has_nothing_loses_nothing() -> None:
    assert decision(resources=()) == Full(reason="new", at=NOW, prune=True)


SEEN = st.lists(
    st.builds(
        Seen,
        key=st.builds(key, name=st.sampled_from("abcd")),
        status=st.sampled_from(["Synced", "OutOfSync", "Unknown"]),
        prune=st.booleans(),
        held=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda each: each.key,
).map(tuple)
SITUATIONS = st.builds(
    Situation,
    now=st.just(NOW),
    policy=st.builds(
        lambda **automated: read({"automated": automated}),
        enabled=st.booleans(), prune=st.booleans(), selfHeal=st.booleans(), allowEmpty=st.booleans(),
    ),
    status=st.sampled_from(["Synced", "OutOfSync", "Unknown"]),
    identity=st.just("new"),
    resources=SEEN,
    last=st.one_of(st.none(), st.builds(done, succeeded=st.booleans(), failures=st.integers(1, 9), identity=st.sampled_from(["new", "old"]))),
    running=st.booleans(),
    deleting=st.booleans(),
    blocked=st.sampled_from(["", "ComparisonError"]),
    heals=st.dictionaries(st.builds(key, name=st.sampled_from("abcd")), st.builds(Heals, st.integers(0, 9), st.just(NOW))),
)  # fmt: skip


@settings(deadline=None)
@given(SITUATIONS)
def test_no_sync_without_leave(facts: Situation) -> None:
    found = decide(facts)
    if isinstance(found, Nothing):
        return
    automated = facts.policy.automatic
    assert automated is not None
    assert not (facts.running or facts.deleting or facts.blocked)
    assert facts.status == "OutOfSync"
    assert found.at >= NOW
    assert found.prune is automated.prune
    if found.prune and not automated.allow_empty and facts.resources:
        assert not all(seen.prune for seen in facts.resources)
    if isinstance(found, Selective):
        assert automated.self_heal
        chosen = [seen for seen in facts.resources if seen.key in found.keys]
        assert chosen
        assert all(seen.status != "Synced" and not seen.held and (found.prune or not seen.prune) for seen in chosen)
