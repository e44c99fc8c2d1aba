"""What an operation waits for, and what ends the wait."""

from __future__ import annotations

from tests.agent.live.harness import LiveAgent, conditions_of, config, is_settled, manifests, phase_of, status_of

WAVE = "argocd.argoproj.io/sync-wave"


def claim() -> dict[str, object]:
    """A claim that nothing ever fills."""
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                 "storageClassName": "none-such"},
    }  # fmt: skip


def test_a_new_commit_ends_the_wait_for_an_old_one(agent: LiveAgent, place: str) -> None:
    first = manifests(claim(), config("later", {WAVE: "1"}, colour="red"))
    repository = agent.repository({"app/all.yaml": first})
    agent.follow(repository, place, name := f"waits-{place}", source={"path": "app"})
    agent.wait(
        name, lambda body: "waiting for wave 0" in (status_of(body).get("operationState") or {}).get("message", "")
    )

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
