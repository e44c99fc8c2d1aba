"""Ownership of older tools becomes ours, so that what Git removes really goes; nobody else's does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.agent.ownership.adoption import LAST_APPLIED, take_over
from gitops_bot.agent.ownership.fingerprint import fingerprint
from gitops_bot.agent.ownership.managed import fields_v1, paths
from gitops_bot.agent.ownership.managed import ours as our_entry
from gitops_bot.agent.ownership.strangers import strangers
from tests.agent.entries import APPLIED, CREATED, EDITED, NOON, deployment, entry, live, ours, patched, seconds

LATER = NOON + seconds(60)


def test_an_object_that_is_ours_alone_needs_nothing():
    assert take_over(live(ours(APPLIED)), deployment()) is None
    assert take_over(live(), deployment()) is None
    assert take_over(live(ours(APPLIED), entry("kube-controller-manager", EDITED)), deployment()) is None


@pytest.mark.parametrize(
    ("manager", "operation"),
    [
        ("kubectl-client-side-apply", "Update"),
        ("kubectl", "Apply"),
        ("argocd-controller", "Apply"),
        ("argocd-controller", "Update"),
        ("argocd-application-controller", "Update"),
        ("kubectl-last-applied", "Apply"),
        ("helm", "Update"),
        ("Helm", "Update"),
        ("helm-controller", "Update"),
        ("kustomize-controller", "Apply"),
    ],
)
def test_a_tools_entry_becomes_ours(manager, operation):
    object_ = live(entry(manager, CREATED, operation, time=LATER), entry("kcm", {"f:status": {}}, subresource="status"))
    change = take_over(object_, deployment(), people=())  # a tool's even where nobody's edits are a person's
    mine, other = change.patch[0]["value"]

    assert change.managers == (manager,)
    assert mine == {
        "manager": "gitops-bot",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "time": "2026-11-29T12:01:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": mine["fieldsV1"],
    }
    assert paths(mine["fieldsV1"]) == paths(CREATED)
    assert (other["manager"], other["subresource"], other["fieldsV1"]) == ("kcm", "status", {"f:status": {}})
    assert change.patch[1:] == [{"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}]


def test_it_is_united_with_what_we_have():
    change = take_over(live(ours(APPLIED), entry("helm", {"f:spec": {"f:paused": {}}}, time=LATER)), deployment())
    (mine,) = change.patch[0]["value"]

    assert paths(mine["fieldsV1"]) == paths(APPLIED) | {("f:spec", "f:paused")}
    assert mine["time"] == "2026-11-29T12:00:00Z"


def test_replicas_that_git_does_not_say_stay_whose_they_are():
    """Ours, and left out of the next apply, they would become 1."""
    silent = deployment()
    del silent["spec"]["replicas"]
    change = take_over(live(entry("helm", CREATED)), silent)
    mine, theirs = change.patch[0]["value"]

    assert theirs["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert paths(mine["fieldsV1"]) == paths(CREATED) - {("f:spec", "f:replicas")}


def test_a_persons_entry_moves_when_it_has_a_stranger():
    shared = entry("k9s", APPLIED)
    both = entry("k9s", fields_v1(paths(APPLIED) | paths(EDITED)))

    assert take_over(live(ours(APPLIED), shared), deployment()) is None
    change = take_over(live(ours(APPLIED), both), deployment())
    assert [each["manager"] for each in change.patch[0]["value"]] == ["gitops-bot"]
    assert paths(change.patch[0]["value"][0]["fieldsV1"]) == paths(APPLIED) | paths(EDITED)


def test_a_clearings_snapshot_gives_only_what_git_has_or_had():
    snapshot = entry(
        "before-first-apply", {**CREATED, "f:metadata": {"f:annotations": {"f:deployment.kubernetes.io/revision": {}}}}
    )
    last = {LAST_APPLIED: json.dumps(deployment(revisionHistoryLimit=3))}
    change = take_over(live(ours(APPLIED), snapshot, annotations=last), deployment())
    mine, theirs = change.patch[0]["value"]

    assert ("f:spec", "f:revisionHistoryLimit") in paths(mine["fieldsV1"])
    assert ("f:spec", "f:replicas") not in paths(theirs["fieldsV1"])
    assert ("f:metadata", "f:annotations", "f:deployment.kubernetes.io/revision") in paths(theirs["fieldsV1"])
    assert ("f:spec", "f:progressDeadlineSeconds") in paths(theirs["fieldsV1"])


def test_the_annotation_of_client_side_applies_goes_and_tells_what_was_applied():
    annotation = json.dumps(deployment(paused=True))
    snapshot = entry(
        "before-first-apply",
        {"f:metadata": {"f:annotations": {f"f:{LAST_APPLIED}": {}}}, "f:spec": {"f:paused": {}, "f:x": {}}},
    )
    object_ = live(ours(APPLIED), snapshot, annotations={LAST_APPLIED: annotation})
    change = take_over(object_, deployment())

    assert change.patch[1] == {
        "op": "remove",
        "path": "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
    }
    assert paths(change.patch[0]["value"][0]["fieldsV1"]) == paths(APPLIED) | {("f:spec", "f:paused")}
    assert change.patch[0]["value"][1]["fieldsV1"] == {"f:spec": {"f:x": {}}}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"'])
def test_an_annotation_that_is_no_object_still_goes(text):
    change = take_over(live(ours(APPLIED), annotations={LAST_APPLIED: text}), deployment())

    assert [each["op"] for each in change.patch] == ["remove", "replace"]
    assert change.managers == ()


def test_the_annotation_stays_where_git_has_it():
    body = deployment()
    body["metadata"]["annotations"] = {LAST_APPLIED: "{}"}
    assert take_over(live(ours(APPLIED), annotations={LAST_APPLIED: "{}"}), body) is None


def test_the_annotation_is_removed_with_its_owner_and_managed_fields_are_never_emptied():
    """An empty list would clear the managedFields of the object."""
    fields = {"f:metadata": {"f:annotations": {f"f:{LAST_APPLIED}": {}}}}
    change = take_over(live(entry("kubectl-client-side-apply", fields), annotations={LAST_APPLIED: "{}"}), deployment())

    assert [each["path"].split("/")[2] for each in change.patch] == ["annotations", "resourceVersion"]


def test_fields_of_another_api_version_stay_and_their_owner_is_named():
    old = entry("helm", {"f:spec": {"f:targetCPUUtilizationPercentage": {}}}, api_version="autoscaling/v1")
    new = entry("argocd-controller", {"f:spec": {"f:maxReplicas": {}}}, api_version="autoscaling/v2")
    desired = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "spec": {"maxReplicas": 3}}
    change = take_over(live(old, new), desired)

    assert (change.managers, change.left) == (("argocd-controller",), ("helm",))
    assert change.patch[0]["value"][1]["apiVersion"] == "autoscaling/v1"


def test_one_other_version_alone_moves_as_it_is():
    """The API server converts our entry with the next apply, which is in the new version."""
    old = entry("helm", {"f:spec": {"f:maxReplicas": {}}}, api_version="autoscaling/v1")
    change = take_over(live(old), {"apiVersion": "autoscaling/v2", "spec": {"maxReplicas": 3}})

    assert [each["apiVersion"] for each in change.patch[0]["value"]] == ["autoscaling/v1"]


def test_subresources_and_deleted_objects_are_left_alone():
    assert take_over(live(ours(APPLIED), entry("kubectl", EDITED, subresource="scale")), deployment()) is None
    assert take_over(live(entry("helm", CREATED), deleting=True), deployment()) is None


MANAGERS = st.sampled_from(["helm", "kubectl", "kubectl-edit", "k9s", "before-first-apply", "kcm", "gitops-bot"])
FIELDS = st.frozensets(st.sampled_from(sorted(paths(APPLIED) | paths(EDITED) | paths(CREATED))), min_size=1).map(
    fields_v1
)
ENTRIES = st.lists(
    st.builds(
        entry,
        MANAGERS,
        FIELDS,
        st.sampled_from(["Apply", "Update"]),
        subresource=st.sampled_from(["", "", "", "scale"]),
        api_version=st.sampled_from(["apps/v1", "apps/v1", "apps/v1beta1"]),
    ),
    max_size=5,
    unique_by=lambda each: (
        each.manager,
        each.operation,
        each.subresource,
        each.api_version if each.operation == "Update" else "",
    ),
)


@given(ENTRIES, st.booleans())
def test_it_is_done_once(managed, annotated):
    object_ = live(*managed, annotations={LAST_APPLIED: json.dumps(deployment(paused=True))} if annotated else {})
    change = take_over(object_, deployment())
    if change is None:
        return
    after = patched(object_, change.patch)

    assert take_over(after, deployment()) is None
    assert [each for each in after.managed if each.manager == "kcm" or each.subresource] == [
        each for each in object_.managed if each.manager == "kcm" or each.subresource
    ]
    # Nobody's field is forgotten: who loses one gives it to us.
    gone = frozenset({("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")})
    before_all = frozenset().union(*(paths(each.fields) for each in object_.managed))
    assert frozenset().union(*(paths(each.fields) for each in after.managed)) == before_all - gone


@given(ENTRIES)
def test_after_the_apply_that_follows_no_stranger_is_left(managed):
    """Which removes what only we own and Git does not have, so the object's fingerprint is that of a clean one."""
    same_version = [each for each in managed if each.api_version == "apps/v1"]
    object_ = live(*same_version)
    change = take_over(object_, deployment())
    moved = patched(object_, change.patch) if change else object_
    others = [each for each in moved.managed if our_entry([each]) is None]
    applied = live(ours(APPLIED), *others)

    assert strangers(applied, deployment()) == ()
    people = [each for each in others if each.manager.startswith(("kubectl", "k9s", "before")) and not each.subresource]
    if not people and not any(each.manager == "gitops-bot" for each in others):
        assert fingerprint(applied) == fingerprint(live(ours(APPLIED)))
