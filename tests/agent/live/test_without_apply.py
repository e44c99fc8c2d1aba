"""Kinds whose API server knows no server-side apply: created and replaced instead, with the same outcome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.live.faults import Fault, Proxy, fault_proxy
from tests.agent.live.harness import LiveAgent, config, deployment, manifests, results_of
from tests.controlplane.plane import ControlPlane


@pytest.fixture(params=[405, 415])
def proxy(request, plane: ControlPlane, own_agent: LiveAgent, tmp_path: Path) -> Iterator[Proxy]:
    """Answers every server-side apply of a ConfigMap as servers do that know none, the rest as the real one."""

    def refuse(verb: str, path: str) -> Fault | None:
        return Fault(request.param) if verb == "PATCH" and "/configmaps/" in path and "force=true" in path else None

    with fault_proxy(plane) as one:
        own_agent.kubeconfig = one.kubeconfig(tmp_path / "through-the-proxy", own_agent.kubeconfig)
        one.choose = refuse
        yield one
        own_agent.stop()


def test_what_cannot_be_applied_is_created_replaced_healed_and_pruned(proxy, own_agent, place):
    agent, name = own_agent, f"shop-{place}"
    files = {"a.yaml": manifests(config("settings", one="1", two="2")), "b.yaml": manifests(deployment("web"))}
    repository = agent.repository(files)
    agent.follow(repository, place, name)
    agent.start()
    body = agent.synced(name, repository.git("rev-parse", "HEAD"))
    assert results_of(body) == {"ConfigMap/settings": "Synced", "Deployment/web": "Synced"}
    told = {each["name"]: each["message"] for each in body["status"]["operationState"]["syncResult"]["resources"]}
    assert "created; not by server-side apply" in told["settings"]

    agent.patch("ConfigMap", place, "settings", {"data": {"one": "by hand"}})
    agent.until(lambda: agent.get("ConfigMap", place, "settings")["data"] == {"one": "1", "two": "2"}, "healed")
    agent.patch("ConfigMap", place, "settings", {"data": {"theirs": "x"}}, "some-controller")

    agent.push_and_wait(name, repository, {"a.yaml": manifests(config("settings", one="x"))})
    assert agent.get("ConfigMap", place, "settings")["data"] == {"one": "x", "theirs": "x"}, "what Git dropped is gone"
    agent.until(lambda: agent.is_idle)
    since = agent.now()
    agent.push_and_wait(name, repository, {"README.md": "nothing of it"})
    assert [call for call in agent.about(place, since) if call.is_write] == []

    commit = agent.push(name, repository, {"a.yaml": None})
    agent.synced(name, commit)
    assert agent.find("ConfigMap", place, "settings") is None
