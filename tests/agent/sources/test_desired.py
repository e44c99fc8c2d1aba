"""From rendered manifests to what the cluster should have: identities, hooks, and what applying needs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitops_bot.agent.application.record import FAILURES, GUARD, PLAN, REMOVAL_HELD
from gitops_bot.agent.rules.guards import APPROVED
from gitops_bot.agent.sources.desired import Wanted, pack, read_wanted
from gitops_bot.model.resource import ResourceKey

SCOPES = {("", "Namespace"): False, ("rbac.authorization.k8s.io", "ClusterRole"): False, ("example.org", "Tea"): None}


def wanted(*bodies: dict[str, Any] | str, generated: tuple[dict[str, Any], ...] = ()) -> Wanted:
    """What the agent in ``gitops-bot`` wants of these manifests, with ``shop`` as the destination's namespace."""
    text = "\n---\n".join(each if isinstance(each, str) else json.dumps(each) for each in bodies)
    return read_wanted(
        pack(text.encode(), generated), namespace="shop", own="gitops-bot",
        namespaced=lambda group, kind: SCOPES.get((group, kind), True),
    )  # fmt: skip


def body(kind: str = "ConfigMap", name: str = "a", api: str = "v1", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, **more.pop("metadata", {})}
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {key: item for key, item in metadata.items() if item != ""},
        **more,
    }


def only(found: Wanted) -> dict[str, Any]:
    """The one object of it."""
    assert (found.hooks, found.repeated, found.problems) == ((), (), ())
    (object_,) = found.objects
    assert (object_.body["kind"], object_.body["metadata"]["name"]) == (object_.key.kind, object_.key.name)
    return object_.body


# -- where it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("object_", "namespace"),
    [
        (body(), "shop"),
        (body(metadata={"namespace": "other"}), "other"),
        (body("Namespace", metadata={"namespace": "other"}), ""),
        (body("ClusterRole", api="rbac.authorization.k8s.io/v1"), ""),
        (body("Tea", api="example.org/v1"), "shop"),
        (body("Application", api="argoproj.io/v1alpha1", metadata={"namespace": "argocd"}, spec={}), "gitops-bot"),
        (body("AppProject", api="argoproj.io/v1alpha1", metadata={"namespace": "argocd"}, spec={}), "gitops-bot"),
    ],
)
def test_the_namespace_of_an_object(object_: dict[str, Any], namespace: str) -> None:
    found = wanted(object_)
    assert only(found)["metadata"].get("namespace", "") == namespace == found.objects[0].key.namespace


@pytest.mark.parametrize(("scope", "namespace"), [("Cluster", ""), ("Namespaced", "shop")])
def test_a_definition_beside_it_says_whether_a_kind_has_namespaces(scope: str, namespace: str) -> None:
    spec = {"group": "example.org", "scope": scope, "names": {"kind": "Tea", "plural": "teas"}, "versions": []}
    definition = body("CustomResourceDefinition", "teas.example.org", "apiextensions.k8s.io/v1", spec=spec)
    tea = next(each for each in wanted(body("Tea", api="example.org/v1"), definition).objects if each.key.kind == "Tea")
    assert (tea.key.namespace, tea.body["metadata"].get("namespace", "")) == (namespace, namespace)


# -- which there are --------------------------------------------------------------------------------------------------


def test_of_one_identity_the_last_counts_and_is_told() -> None:
    found = wanted(body(data={"it": "1"}), body(name="b"), body(data={"it": "2"}, metadata={"namespace": "shop"}))
    assert found.repeated == (ResourceKey("", "ConfigMap", "shop", "a"),)
    assert [(each.key.name, each.body.get("data")) for each in found.objects] == [("b", None), ("a", {"it": "2"})]


@pytest.mark.parametrize(
    ("annotations", "is_hook"),
    [
        ({"argocd.argoproj.io/hook": "PreSync"}, True),
        ({"argocd.argoproj.io/hook": "no-such-phase"}, True),
        ({"helm.sh/hook": "pre-install,pre-upgrade"}, True),
        ({"helm.sh/hook": "test"}, False),
        ({"helm.sh/hook": "test-success"}, False),
        ({"argocd.argoproj.io/hook": "Skip"}, False),
    ],
)
def test_hooks_are_none_of_its_objects_and_tests_of_helm_are_dropped(
    annotations: dict[str, str], is_hook: bool
) -> None:
    found = wanted(body("Job", "hook", "batch/v1", metadata={"annotations": annotations}), body())
    assert [each.key.name for each in found.objects] == ["a"]
    assert [key.name for key in found.hooks] == (["hook"] if is_hook else [])


def test_a_definition_that_helm_installs_first_is_an_ordinary_object() -> None:
    marks = {"helm.sh/hook": "crd-install"}
    assert [each.key.name for each in wanted(body(metadata={"annotations": marks})).objects] == ["a"]


def test_lists_are_their_items() -> None:
    found = wanted({"apiVersion": "v1", "kind": "List", "items": [body(), body(name="b")]})
    assert [each.key.name for each in found.objects] == ["a", "b"]


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("just: text", "a document"),
        (body(metadata={"name": "", "generateName": "a-"}), "has only a generateName"),
        (body("Secret", data="text"), "data and stringData have to be mappings"),
        (body("Secret", stringData=["text"]), "data and stringData have to be mappings"),
    ],
)
def test_what_is_no_object_is_never_left_out_in_silence(document: dict[str, Any] | str, told: str) -> None:
    (problem,) = wanted(document, body(name="good")).problems
    assert told in problem


# -- what is applied --------------------------------------------------------------------------------------------------


def test_what_the_server_writes_is_not_sent() -> None:
    """Manifests that were exported from a cluster have it."""
    servers = {
        "managedFields": [], "resourceVersion": "5", "uid": "u", "generation": 3, "creationTimestamp": None,
        "selfLink": "/x", "deletionTimestamp": None,
    }  # fmt: skip
    sent = only(
        wanted(body("Deployment", api="apps/v1", metadata=servers, spec={"replicas": 1}, status={"replicas": 1}))
    )
    assert sent == body("Deployment", api="apps/v1", metadata={"namespace": "shop"}, spec={"replicas": 1})


def test_labels_and_annotations_that_are_null_are_none() -> None:
    sent = only(wanted(body(metadata={"labels": None, "annotations": None})))
    assert sent["metadata"] == {"name": "a", "namespace": "shop"}


def test_texts_of_a_secret_become_data_and_win() -> None:
    sent = only(wanted(body("Secret", data={"a": "b2xk", "b": "Yg=="}, stringData={"a": "new", "c": "c"})))
    assert sent["data"] == {"a": "bmV3", "b": "Yg==", "c": "Yw=="}
    assert "stringData" not in sent
    assert "data" not in only(wanted(body("Secret", data=None, stringData={})))
    assert only(wanted(body(data={"a": "text"})))["data"] == {"a": "text"}, "of Secrets alone"


def test_a_child_brings_no_state_no_approval_and_no_operation_of_its_own() -> None:
    """A commit could otherwise approve its own deletions, and have a sync begun at each apply."""
    state = dict.fromkeys((PLAN, FAILURES, GUARD, REMOVAL_HELD, APPROVED), "x")
    marks = {**state, "team": "a"}
    child = body(
        "Application", api="argoproj.io/v1alpha1", metadata={"annotations": marks}, spec={"project": "team"},
        operation={"sync": {}}, status={"sync": {"status": "Synced"}},
    )  # fmt: skip
    sent = only(wanted(child))
    assert sent["metadata"]["annotations"] == {"team": "a"}
    assert sent.keys() == {"apiVersion", "kind", "metadata", "spec"}


def test_an_application_set_is_what_it_generates() -> None:
    child = body("Application", "child", "argoproj.io/v1alpha1", spec={})
    found = wanted(body("ApplicationSet", api="argoproj.io/v1alpha1", spec={}), generated=(child,))
    assert [(each.key.kind, each.key.name) for each in found.objects] == [("Application", "child")]
