"""Who holds a prune, since when, and for what an approval counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.agent.application.applications import Applications
from gitops_bot.agent.application.bounds import TRUNCATED
from gitops_bot.agent.application.record import AppObject, Record, as_object
from gitops_bot.agent.application.state import Condition, ResourceStatus, Status
from gitops_bot.agent.loop.removal import removals
from gitops_bot.agent.reconcile.holding import HELD, Counts, inherited, judged
from gitops_bot.agent.rules.guards import APPROVED, Candidates, Limits, Verdict, in_force, record
from gitops_bot.agent.rules.options import ApplicationOptions
from gitops_bot.agent.values import MANAGER, Live, ManagedFields
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.settings import PruneGuard
from tests.agent.lives import key, live

NOW = datetime(2026, 11, 29, 18, 0, 0, 400_000, tzinfo=UTC)
MADE = NOW.replace(microsecond=0) - timedelta(hours=1)
PVC, DB = live(key("PersistentVolumeClaim", "data")), live(key("StatefulSet", "db"))


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def app(
    name: str = "shop",
    *,
    annotations: Mapping[str, str] | None = None,
    status: Any = None,
    finalizers: Iterable[str] = (),
) -> AppObject:
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name, "namespace": "gitops", "uid": name, "creationTimestamp": text(MADE),
            "annotations": dict(annotations or {}), "finalizers": list(finalizers),
        },
        "spec": {"destination": {}, "source": {"repoURL": "https://example.org/r"}},
        "status": status or {},
    }  # fmt: skip
    return as_object(body)


def holds(of: AppObject, known: Record, *lives: Live, now: datetime = NOW, limits: Limits | None = None) -> list[str]:
    verdict = judged(
        of, known, Candidates(prunable=lives), ApplicationOptions(), limits or Limits(),
        Counts(5, 5, rendered=True), now,
    )  # fmt: skip
    assert not (verdict.holds and verdict.prune)
    return [hold.guard for hold in verdict.holds]


def approved(at: datetime, **more: Any) -> AppObject:
    return app(annotations={APPROVED: text(at)}, **more)


def test_an_approval_counts_once_somebody_could_see_what_is_held() -> None:
    known = Record()
    assert holds(approved(NOW), known, PVC) == ["precious"]
    assert holds(app(), known, PVC, now=NOW + timedelta(seconds=9)) == ["precious"]
    assert holds(approved(NOW + timedelta(seconds=5)), known, PVC, now=NOW + timedelta(seconds=9)) == []


def test_an_approval_counts_for_nothing_that_came_later() -> None:
    known = Record()
    assert holds(app(), known, PVC) == ["precious"]
    yes = approved(NOW + timedelta(seconds=5))
    assert holds(yes, known, PVC, now=NOW + timedelta(seconds=6)) == []
    assert holds(yes, known, PVC, DB, now=NOW + timedelta(seconds=7)) == ["precious", "precious"]
    assert holds(yes, known, DB, now=NOW + timedelta(seconds=8)) == ["precious"]
    assert holds(approved(NOW + timedelta(seconds=9)), known, DB, now=NOW + timedelta(seconds=9)) == []


def test_an_approval_of_the_same_second_counts_for_nothing_that_came_later() -> None:
    known, soon = Record(), NOW + timedelta(milliseconds=300)
    holds(app(), known, PVC)
    assert holds(approved(NOW), known, PVC) == []

    assert holds(approved(NOW), known, PVC, DB, now=soon)
    assert holds(approved(NOW), known, PVC, DB, now=soon)
    later = NOW + timedelta(seconds=1)
    assert holds(approved(later), known, PVC, DB, now=later) == []


def test_an_approval_is_used_up_with_what_it_was_given_for() -> None:
    known = Record()
    holds(app(), known, PVC)
    yes = approved(NOW + timedelta(seconds=5))
    assert holds(yes, known, PVC, now=NOW + timedelta(seconds=6)) == []
    assert holds(yes, known, now=NOW + timedelta(seconds=7)) == []
    assert holds(yes, known, PVC, now=NOW + timedelta(seconds=8)) == ["precious"]


def test_after_a_restart_the_condition_says_since_when() -> None:
    known = Record()
    verdict = judged(
        app(), known, Candidates(prunable=(PVC,)), ApplicationOptions(), Limits(), Counts(5, 5, rendered=True), NOW
    )
    told = {"type": HELD, "message": verdict.holds[0].message, "lastTransitionTime": text(NOW)}
    yes = approved(NOW + timedelta(seconds=5), status={"conditions": [told]})
    assert holds(yes, Record(), PVC, now=NOW + timedelta(seconds=60)) == []
    assert holds(yes, Record(), DB, now=NOW + timedelta(seconds=60)) == ["precious"]
    early = approved(NOW - timedelta(seconds=5), status={"conditions": [told]})
    assert holds(early, Record(), PVC, now=NOW + timedelta(seconds=60)) == ["precious"]


# -- what a commit says about its own guards ------------------------------------------------------------------------------

LIMITS = st.builds(
    Limits,
    percent=st.integers(0, 100),
    objects=st.integers(0, 30),
    allow_empty=st.booleans(),
    prune=st.sampled_from(["true", "confirm", "false"]),
)


@settings(deadline=None)
@given(LIMITS, LIMITS, st.integers(0, 40), st.integers(0, 2), st.booleans())
def test_no_commit_deletes_more_than_the_last_synced_one_allowed(
    synced: Limits, now: Limits, going: int, desired: int, confirmed: bool
) -> None:
    lives = tuple(live(key(name=f"cm-{number}"), sync="Prune=true" if confirmed else "") for number in range(going))
    of = app(annotations={})

    def pruned(limits: Limits) -> int:
        options = ApplicationOptions(prune=now.prune)
        counts = Counts(desired, desired, rendered=True)
        return len(judged(of, Record(), Candidates(prunable=lives), options, limits, counts, NOW).prune)

    assert pruned(in_force(record(synced), now)) <= min(pruned(now), pruned(synced))


@pytest.mark.parametrize("recorded", [None, "", "{}x", "[]", '{"percent": "all"}'])
def test_without_a_record_the_defaults_are_the_limit(recorded: str | None) -> None:
    assert in_force(recorded, Limits(percent=100, objects=1000, allow_empty=True)) == Limits()
    assert in_force(recorded, Limits(percent=1, objects=2)) == Limits(percent=1, objects=2)


def test_an_option_that_goes_with_what_it_kept_holds_it() -> None:
    kept, own = live(key(name="a")), live(key(name="b"), sync="Prune=true")
    assert holds(app(), Record(), kept, limits=Limits(prune="false")) == ["loosened"]
    assert holds(app(), Record(), kept, limits=Limits(prune="confirm")) == ["loosened"]
    assert holds(app(), Record(), own, limits=Limits(prune="false")) == []


# -- names that were used before ------------------------------------------------------------------------------------------


def applied(of: ResourceKey, at: datetime | None) -> Live:
    entry = ManagedFields(manager=MANAGER, operation="Apply", api_version="v1", fields={}, time=at)
    return msgspec.structs.replace(live(of), managed=(entry,))


def listed(of: ResourceKey, *, pruning: bool = False, confirm: bool = False) -> ResourceStatus:
    return ResourceStatus(
        group=of.group, version="v1", kind=of.kind, namespace=of.namespace, name=of.name, status="Synced",
        requires_pruning=pruning, requires_deletion_confirmation=confirm,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("at", "told", "left"),
    [
        (MADE - timedelta(days=1), None, True),
        (MADE - timedelta(seconds=1), None, True),
        (MADE + timedelta(seconds=1), None, False),
        (None, None, False),
        (MADE - timedelta(days=1), {}, False),
        (MADE - timedelta(days=1), {"pruning": True}, False),
        (MADE - timedelta(days=1), {"pruning": True, "confirm": True}, True),
        (MADE - timedelta(days=1), {"confirm": True}, False),
    ],
)
def test_what_an_earlier_application_of_the_name_left(
    at: datetime | None, told: dict[str, bool] | None, left: bool
) -> None:
    of = key()
    status = Status(resources=() if told is None else (listed(of, **told),))
    assert inherited(MADE, status, [applied(of, at)], lambda _: True) == ({of} if left else set())


@pytest.mark.parametrize("synced", [True, False])
def test_what_a_status_is_too_large_to_tell_the_revision_synced_last_tells(synced: bool) -> None:
    of, truncated = key(), Status(conditions=(Condition(type=TRUNCATED, message="1 of 2 resources"),))
    found = inherited(MADE, truncated, [applied(of, MADE - timedelta(days=1))], lambda each: synced and each == of)
    assert found == (set() if synced else {of})


@pytest.mark.parametrize("synced", [True, False])
def test_of_what_was_applied_in_the_second_of_the_applications_making_the_revision_synced_last_tells(
    synced: bool,
) -> None:
    """It may be its own: a project that forbids an object for a while takes it out of what the status tells."""
    of = key()
    assert inherited(MADE, Status(), [applied(of, MADE)], lambda each: synced and each == of) == (
        set() if synced else {of}
    )


def test_what_was_left_is_held_until_somebody_approves_it() -> None:
    known, old = Record(), applied(key(), MADE - timedelta(days=1))
    assert holds(app(), known, old) == ["inherited"]
    assert holds(approved(NOW), known, old, now=NOW + timedelta(seconds=1)) == []


# -- Applications that Git defines no more --------------------------------------------------------------------------------


def resources(*kinds: tuple[str, str]) -> dict[str, Any]:
    return {
        "resources": [
            {"group": group, "version": "v1", "kind": kind, "namespace": "shop", "name": f"x{number}", "status": "Synced"}
            for number, (group, kind) in enumerate(kinds)
        ]
    }  # fmt: skip


CASCADE = ("resources-finalizer.argocd.argoproj.io",)


@pytest.mark.parametrize(
    ("status", "finalizers", "annotations", "reason"),
    [
        (resources(("", "ConfigMap")), CASCADE, {}, ""),
        (resources(("", "PersistentVolumeClaim")), CASCADE, {}, "its data may go too"),
        (resources(("", "PersistentVolumeClaim")), (), {}, ""),
        (resources(("", "Namespace")), CASCADE, {}, "everything in it goes too"),
        (resources(("apiextensions.k8s.io", "CustomResourceDefinition")), CASCADE, {}, ""),
        (resources(*[("", "ConfigMap")] * 10), CASCADE, {}, ""),
        (resources(*[("", "ConfigMap")] * 11), CASCADE, {}, "11 objects would go with it"),
        (resources(*[("", "ConfigMap")] * 11), (), {}, ""),
        (resources(*[("", "ConfigMap")] * 3), CASCADE, {"gitops-bot/prune-guard-objects": "2"}, "3 objects"),
        (resources(*[("", "ConfigMap")] * 11), CASCADE, {"gitops-bot/prune-guard-objects": "99"}, "11 objects"),
    ],
)
def test_an_application_takes_nothing_precious_along_unasked(
    status: Any, finalizers: tuple[str, ...], annotations: dict[str, str], reason: str
) -> None:
    (found,) = removals([app(status=status, finalizers=finalizers, annotations=annotations)], 5, PruneGuard())
    assert reason in found.reason
    assert bool(found.reason) == bool(reason)


@pytest.mark.parametrize(("gone", "made", "held"), [(10, 10, False), (11, 21, True), (11, 22, False), (30, 31, True)])
def test_many_applications_do_not_go_at_once(gone: int, made: int, held: bool) -> None:
    found = removals([app(f"a{number}") for number in range(gone)], made, PruneGuard())
    assert [bool(each.reason) for each in found] == [held] * gone


# -- what is known of Applications ----------------------------------------------------------------------------------------


def test_an_answer_that_comes_late_does_not_bring_back_what_was_before() -> None:
    def version(number: int, uid: str = "1", **annotations: str) -> dict[str, Any]:
        metadata = {"name": "shop", "namespace": "gitops", "uid": uid, "resourceVersion": str(number)}
        return {"metadata": {**metadata, "annotations": annotations}, "spec": {"destination": {}}}

    known = Applications(Objects(None), "gitops")  # it asks for nothing

    def mark() -> str:
        found = known.find("shop")
        return found.annotations["mark"] if found is not None else ""

    known.put(version(9, mark="first"))
    known.put(version(10, mark="second"))
    known.put(version(9, mark="first"))
    assert mark() == "second"
    known.put(version(11, uid="2", mark="made anew"))
    assert mark() == "made anew"


# -- while others are looked at -------------------------------------------------------------------------------------------


def test_while_others_are_waited_for_nothing_goes_and_no_hold_begins_or_ends() -> None:
    known, old = Record(), applied(key(), MADE - timedelta(days=1))
    waiting = Counts(5, 5, rendered=True, waits=True)

    def verdict(counts: Counts, *lives: Live) -> Verdict:
        return judged(
            app(), known, Candidates(prunable=lives), ApplicationOptions(), Limits(), counts, NOW
        )  # fmt: skip

    assert verdict(waiting, PVC, old) == Verdict(inherited=frozenset({old.key}))
    assert known.held is None
    assert [hold.guard for hold in verdict(Counts(5, 5, rendered=True), PVC).holds] == ["precious"]
    held = known.held
    assert not verdict(waiting, PVC).holds
    assert known.held == held


def test_what_an_earlier_application_left_is_known_as_that_while_it_moves() -> None:
    old = applied(key(), MADE - timedelta(days=1))
    moving = Candidates(moving=((old, "other"),))
    found = judged(app(), Record(), moving, ApplicationOptions(), Limits(), Counts(5, 5, rendered=True), NOW)
    assert found == Verdict(inherited=frozenset({old.key}))
