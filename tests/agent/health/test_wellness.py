"""Health as watches bring it: known without a request, news only where the verdict is another one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.agent.application.record import Record
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.live.wellness import HealthReader, is_judged_whole
from gitops_bot.agent.ownership.identity import PART_OF
from gitops_bot.agent.values import live_of
from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.kinds import Kind, Kinds
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.requests import Requests
from gitops_bot.model.resource import ResourceKey
from tests.servers import Server, gives

DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments", True, frozenset())
KEY = ResourceKey("apps", "Deployment", "shop", "web")


def deployment(version: str, *, ready: int) -> dict[str, Any]:
    """As an item of a list has it: without its kind."""
    metadata = {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": version, "generation": 1,
                "labels": {PART_OF: "mine"}}  # fmt: skip
    counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": ready, "availableReplicas": ready}
    return {"metadata": metadata, "spec": {"replicas": 1}, "status": {"observedGeneration": 1, **counts}}


class World:
    def __init__(self, server: Server, directory: Path, pool: ThreadPoolExecutor) -> None:
        config = directory / "config"
        config.write_text(json.dumps({
            "clusters": [{"name": "c", "cluster": {"server": server.url}}], "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}], "current-context": "x",
        }))  # fmt: skip
        self.server = server
        self.inventory = Inventory(PART_OF)
        objects = Objects(Requests(connect(str(config))), Kinds([DEPLOYMENT]))
        self.reader = HealthReader(objects, self.inventory, pool, lambda: datetime(2026, 11, 29, tzinfo=UTC), PART_OF)
        self.record = Record()

    def told(self, body: dict[str, Any]) -> bool:
        news = self.reader.take(DEPLOYMENT, body)
        self.inventory.put(("apps", "Deployment"), body)
        return news

    def status(self, body: dict[str, Any]) -> str | None:
        health = self.reader.read(self.record, "mine", [live_of(body, KEY)])[KEY]
        return health.status if health is not None else None


@pytest.fixture
def world(server: Server, tmp_path: Path) -> Iterator[World]:
    with ThreadPoolExecutor(1) as pool:
        yield World(server, tmp_path, pool)


def test_what_a_watch_brought_is_known_without_a_request(world: World) -> None:
    assert world.told(deployment("1", ready=0))
    assert world.status(deployment("1", ready=0)) == "Progressing"
    assert world.told(deployment("2", ready=1))
    assert world.status(deployment("2", ready=1)) == "Healthy"
    assert world.server.paths() == []


def test_another_version_with_the_same_verdict_is_no_news(world: World) -> None:
    assert world.told(deployment("1", ready=1))
    assert not world.told(deployment("2", ready=1))
    assert world.status(deployment("2", ready=1)) == "Healthy"


def test_an_older_word_does_not_take_the_place_of_the_newer_one(world: World) -> None:
    world.told(deployment("10", ready=1))
    assert not world.told(deployment("9", ready=0))
    assert world.status(deployment("10", ready=1)) == "Healthy"


def test_a_version_that_no_watch_has_brought_yet_is_read_once(world: World) -> None:
    world.told(deployment("1", ready=1))
    newer = deployment("2", ready=0)
    world.inventory.put(("apps", "Deployment"), newer)  # as the answer to a write tells it
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    world.server.routes[path] = gives(json.dumps({"kind": "Deployment", "apiVersion": "apps/v1", **newer}).encode())

    assert [world.status(newer), world.status(newer)] == ["Progressing", "Progressing"]
    assert world.server.paths() == [path]


def test_what_is_gone_is_forgotten(world: World) -> None:
    world.told(deployment("1", ready=1))
    world.reader.forget(KEY)
    assert world.told(deployment("1", ready=1))


def test_whole_objects_are_asked_for_where_a_health_depends_on_them() -> None:
    def kind(group: str, name: str) -> Kind:
        return Kind(group, "v1", name, "x", True, frozenset())

    assert is_judged_whole(kind("apps", "Deployment"))
    assert is_judged_whole(kind("example.org", "Widget"))
    assert not is_judged_whole(kind("", "ConfigMap"))
    assert not is_judged_whole(kind("apiextensions.k8s.io", "CustomResourceDefinition"))
