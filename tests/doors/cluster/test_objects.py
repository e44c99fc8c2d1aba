"""Objects of a real API server, asked as the agent's own account."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.errors import Conflict, Invalid, NoKind, NotTyped
from gitops_bot.doors.cluster.lease import Lease, LeaseTimes
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.model.resource import ResourceKey
from tests.controlplane.install import NAMESPACE
from tests.controlplane.plane import ControlPlane
from tests.controlplane.plugin import Installed
from tests.doors.cluster.bodies import config_map, key_of

_LABEL = "gitops-bot.test/listed"


def test_every_kind_is_known_by_its_version_and_its_path(objects: Objects, plane: ControlPlane) -> None:
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
    assert kinds.version == plane.request("GET", "/version")["gitVersion"]
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

    with pytest.raises(NoKind, match=r"no kind Tea in example\.org/v1"):
        objects.apply(body, key, "gitops-bot")
    with pytest.raises(NoKind):
        objects.find(key)


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
