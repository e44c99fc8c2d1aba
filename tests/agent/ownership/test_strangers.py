"""What people added is found, and nothing else: not what Git has, what others own, or what may never be taken out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.agent.ownership.managed import fields_v1, paths, with_ancestors
from gitops_bot.agent.ownership.strangers import controlled, is_removable, strangers, strays, survivors, without
from gitops_bot.model.resource import ResourceKey
from tests.agent.entries import APPLIED, CREATED, DEBUG, EDITED, WEB, deployment, entry, live, ours

CONTAINERS = ("f:spec", "f:template", "f:spec", "f:containers")


def found(*managed, desired=None, **more):
    return [str(each) for each in strangers(live(*managed, **more), desired or deployment())]


def nested(path, below=None):
    tree = below or {}
    for element in reversed(path):
        tree = {element: tree}
    return tree


def test_what_an_edit_added_is_found_with_its_place_and_its_author():
    assert found(ours(APPLIED), entry("kubectl-edit", EDITED)) == [
        "spec.template.metadata.annotations (kubectl-edit)",
        "spec.template.spec.containers[name=debug] (kubectl-edit)",
        "spec.template.spec.containers[name=web].command (kubectl-edit)",
        "spec.template.spec.containers[name=web].env[name=X] (kubectl-edit)",
        "spec.template.spec.containers[name=web].resources.limits (kubectl-edit)",
    ]


def test_a_key_added_to_a_config_map_is_found():
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"a": "1"}}
    managed = (
        ours({"f:data": {"f:a": {}}}),
        entry("kubectl-edit", {"f:data": {"f:b": {}}}),
        entry("k9s", {"f:data": {"f:b": {}}}),
    )

    assert found(*managed, desired=config, kind="ConfigMap") == ["data.b (k9s, kubectl-edit)"]


@pytest.mark.parametrize("manager", ["kube-controller-manager", "argocd-controller", "istio", "helm"])
def test_what_others_add_is_not_ours_to_judge(manager):
    assert found(ours(APPLIED), entry(manager, EDITED)) == []


def test_what_git_has_is_no_stranger_whoever_owns_it_too():
    assert found(ours(APPLIED), entry("kubectl", APPLIED, "Apply")) == []


def test_what_somebody_writes_under_our_name_is_judged_like_a_persons():
    assert found(ours(APPLIED), entry("gitops-bot", nested((*CONTAINERS, WEB, "f:command")))) == [
        "spec.template.spec.containers[name=web].command (gitops-bot)"
    ]


def test_an_item_in_which_a_controller_owns_a_field_stays_as_a_whole():
    """The API server would take the controller's field out with the item, and refuses half an item (tried)."""
    injected = entry("injector", nested((*CONTAINERS, DEBUG, "f:image")))

    assert [each.split("spec.")[-1] for each in found(ours(APPLIED), entry("kubectl-edit", EDITED), injected)] == [
        "template.metadata.annotations (kubectl-edit)",
        "containers[name=web].command (kubectl-edit)",
        "containers[name=web].env[name=X] (kubectl-edit)",
        "containers[name=web].resources.limits (kubectl-edit)",
    ]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (("f:status", "f:replicas"), "Deployment"),
        (("f:spec", "f:replicas"), "Deployment"),
        (("f:metadata", "f:finalizers", 'v:"x"'), "Deployment"),
        (("f:metadata", "f:ownerReferences", 'k:{"uid":"1"}'), "Deployment"),
        (("f:metadata", "f:generateName"), "Deployment"),
        (("f:metadata", "f:annotations", "f:argocd.argoproj.io/refresh"), "Application"),
        (("f:operation", "f:sync"), "Application"),
        (("f:spec", "f:template", "f:metadata", "f:annotations", "f:kubectl.kubernetes.io/restartedAt"), "Deployment"),
    ],
)
def test_what_is_never_taken_out(path, kind):
    silent = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}}
    above = {path[:length] for length in range(2, len(path))}

    assert found(entry("kubectl-edit", fields_v1({path, *above})), kind=kind, desired=silent) == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (("f:metadata", "f:annotations", "f:note"), "Deployment"),
        (("f:metadata", "f:labels", "f:note"), "Deployment"),
        (("f:operation",), "Deployment"),
        (("f:spec", "f:template", "f:spec", "f:replicas"), "Deployment"),
        (("f:spec", "f:source"), "Application"),
        (("f:data", "f:kubectl.kubernetes.io/restartedAt"), "ConfigMap"),
    ],
)
def test_what_is_taken_out(path, kind):
    assert len(found(entry("kubectl-edit", fields_v1({path})), kind=kind, desired={"apiVersion": "v1"})) == 1


def test_scaling_by_hand_is_nobodys_addition():
    assert (
        found(ours({}), entry("kubectl", {"f:spec": {"f:replicas": {}}}, subresource="scale"), desired={"spec": {}})
        == []
    )


def test_an_object_that_is_being_deleted_is_left_alone():
    assert found(entry("kubectl-edit", EDITED), deleting=True) == []


def test_after_a_clearing_only_what_people_write_counts():
    """``before-first-apply`` owns all that stood there, the server's defaults and a controller's annotation too."""
    snapshot = {**CREATED, "f:metadata": {"f:annotations": {".": {}, "f:deployment.kubernetes.io/revision": {}}}}
    snapshot["f:spec"] = {
        **snapshot["f:spec"],
        "f:template": {"f:spec": {"f:containers": {DEBUG: {".": {}, "f:name": {}}, WEB: {"f:command": {}}}}},
    }

    assert found(ours(APPLIED), entry("before-first-apply", snapshot)) == [
        "spec.template.spec.containers[name=debug] (before-first-apply)",
        "spec.template.spec.containers[name=web].command (before-first-apply)",
    ]


def test_after_a_clearing_what_somebody_said_to_want_counts():
    snapshot = entry("before-first-apply", {"f:spec": {"f:paused": {}, "f:minReadySeconds": {}}})
    object_, wanted = live(snapshot), deployment()

    assert strangers(object_, wanted) == ()
    found = strays(snapshot, object_.key, wanted, others=frozenset(), declared=[deployment(paused=True)])
    assert found == {("f:spec", "f:paused")}


def test_the_object_without_its_strangers():
    body = deployment()
    spec = body["spec"]["template"]["spec"]
    spec["containers"][0].update(
        command=["sh"], env=[{"name": "A", "value": "1"}, {"name": "X"}], resources={"limits": {"cpu": "1"}}
    )
    spec["containers"].append({"name": "debug"})
    body["spec"]["template"]["metadata"]["annotations"] = {"note": "x"}
    expected = deployment()
    expected["spec"]["template"]["spec"]["containers"][0]["resources"] = {}

    assert without(body, strangers(live(ours(APPLIED), entry("kubectl-edit", EDITED)), deployment())) == expected
    assert len(spec["containers"]) == 2


def test_what_survives_its_removal_from_git_is_named():
    before = live(ours({"f:data": {"f:a": {}, "f:b": {}, "f:c": {}}}))
    after = live(
        ours({"f:data": {"f:a": {}}}),
        entry("keeper", {"f:data": {".": {}, "f:a": {}, "f:b": {}}}),
        entry("scaler", {"f:data": {"f:b": {}}}, subresource="scale"),
    )

    assert survivors(before, after) == (((("f:data", "f:b")), ("keeper", "scaler/scale")),)
    assert survivors(after, after) == ()
    assert survivors(live(), after) == ()


ELEMENTS = st.sampled_from(
    ["f:spec", "f:status", "f:metadata", "f:labels", "f:annotations", "f:replicas", DEBUG, "f:x"]
)
FIELDS = st.frozensets(st.lists(ELEMENTS, min_size=1, max_size=4).map(tuple), max_size=8)


@given(FIELDS, FIELDS, FIELDS)
def test_nothing_is_taken_that_others_own_or_that_may_never_go(mine, theirs, controllers):
    key = ResourceKey("apps", "Deployment", "shop", "web")
    person = entry("kubectl-edit", fields_v1(theirs))
    object_ = live(ours(fields_v1(mine)), person, entry("controller", fields_v1(controllers)))
    taken = strays(person, key, {"spec": {"x": 1}}, others=controlled(object_, ["kubectl*"]))

    assert taken <= paths(person.fields)
    assert not taken & with_ancestors(controllers)
    assert all(is_removable(path, key) for path in taken)
    assert ("f:spec", "f:x") not in taken
    assert not any(kept[: len(path)] == path for path in taken for kept in theirs if not is_removable(kept, key))
