"""``agent run`` as a process: once, for long, two of them, stopped, killed, and where it cannot work."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.live.harness import LiveAgent, Repository, config, deployment, manifests, phase_of, sync_of
from tests.agent.live.program import Programs, definition, programs
from tests.controlplane.plane import ControlPlane


@pytest.fixture
def run(own_agent: LiveAgent, tmp_path: Path) -> Iterator[Programs]:
    with programs(own_agent, tmp_path) as made:
        yield made


@pytest.fixture
def repository(own_agent: LiveAgent, place: str) -> Repository:
    """A repository that defines one Application, ``shop``, of one ConfigMap."""
    made = own_agent.repository({"shop/all.yaml": manifests(config("settings", colour="red"))})
    made.push(definition(made, place, "shop", "shop"))
    return made


def lease_path(agent: LiveAgent) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{agent.namespace}/leases/gitops-bot"


def lease(agent: LiveAgent) -> dict[str, Any]:
    return agent.plane.request("GET", lease_path(agent))["spec"]


# -- once -------------------------------------------------------------------------------------------------------------


def test_once_does_what_is_due_and_ends(run, own_agent, repository, place):
    program = run.run("--once", repository=repository)
    assert program.end() == 0, program.said
    assert own_agent.get("ConfigMap", place, "settings")["data"] == {"colour": "red"}
    assert sync_of(own_agent.app("shop")) == "Synced"
    assert lease(own_agent)["holderIdentity"] == ""
    assert program.lines[-1]["msg"] == "1 Applications are synced"
    assert all({"time", "level", "logger", "msg"} <= set(line) for line in program.lines)

    again = own_agent.now()
    assert run.run("--once", repository=repository).end() == 0
    # Of all that is there, only the definition is applied again, and that changes nothing.
    written = [call for call in own_agent.calls(again) if call.is_write and call.resource != "leases"]
    assert [(call.resource, "fieldManager=gitops-bot&" in call.uri) for call in written] == [("applications", True)]


@pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="the environment of other processes is read in /proc"
)
def test_what_renders_has_nothing_of_the_agents_environment(run, own_agent, repository, place):
    secret = {"GITHUB_TOKEN": "x", "KUBECONFIG": "/nowhere", "HELM_DRIVER": "secret", "AWS_SECRET_ACCESS_KEY": "x"}
    program = run.run(repository=repository, environment=secret)
    own_agent.wait("shop", lambda body: sync_of(body) == "Synced")
    ((_, names),) = [pair for pair in program.children.items() if " agent render " in pair[0]]
    proxies = {"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"}
    trust = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO"}
    assert names <= {"PATH", "HOME", "LANG", "GITOPS_BOT_TOOLS", *proxies, *trust}


def test_a_cache_is_made_where_there_is_none(run, own_agent, repository, tmp_path):
    program = run.run("--once", "--cache", "new/cache", repository=repository)
    assert program.end() == 0, program.said
    assert any((tmp_path / "program-0/new/cache").iterdir())


def test_a_cache_that_cannot_be_a_directory_is_named(run, own_agent, repository, tmp_path):
    (tmp_path / "taken").write_text("")
    program = run.run("--once", "--cache", str(tmp_path / "taken"), repository=repository)
    assert program.end() == 2, program.said
    assert f"--cache {tmp_path / 'taken'} cannot be used: " in program.said


def test_once_tells_by_its_exit_code_that_something_is_not_synced(run, own_agent, repository, place):
    wrong = config("settings", colour="red") | {"metadata": {"name": "Not A Name"}}
    repository.push({"shop/all.yaml": manifests(wrong), **definition(repository, place, "other", "nowhere")})
    program = run.run("--once", repository=repository)
    assert program.end() == 10, program.said
    error, *named, hint = program.errors.read_text().splitlines()
    assert error == "error: not everything is synced"
    assert [line.partition(": ")[0] for line in named] == ["  other", "  shop"]
    assert hint == "next: `gitops-bot agent status APP` says more"


def test_an_application_that_is_gone_and_in_git_comes_back(run, own_agent, repository, place):
    run.run("--poll", "1s", repository=repository)
    own_agent.wait("shop", lambda body: sync_of(body) == "Synced")
    before = own_agent.get("ConfigMap", place, "settings")["metadata"]
    own_agent.delete("Application", own_agent.namespace, "shop")
    own_agent.until(lambda: own_agent.find("Application", own_agent.namespace, "shop"), "made anew")
    own_agent.until(lambda: sync_of(own_agent.app("shop")) == "Synced", "synced")
    after = own_agent.get("ConfigMap", place, "settings")["metadata"]
    assert (after["uid"], after["resourceVersion"]) == (before["uid"], before["resourceVersion"])


def test_once_tells_of_an_object_that_another_application_has(run, own_agent, repository, place):
    repository.push(definition(repository, place, "twin", "shop"))
    program = run.run("--once", repository=repository)
    assert program.end() == 10, program.said
    told = program.errors.read_text()
    # Both begin together: the second one sees whose it is, or meets the first one's write.
    assert re.search(r"/settings .*(belongs to|was taken by) \S.* left alone", told), told


# -- where it cannot work ---------------------------------------------------------------------------------------------


def test_a_start_without_a_cluster_says_what_to_do(run, tmp_path):
    nowhere = tmp_path / "nowhere"
    for options, told in (
        (["--kubeconfig", str(nowhere)], "next: give --kubeconfig FILE, or run it in a pod with a service account"),
        (["--poll", "soon"], "next: write 180s or 5m"),
        (["--listen", "8080"], "next: write :8080 or 127.0.0.1:8080"),
    ):
        program = run.run(*options)
        assert program.end() == (2 if "--kubeconfig" not in options else 9), program.said
        assert told in program.errors.read_text()


def test_a_start_without_rights_names_what_is_missing(run, own_agent, plane, tmp_path):
    account = f"/api/v1/namespaces/{own_agent.namespace}/serviceaccounts"
    plane.request("POST", account, {"metadata": {"name": "nobody"}})
    token = plane.request(
        "POST",
        f"{account}/nobody/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )["status"]["token"]
    kubeconfig = plane.write_kubeconfig(tmp_path / "nobody.kubeconfig", token)
    program = run.run("--kubeconfig", str(kubeconfig))
    assert program.end() == 9
    error, hint = program.errors.read_text().splitlines()
    assert "cannot list resource" in error
    assert hint == "next: give its account the rights of deploy/rbac.yaml"


def test_a_port_that_is_taken_is_told(run, server):
    program = run.run("--listen", f"127.0.0.1:{server.port}")
    assert program.end() == 2
    assert "cannot be listened on" in program.errors.read_text()


# -- two of them ------------------------------------------------------------------------------------------------------


def writes(plane: ControlPlane, agent: LiveAgent, since: int) -> list[tuple[str, str]]:
    """Who wrote what, of two agents with one account, in order: name of the pod, and what."""
    found = []
    with plane.audit_log.open("rb") as log:
        log.seek(since)
        for line in log:
            told = json.loads(line)
            if told["user"]["username"] != agent.account or told["verb"] in ("get", "list", "watch"):
                continue
            about = told.get("objectRef") or {}
            if about.get("resource") == "leases" or "dryRun" in told["requestURI"]:
                continue
            pod = told["userAgent"].partition("(")[2].partition("_")[0]
            found.append(
                (told["requestReceivedTimestamp"], pod, f"{told['verb']} {about.get('resource')}/{about.get('name')}")
            )
    return [(pod, what) for _, pod, what in sorted(found)]


def test_of_two_agents_one_writes_and_the_other_takes_over_when_it_is_killed(run, own_agent, repository, place, plane):
    since = own_agent.now()
    first = run.run(repository=repository, name="first")
    first.told("this agent leads")
    second = run.run(repository=repository, name="second")
    second.told("listening on port")
    own_agent.until(lambda: second.ask("/readyz") == (200, "ok, waiting to lead\n"), "the second is ready")
    own_agent.until_there("ConfigMap", place, "settings")
    own_agent.wait("shop", lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")

    first.kill()
    own_agent.delete("ConfigMap", place, "settings")
    shortened = {"spec": {"leaseDurationSeconds": 3}}  # what the second one waits for, without a sign of life
    own_agent.plane.request("PATCH", lease_path(own_agent), shortened, content_type="application/merge-patch+json")
    own_agent.until_there("ConfigMap", place, "settings")
    second.told("this agent leads")
    writers = [pod for pod, _ in writes(plane, own_agent, since)]
    assert set(writers) == {"first", "second"}
    assert writers == sorted(writers)  # all of the one, then all of the other
    assert lease(own_agent)["leaseTransitions"] == 1


# -- stopped ----------------------------------------------------------------------------------------------------------


def test_a_stop_leaves_an_operation_to_who_comes_next(run, own_agent, repository, place):
    """A first wave that never gets healthy: nobody has a node for its pods."""
    stuck = deployment("web")
    stuck["spec"]["template"]["spec"]["nodeSelector"] = {"nobody": "has-it"}
    late = config("late", annotations={"argocd.argoproj.io/sync-wave": "1"}, a="b")
    commit = repository.push({"shop/all.yaml": manifests(stuck, late)})
    program = run.run(repository=repository)
    own_agent.wait("shop", lambda body: "waiting for wave 0" in str(body.get("status", {}).get("operationState")))

    program.signal(signal.SIGTERM)
    assert program.end() == 0, program.said
    state = own_agent.app("shop")["status"]["operationState"]
    assert (state["phase"], state["message"]) == ("Running", "interrupted, and goes on when an agent runs again")
    assert "finishedAt" not in state
    assert lease(own_agent)["holderIdentity"] == ""
    assert own_agent.app("shop")["status"]["sync"]["revision"] == commit

    del stuck["spec"]["template"]["spec"]["nodeSelector"]
    mended = repository.push({"shop/all.yaml": manifests(stuck, late)})
    assert run.run("--once", repository=repository).end() == 0
    own_agent.get("ConfigMap", place, "late")
    assert own_agent.app("shop")["status"]["history"][-1]["revision"] == mended


def test_a_second_signal_ends_it_at_once(run, own_agent, repository):
    program = run.run(repository=repository)
    program.told("this agent leads")
    program.signal(signal.SIGINT)
    program.signal(signal.SIGINT)
    assert program.end() in (0, 130)
