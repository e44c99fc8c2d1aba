"""Writing to an Application that others write to, take away or make anew at the same moment, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gitops_bot.agent.application.applications import Applications, key_of
from gitops_bot.agent.application.record import API, AppObject, as_object
from gitops_bot.agent.application.state import Status, Sync
from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.requests import Requests
from tests.controlplane.plane import ControlPlane
from tests.controlplane.plugin import Installed

STATUS = Status(sync=Sync(status="Synced"))


class Shop:
    """One Application, and what the agent knows of it."""

    def __init__(self, plane: ControlPlane, objects: Objects, place: str) -> None:
        self._plane, self._objects, self._place = plane, objects, place
        self._path = f"/apis/{API}/namespaces/{place}/applications"
        self.applications = Applications(objects, place)

    def create(self, **more: Any) -> AppObject:
        spec = {"destination": {}, "project": "default", "source": {"repoURL": "https://git.example/shop"}}
        body = {"apiVersion": API, "kind": "Application", "metadata": {"name": "shop"}, "spec": spec, **more}
        return as_object(self._plane.request("POST", self._path, body))

    def change(self, change: Any) -> None:
        """What a person changes meanwhile."""
        self._plane.request("PATCH", f"{self._path}/shop", change, content_type="application/merge-patch+json")

    def delete(self) -> None:
        self._plane.request("DELETE", f"{self._path}/shop")

    def find(self) -> Any:
        return self._objects.find(key_of("shop", self._place), API)


@pytest.fixture
def shop(installed: Installed, place: str) -> Iterator[Shop]:
    connection = connect(str(installed.kubeconfig))
    yield Shop(installed.plane, Objects(Requests(connection)), place)
    connection.close()


def test_a_status_makes_no_application_anew(shop: Shop) -> None:
    app = shop.create()
    shop.delete()
    shop.applications.write_status(app, STATUS, {}, {})
    assert shop.find() is None


def test_a_status_is_not_that_of_another_application_of_the_name(shop: Shop) -> None:
    app = shop.create()
    shop.delete()
    shop.create()
    shop.applications.write_status(app, STATUS, {"mine": "yes"}, {})
    found = shop.find()
    assert "status" not in found
    assert "mine" not in found["metadata"].get("labels", {})


def test_a_finalizer_is_taken_off_no_other_application_of_the_name(shop: Shop) -> None:
    metadata = {"name": "shop", "finalizers": ["example.org/other", "example.org/mine"]}
    app = shop.create(metadata=metadata)
    shop.change({"metadata": {"finalizers": ["example.org/mine", "example.org/other"]}})
    shop.applications.let_go(app, "example.org/mine")
    assert shop.find()["metadata"]["finalizers"] == ["example.org/mine", "example.org/other"], "it has moved"
    shop.change({"metadata": {"finalizers": None}})


def test_what_is_asked_for_meanwhile_is_not_taken_away_with_what_is_done(shop: Shop) -> None:
    app = shop.create(operation={"sync": {"revision": "main"}})
    shop.change({"operation": {"sync": {"revision": "main", "prune": True}}})
    shop.applications.consume(app, "operation")
    assert shop.find()["operation"] == {"sync": {"revision": "main", "prune": True}}
    shop.applications.consume(as_object(shop.find()), "operation")
    assert "operation" not in shop.find()
