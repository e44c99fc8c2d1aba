"""Which events of a watch tell that a definition is not in the cluster as it was applied."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitops_bot.agent.loop.kept import Kept
from gitops_bot.agent.values import live_of
from gitops_bot.doors.cluster.kinds import Kind
from gitops_bot.doors.cluster.watch import Event, Snapshot
from gitops_bot.model.resource import ResourceKey

NOON = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)
KIND = Kind("argoproj.io", "v1alpha1", "Application", "applications", True, frozenset())
KEY = ResourceKey("argoproj.io", "Application", "gitops", "shop")
BODY = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "spec": {"project": "team"}}
OURS = {"manager": "gitops-bot", "operation": "Apply", "fieldsV1": {"f:spec": {"f:project": {}}}}
EDITED = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:project": {}}}}
LOST = {**OURS, "fieldsV1": {"f:spec": {}}}


def at(version: int, *managed: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    entries = [{"apiVersion": "argoproj.io/v1alpha1", "time": "2026-11-29T12:00:00Z", **each} for each in managed]
    told = {"name": "shop", "namespace": "gitops", "uid": "u", "resourceVersion": str(version), "generation": version}
    return {"metadata": {**told, "managedFields": entries, **metadata}}


@pytest.fixture
def clock() -> list[datetime]:
    return [NOON]


@pytest.fixture
def kept(clock: list[datetime]) -> Kept:
    made = Kept(lambda: clock[0], lambda: ("kubectl*",))
    made.put(KEY, BODY, live_of(at(5, OURS), KEY))
    return made


@pytest.mark.parametrize(
    ("type_", "body", "changed"),
    [
        ("MODIFIED", at(6, LOST, EDITED), True),
        ("MODIFIED", at(4, LOST, EDITED), False),  # older than what was applied
        ("MODIFIED", at(6, OURS), False),  # its status was written
        ("MODIFIED", at(6, OURS, {"manager": "controller", "operation": "Update", "fieldsV1": {"f:spec": {"f:info": {}}}}), False),
        ("MODIFIED", at(6, OURS, {**EDITED, "fieldsV1": {"f:spec": {"f:info": {}}}}), True),
        ("MODIFIED", at(6, OURS, {**EDITED, "fieldsV1": {"f:operation": {"f:sync": {}}}}), False),
        ("MODIFIED", at(6, LOST, EDITED, annotations={"argocd.argoproj.io/skip-reconcile": "true"}), False),
        ("MODIFIED", at(6, LOST, EDITED, deletionTimestamp="2026-11-29T12:00:00Z"), False),
        ("MODIFIED", at(6, LOST, annotations={
            "argocd.argoproj.io/tracking-id": "parent:argoproj.io/Application:gitops/shop"}), False),
        ("DELETED", at(6, OURS), True),
        ("DELETED", at(4, OURS), False),  # what was there before it was made anew
    ],
)  # fmt: skip
def test_what_has_to_be_put_back(kept: Kept, type_: Any, body: dict[str, Any], changed: bool) -> None:
    assert kept.told(Event(KIND, type_, body)) == changed
    found, again = kept.due()
    assert [(each.key, each.body) for each in found] == ([(KEY, BODY)] if changed else [])
    assert again == (0.0 if changed else None)


def test_a_list_without_it_tells_that_it_is_gone(kept: Kept) -> None:
    assert kept.told(Snapshot(KIND, ()))
    assert kept.due()[0][0].live is None


def test_who_changes_it_again_waits_longer_and_others_do_not(kept: Kept, clock: list[datetime]) -> None:
    other = KEY._replace(name="other")
    kept.put(other, BODY, live_of(at(5, OURS, name="other"), other))
    kept.told(Event(KIND, "MODIFIED", at(6, LOST, EDITED)))
    kept.count(KEY)
    assert kept.due() == ((), 2.0)
    kept.told(Event(KIND, "MODIFIED", at(7, LOST, EDITED, name="other")))
    assert [each.key for each in kept.due()[0]] == [other]
    clock[0] += timedelta(seconds=2)
    assert [each.key for each in kept.due()[0]] == [other, KEY]


def test_nothing_is_put_back_that_an_agent_before_may_have_applied_newer(kept: Kept) -> None:
    kept.told(Event(KIND, "MODIFIED", at(6, LOST, EDITED)))
    kept.keep_only(())
    assert kept.is_complete
    assert not kept.told(Event(KIND, "MODIFIED", at(7, LOST, EDITED)))
