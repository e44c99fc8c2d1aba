"""What is tried again and again is tried at growing distance: a commit that fails, an object that somebody changes."""

from __future__ import annotations

from tests.agent.live.harness import Body, LiveAgent, config, deployment, manifests, phase_of, status_of, sync_of

FAILURES = "gitops-bot/failures"


def broken() -> Body:
    """What the API server never takes."""
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 1}}


def failures(body: Body) -> str:
    return body["metadata"].get("annotations", {}).get(FAILURES, "")


def test_a_commit_that_fails_is_tried_by_later_polls_and_a_new_one_begins_anew(own_agent: LiveAgent, place: str):
    agent, name = own_agent, f"shop-{place}"
    repository = agent.repository({"app.yaml": manifests(broken())})
    agent.start(poll=1.0)
    agent.follow(repository, place, name, policy={"automated": {}, "retry": {"limit": 0}})
    body = agent.wait(name, lambda body: failures(body) == "3")
    assert phase_of(body) == "Failed"
    agent.stop()  # how often it has failed outlives the process
    agent.change(name, {})
    agent.start(poll=1.0)
    agent.wait(name, lambda body: failures(body) == "4")

    agent.push(name, repository, {"app.yaml": manifests(broken(), config("more"))})
    agent.wait(name, lambda body: failures(body) == "1")
    commit = agent.push(name, repository, {"app.yaml": manifests(deployment("web"), config("more"))})
    assert failures(agent.synced(name, commit)) == ""


def test_what_somebody_changes_again_is_put_back_later_each_time_and_other_objects_at_once(agent, place):
    name = f"shop-{place}"
    repository = agent.repository({"app.yaml": manifests(config("fought", it="git"), config("other", it="git"))})
    agent.follow(repository, place, name)
    agent.synced(name, repository.git("rev-parse", "HEAD"))

    def value(of: str) -> str:
        return agent.get("ConfigMap", place, of)["data"]["it"]

    def change(of: str) -> int:
        mark = agent.apps.mark(name)
        agent.patch("ConfigMap", place, of, {"data": {"it": "mine"}})
        return mark

    for _ in range(3):  # at once, after two seconds, after six; the next one after eighteen
        change("fought")
        agent.until(lambda: value("fought") == "git", "put back")
    mark = change("fought")
    agent.apps.until(name, lambda body: sync_of(body) == "OutOfSync", since=mark)
    agent.until(lambda: agent.is_idle)
    assert value("fought") == "mine", "nothing is due yet"
    assert phase_of(agent.app(name)) == "Succeeded"

    change("other")
    agent.until(lambda: value("other") == "git", "put back")
    assert value("fought") == "mine", "each has its own distance"
    agent.until(lambda: value("fought") == "git", "in the end")
    assert len(status_of(agent.app(name))["history"]) == 1

    # With a new commit all of it is forgotten.
    agent.push_and_wait(name, repository, {"more.yaml": manifests(config("more"))})
    mark = change("fought")
    agent.apps.until(name, lambda body: sync_of(body) == "OutOfSync", since=mark)
    agent.until(lambda: agent.is_idle)
    assert value("fought") == "git", "at once"


def test_an_application_that_is_changed_while_it_is_synced_goes_on_as_it_is_now(agent, place):
    """It has not failed, so it waits for no later turn."""
    name = f"shop-{place}"
    claim: Body = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "no"},
    }  # fmt: skip
    repository = agent.repository({"app.yaml": manifests(claim, config("late", {"argocd.argoproj.io/sync-wave": "1"}))})

    def waits(body: Body) -> bool:
        return "waiting for wave 0" in (status_of(body).get("operationState") or {}).get("message", "")

    agent.follow(repository, place, name)
    agent.wait(name, waits)
    mark = agent.apps.mark(name)
    agent.change(name, {"spec": {"revisionHistoryLimit": 3}})
    agent.apps.until(name, lambda body: not waits(body), since=mark)
    agent.wait(name, lambda body: waits(body) and phase_of(body) == "Running")
    assert {phase_of(body) for body in agent.apps.states(name)[mark:]} == {"Running"}

    agent.change(name, {"spec": {"syncPolicy": {"automated": None}}})
    body = agent.wait(name, lambda body: phase_of(body) == "Failed")
    assert "automated syncs are switched off" in status_of(body)["operationState"]["message"]
