"""What must not be deleted is not, whatever Git, labels, people or races say, and what must is; each with its reason."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitops_bot.agent.loop.definitions import Origin
from gitops_bot.agent.ownership.identity import PART_OF, TRACKING_ID, App
from gitops_bot.agent.rules.guards import APPROVED
from tests.agent.live.harness import (
    Body,
    LiveAgent,
    Repository,
    conditions_of,
    config,
    manifests,
    phase_of,
    resources_of,
    status_of,
    sync_of,
)

HELD = "PruneHeldWarning"


def name_of(agent: LiveAgent) -> str:
    return f"app-{secrets.token_hex(3)}"


def configs(count: int) -> dict[str, str]:
    """Files with one ConfigMap each."""
    return {f"cm-{number:02}.yaml": manifests(config(f"cm-{number:02}", it="1")) for number in range(count)}


def without(count: int, of: int) -> dict[str, str | None]:
    """The removal of the first ``count`` of them."""
    return dict.fromkeys([f"cm-{number:02}.yaml" for number in range(of)][:count])


def secret(name: str, it: str) -> Body:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"it": it}}


def there(agent: LiveAgent, place: str, kind: str = "ConfigMap") -> set[str]:
    return {
        each["metadata"]["name"]
        for each in agent.all(kind, place)
        if each["metadata"]["name"] != "kube-root-ca.crt" and "deletionTimestamp" not in each["metadata"]
    }


def installed(agent: LiveAgent, place: str, files: dict[str, Any], **follow: Any) -> tuple[str, Repository]:
    """An Application that is synced."""
    name, repository = name_of(agent), agent.repository(files)
    agent.follow(repository, place, name, **follow)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    return name, repository


def held(agent: LiveAgent, name: str, commit: str, words: str) -> Body:
    """Wait until the prune of a commit is held for a reason."""
    return agent.wait(
        name,
        lambda body: (
            status_of(body).get("sync", {}).get("revision") == commit and words in conditions_of(body).get(HELD, "")
        ),
    )


PVC = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
STATEFUL = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db"},
    "spec": {
        "serviceName": "db",
        "replicas": 0,
        "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {"containers": [{"name": "db", "image": "example.org/db:1"}]},
        },
    },
}


def definition(group: str) -> Body:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        },
    }


# -- guards -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gone", "of", "is_held"), [(11, 15, True), (11, 22, False), (9, 12, False)])
def test_more_than_half_and_more_than_ten(agent, place, gone, of, is_held):
    name, repository = installed(agent, place, configs(of))
    commit = agent.push(name, repository, without(gone, of))
    if is_held:
        held(agent, name, commit, f"{gone} of {of} objects would go")
        assert len(there(agent, place)) == of
        agent.approve(name)
    agent.synced(name, commit)
    assert len(there(agent, place)) == of - gone


@pytest.mark.parametrize("kind", ["Namespace", "CustomResourceDefinition", "PersistentVolumeClaim", "StatefulSet"])
def test_what_takes_data_along_is_asked_for(agent, place, kind):
    unique = secrets.token_hex(3)
    bodies: dict[str, Body] = {
        "Namespace": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"more-{unique}"}},
        "CustomResourceDefinition": definition(f"g{unique}.example.org"),
        "PersistentVolumeClaim": PVC,
        "StatefulSet": STATEFUL,
    }
    body = bodies[kind]
    clustered = kind in ("Namespace", "CustomResourceDefinition")
    files = {"a.yaml": manifests(config("a", it="1")), "precious.yaml": manifests(body)}
    name, repository = name_of(agent), agent.repository(files)
    agent.follow(repository, place, name)
    agent.wait(name, lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")
    commit = agent.push(name, repository, {"precious.yaml": None, "a.yaml": manifests(config("a", it="2"))})
    told = held(agent, name, commit, kind)
    assert (phase_of(told), len(status_of(told)["history"])) == ("Succeeded", 1), "no operation is begun for it"
    where = "" if clustered else place
    assert "deletionTimestamp" not in agent.get(kind, where, body["metadata"]["name"])["metadata"]
    assert agent.get("ConfigMap", place, "a")["data"] == {"it": "1"}  # half of a commit is no better
    agent.approve(name)
    agent.until(
        lambda: (
            "deletionTimestamp"
            in (
                (agent.find(kind, where, body["metadata"]["name"]) or {"metadata": {"deletionTimestamp": 1}})[
                    "metadata"
                ]
            )
        ),
        "it goes",
    )


def test_nothing_in_git_any_more_deletes_nothing(agent, place):
    name, repository = installed(agent, place, configs(2))
    commit = agent.push(name, repository, {**without(2, 2), "README.md": "empty"})
    held(agent, name, commit, "Git has no object any more")
    assert len(there(agent, place)) == 2
    agent.approve(name)
    agent.until(lambda: not there(agent, place), "all are gone")


@pytest.mark.parametrize(
    ("loosening", "gone", "words"),
    [
        ({"metadata": {"annotations": {"gitops-bot/prune-guard-objects": "1000"}}}, 12, "12 of 15 objects would go"),
        ({"metadata": {"annotations": {"gitops-bot/prune-guard-percent": "100"}}}, 12, "12 of 15 objects would go"),
        (
            {"spec": {"syncPolicy": {"automated": {"prune": True, "selfHeal": True, "allowEmpty": True}}}},
            15,
            "Git has no object any more",
        ),
        ({"metadata": {"annotations": {APPROVED: "NOW"}}}, 12, "12 of 15 objects would go"),
        ({"metadata": {"annotations": {"gitops-bot/prune-guard": '{"percent":100,"objects":1000,"allow_empty":true}'}}}, 12, "12 of"),
    ],
)  # fmt: skip
def test_a_commit_does_not_loosen_its_own_guard(own_agent, place, loosening, gone, words):
    agent, name = own_agent, name_of(own_agent)
    url = f"{agent.url}/{agent.namespace}"
    body = application(name, url, place)
    files = {f"k8s/{file}": text for file, text in configs(15).items()} | {
        "k8s/README.md": "",
        "apps/a.yaml": json.dumps(body),
    }
    repository = agent.repository(files, agent.namespace)
    agent.start(origin=Origin(repository.url, "apps", "main"), poll=1.0)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    soon = (datetime.now(UTC) + timedelta(seconds=40)).strftime("%Y-%m-%dT%H:%M:%SZ")
    loose = json.loads(json.dumps(merged(body, loosening)).replace("NOW", soon))
    removal = {f"k8s/{file}": None for file in without(gone, 15)}
    commit = repository.push({**removal, "apps/a.yaml": json.dumps(loose)})
    held(agent, name, commit, words)
    second = repository.push({"k8s/README.md": "another commit does not either, while it is held"})
    held(agent, name, second, words)
    assert len(there(agent, place)) == 15
    agent.approve(name)
    agent.until(lambda: len(there(agent, place)) == 15 - gone, "they go")


def test_looser_limits_count_from_the_next_commit_on(own_agent, place):
    agent, name = own_agent, name_of(own_agent)
    body = application(name, f"{agent.url}/{agent.namespace}", place)
    files = {f"k8s/{file}": text for file, text in configs(15).items()} | {"apps/a.yaml": json.dumps(body)}
    repository = agent.repository(files, agent.namespace)
    agent.start(origin=Origin(repository.url, "apps", "main"), poll=1.0)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    loose = merged(body, {"metadata": {"annotations": {"gitops-bot/prune-guard-objects": "1000"}}})
    agent.synced(name, repository.push({"apps/a.yaml": json.dumps(loose)}))
    agent.until(
        lambda: '"objects":1000' in agent.app(name)["metadata"]["annotations"].get("gitops-bot/prune-guard", ""),
        "it is known as the last synced one",
    )
    commit = repository.push({f"k8s/{file}": None for file in without(12, 15)})
    agent.synced(name, commit)
    assert len(there(agent, place)) == 3


def test_an_option_that_kept_objects_is_not_taken_away_with_them(own_agent, place):
    agent, name = own_agent, name_of(own_agent)
    body = application(name, f"{agent.url}/{agent.namespace}", place)
    body["spec"]["syncPolicy"]["syncOptions"] = ["Prune=false"]
    files = {f"k8s/{file}": text for file, text in configs(3).items()} | {"apps/a.yaml": json.dumps(body)}
    repository = agent.repository(files, agent.namespace)
    agent.start(origin=Origin(repository.url, "apps", "main"), poll=1.0)
    agent.synced(name, repository.git("rev-parse", "HEAD"))
    del body["spec"]["syncPolicy"]["syncOptions"]
    commit = repository.push({"k8s/cm-00.yaml": None, "apps/a.yaml": json.dumps(body)})
    held(agent, name, commit, "kept by its option Prune")
    assert len(there(agent, place)) == 3
    agent.approve(name)
    agent.synced(name, commit)
    assert len(there(agent, place)) == 2


def application(name: str, url: str, place: str) -> Body:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "targetRevision": "main", "path": "k8s"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": place},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }


def merged(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{key: merged(one.get(key), value) for key, value in other.items()}}
    return other


@pytest.mark.parametrize("shift", [timedelta(hours=-1), timedelta(hours=1)])
def test_an_approval_of_another_time_is_none(agent, place, shift):
    name, repository = installed(agent, place, configs(2))
    commit = agent.push(name, repository, {**without(2, 2), "README.md": ""})
    held(agent, name, commit, "Git has no object any more")
    when = (datetime.now(UTC) + shift).strftime("%Y-%m-%dT%H:%M:%SZ")
    agent.change(name, {"metadata": {"annotations": {APPROVED: when}}})
    agent.refresh(name)
    agent.wait(name, lambda body: "argocd.argoproj.io/refresh" not in body["metadata"]["annotations"])
    agent.wait(name, lambda body: HELD in conditions_of(body))
    assert len(there(agent, place)) == 2


def test_an_approval_counts_for_what_was_seen_and_nothing_else(agent, place):
    files = {**configs(2), "data.yaml": manifests(PVC), "db.yaml": manifests(STATEFUL)}
    name, repository = name_of(agent), agent.repository(files)
    agent.follow(repository, place, name, policy={"automated": {"prune": True}, "syncOptions": ["PruneLast=true"]})
    agent.wait(name, lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")
    agent.change(name, {"spec": {"syncPolicy": {"automated": {"enabled": False, "prune": True}}}})
    commit = agent.push(name, repository, {"data.yaml": None})
    held(agent, name, commit, "PersistentVolumeClaim/")
    agent.approve(name)
    agent.wait(name, lambda body: HELD not in conditions_of(body))
    commit = agent.push(name, repository, {"db.yaml": None})
    body = held(agent, name, commit, "StatefulSet")
    assert any("PersistentVolumeClaim" in each["message"] for each in status_of(body)["conditions"])
    agent.ask(name, prune=True)
    agent.wait(name, lambda body: phase_of(body) == "Failed" and "operation" not in body)
    assert there(agent, place, "StatefulSet") == {"db"}
    assert there(agent, place, "PersistentVolumeClaim") == {"data"}


# -- whose it is ------------------------------------------------------------------------------------------------------


def test_copies_of_our_marks_are_nobodys_to_prune(agent, place):
    name, repository = installed(agent, place, configs(2))
    app = App(name, agent.namespace)
    marks = agent.get("ConfigMap", place, "cm-00")["metadata"]

    def copy(object_: str, kind: str = "ConfigMap", **changed: str) -> None:
        annotations = {TRACKING_ID: changed.get("id_", marks["annotations"][TRACKING_ID])}
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": object_, "labels": {PART_OF: app.id}, "annotations": annotations}}  # fmt: skip
        agent.create(body, place)

    copy("another-name")
    copy("cm-00", "Secret")
    copy("label-only", id_="")
    copy("another-app", id_=f"someone:/ConfigMap:{place}/another-app")
    owner = agent.get("ConfigMap", place, "cm-01")
    owned: Body = config("owned", it="1")
    owned["metadata"] |= {
        "labels": {PART_OF: app.id},
        "annotations": {TRACKING_ID: f"{name}:/ConfigMap:{place}/owned"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "cm-01", "uid": owner["metadata"]["uid"]}],
    }  # fmt: skip
    agent.create(owned, place)
    # The twin: everything about it says that it is ours.
    stray: Body = config("stray", it="1")
    stray["metadata"] |= {"labels": {PART_OF: app.id}, "annotations": {TRACKING_ID: f"{name}:/ConfigMap:{place}/stray"}}
    agent.create(stray, place)
    commit = agent.push(name, repository, {"cm-00.yaml": None})
    agent.synced(name, commit)
    assert there(agent, place) == {"cm-01", "another-name", "label-only", "another-app", "owned"}
    assert "cm-00" in there(agent, place, "Secret")


def test_a_name_that_was_used_before_takes_nothing_along(agent, place):
    name, _ = installed(agent, place, configs(3))
    agent.forget(name)
    agent.until_gone("Application", agent.namespace, name)
    other = agent.repository({"other.yaml": manifests(config("other", it="1"))})
    agent.follow(other, place, name)
    held(agent, name, other.git("rev-parse", "HEAD"), "an earlier Application of this name left")
    assert there(agent, place) == {"cm-00", "cm-01", "cm-02"}
    agent.approve(name)
    agent.synced(name, other.git("rev-parse", "HEAD"))
    assert there(agent, place) == {"other"}


def test_an_application_that_is_made_anew_goes_on_with_what_it_had(agent, place):
    name, repository = installed(agent, place, configs(3))
    agent.forget(name)
    agent.until_gone("Application", agent.namespace, name)
    agent.follow(repository, place, name)
    agent.wait(name, lambda body: sync_of(body) == "Synced")
    commit = agent.push(name, repository, {"cm-00.yaml": None})
    agent.synced(name, commit)
    assert there(agent, place) == {"cm-01", "cm-02"}


# -- limits -----------------------------------------------------------------------------------------------------------


def test_a_project_that_goes_or_shrinks_lets_nothing_be_pruned_or_applied(agent, place):
    project = f"p-{secrets.token_hex(3)}"
    everything = [{"group": "*", "kind": "*"}]
    agent.create({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": project},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}],
                 "clusterResourceWhitelist": everything},
    }, agent.namespace)  # fmt: skip
    files = {**configs(3), "secret.yaml": manifests(secret("secret", "1"))}
    name, repository = installed(agent, place, files, project=project)
    agent.patch(
        "AppProject",
        agent.namespace,
        project,
        {"spec": {"namespaceResourceBlacklist": [{"group": "", "kind": "ConfigMap"}]}},
    )
    agent.push(
        name,
        repository,
        {
            "cm-00.yaml": None,
            "cm-01.yaml": manifests(config("cm-01", it="2")),
            "secret.yaml": manifests(secret("secret", "2")),
        },
    )
    body = agent.wait(
        name,
        lambda body: "cm-00: not in Git any more" in conditions_of(body).get("ResourceForbiddenWarning", ""),
    )
    told = conditions_of(body)["ResourceForbiddenError"]
    assert told.startswith(
        f"AppProject {project} does not allow ConfigMap/{place}/cm-01, ConfigMap/{place}/cm-02: nothing"
    )
    assert sync_of(body) == "OutOfSync"
    assert resources_of(body) == {
        "ConfigMap/cm-01": "Unknown", "ConfigMap/cm-02": "Unknown", "Secret/secret": "OutOfSync",
    }  # fmt: skip
    agent.ask(name, prune=True)
    body = agent.wait(name, lambda body: phase_of(body) == "Error" and "operation" not in body)
    assert status_of(body)["operationState"]["message"] == told
    assert agent.get("Secret", place, "secret")["data"] == {"it": "MQ=="}, "half of a commit is no better"
    assert there(agent, place) == {"cm-00", "cm-01", "cm-02"}
    agent.delete("AppProject", agent.namespace, project)
    agent.wait(
        name, lambda body: f"AppProject {project} does not exist" in conditions_of(body).get("InvalidSpecError", "")
    )
    assert there(agent, place) == {"cm-00", "cm-01", "cm-02"}
    assert agent.get("ConfigMap", place, "cm-01")["data"] == {"it": "1"}


def test_what_a_project_forbids_for_a_while_is_found_again_by_another_process(own_agent, place):
    """An object that left Git while the project did not allow it is pruned once it does, whoever runs by then."""
    agent, project = own_agent, f"p-{secrets.token_hex(3)}"
    spec = {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}]}
    metadata = {"name": project, "namespace": agent.namespace}
    agent.create(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": metadata, "spec": spec},
        agent.namespace,
    )
    agent.start()
    files = {"a.yaml": manifests(config("a")), "secret.yaml": manifests(secret("secret", "1"))}
    name, repository = installed(agent, place, files, project=project)
    forbidden: Body = {"spec": {"namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}]}}
    agent.patch("AppProject", agent.namespace, project, forbidden)
    commit = agent.push(name, repository, {"secret.yaml": None})
    body = agent.wait(name, lambda body: "ResourceForbiddenWarning" in conditions_of(body))
    assert "ResourceForbiddenError" not in conditions_of(body)
    agent.stop()

    agent.patch("AppProject", agent.namespace, project, {"spec": {"namespaceResourceBlacklist": None}})
    agent.start()
    agent.until_gone("Secret", place, "secret")
    agent.synced(name, commit)


def test_another_cluster_is_left_to_its_own_agent(agent, place):
    name, repository = installed(agent, place, configs(2), finalizer=True)
    agent.change(name, {"spec": {"destination": {"server": "https://another.example.org", "namespace": place}}})
    agent.wait(name, lambda body: "is not this cluster" in conditions_of(body).get("InvalidSpecError", ""))
    agent.push(name, repository, without(2, 2) | {"README.md": ""})
    agent.delete("Application", agent.namespace, name)
    agent.until_gone("Application", agent.namespace, name)
    assert len(there(agent, place)) == 2


def test_one_source_that_fails_to_render_holds_all(agent, place):
    good = agent.repository(configs(2))
    bad = agent.repository({"a.yaml": manifests(config("a", it="1"))})
    name = name_of(agent)
    sources = [{"repoURL": each.url, "targetRevision": "main", "path": "."} for each in (good, bad)]
    agent.create({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name},
        "spec": {"project": "default", "sources": sources,
                 "destination": {"server": "https://kubernetes.default.svc", "namespace": place},
                 "syncPolicy": {"automated": {"prune": True, "selfHeal": True}}},
    }, agent.namespace)  # fmt: skip
    agent.wait(name, lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")
    good.push({"cm-00.yaml": None})
    agent.push(name, bad, {"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: [broken\n"})
    agent.wait(name, lambda body: "ComparisonError" in conditions_of(body) and sync_of(body) == "Unknown")
    assert there(agent, place) == {"a", "cm-00", "cm-01"}
    agent.push(name, bad, {"a.yaml": manifests(config("a", it="1"))})
    agent.wait(name, lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")
    assert there(agent, place) == {"a", "cm-01"}


# -- races ------------------------------------------------------------------------------------------------------------


def test_a_deleted_application_takes_its_objects_along_after_a_restart_too(own_agent, place):
    agent = own_agent
    agent.start()
    name, _ = installed(agent, place, configs(3), finalizer=True)
    agent.create(config("strangers", it="1"), place)
    agent.stop()
    agent.delete("Application", agent.namespace, name)
    agent.start()
    agent.until_gone("Application", agent.namespace, name)
    assert there(agent, place) == {"strangers"}


# -- definitions ------------------------------------------------------------------------------------------------------


def definitions(agent: LiveAgent, place: str, names: list[str]) -> dict[str, str]:
    url = f"{agent.url}/{agent.namespace}"
    return {f"apps/{name}.yaml": json.dumps(application(name, url, place)) for name in names}


def test_definitions_that_go_take_nothing_precious_along_unasked(own_agent, place):
    agent = own_agent
    url = f"{agent.url}/{agent.namespace}"
    bodies = {each: application(each, url, place) for each in ("stays", "plain", "data")}
    for each, body in bodies.items():
        body["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
        body["spec"]["source"]["path"] = each
    files = {f"apps/{each}.yaml": json.dumps(body) for each, body in bodies.items()} | {
        "stays/a.yaml": manifests(config("stays", it="1")),
        "plain/a.yaml": manifests(config("plain", it="1")),
        "data/a.yaml": manifests(config("data", it="1"), STATEFUL),
    }
    repository = agent.repository(files, agent.namespace)
    agent.start(origin=Origin(repository.url, "apps", "main"), poll=1.0)
    for each in bodies:
        agent.wait(each, lambda body: sync_of(body) == "Synced" and phase_of(body) == "Succeeded")
    repository.push({"apps/plain.yaml": None, "apps/data.yaml": None})
    agent.until_gone("Application", agent.namespace, "plain")
    agent.until(lambda: there(agent, place) == {"stays", "data"}, "what is plain goes")
    assert there(agent, place, "StatefulSet") == {"db"}
    assert "deletionTimestamp" not in agent.app("data")["metadata"]
    agent.approve("data")
    agent.until_gone("Application", agent.namespace, "data")
    assert there(agent, place) == {"stays"}


def test_a_generator_that_suddenly_yields_nothing_is_held(own_agent, place):
    agent = own_agent
    url = f"{agent.url}/{agent.namespace}"
    template = application("{{.path.basename}}", url, place)
    template["spec"]["source"]["path"] = "{{.path.path}}"
    generated = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": {"name": "all"},
        "spec": {
            "goTemplate": True,
            "generators": [{"git": {"repoURL": url, "revision": "main", "directories": [{"path": "teams/*"}]}}],
            "template": {"metadata": {"name": "{{.path.basename}}"}, "spec": template["spec"]},
        },
    }  # fmt: skip
    files = {
        "apps/set.yaml": json.dumps(generated),
        "apps/stays.yaml": json.dumps(application("stays", url, place)),
        "k8s/a.yaml": manifests(config("stays", it="1")),
        "teams/one/a.yaml": manifests(config("one", it="1")),
        "teams/two/a.yaml": manifests(config("two", it="1")),
    }
    repository = agent.repository(files, agent.namespace)
    agent.start(origin=Origin(repository.url, "apps", "main"), poll=1.0)
    for each in ("one", "two", "stays"):
        agent.wait(each, lambda body: sync_of(body) == "Synced")
    repository.push({"teams/two/a.yaml": None})
    agent.until_gone("Application", agent.namespace, "two")  # the twin: it yields less
    commit = repository.push({"teams/one/a.yaml": None, "k8s/a.yaml": manifests(config("stays", it="2"))})
    agent.synced("stays", commit)
    agent.until(lambda: agent.agent.controller.problem, "it is told")
    assert "yields nothing" in agent.agent.controller.problem
    assert agent.find("Application", agent.namespace, "one") is not None


def test_many_definitions_that_go_at_once_are_held(own_agent, place):
    agent = own_agent
    names = [f"a{number:02}" for number in range(14)]
    repository = agent.repository(definitions(agent, place, names) | {"k8s/README.md": "nothing"}, agent.namespace)
    agent.start(origin=Origin(repository.url, "apps", "main"), poll=1.0)
    agent.until(lambda: set(names) <= set(agent.names("Application", agent.namespace)), "all are there")
    repository.push(dict.fromkeys(f"apps/{name}.yaml" for name in names[:11]))
    agent.until(lambda: agent.agent.controller.problem, "it is told")
    assert "11 of 14 Applications" in agent.agent.controller.problem
    assert len(agent.names("Application", agent.namespace)) == 14
