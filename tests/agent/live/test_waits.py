"""What an operation waits for, and what ends the wait."""

from __future__ import annotations

from tests.agent.live.harness import (
    Body,
    LiveAgent,
    conditions_of,
    config,
    is_settled,
    manifests,
    phase_of,
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


def message_of(body: Body) -> str:
    """What the operation says of itself."""
    return str((status_of(body).get("operationState") or {}).get("message", ""))


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
