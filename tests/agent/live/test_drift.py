"""Drift on a real API server: what somebody changed of what Git says is found and put back, everything else is left."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gitops_bot.cli.agent.group import command
from tests.agent.live.harness import (
    APPLY,
    JSON_PATCH,
    STRATEGIC,
    LiveAgent,
    config,
    deployment,
    health_of,
    manifests,
    resources_of,
    service,
    status_of,
    sync_of,
)

WEB = deployment("web", 2, ports=[{"name": "http", "containerPort": 8080}])
WEB["metadata"]["labels"] = {"team": "a"}


class Site:
    """An Application with one object of several kinds each, Synced."""

    def __init__(self, agent: LiveAgent, namespace: str, *bodies, **spec) -> None:
        self.agent, self.namespace, self.name = agent, namespace, f"site-{namespace}"
        self.repository = agent.repository({"app.yaml": manifests(*bodies)})
        self.head = self.repository.git("rev-parse", "HEAD")
        agent.follow(self.repository, namespace, self.name, **spec)

    def get(self, kind, name="web"):
        return self.agent.get(kind, self.namespace, name)

    def patch(self, kind, change, manager="kubectl-edit", name="web", **how):
        return self.agent.patch(kind, self.namespace, name, change, manager, **how)

    def until(self, holds, what=""):
        return self.agent.until(holds, what)

    def synced(self):
        return self.agent.synced(self.name, self.head)


@pytest.fixture
def site(agent, place):
    made = Site(
        agent, place, WEB, service("web", 80, 81), config("web", key="git"),
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": {"password": "s3cret-one"}},
    )  # fmt: skip
    made.synced()
    return made


def container(site):
    return site.get("Deployment")["spec"]["template"]["spec"]["containers"][0]


def template(**containers):
    return {"spec": {"template": {"spec": {"containers": [containers]}}}}


def ports(site):
    return [each["port"] for each in site.get("Service")["spec"]["ports"]]


# -- changed fields ---------------------------------------------------------------------------------------------------

TAMPERED = {
    "a patched field": (
        "Deployment", {"spec": {"minReadySeconds": 0, "replicas": 5}}, {},
        lambda site: site.get("Deployment")["spec"]["replicas"] == 2,
    ),
    "a scaled Deployment": (
        "Deployment", {"spec": {"replicas": 10}}, {"sub": "/scale", "manager": "kubectl"},
        lambda site: site.get("Deployment")["spec"]["replicas"] == 2,
    ),
    "a label taken off": (
        "Deployment", {"metadata": {"labels": {"team": None}}}, {},
        lambda site: site.get("Deployment")["metadata"].get("labels", {}).get("team") == "a",
    ),
    "another image": (
        "Deployment", template(name="web", image="example.org/web:mine"), {"content_type": STRATEGIC},
        lambda site: container(site)["image"] == "example.org/web:1",
    ),
    "another number of a container's port, under its name": (
        "Deployment",
        [{"op": "replace", "path": "/spec/template/spec/containers/0/ports/0/containerPort", "value": 8081}],
        {"content_type": JSON_PATCH},
        lambda site: [each["containerPort"] for each in container(site)["ports"]] == [8080],
    ),
    "another number of a Service's port, under its name": (
        "Service", [{"op": "replace", "path": "/spec/ports/0/port", "value": 8888}], {"content_type": JSON_PATCH},
        lambda site: ports(site) == [80, 81],
    ),
    "a port taken out": (
        "Service", [{"op": "remove", "path": "/spec/ports/0"}], {"content_type": JSON_PATCH},
        lambda site: ports(site) == [80, 81],
    ),
    "a changed value of a ConfigMap": (
        "ConfigMap", {"data": {"key": "mine"}}, {}, lambda site: site.get("ConfigMap")["data"] == {"key": "git"},
    ),
    "a changed value of a Secret": (
        "Secret", {"data": {"password": "bWluZQ=="}}, {},
        lambda site: site.get("Secret")["data"] == {"password": "czNjcmV0LW9uZQ=="},
    ),
    "another tool's apply": (
        "ConfigMap",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"key": "mine"}},
        {"content_type": APPLY, "manager": "terraform"},
        lambda site: site.get("ConfigMap")["data"] == {"key": "git"},
    ),
    "a write under the agent's own name": (
        "ConfigMap", {"data": {"key": "mine"}}, {"manager": "gitops-bot"},
        lambda site: site.get("ConfigMap")["data"] == {"key": "git"},
    ),
    "our label taken off": (
        "ConfigMap", {"metadata": {"labels": {"applyset.kubernetes.io/part-of": None}}}, {},
        lambda site: "applyset.kubernetes.io/part-of" in site.get("ConfigMap")["metadata"].get("labels", {}),
    ),
    "a person's container": (
        "Deployment", template(name="debug", image="busybox"), {"content_type": STRATEGIC},
        lambda site: len(site.get("Deployment")["spec"]["template"]["spec"]["containers"]) == 1,
    ),
    "a person's environment": (
        "Deployment", template(name="web", env=[{"name": "DEBUG", "value": "1"}]), {"content_type": STRATEGIC},
        lambda site: "env" not in container(site),
    ),
    "a person's command": (
        "Deployment", template(name="web", command=["sh"]), {"content_type": STRATEGIC, "manager": "k9s"},
        lambda site: "command" not in container(site),
    ),
    "a person's key of a ConfigMap": (
        "ConfigMap", {"data": {"extra": "mine"}}, {}, lambda site: site.get("ConfigMap")["data"] == {"key": "git"},
    ),
}  # fmt: skip


def test_every_way_to_tamper_is_found_and_put_back(site):
    """All of them one after another on one Application, each healed before the next, within its own back-off."""
    site.agent.agent.controller._records.find(site.name).heals = _NoHeals()
    for what, (kind, change, how, healed) in TAMPERED.items():
        mark = site.agent.apps.mark(site.name)
        site.patch(kind, change, **how)
        site.agent.until(lambda healed=healed: healed(site), what)
        if "our label" not in what:
            site.agent.apps.until(site.name, lambda body: sync_of(body) == "OutOfSync", since=mark)
        site.agent.apps.until(site.name, lambda body: sync_of(body) == "Synced", since=mark)


class _NoHeals(dict):
    """Corrections that are forgotten at once: the back-off has tests of its own."""

    def update(self, *_):
        pass


def test_deleted_objects_come_back(site):
    for kind in ("ConfigMap", "Deployment", "Secret"):
        uid = site.get(kind)["metadata"]["uid"]
        site.agent.delete(kind, site.namespace, "web")
        site.until(
            lambda kind=kind, uid=uid: (
                (site.agent.find(kind, site.namespace, "web") or {}).get("metadata", {}).get("uid") not in (None, uid)
            ),
            kind,
        )


def test_cleared_managed_fields_are_ours_again_without_a_word(site):
    mark = site.agent.apps.mark(site.name)
    site.patch(
        "ConfigMap", [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}], content_type=JSON_PATCH
    )
    site.until(lambda: "gitops-bot" in _managers(site, "ConfigMap"))
    assert all(sync_of(body) == "Synced" for body in site.agent.apps.states(site.name)[mark:])


def test_ownership_lost_with_the_value_unchanged_is_taken_back_without_a_word(site):
    mark = site.agent.apps.mark(site.name)
    same = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"key": "git"}}
    site.patch("ConfigMap", same, "terraform", content_type=APPLY)  # shared with us: nothing is lost
    site.patch("ConfigMap", {"data": {"key": "x"}}, "script")
    site.until(lambda: site.get("ConfigMap")["data"]["key"] == "git")
    site.agent.apps.until(site.name, lambda body: sync_of(body) == "Synced", since=mark)
    mark = site.agent.apps.mark(site.name)
    # Edited and put back within one moment: the agent may see either, but the end is the same.
    site.patch("ConfigMap", {"data": {"key": None}}, "script")
    site.patch("ConfigMap", {"data": {"key": "git"}}, "script")
    site.until(lambda: "gitops-bot" in _owners_of(site, "ConfigMap", "f:data", "f:key"))
    assert site.get("ConfigMap")["data"] == {"key": "git"}


def _managers(site, kind):
    return {each["manager"] for each in site.get(kind)["metadata"].get("managedFields", ())}


def _owners_of(site, kind, *path):
    found = set()
    for entry in site.get(kind)["metadata"]["managedFields"]:
        node = entry["fieldsV1"]
        for part in path:
            node = node.get(part) if node is not None else None
        if node is not None:
            found.add(entry["manager"])
    return found


# -- what is no drift -------------------------------------------------------------------------------------------------


def test_what_others_add_is_left_and_costs_no_write(site):
    """Status, foreign annotations and a controller's container are nobody's business; a sentinel says when it was seen."""
    since = site.agent.now()
    mark = site.agent.apps.mark(site.name)
    site.patch("ConfigMap", {"metadata": {"annotations": {"example.org/seen": "yes"}}}, "some-controller")
    site.patch("ConfigMap", {"data": {"added": "by a controller"}}, "some-controller")
    site.patch("Deployment", template(name="sidecar", image="example.org/proxy:1"), "injector", content_type=STRATEGIC)
    site.patch("Deployment", {"status": {"observedGeneration": 1}}, "some-controller", sub="/status")
    site.patch("Secret", {"data": {"password": "bWluZQ=="}})
    site.patch("Deployment", {"metadata": {"labels": {"team": "b"}}})
    site.until(lambda: site.get("Secret")["data"] == {"password": "czNjcmV0LW9uZQ=="})
    site.until(lambda: site.get("Deployment")["metadata"]["labels"]["team"] == "a")
    site.until(lambda: site.agent.is_idle)
    assert site.get("ConfigMap")["data"] == {"key": "git", "added": "by a controller"}
    assert site.get("ConfigMap")["metadata"]["annotations"]["example.org/seen"] == "yes"
    assert len(site.get("Deployment")["spec"]["template"]["spec"]["containers"]) == 2
    told = [resources_of(body) for body in site.agent.apps.states(site.name)[mark:]]
    assert [each for each in told if each["ConfigMap/web"] != "Synced"] == []
    writes = {(call.resource, call.verb) for call in site.agent.about(site.namespace, since) if call.is_write}
    assert writes == {("secrets", "patch"), ("deployments", "patch")}

    asked = ["diff", site.name, "--kubeconfig", str(site.agent.kubeconfig), "--namespace", site.agent.namespace]
    shown = [CliRunner().invoke(command, [*asked, *options], catch_exceptions=False) for options in ([], ["--others"])]
    assert [each.exit_code for each in shown] == [0, 0]
    told = "(some-controller has data.added"
    assert [told in each.output for each in shown] == [False, True], "whoever asks is told"
    assert "spec.template.spec.containers[name=sidecar]" in shown[1].output


def test_events_of_what_nobody_touched_cost_no_request(site):
    site.until(lambda: site.agent.is_idle)
    since = site.agent.now()
    site.patch("Service", {"metadata": {"annotations": {"example.org/seen": "yes"}}}, "some-controller")
    site.patch("Service", {"metadata": {"annotations": {"example.org/seen": "no"}}}, "some-controller")
    # The stream tells in order: once a later change is healed, the earlier ones were heard.
    site.patch("Service", [{"op": "remove", "path": "/spec/ports/0"}], content_type=JSON_PATCH)
    site.until(lambda: ports(site) == [80, 81])
    site.until(lambda: site.agent.is_idle)
    calls = [call for call in site.agent.about(site.namespace, since) if call.resource in ("configmaps", "secrets")]
    assert calls == []


# -- what was applied -------------------------------------------------------------------------------------------------


def test_objects_are_applied_on_the_servers_side_under_the_agents_name(site):
    for kind in ("Deployment", "Service", "ConfigMap", "Secret"):
        entries = [
            each for each in site.get(kind)["metadata"]["managedFields"] if each["manager"].startswith("gitops-bot")
        ]
        assert [(each["manager"], each["operation"]) for each in entries] == [("gitops-bot", "Apply")]
    app = site.agent.app(site.name)
    status = [each for each in app["metadata"]["managedFields"] if each["manager"] == "gitops-bot-status"]
    assert [each["operation"] for each in status] == ["Apply"]
    assert "f:status" in status[0]["fieldsV1"]
    assert "f:spec" not in status[0]["fieldsV1"]


def test_string_data_is_applied_as_data(site):
    secret = site.get("Secret")
    assert secret["data"] == {"password": "czNjcmV0LW9uZQ=="}
    entry = next(each for each in secret["metadata"]["managedFields"] if each["manager"] == "gitops-bot")
    assert "f:data" in entry["fieldsV1"]
    assert "f:stringData" not in entry["fieldsV1"]
    assert "s3cret-one" not in str(site.agent.app(site.name))


def test_a_field_that_leaves_git_goes(site):
    body = {**config("web", other="git")}
    commit = site.repository.push({"app.yaml": manifests(WEB, service("web", 80), body, _secret())})
    site.agent.refresh(site.name)
    site.agent.synced(site.name, commit)
    assert site.get("ConfigMap")["data"] == {"other": "git"}
    assert ports(site) == [80]


def _secret():
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": {"password": "s3cret-one"}}


def test_replicas_that_leave_git_stay_as_they_are_until_somebody_scales(site):
    without = deployment("web", None, ports=[{"name": "http", "containerPort": 8080}])
    files = {"app.yaml": manifests(without, service("web", 80, 81), config("web", key="git"), _secret())}
    commit = site.repository.push(files)
    site.agent.refresh(site.name)
    site.agent.synced(site.name, commit)
    assert site.get("Deployment")["spec"]["replicas"] == 2, "not reset to 1"

    site.patch("Deployment", {"spec": {"replicas": 4}}, "hpa", sub="/scale")
    site.patch("Deployment", template(name="web", image="example.org/web:mine"), content_type=STRATEGIC)
    site.until(lambda: container(site)["image"] == "example.org/web:1")
    site.until(lambda: "gitops-bot" not in _owners_of(site, "Deployment", "f:spec", "f:replicas"), "given up")
    assert site.get("Deployment")["spec"]["replicas"] == 4


def test_duplicate_list_keys_are_applied_another_way_and_kept_so(agent, place):
    """What server-side apply cannot take is still brought to what Git says, quiet when it is there, and healed."""
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    site = Site(agent, place, deployment("web", 2, env=env))
    body = site.synced()
    assert container(site)["env"] == env
    assert "duplicate" in str(status_of(body)["operationState"]["syncResult"]["resources"])
    agent.until(lambda: agent.is_idle)
    since = agent.now()
    agent.refresh(site.name)
    agent.wait(site.name, lambda body: "argocd.argoproj.io/refresh" not in body["metadata"].get("annotations", {}))
    agent.until(lambda: agent.is_idle)
    assert [call for call in agent.about(place, since) if call.is_write] == []

    # A controller's annotation and the number of somebody who scales are not written over.
    site.patch("Deployment", {"metadata": {"annotations": {"example.org/seen": "yes"}}}, "some-controller")
    site.patch("Deployment", template(name="web", image="example.org/web:mine"), content_type=STRATEGIC)
    site.until(lambda: container(site)["image"] == "example.org/web:1")
    assert site.get("Deployment")["metadata"]["annotations"]["example.org/seen"] == "yes"
    assert container(site)["env"] == env

    commit = site.repository.push({"app.yaml": manifests(deployment("web", 3, env=env[:1]))})
    agent.refresh(site.name)
    body = agent.synced(site.name, commit)
    assert (container(site)["env"], site.get("Deployment")["spec"]["replicas"]) == (env[:1], 3)
    assert health_of(body) == "Healthy"
