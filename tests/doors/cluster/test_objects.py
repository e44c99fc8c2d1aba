"""Objects of a real API server, asked as the agent's own account."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.errors import Conflict, Invalid, NotFound, NotTyped
from gitops_bot.doors.cluster.lease import Lease, LeaseTimes
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.watch import Event, Snapshot, Watcher
from gitops_bot.model.resource import ResourceKey
from tests.controlplane.install import NAMESPACE
from tests.controlplane.plugin import Installed

_LABEL = "gitops-bot.test/watched"


def config_map(namespace: str, name: str = "settings", labels: dict[str, str] | None = None, **data: str) -> Any:
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def key_of(namespace: str, name: str = "settings") -> ResourceKey:
    return ResourceKey("", "ConfigMap", namespace, name)


def test_every_kind_is_known_by_its_version_and_its_path(objects: Objects) -> None:
    kinds = objects.kinds
    deployment, config, role = (
        kinds.find("apps/v1", "Deployment"), kinds.find("v1", "ConfigMap"), kinds.preferred("rbac.authorization.k8s.io", "ClusterRole")
    )  # fmt: skip

    assert deployment is not None
    assert config is not None
    assert role is not None
    assert deployment.path("shop", "web") == "/apis/apps/v1/namespaces/shop/deployments/web"
    assert config.path("shop") == "/api/v1/namespaces/shop/configmaps"
    assert role.path("ignored", "a:b") == "/apis/rbac.authorization.k8s.io/v1/clusterroles/a%3Ab"
    assert kinds.version == "v1.36.3"
    assert {"apps/v1", "apps/v1/Deployment", "v1", "argoproj.io/v1alpha1/Application"} <= set(kinds.api_versions)
    assert kinds.find("apps/v1beta1", "Deployment") is None


def test_an_object_is_applied_read_and_deleted(objects: Objects, place: str) -> None:
    key, body = key_of(place), config_map(place, colour="red")

    tried = objects.apply(body, key, "gitops-bot", dry_run=True)
    assert tried.body["data"] == {"colour": "red"}
    assert objects.find(key) is None

    made = objects.apply(body, key, "gitops-bot").body
    assert objects.get(key)["data"] == {"colour": "red"}

    with pytest.raises(Conflict):
        objects.delete(key, "00000000-0000-0000-0000-000000000000", "Background")
    assert objects.find(key) is not None
    objects.delete(key, made["metadata"]["uid"], "Background")
    assert objects.find(key) is None
    objects.delete(key, made["metadata"]["uid"], "Background")


@pytest.mark.parametrize("wrong", [{"colour": "red"}, {"data": {"a": 1}}])
def test_what_cannot_be_applied_is_told_at_once(objects: Objects, place: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(NotTyped):
        objects.apply({**config_map(place), **wrong}, key_of(place), "gitops-bot")


def test_two_items_with_one_key_cannot_be_applied(objects: Objects, place: str) -> None:
    ports = [{"name": "a", "port": 80, "protocol": "TCP"}, {"name": "b", "port": 80, "protocol": "TCP"}]
    metadata = {"name": "web", "namespace": place}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}}

    with pytest.raises(NotTyped, match="duplicate"):
        objects.apply(service, ResourceKey("", "Service", place, "web"), "gitops-bot")


def test_an_invalid_object_is_refused_by_field(objects: Objects, place: str) -> None:
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": place},
        "spec": {"ports": [{"port": 700000}]},
    }  # fmt: skip

    with pytest.raises(Invalid) as caught:
        objects.apply(service, ResourceKey("", "Service", place, "web"), "gitops-bot")
    assert [cause.field for cause in caught.value.causes] == [
        "spec.ports[0].port",
        "spec.ports[0].targetPort",
    ]


def test_a_kind_that_is_not_there_is_told(objects: Objects, place: str) -> None:
    body = {"apiVersion": "example.org/v1", "kind": "Tea", "metadata": {"name": "green", "namespace": place}}
    key = ResourceKey("example.org", "Tea", place, "green")

    with pytest.raises(NotFound, match=r"no kind Tea in example\.org/v1"):
        objects.apply(body, key, "gitops-bot")
    assert objects.find(key) is None


def test_metadata_is_listed_alone_page_by_page(objects: Objects, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitops_bot.doors.cluster.objects._PAGE", 3)
    for number in range(7):
        labels = {_LABEL: "yes"} if number % 2 else {}
        objects.apply(config_map(place, f"map-{number}", labels, a="b"), key_of(place, f"map-{number}"), "gitops-bot")
    kind = objects.kinds.preferred("", "ConfigMap")
    assert kind is not None

    listed = objects.list(kind, place, selector=_LABEL)

    assert sorted(item["metadata"]["name"] for item in listed.items) == ["map-1", "map-3", "map-5"]
    assert all("data" not in item for item in listed.items)
    assert all(item["metadata"]["managedFields"] for item in listed.items)
    names = {item["metadata"]["name"] for item in objects.list(kind, place, metadata=False).items}
    assert names - {"kube-root-ca.crt"} == {f"map-{number}" for number in range(7)}


# -- watching ---------------------------------------------------------------------------------------------------------


class Told:
    """What a watcher told, one after another."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Snapshot | Event] = queue.Queue()

    def next(self) -> Snapshot | Event:
        return self.queue.get(timeout=20)

    def until(self, type_: str) -> Event:
        while True:
            event = self.next()
            if isinstance(event, Event) and event.type == type_:
                return event


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def watcher(objects: Objects, told: Told, place: str) -> Iterator[Watcher]:
    watcher = Watcher(objects, _LABEL, told.queue.put, namespace=place)
    kind = objects.kinds.preferred("", "ConfigMap")
    assert kind is not None
    watcher.watch(kind)
    yield watcher
    watcher.close()


def test_changes_arrive_as_metadata_and_the_end_as_deleted(
    objects: Objects, watcher: Watcher, told: Told, place: str
) -> None:
    first = told.next()
    assert first == Snapshot(next(iter(watcher.kinds)), (), first.version)
    assert first.version.isdigit()
    made = objects.apply(config_map(place, labels={_LABEL: "yes"}, a="1"), key_of(place), "gitops-bot").body

    added = told.until("ADDED")
    assert added.body["metadata"]["uid"] == made["metadata"]["uid"]
    assert "data" not in added.body

    objects.apply(config_map(place, labels={_LABEL: "yes"}, a="2"), key_of(place), "gitops-bot")
    assert told.until("MODIFIED").body["metadata"]["name"] == "settings"

    # Losing what is selected by is leaving.
    objects.apply(config_map(place, a="2"), key_of(place), "gitops-bot")
    assert told.until("DELETED").body["metadata"]["name"] == "settings"


def test_a_stream_that_breaks_goes_on_where_it_was(objects: Objects, watcher: Watcher, told: Told, place: str) -> None:
    from gitops_bot.doors.cluster import watch

    assert isinstance(told.next(), Snapshot)
    objects.apply(config_map(place, "first", {_LABEL: "yes"}), key_of(place, "first"), "gitops-bot")
    told.until("ADDED")

    for response in list(watcher._open):
        watch._shut(response)
    objects.apply(config_map(place, "second", {_LABEL: "yes"}), key_of(place, "second"), "gitops-bot")

    assert told.until("ADDED").body["metadata"]["name"] == "second"


def test_a_watcher_that_is_closed_leaves_no_thread(objects: Objects, told: Told, place: str) -> None:
    before = set(threading.enumerate())
    watcher = Watcher(objects, _LABEL, told.queue.put, namespace=place)
    for kind in ("ConfigMap", "Secret", "Service"):
        found = objects.kinds.preferred("", kind)
        assert found is not None
        watcher.watch(found)
        told.next()
    watcher.close()

    left = set(threading.enumerate()) - before
    assert [each.name for each in left if each.name.startswith("watch ")] == []


def test_a_kind_whose_definition_goes_is_told_as_empty(objects: Objects, installed: Installed, told: Told) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "cups.watch.example.org"},
        "spec": {
            "group": "watch.example.org", "scope": "Namespaced", "names": {"kind": "Cup", "plural": "cups"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}],
        },
    }  # fmt: skip
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    installed.plane.request("POST", path, definition)
    watcher = Watcher(objects, "", told.queue.put)
    kind = None
    while kind is None:
        objects.forget_kinds()
        kind = objects.kinds.preferred("watch.example.org", "Cup")
    watcher.watch(kind)
    assert told.next()[:2] == (kind, ())

    installed.plane.request("DELETE", f"{path}/cups.watch.example.org")

    assert told.next() == Snapshot(kind, ())
    while watcher.kinds:
        threading.Event().wait(0.01)
    watcher.close()


# -- one leader -------------------------------------------------------------------------------------------------------


def test_one_of_two_holds_a_lease_until_it_gives_it_up_or_is_silent(installed: Installed, place: str) -> None:
    from datetime import UTC, datetime, timedelta

    now, times = datetime(2026, 1, 1, tzinfo=UTC), LeaseTimes(lasts=15)
    doors = [_requests(installed) for _ in range(2)]
    one, other = (Lease(door, NAMESPACE, place, name, times) for door, name in zip(doors, ("a", "b"), strict=True))

    assert one.take(now, 100.0)
    assert not other.take(now, 500.0)
    assert one.take(now + timedelta(seconds=2), 102.0)
    assert not other.take(now, 514.9)
    assert not other.take(now, 529.8)  # renewed meanwhile: the fifteen seconds began anew when that was seen
    assert other.take(now, 529.9)
    assert not one.take(now, 103.0)
    other.release(now)
    assert one.take(now, 104.0)
    one.release(now)


def test_what_is_wrong_with_git_stands_beside_the_lease(installed: Installed, place: str) -> None:
    from datetime import UTC, datetime

    now, said = datetime(2026, 1, 1, tzinfo=UTC), ["", "apps/a.yaml: line 5", ""]
    lease = Lease(_requests(installed), NAMESPACE, place, "a", LeaseTimes(), lambda: said[0])
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{place}"
    while said:
        assert lease.take(now, 1.0)
        annotations = installed.plane.request("GET", path)["metadata"].get("annotations") or {}
        assert annotations.get("gitops-bot/definitions", "") == said.pop(0)


def test_a_lease_is_taken_by_one_of_many_at_once(installed: Installed, place: str) -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    found: list[bool] = []

    def run(name: str) -> None:
        found.append(Lease(_requests(installed), NAMESPACE, place, name, LeaseTimes()).take(now, 0.0))

    threads = [threading.Thread(target=run, args=(f"agent-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False] * 7 + [True]


def _requests(installed: Installed) -> Any:
    from gitops_bot.doors.cluster.requests import Requests

    return Requests(connect(str(installed.kubeconfig)))
