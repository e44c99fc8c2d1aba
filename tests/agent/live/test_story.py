"""The product's story in the cluster, steps 3 to 5, and what a learner of GitOps tries first, on the example itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gitops_bot.agent.loop.definitions import Origin
from tests.agent.live.harness import LiveAgent, Repository, copied, health_of, phase_of, status_of, sync_of

APP = "churn-mlops-staging"
VALUES = "k8s/helm/churn-mlops/values-staging.yaml"
_EXAMPLE = Path(__file__).parents[3] / "examples" / "churn-mlops"


@pytest.fixture
def staging(own_agent: LiveAgent, alone: None) -> Iterator[tuple[LiveAgent, Repository]]:
    """The example's repository, and a cluster whose agent follows ``argocd/staging`` of it."""
    url = f"{own_agent.url}/{own_agent.namespace}/churn-mlops-prod"
    (own_agent.served / own_agent.namespace).mkdir()
    repository = own_agent.repository(
        copied(_EXAMPLE, [("https://github.com/acme/churn-mlops-prod", url)]),
        f"{own_agent.namespace}/churn-mlops-prod",
    )
    own_agent.until_gone("Namespace", "", APP)  # another worker's, on its way
    yield own_agent, repository
    own_agent.stop()
    take_out(own_agent)


def start(agent: LiveAgent, repository: Repository) -> None:
    agent.start(origin=Origin(repository.url, "argocd/staging", "main"), poll=1.0)


def take_out(agent: LiveAgent) -> None:
    """Take everything out of the cluster that the agent has made."""
    for kind in ("Application", "AppProject"):
        for name in agent.names(kind, agent.namespace):
            agent.delete(kind, agent.namespace, name)
    agent.delete("Deployment", APP, "churn-api")
    agent.until(lambda: not agent.names("Pod", APP), "no pods")  # which a namespace waits for with long pauses
    agent.delete("Namespace", "", APP)


def edited(repository: Repository, old: str, new: str) -> dict[str, str]:
    text = (repository.path / VALUES).read_text()
    assert old in text
    return {VALUES: text.replace(old, new)}


def pods(agent: LiveAgent) -> list[str]:
    """The pods of the API that run and are not about to go."""
    return [
        each["metadata"]["name"]
        for each in agent.all("Pod", APP)
        if each["metadata"]["name"].startswith("churn-api-")
        and each["status"].get("phase") == "Running"
        and "deletionTimestamp" not in each["metadata"]
    ]


def replicas(agent: LiveAgent, namespace: str = APP) -> int:
    return agent.get("Deployment", namespace, "churn-api")["spec"]["replicas"]


def test_the_five_things_that_a_learner_tries_first_just_work(staging):
    agent, repository = staging
    start(agent, repository)
    first = repository.git("rev-parse", "HEAD")
    agent.synced(APP, first)
    agent.until(lambda: len(pods(agent)) == 2, "two pods")

    # 1. replicaCount 2 → 3 in Git: OutOfSync, then Synced, and three pods.
    mark = agent.apps.mark(APP)
    three = repository.push(edited(repository, "replicaCount: 2", "replicaCount: 3"), "feat: three replicas")
    body = agent.synced(APP, three)
    since = [state for state in agent.apps.states(APP)[mark:] if status_of(state)["sync"]["revision"] == three]
    seen = [(sync_of(state), phase_of(state)) for state in since]
    assert seen[0][0] == "OutOfSync"
    assert seen.index(("OutOfSync", "Running")) < seen.index(("Synced", "Succeeded"))
    agent.until(lambda: len(pods(agent)) == 3, "three pods")
    assert health_of(body) == "Healthy"

    # 2. The change in Git is auditable: who, what, when, why; the one by hand leaves nothing but a correction.
    assert repository.git("log", "-1", "--format=%an: %s", "--", VALUES) == "Ada Tester: feat: three replicas"
    assert status_of(body)["history"][-1]["revision"] == three
    history = len(status_of(body)["history"])

    # 3. kubectl scale to 10: back to what Git says.
    mark = agent.apps.mark(APP)
    agent.patch("Deployment", APP, "churn-api", {"spec": {"replicas": 10}}, "kubectl", sub="/scale")
    agent.until(lambda: replicas(agent) == 3, "the number of Git again")
    agent.apps.until(APP, lambda state: sync_of(state) == "OutOfSync", since=mark)
    healed = agent.synced(APP, three)
    agent.until(lambda: len(pods(agent)) == 3, "three pods again")
    assert len(status_of(healed)["history"]) == history, "a correction is no deployment"

    # 5. git revert HEAD && git push: the replicas go back by themselves.
    repository.git("revert", "--no-edit", "HEAD")
    repository.git("push", "--quiet", "origin", "HEAD:main")
    reverted = repository.git("rev-parse", "HEAD")
    body = agent.synced(APP, reverted)
    assert replicas(agent) == 2
    agent.until(lambda: len(pods(agent)) == 2, "two pods again")

    # 4. git log --graph of the values file reads as the deployment history, and each entry is a commit of it, in order.
    log = repository.git("log", "--graph", "--format=%H %s", "--", VALUES).splitlines()
    assert [line.partition(" ")[2].partition(" ")[2] for line in log] == [
        'Revert "feat: three replicas"', "feat: three replicas", "first",
    ]  # fmt: skip
    told = [entry["revision"] for entry in status_of(body)["history"]]
    assert told == [line.split()[1] for line in reversed(log)] == [first, three, reverted]


def test_an_empty_cluster_becomes_the_same_again(staging):
    agent, repository = staging
    start(agent, repository)
    three = repository.push(edited(repository, "replicaCount: 2", "replicaCount: 3"), "feat: three replicas")
    agent.synced(APP, three)
    before = everything(agent)
    agent.stop()
    take_out(agent)
    agent.until_gone("Namespace", "", APP)
    assert agent.names("Application", agent.namespace) == []

    mark = agent.apps.mark(APP)
    start(agent, repository)
    agent.apps.until(APP, lambda body: body is not None and sync_of(body) == "Synced", since=mark)
    agent.synced(APP, three)
    assert everything(agent) == before
    agent.until(lambda: len(pods(agent)) == 3, "three pods")


def everything(agent: LiveAgent) -> dict[str, object]:
    """What the cluster has of the Application, without what every new object has of its own."""
    found = {}
    for kind in ("Deployment", "Service", "ServiceAccount", "ConfigMap", "CronJob", "Application", "AppProject"):
        for body in agent.all(kind, agent.namespace if kind.startswith("App") else APP):
            metadata = body["metadata"]
            spec = body.get("spec", body.get("data"))
            if kind == "Service":
                spec = {key: value for key, value in spec.items() if not key.startswith("clusterIP")}
            annotations = metadata.get("annotations")
            found[kind, metadata["name"]] = (metadata.get("labels"), annotations, spec)
    return found


def test_without_prune_what_left_git_stays_and_manual_edits_are_still_reverted(agent, place):
    spec = yaml.safe_load((_EXAMPLE / "argocd" / "staging" / "application.yaml").read_text())["spec"]
    assert spec["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    policy = {**spec["syncPolicy"], "automated": {"prune": False, "selfHeal": True}}
    repository = agent.repository(copied(_EXAMPLE))
    source = {key: spec["source"][key] for key in ("path", "helm")}
    agent.follow(repository, place, APP, source=source, policy=policy)
    agent.synced(APP, repository.git("rev-parse", "HEAD"))

    commit = agent.push(APP, repository, {"k8s/helm/churn-mlops/templates/service.yaml": None})
    body = agent.wait(APP, lambda body: sync_of(body) == "OutOfSync" and status_of(body)["sync"]["revision"] == commit)
    service = next(each for each in status_of(body)["resources"] if each["kind"] == "Service")
    assert (service["status"], service["requiresPruning"]) == ("OutOfSync", True)
    agent.patch("Deployment", place, "churn-api", {"spec": {"replicas": 10}}, "kubectl", sub="/scale")
    agent.until(lambda: replicas(agent, place) == 2, "the number of Git again")
    assert agent.find("Service", place, "churn-api") is not None
    assert sync_of(agent.app(APP)) == "OutOfSync"
