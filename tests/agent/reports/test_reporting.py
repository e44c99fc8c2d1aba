"""Which differences are somebody's change in the cluster, and are told as that."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gitops_bot.agent.application.applications import Applications
from gitops_bot.agent.application.record import AppObject, Record, as_object
from gitops_bot.agent.live.comparison import Compared, Status
from gitops_bot.agent.reports.reporting import Reporter
from gitops_bot.agent.reports.telling import named
from gitops_bot.agent.reports.view import View
from gitops_bot.agent.sources.desired import Desired
from gitops_bot.doors.cluster.kinds import Kinds
from gitops_bot.doors.cluster.objects import Objects
from tests.agent.lives import key

NOW = datetime(2026, 11, 29, 18, 0, 0, tzinfo=UTC)
SOURCE = {"repoURL": "https://github.com/acme/shop", "path": "."}
DESTINATION = {"server": "https://kubernetes.default.svc", "namespace": "shop"}


def operation(commit: str, phase: str = "Succeeded", **sync: Any) -> dict[str, Any]:
    return {
        "operation": {"sync": sync}, "phase": phase, "startedAt": "2026-11-29T17:00:00Z",
        "finishedAt": "2026-11-29T17:00:01Z", "syncResult": {"revision": commit, "source": SOURCE},
    }  # fmt: skip


def found(status: str, commit: str, destination: dict[str, str] = DESTINATION) -> dict[str, Any]:
    return {"status": status, "revision": commit, "comparedTo": {"destination": destination, "source": SOURCE}}


def app(**status: Any) -> AppObject:
    return as_object({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "gitops-bot", "uid": "1"},
        "spec": {"project": "default", "source": SOURCE, "destination": DESTINATION}, "status": status,
    })  # fmt: skip


def view(commit: str, status: Status) -> View:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "shop"}}
    desired = Desired(key=key(name="one"), body=body)
    compared = Compared(desired=desired, stamped={}, sent={}, live=None, status=status)
    return View(commits=(commit,), compared=(compared,))


Told = list[tuple[str, str]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def reporter(told: Told) -> Reporter:
    def tell(_app: AppObject, reason: str, message: str, *, objects: int = 1) -> None:
        told.append((reason, message))

    return Reporter(Applications(Objects(None, Kinds(())), "gitops-bot"), lambda: NOW, tell)


DRIFT = [("DriftDetected", "ConfigMap/shop/one: deleted")]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"operationState": operation("new")}, DRIFT),
        ({"operationState": operation("old")}, []),
        ({"operationState": operation("old"), "sync": found("Synced", "new")}, DRIFT),
        ({"operationState": operation("old"), "sync": found("Synced", "old")}, []),
        ({"operationState": operation("old"), "sync": found("OutOfSync", "new")}, []),
        ({"operationState": operation("new", "Failed"), "sync": found("Synced", "new")}, DRIFT),
        ({"operationState": operation("new", "Failed"), "sync": found("OutOfSync", "new")}, []),
        ({"operationState": operation("new", resources=[{"kind": "ConfigMap", "name": "one"}]),
          "sync": found("Synced", "new")}, DRIFT),
        ({"sync": found("Synced", "new", {**DESTINATION, "namespace": "other"})}, []),
        ({}, []),
    ],
)  # fmt: skip
def test_what_differs_from_what_the_cluster_had_is_drift(
    reporter: Reporter, told: Told, status: dict[str, Any], expected: Told
) -> None:
    reporter.tell_drift(app(**status), Record(), view("new", "OutOfSync"))
    assert told == expected


def test_what_was_found_equal_is_remembered_until_git_says_something_else(reporter: Reporter, told: Told) -> None:
    record = Record()

    def looked(*looks: tuple[str, Status]) -> Told:
        told.clear()
        for commit, status in looks:
            reporter.tell_drift(app(), record, view(commit, status))
        return [*told]

    assert looked(("one", "OutOfSync")) == []  # a commit, on its way
    assert looked(("one", "Synced"), ("one", "OutOfSync"), ("one", "OutOfSync")) == DRIFT  # once
    reporter.tell_drift(app(), record, View(unknown=True))
    assert looked(("one", "OutOfSync")) == []  # nothing new
    assert looked(("two", "OutOfSync"), ("one", "OutOfSync")) == []  # half of two may be there


def test_a_whole_sync_tells_what_of_it_corrected_a_change(reporter: Reporter, told: Told) -> None:
    record, differing = Record(), view("one", "OutOfSync")
    reporter.tell_healed(app(), record, differing, None)
    assert told == []
    reporter.tell_drift(app(sync=found("Synced", "one")), record, differing)
    reporter.tell_healed(app(), record, differing, None)
    assert told == [*DRIFT, ("DriftHealed", "ConfigMap/shop/one: deleted")]


def test_of_many_objects_the_first_are_named_and_the_others_counted() -> None:
    keys = [key(name=name) for name in "abcde"]
    assert named(keys[:1]) == "ConfigMap/shop/a"
    assert named(keys) == "ConfigMap/shop/a, ConfigMap/shop/b, ConfigMap/shop/c and 2 more"
