"""Nothing is done for nothing: what the agent does not ask, and does not write, when nothing has changed."""

from __future__ import annotations

from pathlib import Path

from tests.agent.live.harness import (
    Body,
    Call,
    LiveAgent,
    Repository,
    config,
    deployment,
    health_of,
    manifests,
    service,
    status_of,
)
from tests.servers import Server, git_http, running

_ASIDE = ("leases", "events", "")
"""What is about the agent itself, and what it tells people."""


def fleet(*apps: str) -> dict[str, str | bytes | None]:
    """For each Application a directory with more objects than are asked for one by one."""
    return {
        f"{app}/all.yaml": manifests(
            *(config(f"{app}-{number}", colour="red") for number in range(8)), service(app, 80), deployment(app)
        )
        for app in apps
    }


def until_idle(agent: LiveAgent) -> None:
    """Wait until everything that was to be done is done."""
    running = agent.agent
    assert running is not None
    agent.until(lambda: running.controller.is_idle, "the agent is idle")


def of_objects(calls: list[Call]) -> list[tuple[str, str]]:
    """What was asked about single objects, or written."""
    return [(call.verb, call.resource) for call in calls if call.verb not in ("list", "watch")]


def progressing_in(body: Body) -> list[str]:
    """The kinds of the objects that are not healthy yet."""
    found = status_of(body).get("resources", [])
    return [each["kind"] for each in found if each.get("health", {}).get("status") == "Progressing"]


def test_polls_that_find_nothing_new_ask_git_once_and_the_api_server_nothing(
    own_agent: LiveAgent, place: str, tmp_path: Path
) -> None:
    names = [f"a-{place}", f"b-{place}", f"c-{place}"]
    server = Server()
    (tmp_path / "served").mkdir()
    (tmp_path / "work").mkdir()
    server.routes["/git/"] = git_http(tmp_path / "served")
    with running(server):
        repository = Repository(tmp_path / "work", tmp_path / "served" / "fleet", f"{server.url}/git/fleet")
        commit = repository.push(fleet(*names))
        own_agent.start(poll=1.0)
        for name in names:
            own_agent.follow(repository, place, name, source={"path": name})
        for name in names:
            own_agent.synced(name, commit)
        until_idle(own_agent)
        since, asked = own_agent.now(), len(server.paths())

        own_agent.until(lambda: len(server.paths()) >= asked + 8, "eight requests of Git")

        # A question of Git's protocol is two requests, for all three Applications together.
        assert len(server.paths()) < asked + 8 + 2
        assert [call for call in own_agent.calls(since) if call.resource not in _ASIDE] == []


def test_a_new_process_reads_no_object_by_itself_tries_nothing_that_was_equal_and_writes_nothing(
    own_agent: LiveAgent, place: str
) -> None:
    name = f"restart-{place}"
    repository = own_agent.repository(fleet(name))
    own_agent.start()
    own_agent.follow(repository, place, name, source={"path": name})
    own_agent.synced(name, repository.git("rev-parse", "HEAD").strip())
    # A commit that is not about this Application is nothing to sync, so the history does not name it.
    own_agent.push_and_wait(name, repository, {"README.md": "nothing that is deployed"})
    until_idle(own_agent)
    own_agent.stop()
    since = own_agent.now()

    own_agent.start()
    until_idle(own_agent)

    assert of_objects(own_agent.about(place, since)) == []
    assert [
        call for call in own_agent.about(own_agent.namespace, since) if call.is_write and call.resource not in _ASIDE
    ] == []


def test_a_look_that_finds_nothing_new_says_nothing_new(agent: LiveAgent, place: str) -> None:
    name = f"looked-at-{place}"
    repository = agent.repository(fleet(name))
    agent.follow(repository, place, name, source={"path": name})
    agent.synced(name, commit := repository.git("rev-parse", "HEAD"))
    until_idle(agent)
    since = agent.now()

    agent.refresh(name, "hard")
    agent.synced(name, commit)
    until_idle(agent)

    written = [call for call in agent.calls(since) if call.is_write and call.name == name]
    assert [(call.resource, "fieldManager" in call.uri) for call in written] == [("applications", False)], (
        "only the wish is taken away"
    )


def test_a_status_that_moves_costs_no_read(own_agent: LiveAgent, place: str) -> None:
    name = f"moves-{place}"
    rules = [{"http": {"paths": [{"path": "/", "pathType": "Prefix",
              "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}]  # fmt: skip
    ingress = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
               "spec": {"rules": rules}}  # fmt: skip
    repository = own_agent.repository({**fleet(name), f"{name}/ingress.yaml": manifests(ingress)})
    own_agent.start()
    own_agent.follow(repository, place, name, source={"path": name})
    own_agent.wait(name, lambda body: progressing_in(body) == ["Ingress"])
    until_idle(own_agent)
    since = own_agent.now()

    own_agent.plane.request(
        "PATCH", f"/apis/networking.k8s.io/v1/namespaces/{place}/ingresses/web/status",
        {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}, content_type="application/merge-patch+json",
    )  # fmt: skip
    own_agent.wait(name, lambda body: health_of(body) == "Healthy")
    until_idle(own_agent)

    assert of_objects(own_agent.about(place, since)) == []
    written = [call for call in own_agent.about(own_agent.namespace, since) if call.is_write]
    assert [call.resource for call in written if call.resource not in _ASIDE] == ["applications"]


def test_a_sync_is_two_writes_of_its_status(agent: LiveAgent, place: str) -> None:
    name = f"writes-{place}"
    repository = agent.repository({"app/all.yaml": manifests(*(config(f"c-{number}") for number in range(9)))})
    since = agent.now()
    agent.follow(repository, place, name, source={"path": "app"})
    agent.synced(name, repository.git("rev-parse", "HEAD").strip())
    until_idle(agent)  # the audit log has the last answer then too

    calls = [call for call in agent.calls(since) if call.is_write and (call.name == name or call.namespace == place)]
    assert [call.resource for call in calls] == ["applications", *["configmaps"] * 9, "applications"]
