"""Gates: what CI, the agent, the clock and the calendar say, and what of it lets a promotion through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.errors import UsageError
from gitops_bot.model.github import CheckState, DeploymentState, DeploymentStatus, Status
from gitops_bot.model.settings import Gates, Promotion
from gitops_bot.writeback.moves.gates import CommitState, Evidence, Gate, all_passed, gates_table, judge, verdict

NOW = datetime(2026, 8, 5, 12, 0, tzinfo=UTC)  # a Wednesday
NEW, OLD, OLDER = "a" * 40, "b" * 40, "c" * 40


def minutes(ago: int) -> datetime:
    return NOW - timedelta(minutes=ago)


def policy(**gates: Any) -> Promotion:
    freeze = gates.pop("freeze", ())
    return Promotion(source="staging", copy=("tag",), gates=Gates(**gates), freeze=freeze)


def deployment(commit: str, *states: tuple[str, int], number: int = 1, **more: Any) -> DeploymentState:
    """States newest first, each with how many minutes ago it was."""
    statuses = tuple(
        DeploymentStatus(state=state, created_at=minutes(ago), description=more.pop("why", "")) for state, ago in states
    )
    created = minutes(max((ago for _state, ago in states), default=0))
    facts = {"environment": "staging", "task": "gitops-bot"} | more
    return DeploymentState(id=number, commit=commit, created_at=created, statuses=statuses, **facts)


def evidence(*line: CommitState, deployments: tuple[DeploymentState, ...] = (), same: Any = (NEW,)) -> Evidence:
    return Evidence(
        environment="staging",
        line=line or (CommitState(sha=NEW),),
        deployments=deployments,
        same=lambda commit: commit in same,
        now=NOW,
    )


def gate(found: tuple[Gate, ...], name: str) -> Gate:
    (one,) = [each for each in found if each.name == name]
    return one


def status(state: str, context: str = "ci", ago: int = 0, **more: Any) -> Status:
    return Status(context=context, state=state, updated_at=minutes(ago), **more)


def test_without_gates_everything_passes() -> None:
    assert judge(policy(), evidence()) == ()
    assert all_passed(())
    assert (verdict(()).state, verdict(()).title, gates_table(())) == ("success", "no gates", "")


@pytest.mark.parametrize(
    ("line", "state", "reason"),
    [
        ([CommitState(sha=NEW, statuses=(status("success"),))], "passed", "success on aaaaaaa"),
        (
            [CommitState(sha=NEW, statuses=(status("pending", description="3 of 4"),))],
            "waiting",
            "pending on aaaaaaa: 3 of 4",
        ),
        ([CommitState(sha=NEW, statuses=(status("error"),))], "failed", "error on aaaaaaa"),
        (
            [CommitState(sha=NEW, checks=(CheckState(name="ci", status="completed", conclusion="success"),))],
            "passed",
            "success",
        ),
        (
            [CommitState(sha=NEW, checks=(CheckState(name="ci", status="completed", conclusion="skipped"),))],
            "passed",
            "skipped",
        ),
        (
            [CommitState(sha=NEW, checks=(CheckState(name="ci", status="completed", conclusion="timed_out"),))],
            "failed",
            "timed_out",
        ),
        ([CommitState(sha=NEW, checks=(CheckState(name="ci", status="completed"),))], "failed", "completed"),
        ([CommitState(sha=NEW, checks=(CheckState(name="ci", status="in_progress"),))], "waiting", "in_progress"),
        # several of one name: all of them count
        (
            [
                CommitState(
                    sha=NEW,
                    statuses=(status("success"),),
                    checks=(CheckState(name="ci", status="completed", conclusion="failure"),),
                )
            ],
            "failed",
            "failure",
        ),
        (
            [CommitState(sha=NEW, statuses=(status("success", "CI"), status("success", "ci/build")))],
            "waiting",
            "nothing was reported on aaaaaaa",
        ),
        ([CommitState(sha=NEW)], "waiting", "nothing was reported on aaaaaaa"),
        # a commit of this program starts no workflow: the one below it is asked, and only then
        (
            [CommitState(sha=NEW, bot=True), CommitState(sha=OLD, statuses=(status("success"),))],
            "passed",
            "success on bbbbbbb",
        ),
        (
            [CommitState(sha=NEW), CommitState(sha=OLD, statuses=(status("success"),))],
            "waiting",
            "nothing was reported on aaaaaaa",
        ),
        (
            [
                CommitState(sha=NEW, bot=True),
                CommitState(sha=OLD),
                CommitState(sha=OLDER, statuses=(status("success"),)),
            ],
            "waiting",
            "nothing was reported on bbbbbbb",
        ),
        (
            [
                CommitState(sha=NEW, bot=True, statuses=(status("failure"),)),
                CommitState(sha=OLD, statuses=(status("success"),)),
            ],
            "failed",
            "failure on aaaaaaa",
        ),
        ([CommitState(sha=NEW, bot=True)], "waiting", "nothing was reported on the commits that were read"),
    ],
)
def test_required_statuses(line: list[CommitState], state: str, reason: str) -> None:
    found = gate(judge(policy(statuses=("ci",)), evidence(*line)), "status ci")
    assert found.state == state
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("tagged", "expected"),
    [
        ((), {"status ci": "passed"}),
        ((CommitState(sha=OLD),), {"status ci": "passed", "status ci on main": "waiting"}),
        (
            (CommitState(sha=OLD, statuses=(status("failure"),)),),
            {"status ci": "passed", "status ci on main": "failed"},
        ),
        (
            (CommitState(sha=OLD, bot=True), CommitState(sha=OLDER, statuses=(status("success"),))),
            {"status ci": "passed", "status ci on main": "passed"},
        ),
    ],
)
def test_what_will_be_tagged_must_have_succeeded_too(tagged: tuple[CommitState, ...], expected: dict[str, str]) -> None:
    asked = evidence(CommitState(sha=NEW, statuses=(status("success"),)))
    asked = msgspec.structs.replace(asked, tagged=tagged, tagged_branch="main")
    found = judge(policy(statuses=("ci",)), asked)
    assert {each.name: each.state for each in found} == expected


@pytest.mark.parametrize(
    ("deployments", "state", "reason"),
    [
        ((), "waiting", "the agent of staging has not reported"),
        (
            (deployment(NEW, ("success", 5), ("in_progress", 6)),),
            "passed",
            "staging has aaaaaaa and is synced and healthy",
        ),
        (
            (deployment(NEW, ("in_progress", 5), ("queued", 6)),),
            "waiting",
            "the deployment of aaaaaaa to staging is in_progress",
        ),
        (
            (deployment(NEW, ("failure", 5), ("success", 6), why="0 of 2 ready"),),
            "failed",
            "the deployment of aaaaaaa to staging is failure: 0 of 2 ready",
        ),
        ((deployment(NEW),), "waiting", "the deployment of aaaaaaa to staging is queued"),
        (
            (deployment(NEW, ("inactive", 5), ("success", 6)),),
            "waiting",
            "the deployment of aaaaaaa to staging is inactive",
        ),
        ((deployment(OLD, ("success", 5)),), "waiting", "staging has bbbbbbb, which is not what would be promoted"),
        # the newest counts, in whatever order they come
        (
            (deployment(NEW, ("success", 50), number=1), deployment(OLD, ("success", 5), number=2)),
            "waiting",
            "staging has bbbbbbb",
        ),
        (
            (deployment(OLD, ("success", 5), number=2), deployment(NEW, ("success", 1), number=3)),
            "passed",
            "staging has aaaaaaa",
        ),
        # others' deployments do not
        ((deployment(NEW, ("success", 5), task="deploy"),), "waiting", "the agent of staging has not reported"),
        (
            (deployment(NEW, ("success", 5), environment="development"),),
            "waiting",
            "the agent of staging has not reported",
        ),
    ],
)
def test_health_by_the_agents_deployments(deployments: tuple[DeploymentState, ...], state: str, reason: str) -> None:
    found = gate(judge(policy(healthy=True), evidence(deployments=deployments)), "healthy")
    assert found.state == state
    assert found.reason.startswith(reason)


def test_a_commit_status_that_is_newer_than_the_deployment_counts() -> None:
    healthy = (deployment(NEW, ("success", 10)),)

    def state(*statuses: Status) -> str:
        line = CommitState(sha=NEW, statuses=statuses)
        return gate(judge(policy(healthy=True), evidence(line, deployments=healthy)), "healthy").state

    assert state(status("failure", "gitops-bot/staging", ago=1)) == "failed"
    assert state(status("pending", "gitops-bot/staging", ago=1)) == "waiting"
    assert state(status("pending", "gitops-bot/staging", ago=11)) == "passed"
    assert state(status("failure", "gitops-bot/production", ago=1)) == "passed"
    assert state(status("success", "gitops-bot/staging", ago=1)) == "passed"


def test_without_deployments_the_commit_status_tells() -> None:
    def found(*line: CommitState, same: Any = (NEW,)) -> tuple[str, str]:
        gates = judge(policy(healthy=True, soak="30m"), evidence(*line, same=same))
        return gate(gates, "healthy").state, gate(gates, "soak").state

    told = status("success", "gitops-bot/staging", ago=31)
    assert found(CommitState(sha=NEW, statuses=(told,))) == ("passed", "passed")
    assert found(CommitState(sha=NEW, statuses=(status("success", "gitops-bot/staging", ago=29),))) == (
        "passed",
        "waiting",
    )
    assert found(CommitState(sha=NEW, statuses=(status("error", "gitops-bot/staging"),))) == ("failed", "waiting")
    below = (CommitState(sha=NEW), CommitState(sha=OLD, statuses=(told,)))
    assert found(*below) == ("waiting", "waiting")
    assert found(*below, same=(NEW, OLD)) == ("passed", "passed")


@pytest.mark.parametrize(
    ("deployments", "same", "state", "reason"),
    [
        ((deployment(NEW, ("success", 31)),), (NEW,), "passed", "healthy for 31m of 30m"),
        ((deployment(NEW, ("success", 30)),), (NEW,), "passed", "healthy for 30m of 30m"),
        ((deployment(NEW, ("success", 29)),), (NEW,), "waiting", "healthy for 29m of 30m, until 2026-08-05 12:01 UTC"),
        ((deployment(NEW, ("failure", 1), ("success", 90)),), (NEW,), "waiting", "30m begin when it is healthy"),
        # a break begins it anew; being synced again does not
        (
            (deployment(NEW, ("success", 10), ("failure", 20), ("success", 90)),),
            (NEW,),
            "waiting",
            "healthy for 10m of 30m",
        ),
        (
            (deployment(NEW, ("success", 10), ("in_progress", 11), ("success", 90)),),
            (NEW,),
            "passed",
            "healthy for 1h 30m of 30m",
        ),
        # a later commit that changed nothing of it does not either; one that did does
        (
            (deployment(NEW, ("success", 2), number=2), deployment(OLD, ("inactive", 2), ("success", 90), number=1)),
            (NEW, OLD),
            "passed",
            "healthy for 1h 30m of 30m",
        ),
        (
            (deployment(NEW, ("success", 2), number=2), deployment(OLD, ("inactive", 2), ("success", 90), number=1)),
            (NEW,),
            "waiting",
            "healthy for 2m of 30m",
        ),
        (
            (
                deployment(NEW, ("success", 2), number=2),
                deployment(OLD, ("inactive", 2), ("failure", 5), ("success", 90), number=1),
            ),
            (NEW, OLD),
            "waiting",
            "healthy for 2m of 30m",
        ),
        # the agent's clock is ahead of ours
        ((deployment(NEW, ("success", -5)),), (NEW,), "waiting", "healthy for 0s of 30m, until 2026-08-05 12:35 UTC"),
    ],
)
def test_soak(deployments: tuple[DeploymentState, ...], same: Any, state: str, reason: str) -> None:
    found = gate(judge(policy(soak="30m"), evidence(deployments=deployments, same=same)), "soak")
    assert found.state == state
    assert found.reason.startswith(reason)
    assert (found.until is not None) == ("until" in found.reason)


def test_soak_alone_asks_for_health_too() -> None:
    assert [each.name for each in judge(policy(soak="30m"), evidence())] == ["healthy", "soak"]


def test_a_freeze_waits_for_its_end() -> None:
    found = gate(judge(policy(freeze=("Wed 10:00-Thu 08:00 UTC",)), evidence()), "freeze")
    assert (found.state, found.reason) == ("waiting", "Wed 10:00-Thu 08:00 UTC holds, until 2026-08-06 08:00 UTC")
    assert found.until == datetime(2026, 8, 6, 8, tzinfo=UTC)
    assert gate(judge(policy(freeze=("Fri 16:00-Mon 08:00 UTC",)), evidence()), "freeze").state == "passed"
    assert (
        gate(judge(policy(freeze=("Mon-Sun",)), evidence()), "freeze").reason
        == "Mon-Sun holds, and its end is not in sight"
    )
    with pytest.raises(UsageError, match="cannot be read"):
        judge(policy(freeze=("soon",)), evidence())


def test_the_check_says_what_is_missing() -> None:
    passed = Gate(name="status ci", state="passed", reason="ok")
    waiting = Gate(name="soak", state="waiting", reason="later")
    failed = Gate(name="healthy", state="failed", reason="bad | @all <b>")
    assert (verdict([passed]).state, verdict([passed]).title) == ("success", "the gate passed")
    assert verdict([passed, passed]).title == "all 2 gates passed"
    assert (verdict([passed, waiting]).state, verdict([passed, waiting]).title) == ("pending", "soak: waiting")
    assert (verdict([waiting, failed]).state, verdict([waiting, failed]).title) == (
        "failure",
        "soak: waiting, healthy: failed",
    )
    assert not all_passed([passed, waiting])
    table = verdict([failed]).summary
    assert r"| ❌ failed | `healthy` | bad \| @&#8203;all \<b\> |" in table


@given(
    st.lists(
        st.builds(
            Gate, name=st.text(max_size=80), state=st.sampled_from(["passed", "waiting", "failed"]), reason=st.text()
        ),
        max_size=8,
    )
)
def test_a_check_always_fits_and_succeeds_only_when_all_passed(gates: list[Gate]) -> None:
    found = verdict(gates)
    assert len(found.title) <= 140
    assert (found.state == "success") == all(each.state == "passed" for each in gates)
    assert len(found.summary.splitlines()) == (len(gates) + 2 if gates else 0)


def test_health_links_to_the_page_that_a_status_names() -> None:
    told = deployment(NEW, ("success", 5), ("in_progress", 6))
    paged = told.statuses[1]
    paged = msgspec.structs.replace(paged, url="https://agent.example/log")
    found = msgspec.structs.replace(told, statuses=(told.statuses[0], paged))
    for each, url in ((told, ""), (found, "https://agent.example/log")):
        assert gate(judge(policy(healthy=True), evidence(deployments=(each,))), "healthy").url == url
