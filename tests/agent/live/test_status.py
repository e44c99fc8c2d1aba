"""What an Application's object says once it is synced: all of Argo CD's fields, and what an ApplySet's parent has."""

from __future__ import annotations

import re
from typing import Any

from gitops_bot import __version__
from gitops_bot.agent.ownership.identity import App
from tests.agent.live.harness import LiveAgent, config, deployment, manifests, phase_of, status_of, sync_of

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
CHART = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"


def timeless(value: Any) -> Any:
    """With a word in the place of each moment."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items()}
    if isinstance(value, list):
        return [timeless(item) for item in value]
    return "TIME" if isinstance(value, str) and TIME.fullmatch(value) else value


def test_a_synced_application_says_all_of_it(agent: LiveAgent, place: str) -> None:
    name = f"shop-{place}"
    template = manifests(config("settings", {"argocd.argoproj.io/sync-wave": "-1"}, it="1"), deployment("web"))
    repository = agent.repository({"shop/Chart.yaml": CHART, "shop/templates/all.yaml": template})
    commit = repository.git("rev-parse", "HEAD")
    source = {"repoURL": repository.url, "targetRevision": "main", "path": "shop"}
    destination = {"server": "https://kubernetes.default.svc", "namespace": place}
    rules = [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}]
    agent.follow(repository, place, name, source=source, ignoreDifferences=rules)

    body = agent.synced(name, commit)

    by_itself = {"automated": True}
    common = {"version": "v1", "namespace": place}
    settings, web = {**common, "kind": "ConfigMap", "name": "settings"}, {**common, "kind": "Deployment", "name": "web"}
    result = {"message": "created", "status": "Synced", "syncPhase": "Sync"}
    assert timeless(status_of(body)) == {
        "sync": {
            "status": "Synced", "revision": commit,
            "comparedTo": {"source": source, "destination": destination, "ignoreDifferences": rules},
        },
        "health": {"status": "Healthy", "lastTransitionTime": "TIME"},
        "operationState": {
            "operation": {"sync": {"revision": commit, "prune": True}, "initiatedBy": by_itself},
            "phase": "Succeeded", "message": "applied 2", "startedAt": "TIME", "finishedAt": "TIME",
            "syncResult": {
                "revision": commit, "source": source,
                "resources": [{"group": "", **settings, **result}, {"group": "apps", **web, **result}],
            },
        },
        "history": [{
            "id": 0, "revision": commit, "source": source, "deployStartedAt": "TIME", "deployedAt": "TIME",
            "initiatedBy": by_itself,
        }],
        "resources": [
            {**settings, "status": "Synced", "syncWave": -1},
            {"group": "apps", **web, "status": "Synced", "health": {"status": "Healthy"}},
        ],
        "reconciledAt": "TIME",
        "sourceType": "Helm",
        "summary": {"images": ["example.org/web:1"]},
    }  # fmt: skip

    metadata = body["metadata"]
    app = App(name, agent.namespace)
    assert metadata["labels"] == {"applyset.kubernetes.io/id": app.id}
    told = {key: text for key, text in metadata["annotations"].items() if not key.startswith("gitops-bot/")}
    assert told == {
        "applyset.kubernetes.io/tooling": f"gitops-bot/v{__version__}",
        "applyset.kubernetes.io/contains-group-kinds": "ConfigMap,Deployment.apps",
        "applyset.kubernetes.io/additional-namespaces": place,
    }
    for kind, object_ in (("ConfigMap", "settings"), ("Deployment", "web")):
        marks = agent.get(kind, place, object_)["metadata"]
        assert marks["labels"]["applyset.kubernetes.io/part-of"] == app.id


def test_several_sources_are_told_in_their_order(agent: LiveAgent, place: str) -> None:
    name = f"shop-{place}"
    one = agent.repository({"one.yaml": manifests(config("one"))})
    two = agent.repository({"Chart.yaml": CHART, "templates/two.yaml": manifests(config("two"))})
    sources = [{"repoURL": each.url, "targetRevision": "main", "path": "."} for each in (one, two)]
    agent.follow(one, place, name, sources=sources)
    agent.change(name, {"spec": {"source": None}})

    body = agent.wait(name, lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")

    status, commits = status_of(body), [each.git("rev-parse", "HEAD") for each in (one, two)]
    assert (status["sync"]["revisions"], status["sync"]["comparedTo"]["sources"]) == (commits, sources)
    assert "revision" not in status["sync"]
    (entry,) = status["history"]
    assert (entry["revisions"], entry["sources"]) == (commits, sources)
    assert status["operationState"]["syncResult"]["revisions"] == commits
    assert status["sourceTypes"] == ["Directory", "Helm"]
