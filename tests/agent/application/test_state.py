from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gitops_bot.agent.application import bounds, operation, state
from gitops_bot.agent.application.state import (
    ComparedTo,
    Condition,
    Health,
    HistoryEntry,
    Initiator,
    Operation,
    OperationResource,
    OperationState,
    ResourceResult,
    ResourceStatus,
    Status,
    Sync,
    SyncOperation,
    SyncResult,
)
from tests.counting import steps

NOW = datetime(2026, 11, 29, 18, 0, tzinfo=UTC)
SOURCE = {"repoURL": "https://github.com/acme/web", "path": "k8s", "targetRevision": "main"}
COMMIT, NEWER = "c" * 40, "d" * 40


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


ARGO: dict[str, Any] = {
    "sync": {
        "status": "Synced",
        "comparedTo": {"destination": {"namespace": "shop", "server": "https://kubernetes.default.svc"}, "source": SOURCE},
        "revision": COMMIT,
    },
    "health": {"status": "Healthy", "lastTransitionTime": "2026-11-29T18:00:00Z"},
    "operationState": {
        "operation": {
            "sync": {"prune": True, "revision": COMMIT, "syncOptions": ["PruneLast=true"], "syncStrategy": {"hook": {}}},
            "initiatedBy": {"automated": True},
            "retry": {"limit": 5},
        },
        "phase": "Succeeded",
        "message": "successfully synced (all tasks run)",
        "syncResult": {
            "revision": COMMIT,
            "source": SOURCE,
            "resources": [
                {"group": "", "version": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "cm", "status": "Synced",
                 "message": "configmap/cm created", "hookPhase": "Running", "syncPhase": "Sync"},
            ],
        },
        "startedAt": "2026-11-29T17:59:58Z",
        "finishedAt": "2026-11-29T18:00:00Z",
        "retryCount": 1,
    },
    "history": [
        {"id": 4, "revision": COMMIT, "source": SOURCE, "deployStartedAt": "2026-11-29T17:59:58Z",
         "deployedAt": "2026-11-29T18:00:00Z", "initiatedBy": {"username": "ann"}},
    ],
    "resources": [
        {"version": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "cm", "status": "Synced"},
        {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web", "status": "OutOfSync",
         "health": {"status": "Degraded", "message": "no"}, "requiresPruning": True, "syncWave": -1},
    ],
    "conditions": [{"type": "SyncError", "message": "no", "lastTransitionTime": "2026-11-29T18:00:00Z"}],
    "reconciledAt": "2026-11-29T18:00:00Z",
    "sourceType": "Kustomize",
    "summary": {"images": ["nginx:1"], "externalURLs": ["https://shop.example.org"]},
}  # fmt: skip


# -- shape ------------------------------------------------------------------------------------------------------------


def test_what_argo_cd_writes_comes_back_as_it_was() -> None:
    assert state.write(state.read(ARGO)) == ARGO


def test_the_same_with_several_sources() -> None:
    several = {
        "sync": {
            "status": "OutOfSync",
            "comparedTo": {"destination": {}, "sources": [SOURCE, SOURCE]},
            "revisions": ["a", "b"],
        },
        "sourceTypes": ["Helm", "Directory"],
    }
    assert state.write(state.read(several)) == several


def test_unknown_fields_are_left_out() -> None:
    strange = {
        **ARGO,
        "newThing": {"a": 1},
        "observedAt": "2026-11-29T18:00:00Z",
        "health": {**ARGO["health"], "score": 3},
        "resources": [{**each, "colour": "blue"} for each in ARGO["resources"]],
    }
    assert state.write(state.read(strange)) == ARGO


@pytest.mark.parametrize(
    "value", [None, {}, [], "x", {"sync": None, "history": None}, {"history": {}, "resources": 3, "sync": []}]
)
def test_what_is_no_status_says_nothing(value: Any) -> None:
    assert state.read(value) == Status()
    assert state.write(Status()) == {}


def test_one_broken_part_does_not_take_the_others_along() -> None:
    broken = {
        **ARGO,
        "health": {"status": "Splendid"},
        "reconciledAt": "yesterday",
        "history": [{"id": "x"}, *ARGO["history"], None],
    }
    found = state.read(broken)
    assert (found.health, found.reconciled_at) == (None, None)
    assert len(found.history) == 1
    assert found.resources == state.read(ARGO).resources


def test_moments_are_whole_seconds_of_utc() -> None:
    moment = datetime.fromisoformat("2026-11-29T19:00:00.987654+01:00")
    assert state.write(Status(reconciled_at=moment)) == {"reconciledAt": "2026-11-29T18:00:00Z"}


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(
    ["status", "id", "kind", "name", "operation", "phase", "startedAt", "type", "message", "revision", "sync"]), each, max_size=4), max_leaves=12)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*ARGO, "else"]), JSON))
def test_reading_never_fails_and_what_was_read_can_be_written(value: dict[str, Any]) -> None:
    found = state.read(value)
    json.dumps(state.write(found))
    assert state.read(state.write(found)) == found


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*ARGO, "else"]), JSON) | st.just(ARGO) | JSON)
def test_what_is_kept_as_json_is_read_as_the_json_itself(value: Any) -> None:
    assert state.unpack(msgspec.json.encode(value)) == state.read(value)


def test_a_status_of_a_thousand_resources_is_read_and_compared_in_a_few_steps() -> None:
    resources = [{"kind": "ConfigMap", "name": f"cm-{number}", "status": "Synced"} for number in range(1000)]
    packed = msgspec.json.encode({**ARGO, "resources": resources})
    assert steps(lambda: state.in_seconds(state.unpack(packed)) == state.unpack(packed)) < 200


def test_an_operation_that_somebody_writes() -> None:
    written = {
        "sync": {"revision": "main", "prune": True, "resources": [{"kind": "ConfigMap", "name": "cm"}]},
        "initiatedBy": {"username": "ann"},
    }
    found = state.read_operation(written)
    assert found == Operation(
        sync=SyncOperation(revision="main", prune=True, resources=(OperationResource(kind="ConfigMap", name="cm"),)),
        initiated_by=Initiator(username="ann"),
    )
    assert state.read_operation(None) is None
    with pytest.raises(ValueError, match=r"cannot be read: .*prune"):
        state.read_operation({"sync": {"prune": "all"}})


# -- messages, health, conditions -------------------------------------------------------------------------------------


def test_messages_are_bounded_and_tell_no_secret() -> None:
    assert state.told("a\n  b\tc") == "a b c"
    assert len(state.told("x " * 5000)) == state.LONGEST_MESSAGE
    assert (
        state.told("cannot clone https://bot:hunter22@example.org/x.git")
        == "cannot clone https://bot:<secret>@example.org/x.git"
    )
    assert "ghp_" not in state.told("bad token ghp_" + "a1B2" * 9)


@pytest.mark.parametrize(("status", "since"), [("Healthy", NOW), ("Degraded", later(60))])
def test_the_time_of_health_moves_with_the_status_only(status: Any, since: datetime) -> None:
    former = state.health(None, "Healthy", "", NOW)
    assert former == Health(status="Healthy", last_transition_time=NOW)
    assert state.health(former, status, "why", later(60)) == Health(
        status=status, message="why", last_transition_time=since
    )


def test_the_time_of_a_condition_moves_with_its_message_only() -> None:
    former = state.conditions([], [("SyncError", "no"), ("AWarning", "hm"), ("SyncError", "no")], NOW)
    assert former == (
        Condition(type="AWarning", message="hm", last_transition_time=NOW),
        Condition(type="SyncError", message="no", last_transition_time=NOW),
    )
    found = state.conditions(former, [("SyncError", "other"), ("AWarning", "hm")], later(60))
    assert [(each.type, each.last_transition_time) for each in found] == [("AWarning", NOW), ("SyncError", later(60))]
    assert state.conditions(former, [], later(60)) == ()


# -- an operation -----------------------------------------------------------------------------------------------------

FULL = Operation(sync=SyncOperation(prune=True), initiated_by=Initiator(automated=True))
SELECTIVE = Operation(sync=SyncOperation(resources=(OperationResource(kind="ConfigMap", name="cm"),)))
DRY = Operation(sync=SyncOperation(dry_run=True))


def begun(of: Operation = FULL, source: dict[str, Any] | None = None, commit: str = COMMIT) -> OperationState:
    return operation.begun(of, revisions=[commit], sources=[source or SOURCE], several=False, now=NOW)


def result(name: str = "cm", **fields: Any) -> ResourceResult:
    return ResourceResult(group="", version="v1", kind="ConfigMap", namespace="shop", name=name, **fields)


DONE = later(9)


def ended(of: OperationState, phase: Any = "Succeeded", at: datetime = DONE) -> OperationState:
    return operation.finished(of, phase, "done", [result()], at)


def test_an_operation_from_its_begin_to_its_end() -> None:
    running = begun()
    assert (running.phase, running.started_at, running.finished_at, running.is_finished) == (
        "Running",
        NOW,
        None,
        False,
    )
    going = operation.progressed(
        running, "waiting for healthy state of ConfigMap/shop/cm", [result(message="password=hunter2hunter2")]
    )
    assert going.sync_result is not None
    assert "hunter2" not in going.sync_result.resources[0].message
    waiting = operation.waiting(going, "one or more objects failed", later(5))
    assert (waiting.phase, waiting.finished_at, waiting.retry_count) == ("Running", later(5), 1)
    assert waiting.sync_result is not None
    assert waiting.sync_result.resources == ()
    assert operation.resumed(waiting).finished_at is None
    done = ended(operation.resumed(waiting))
    assert (done.phase, done.finished_at, done.retry_count, done.is_finished) == ("Succeeded", later(9), 1, True)
    assert done.sync_result is not None
    assert done.sync_result.resources == (result(),)


def test_several_sources_have_their_commits_in_a_list() -> None:
    several = operation.begun(FULL, revisions=["a", "b"], sources=[SOURCE, SOURCE], several=True, now=NOW)
    assert several.sync_result == SyncResult(revision="", revisions=("a", "b"), sources=(SOURCE, SOURCE))
    one = operation.begun(FULL, revisions=["a"], sources=[SOURCE], several=True, now=NOW)
    assert one.sync_result == SyncResult(revision="", revisions=("a",), sources=(SOURCE,))


# -- history ----------------------------------------------------------------------------------------------------------


def history(count: int, limit: int | None = None) -> tuple[HistoryEntry, ...]:
    entries: tuple[HistoryEntry, ...] = ()
    for number in range(count):
        entries = operation.recorded(entries, ended(begun(commit=f"{number:040}")), limit)
    return entries


def test_a_sync_that_succeeded_is_an_entry() -> None:
    assert history(1) == (
        HistoryEntry(
            id=0,
            revision=f"{0:040}",
            source=SOURCE,
            deploy_started_at=NOW,
            deployed_at=later(9),
            initiated_by=Initiator(automated=True),
        ),
    )


@pytest.mark.parametrize(
    "state_",
    [
        ended(begun(), "Failed"),
        ended(begun(), "Error"),
        begun(),
        ended(begun(SELECTIVE)),
        ended(begun(DRY)),
        ended(begun(Operation())),
    ],
)
def test_what_is_no_full_success_is_none(state_: OperationState) -> None:
    assert operation.recorded(history(2), state_) == history(2)


@pytest.mark.parametrize(
    ("count", "limit", "ids"),
    [
        (12, None, range(2, 12)),
        (3, 2, range(1, 3)),
        (3, 1, range(2, 3)),
        (3, 0, range(0)),
        (2, 5, range(2)),
        (2, -1, range(0)),
    ],
)
def test_the_newest_entries_are_kept(count: int, limit: int | None, ids: range) -> None:
    assert [each.id for each in history(count, limit)] == list(ids)


def test_a_lower_limit_holds_with_the_next_operation_even_a_failed_one() -> None:
    assert [each.id for each in operation.recorded(history(5), ended(begun(), "Failed"), 2)] == [3, 4]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["Succeeded", "Failed", "Error"]), st.booleans()), max_size=30),
    st.integers(1, 12),
)
def test_ids_rise_by_one_and_are_never_given_twice(operations: list[tuple[str, bool]], limit: int) -> None:
    entries: tuple[HistoryEntry, ...] = ()
    given_: dict[int, str] = {}
    for number, (phase, full) in enumerate(operations):
        entries = operation.recorded(
            entries, ended(begun(FULL if full else SELECTIVE, commit=str(number)), phase), limit
        )
        ids = [each.id for each in entries]
        assert ids == list(range(ids[0], ids[0] + len(ids))) if ids else True
        assert len(ids) <= limit
        for each in entries:
            assert given_.setdefault(each.id, each.revision) == each.revision
    assert len(given_) == sum(1 for phase, full in operations if phase == "Succeeded" and full)


def test_only_the_newest_entry_has_long_values() -> None:
    long = {**SOURCE, "helm": {"values": "x" * 2000, "valuesObject": {"a": "y" * 10}, "releaseName": "web"}}
    first = operation.recorded((), ended(begun(source=long)))
    assert first[0].source == long
    second = operation.recorded(first, ended(begun(source=long)))
    assert second[0].source == {**SOURCE, "helm": {"values": "(2,000 characters)", "releaseName": "web"}}
    assert second[1].source == long


# -- what was tried last ----------------------------------------------------------------------------------------------


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return operation.identity([COMMIT], [one]) == operation.identity([COMMIT], [other])


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"targetRevision": "HEAD"}, True),
        ({"helm": None}, True),
        ({"newThing": 1}, True),
        ({"path": "other"}, False),
        ({"helm": {"parameters": [{"name": "a", "value": "1"}]}}, False),
        ({"plugin": {"name": "x"}}, False),
    ],
)
def test_the_same_source_is_the_same_whatever_its_branch_is_called(change: dict[str, Any], is_same: bool) -> None:
    assert same(SOURCE, {**SOURCE, **change}) is is_same


def test_notations_of_the_api_server_make_no_difference() -> None:
    git = {**SOURCE, "helm": {"valuesObject": {"b": 1.0, "a": None, "c": [{"x": 2.0}]}, "skipCrds": False}}
    cluster = {**SOURCE, "helm": {"valuesObject": {"c": [{"x": 2}], "b": 1}}}
    assert same(git, cluster)
    assert not same(git, {**SOURCE, "helm": {"valuesObject": {"b": 2}}})
    assert operation.identity(["a"], [SOURCE]) != operation.identity(["b"], [SOURCE])


def test_a_source_of_the_wrong_shape_is_itself() -> None:
    assert same({"repoURL": 3}, {"repoURL": 3})
    assert not same({"repoURL": 3}, {"repoURL": 4})


def test_the_last_attempt() -> None:
    new = operation.identity([COMMIT], [SOURCE])
    assert operation.last_attempt(Status(), 0) is None
    assert operation.last_attempt(Status(operation_state=begun()), 0) is None
    good = operation.last_attempt(Status(operation_state=ended(begun())), 7)
    assert good is not None
    assert (good.identity, good.succeeded, good.finished, good.failures) == (new, True, later(9), 0)
    bad = operation.last_attempt(Status(operation_state=ended(begun(), "Failed")), 0)
    assert bad is not None
    assert (bad.succeeded, bad.failures) == (False, 1)


def test_a_sync_of_some_objects_does_not_count_as_the_commits_own() -> None:
    partly = Status(operation_state=ended(begun(SELECTIVE), "Failed"), history=history(2))
    found = operation.last_attempt(partly, 3)
    assert found is not None
    assert (found.succeeded, found.identity) == (True, operation.identity([f"{1:040}"], [SOURCE]))
    assert operation.last_attempt(Status(operation_state=ended(begun(SELECTIVE))), 0) is None


def test_the_last_attempt_survives_the_cluster() -> None:
    several = operation.begun(
        FULL, revisions=["a", "b"], sources=[SOURCE, {**SOURCE, "ref": "v"}], several=True, now=NOW
    )
    for each in (ended(begun()), ended(several)):
        status = Status(operation_state=each, history=operation.recorded((), each))
        again = state.read(json.loads(json.dumps(state.write(status))))
        assert operation.last_attempt(again, 0) == operation.last_attempt(status, 0)
        assert operation.last_attempt(replace(again, operation_state=None), 0) == operation.last_attempt(status, 0)


def compared(code: Any, commit: str = COMMIT, **source: Any) -> Sync:
    return Sync(status=code, revision=commit, compared_to=ComparedTo(destination={}, source=SOURCE | source))


@pytest.mark.parametrize(
    ("state_", "sync", "is_problem"),
    [
        (None, compared("OutOfSync"), False),
        (ended(begun()), compared("OutOfSync"), False),
        (begun(), compared("Synced", NEWER), True),
        (begun(SELECTIVE), compared("Synced"), True),
        (operation.waiting(begun(), "again", DONE), compared("Synced", NEWER), True),
        (ended(begun(), "Failed"), None, True),
        (ended(begun(), "Failed"), compared("OutOfSync"), True),
        (ended(begun(), "Failed"), compared("Unknown", ""), True),
        (ended(begun(), "Failed"), compared("OutOfSync", NEWER), True),
        # The objects are as Git says, and a hook after them has failed.
        (ended(begun(), "Failed"), compared("Synced"), True),
        (ended(begun(), "Error"), compared("Synced", targetRevision="another-name"), True),
        # Git has gone on, and is what the cluster has.
        (ended(begun(), "Failed"), compared("Synced", NEWER), False),
        (ended(begun(), "Error"), compared("Synced", path="elsewhere"), False),
        # What was wanted of some objects has come; a dry run wanted nothing; a refused one was never begun.
        (ended(begun(SELECTIVE), "Failed"), compared("Synced"), False),
        (ended(begun(DRY), "Failed"), compared("Synced"), False),
        (operation.refused(FULL, "no", DONE), compared("Synced"), False),
        (operation.refused(FULL, "no", DONE), compared("OutOfSync"), True),
    ],
)
def test_an_operation_is_a_problem_while_what_it_was_about_is(
    state_: OperationState | None, sync: Sync | None, is_problem: bool
) -> None:
    found = operation.unsolved(Status(operation_state=state_, sync=sync))
    assert found == (state_ if is_problem else None)


def test_what_was_compared_last_is_known_of_several_sources() -> None:
    sources = (SOURCE, {**SOURCE, "ref": "v"})
    failed = ended(
        operation.begun(FULL, revisions=["a", "b"], sources=sources, several=True, now=NOW), "Failed"
    )  # fmt: skip
    for revisions, is_problem in ((("a", "b"), True), (("a", "c"), False)):
        sync = Sync(
            status="Synced", revisions=revisions, compared_to=ComparedTo(destination={}, sources=sources)
        )  # fmt: skip
        found = operation.unsolved(Status(operation_state=failed, sync=sync))
        assert (found is not None) == is_problem


# -- bounds -----------------------------------------------------------------------------------------------------------


def resource(number: int, status: Any = "Synced", health: Any = None) -> ResourceStatus:
    return ResourceStatus(
        version="v1", kind="ConfigMap", namespace="shop", name=f"cm-{number:05}", status=status,
        health=Health(status=health) if health else None,
    )  # fmt: skip


def large(count: int) -> Status:
    state_ = operation.finished(
        begun(),
        "Succeeded",
        "done",
        [result(f"cm-{n:05}", status="Synced", message="m" * 60) for n in range(count)],
        later(9),
    )
    odd = {count - 1: "OutOfSync", count - 2: "Unknown"}
    resources = [resource(n, odd.get(n, "Synced"), "Degraded" if n == count - 3 else "Healthy") for n in range(count)]
    return Status(
        sync=Sync(status="OutOfSync"), operation_state=state_, resources=tuple(resources), history=history(10)
    )


def test_what_fits_stays_as_it_is() -> None:
    status = large(3_000)
    assert bounds.fit(status, NOW) == status
    assert not bounds.is_truncated(status)


@pytest.mark.parametrize("count", [6_000, 20_000])
def test_what_does_not_fit_says_how_many_of_how_many(count: int) -> None:
    fitted = bounds.fit(large(count), NOW)
    assert len(json.dumps(state.write(fitted), separators=(",", ":"))) <= bounds.BUDGET
    assert bounds.is_truncated(fitted)
    (told,) = [each for each in fitted.conditions if each.type == bounds.TRUNCATED]
    assert f"{len(fitted.resources):,} of {count:,} resources" in told.message
    names = [each.name for each in fitted.resources]
    assert names[-3:] == [f"cm-{count - back:05}" for back in (3, 2, 1)]
    assert names == sorted(names)
    assert len(names) > 1000
    assert fitted.history == history(10)


def test_the_rest_is_used() -> None:
    only = replace(large(20_000), operation_state=None)
    fitted = bounds.fit(only, NOW)
    assert len(json.dumps(state.write(fitted), separators=(",", ":"))) > bounds.BUDGET * 0.98


def test_failed_results_stay() -> None:
    status = large(20_000)
    assert status.operation_state is not None
    assert status.operation_state.sync_result is not None
    results = (*status.operation_state.sync_result.resources, result("bad", status="SyncFailed", message="why"))
    failed = replace(status.operation_state, sync_result=replace(status.operation_state.sync_result, resources=results))
    fitted = bounds.fit(replace(status, operation_state=failed), NOW)
    assert fitted.operation_state is not None
    assert fitted.operation_state.sync_result is not None
    assert fitted.operation_state.sync_result.resources[-1].name == "bad"


def test_fitting_again_changes_nothing_and_the_note_goes_when_all_fits() -> None:
    whole = large(5_000)
    fitted = bounds.fit(whole, NOW)
    again = bounds.fit(replace(whole, conditions=fitted.conditions), later(60))
    assert again == fitted
    assert bounds.fit(replace(large(5), conditions=fitted.conditions), NOW).conditions == ()


def test_lists_that_anybody_could_make_long_are_short() -> None:
    status = Status(
        summary=bounds.images(f"example.org/{n:04}:1" for n in (*range(1000), 1)),
        conditions=tuple(Condition(type=f"Odd{n}Warning", message="m") for n in range(1000)),
    )
    fitted = bounds.fit(status, NOW)
    assert fitted.summary is not None
    assert len(fitted.summary.images) == 200
    assert fitted.summary.images[:2] == ("example.org/0000:1", "example.org/0001:1")
    assert len(fitted.conditions) == 50
