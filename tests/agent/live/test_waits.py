"""What an operation waits for, and what ends the wait."""

from __future__ import annotations

from gitops_bot.agent.reconcile.sync import Deadlines
from tests.agent.live.harness import (
    Body,
    LiveAgent,
    conditions_of,
    config,
    health_of,
    is_settled,
    manifests,
    phase_of,
    results_of,
    status_of,
)

WAVE = "argocd.argoproj.io/sync-wave"


def claim(name: str = "data") -> dict[str, object]:
    """A claim that nothing ever fills."""
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                 "storageClassName": "none-such"},
    }  # fmt: skip


def ingress(annotations: dict[str, str] | None = None) -> Body:
    """What is healthy once a load balancer has taken it, which a test plays."""
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rules = [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]
    metadata = {"name": "web", "annotations": annotations or {}}
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": {"rules": rules},
    }  # fmt: skip


def take(agent: LiveAgent, place: str, *addresses: str) -> None:
    """Have a load balancer take the Ingress, or without an address leave it again."""
    path = f"/apis/networking.k8s.io/v1/namespaces/{place}/ingresses/web/status"
    status = {"loadBalancer": {"ingress": [{"ip": each} for each in addresses] or None}}
    agent.plane.request("PATCH", path, {"status": status}, content_type="application/merge-patch+json")


def message_of(body: Body) -> str:
    """What the operation says of itself."""
    return str((status_of(body).get("operationState") or {}).get("message", ""))


def test_what_is_waited_for_is_named_and_told_as_it_is(agent: LiveAgent, place: str) -> None:
    repository = agent.repository({"all.yaml": manifests(claim(), config("later", {WAVE: "1"}))})
    agent.follow(repository, place, name := f"told-{place}")
    body = agent.wait(name, lambda body: "waiting for" in message_of(body))
    assert message_of(body) == f"waiting for wave 0: PersistentVolumeClaim/{place}/data to be healthy"
    found = {each["name"]: (each["status"], each["health"]["status"]) for each in status_of(body)["resources"]}
    assert found == {"data": ("Synced", "Progressing"), "later": ("OutOfSync", "Missing")}
    agent.forget(name)


def test_a_new_commit_ends_the_wait_for_an_old_one(agent: LiveAgent, place: str) -> None:
    first = manifests(claim(), config("later", {WAVE: "1"}, colour="red"))
    repository = agent.repository({"app/all.yaml": first})
    agent.follow(repository, place, name := f"waits-{place}", source={"path": "app"})
    agent.wait(name, lambda body: "waiting for wave 0" in message_of(body))

    # The claim stays, so nothing has to be pruned, but nobody waits for it any more.
    second = manifests(
        {**claim(), "metadata": {"name": "data", "annotations": {WAVE: "2"}}}, config("later", colour="blue")
    )
    commit = agent.push(name, repository, {"app/all.yaml": second})

    body = agent.wait(name, lambda body: phase_of(body) == "Succeeded")
    assert status_of(body)["operationState"]["syncResult"]["revision"] == commit
    assert agent.get("ConfigMap", place, "later")["data"] == {"colour": "blue"}


def test_an_operation_that_nothing_can_come_of_is_answered_once(agent: LiveAgent, place: str) -> None:
    repository = agent.repository({"app/all.yaml": manifests(config("settings"))})
    agent.follow(repository, place, name := f"refused-{place}", source={"path": "app"}, policy={})
    agent.wait(name, lambda body: status_of(body).get("sync"))
    agent.change(name, {"spec": {"project": "there-is-none"}})
    agent.wait(name, lambda body: "InvalidSpecError" in conditions_of(body))

    agent.ask(name)

    body = agent.wait(name, lambda body: phase_of(body) == "Error" and "operation" not in body)
    assert "there-is-none does not exist" in status_of(body)["operationState"]["message"]
    assert not is_settled(body, "")


def test_an_application_of_nothing_but_hooks_is_not_synced(agent: LiveAgent, place: str) -> None:
    job = {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "migrate", "annotations": {"argocd.argoproj.io/hook": "PreSync"}},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a:1"}]}}},
    }  # fmt: skip
    repository = agent.repository({"app/all.yaml": manifests(job)})
    agent.follow(repository, place, name := f"hooks-{place}", source={"path": "app"})

    body = agent.wait(name, lambda body: "InvalidSpecError" in conditions_of(body))

    assert status_of(body)["sync"]["status"] == "OutOfSync"
    assert agent.find("Job", place, "migrate") is None


def test_operations_that_wait_keep_no_other_application_waiting(agent: LiveAgent, place: str) -> None:
    """There are more of them than threads that work, and each of them may wait for ten minutes."""
    stuck = [f"stuck-{number}-{place}" for number in range(12)]
    files = {
        f"{name}/all.yaml": manifests(claim(name), config(f"{name}-later", {WAVE: "1"})) for name in stuck
    }  # fmt: skip
    repository = agent.repository(files)
    for name in stuck:
        agent.follow(repository, place, name, source={"path": name})
    for name in stuck:
        agent.wait(name, lambda body: "waiting for wave 0" in message_of(body))

    plain = agent.repository({"plain/all.yaml": manifests(config("plain"))})
    agent.follow(plain, place, name := f"plain-{place}", source={"path": "plain"})
    agent.synced(name, plain.git("rev-parse", "HEAD"))
    agent.push_and_wait(name, plain, {"plain/all.yaml": manifests(config("plain", colour="blue"))})

    assert agent.agent is not None
    assert agent.agent.problems == ()
    assert all(phase_of(agent.app(name)) == "Running" for name in stuck)
    assert not {f"{name}-later" for name in stuck} & {*agent.names("ConfigMap", place)}


def waits_or_has_ended(body: Body | None) -> bool:
    return body is not None and ("waiting for wave 0" in message_of(body) or phase_of(body) == "Succeeded")


def test_an_agent_that_goes_on_with_an_operation_waits_for_what_was_applied_before_it(
    own_agent: LiveAgent, place: str
) -> None:
    repository = own_agent.repository({"app/all.yaml": manifests(ingress(), config("later", {WAVE: "1"}))})
    own_agent.start()
    own_agent.follow(repository, place, name := f"app-{place}", source={"path": "app"})
    own_agent.wait(name, lambda body: "waiting for wave 0" in message_of(body))
    own_agent.stop()
    mark = own_agent.apps.mark(name)

    own_agent.start()
    body = own_agent.apps.until(name, waits_or_has_ended, since=mark)
    assert body is not None
    assert "waiting for wave 0" in message_of(body)
    assert own_agent.find("ConfigMap", place, "later") is None

    take(own_agent, place, "192.0.2.1")
    body = own_agent.synced(name, repository.git("rev-parse", "HEAD"))
    assert results_of(body) == {"Ingress/web": "Synced", "ConfigMap/later": "Synced"}
    assert message_of(body) == "applied 2"


def test_an_agent_that_goes_on_with_an_operation_waits_for_what_was_deleted_before_it(
    own_agent: LiveAgent, place: str
) -> None:
    kept = config("gone")
    kept["metadata"]["finalizers"] = ["example.org/keep"]
    files = {"app/gone.yaml": manifests(kept), "app/all.yaml": manifests(config("first"))}
    repository = own_agent.repository(files)
    own_agent.start()
    own_agent.follow(repository, place, name := f"app-{place}", source={"path": "app"})
    own_agent.synced(name, repository.git("rev-parse", "HEAD"))
    files = {"app/gone.yaml": None, "app/all.yaml": manifests(config("first"), config("later", {WAVE: "1"}))}
    commit = own_agent.push(name, repository, files)
    own_agent.wait(
        name, lambda body: message_of(body).startswith("waiting for ") and message_of(body).endswith(" to be gone")
    )
    own_agent.stop()
    mark = own_agent.apps.mark(name)

    own_agent.start()
    body = own_agent.apps.until(
        name, lambda body: body is not None and (message_of(body).startswith("waiting") or phase_of(body) == "Succeeded"),
        since=mark,
    )  # fmt: skip
    assert body is not None
    assert message_of(body).startswith("waiting for ") and message_of(body).endswith(" to be gone")
    assert own_agent.find("ConfigMap", place, "later") is None

    own_agent.patch("ConfigMap", place, "gone", {"metadata": {"finalizers": None}})
    body = own_agent.synced(name, commit)
    assert results_of(body) == {"ConfigMap/gone": "Pruned", "ConfigMap/later": "Synced"}


def test_a_commit_waits_for_what_the_one_before_it_has_applied(agent: LiveAgent, place: str) -> None:
    repository = agent.repository({"app/all.yaml": manifests(ingress(), config("later", {WAVE: "1"}))})
    agent.follow(repository, place, name := f"commits-{place}", source={"path": "app"})
    agent.wait(name, lambda body: "waiting for wave 0" in message_of(body))

    commit = agent.push(name, repository, {"app/all.yaml": manifests(ingress(), config("later", {WAVE: "1"}, a="b"))})
    body = agent.wait(
        name, lambda body: status_of(body)["operationState"]["syncResult"]["revision"] == commit and waits_or_has_ended(body)
    )  # fmt: skip
    assert "waiting for wave 0" in message_of(body)
    assert agent.find("ConfigMap", place, "later") is None

    take(agent, place, "192.0.2.1")
    agent.synced(name, commit)
    assert agent.get("ConfigMap", place, "later")["data"] == {"a": "b"}


def test_a_retry_waits_for_what_the_attempt_before_it_has_applied(own_agent: LiveAgent, place: str) -> None:
    repository = own_agent.repository({"app/all.yaml": manifests(ingress(), config("later", {WAVE: "1"}))})
    own_agent.start(deadlines=Deadlines(wave=1.0))
    retry = {"limit": 2, "backoff": {"duration": "100ms", "factor": 1}}
    own_agent.follow(
        repository,
        place,
        name := f"app-{place}",
        source={"path": "app"},
        policy={"automated": {"prune": True}, "retry": retry},
    )

    body = own_agent.wait(name, lambda body: phase_of(body) in ("Failed", "Succeeded"))
    assert "Ingress" in message_of(body)
    assert status_of(body)["operationState"]["retryCount"] == 2
    assert own_agent.find("ConfigMap", place, "later") is None


def test_a_correction_waits_for_nothing_that_it_does_not_correct(agent: LiveAgent, place: str) -> None:
    repository = agent.repository({"app/all.yaml": manifests(ingress(), config("later", {WAVE: "1"}))})
    agent.follow(repository, place, name := f"corrects-{place}", source={"path": "app"})
    agent.until_there("Ingress", place, "web")
    take(agent, place, "192.0.2.1")
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    take(agent, place)
    agent.wait(name, lambda body: health_of(body) == "Progressing" and phase_of(body) == "Succeeded")

    agent.delete("ConfigMap", place, "later")

    agent.until_there("ConfigMap", place, "later")
