"""What drifted, what is ignored, and what is sent so that an ignored field keeps its live value."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from gitops_bot.agent.ownership.difference import drift, keep_ignored, overlaid, without_dropped
from gitops_bot.doors.jq import JqWorker
from gitops_bot.model.application import IgnoreDifference
from tests.agent.entries import APPLIED, DEBUG, WEB, deployment, entry, live, ours

SCALED = entry("kube-controller-manager", {"f:spec": {"f:replicas": {}}}, subresource="scale")
SPEC = ("spec", "template", "spec")


def rule(**more):
    return IgnoreDifference(kind="Deployment", group="apps", **more)


def container(body):
    return body["spec"]["template"]["spec"]["containers"][0]


def drifted(one, other, **more):
    return [(each.path, each.before, each.after) for each in drift(one, other, **{"metadata": live(), **more})]


# -- drift -------------------------------------------------------------------------------------------------------------


def test_equal_objects_do_not_drift_whatever_the_server_writes():
    one = deployment()
    other = copy.deepcopy(one)
    one["metadata"].update(resourceVersion="1", generation=1, uid="u", managedFields=[{}], creationTimestamp="x")
    other["metadata"].update(resourceVersion="2", generation=2, uid="u", managedFields=[])
    one["status"] = {"replicas": 1}

    assert drifted(one, other) == []
    assert drifted(one, other, status=True) == [("status", {"replicas": 1}, UNSET)]


def test_what_drifted_is_told_from_live_to_git():
    one, other = deployment(replicas=10), deployment()
    container(one).update(image="x:2", command=["sh"])
    one["metadata"]["labels"]["more"] = "1"

    assert [path for path, *_ in drifted(one, other)] == [
        "metadata.labels.more", "spec.replicas", "spec.template.spec.containers[name=web].command",
        "spec.template.spec.containers[name=web].image",
    ]  # fmt: skip
    assert ("spec.replicas", 10, 2) in drifted(one, other)


def test_secrets_are_masked():
    def secret(value):
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"greeting": value}}

    for rules in ([], [IgnoreDifference(kind="Secret", json_pointers=("/kind", "/metadata"))]):
        found = drifted(secret("aHVudGVyMg=="), secret("aHVudGVyMw=="), metadata=live(api_version="v1"), rules=rules)
        assert found == [("data.greeting", "<secret>", "<secret, changed>")]


@pytest.mark.parametrize(
    "hidden",
    [
        rule(json_pointers=("/spec/replicas",)),
        rule(jq_path_expressions=(".spec.replicas",)),
        rule(managed_fields_managers=("kube-controller-manager",)),
    ],
)
def test_what_is_ignored_does_not_drift(hidden):
    with JqWorker() as jq:
        more = {"rules": [hidden], "delete_jq": jq.delete, "metadata": live(SCALED)}
        assert drifted(deployment(replicas=10), deployment(), **more) == []
        assert [path for path, *_ in drifted(deployment(replicas=10, paused=True), deployment(), **more)] == [
            "spec.paused"
        ]


def test_an_item_is_compared_further_when_a_manager_owns_a_part_of_it():
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {WEB: {".": {}, "f:name": {}, "f:image": {}}}}}}}
    one, other = deployment(), deployment()
    container(one).update(image="x:2", tty=True)
    more = {"rules": [rule(managed_fields_managers=("keel",))], "metadata": live(entry("keel", fields))}

    assert [path for path, *_ in drifted(one, other, **more)] == ["spec.template.spec.containers[name=web].tty"]


# -- what is sent ------------------------------------------------------------------------------------------------------

REPLICAS = rule(json_pointers=("/spec/replicas",))


def sent(desired, body, *managed, rules=()):
    with JqWorker() as jq:
        return keep_ignored(desired, body, live=live(*managed), rules=rules, delete_jq=jq.delete)


def silent(**spec):
    body = deployment(**spec)
    del body["spec"]["replicas"]
    return body


def test_without_rules_git_is_sent_as_it_is():
    assert sent(deployment(), deployment(replicas=10), ours(APPLIED)) == deployment()
    assert keep_ignored(deployment(), None, live=None, rules=[REPLICAS]) == deployment()


def test_an_ignored_field_that_is_ours_alone_is_sent_with_its_live_value():
    assert sent(deployment(), deployment(replicas=10), ours(APPLIED), rules=[REPLICAS]) == deployment(replicas=10)


def test_an_ignored_field_is_left_out_once_somebody_else_owns_it():
    assert sent(deployment(), deployment(replicas=10), ours(APPLIED), SCALED, rules=[REPLICAS]) == silent()
    assert sent(deployment(), deployment(replicas=10), SCALED, rules=[REPLICAS]) == silent()


def test_an_ignored_field_that_nobody_owns_or_that_is_not_there_is_left_out():
    assert (
        sent(deployment(), deployment(replicas=10), ours({"f:spec": {"f:selector": {}}}), rules=[REPLICAS]) == silent()
    )
    assert sent(deployment(), silent(), ours(APPLIED), rules=[REPLICAS]) == silent()
    assert sent(deployment(), deployment(replicas=10), rules=[REPLICAS]) == silent()


def test_replicas_that_git_stops_to_say_are_kept_until_somebody_scales():
    assert sent(silent(), deployment(replicas=10), ours(APPLIED)) == deployment(replicas=10)
    assert sent(silent(), deployment(replicas=10), ours(APPLIED), SCALED) == silent()


def test_a_field_of_a_trusted_manager_is_left_out():
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": {WEB: {".": {}, "f:name": {}, "f:image": {}}}}}}}
    expected = deployment()
    del container(expected)["image"]

    found = sent(
        deployment(),
        deployment(),
        ours(APPLIED),
        entry("keel", fields),
        rules=[rule(managed_fields_managers=("keel",))],
    )
    assert found == expected


IMAGE = rule(jq_path_expressions=('.spec.template.spec.containers[] | select(.name == "web") | .image',))


def test_a_field_in_a_lists_item_is_kept_by_the_items_key():
    desired, body = deployment(), deployment()
    container(body)["image"] = "x:9"
    desired["spec"]["template"]["spec"]["containers"].insert(0, {"name": "first", "image": "y"})
    expected = copy.deepcopy(desired)
    expected["spec"]["template"]["spec"]["containers"][1]["image"] = "x:9"

    assert sent(desired, body, ours(APPLIED), rules=[IMAGE]) == expected


def test_an_item_that_git_removed_does_not_come_back_for_its_ignored_field():
    desired = deployment()
    desired["spec"]["template"]["spec"]["containers"] = [{"name": "other", "image": "y"}]

    assert sent(desired, deployment(), ours(APPLIED), rules=[IMAGE]) == desired


def test_an_ignored_item_is_kept_as_a_whole():
    debug = {".": {}, "f:name": {}, "f:image": {}}
    both = {**APPLIED["f:spec"]["f:template"]["f:spec"]["f:containers"], DEBUG: debug}
    fields = {**APPLIED, "f:spec": {**APPLIED["f:spec"], "f:template": {"f:spec": {"f:containers": both}}}}
    body = deployment()
    body["spec"]["template"]["spec"]["containers"].append({"name": "debug", "image": "z", "tty": False})
    expression = '.spec.template.spec.containers[] | select(.name == "debug")'

    found = sent(deployment(), body, ours(fields), rules=[rule(jq_path_expressions=(expression,))])
    assert found["spec"]["template"]["spec"]["containers"][1:] == [{"name": "debug", "image": "z"}]


def test_a_field_below_what_is_not_in_git_any_more_is_kept():
    fields = {"f:metadata": {"f:annotations": {"f:a.b/c": {}, "f:d": {}}}}
    body = deployment()
    body["metadata"]["annotations"] = {"a.b/c": "1", "d": "2"}

    found = sent(deployment(), body, ours(fields), rules=[rule(json_pointers=("/metadata/annotations/a.b~1c",))])
    assert found["metadata"]["annotations"] == {"a.b/c": "1"}


def test_of_a_subtree_what_is_ours_alone_is_kept():
    fields = {"f:metadata": {"f:annotations": {"f:mine": {}, "f:shared": {}}}}
    other = entry("x", {"f:metadata": {"f:annotations": {".": {}, "f:shared": {}, "f:theirs": {}}}})
    body = deployment()
    body["metadata"]["annotations"] = {"mine": "1", "shared": "2", "theirs": "3"}
    desired = deployment()
    desired["metadata"]["annotations"] = {"mine": "git", "shared": "git"}

    found = sent(desired, body, ours(fields), other, rules=[rule(json_pointers=("/metadata/annotations",))])
    assert found["metadata"]["annotations"] == {"mine": "1"}


@pytest.mark.parametrize(
    ("pointer", "owned", "live_value", "git", "expected"),
    [
        ("nodeSelector/a", {"f:nodeSelector": {}}, {"a": "live", "b": "live"}, {"a": "git", "b": "git"}, {"a": "live", "b": "git"}),
        ("tolerations/0", {"f:tolerations": {}}, [{"key": "l"}, {"key": "m"}], [{"key": "g"}, {"key": "h"}], [{"key": "l"}, {"key": "m"}]),
        ("nodeSelector/a", {"f:nodeSelector": {}}, {"a": "live"}, None, {"a": "live"}),
    ],
)  # fmt: skip
def test_a_part_of_what_is_owned_as_a_whole_is_sent_with_the_rest(pointer, owned, live_value, git, expected):
    name = pointer.partition("/")[0]
    desired, body = deployment(), deployment()
    body["spec"]["template"]["spec"][name] = live_value
    if git is not None:
        desired["spec"]["template"]["spec"][name] = git
    mine = ours({"f:spec": {"f:template": {"f:spec": owned}}})

    found = sent(desired, body, mine, rules=[rule(json_pointers=(f"/spec/template/spec/{pointer}",))])
    assert found["spec"]["template"]["spec"].get(name) == expected


def test_a_default_that_nobody_owns_is_not_made_ours():
    desired, body = deployment(), deployment()
    container(body)["imagePullPolicy"] = "Always"
    pointer = rule(json_pointers=("/spec/template/spec/containers/0/imagePullPolicy",))

    assert sent(desired, body, ours(APPLIED), rules=[pointer]) == desired


POINTERS = st.sampled_from(
    ["/spec", "/spec/replicas", "/spec/template/spec/containers/0", "/spec/template/spec/containers/0/image",
     "/spec/template/spec/containers", "/metadata/labels", "/metadata/labels/a", "/metadata", "/spec/selector/matchLabels",
     "/absent/x", "/spec/template/spec/containers/0/env/0/value"]
)  # fmt: skip


@given(st.lists(POINTERS, max_size=3))
def test_what_is_ours_alone_is_never_dropped_and_the_arguments_stay(pointers):
    """With every ignored field sent with its live value, an apply of a live object that is ours changes nothing."""
    desired, body = deployment(), deployment()
    rules = [rule(json_pointers=tuple(pointers))]
    found = keep_ignored(desired, body, live=live(ours(APPLIED)), rules=rules)

    assert desired == body == deployment()
    assert found == deployment()


def test_what_an_object_is_called_cannot_be_ignored():
    rules = [rule(json_pointers=("/metadata", "/kind", "/apiVersion"))]
    body = deployment()
    del body["metadata"]["labels"]

    assert sent(deployment(), body, ours({"f:spec": {"f:replicas": {}}}), rules=rules) == body


def test_what_takes_an_objects_place_has_all_that_git_has_nothing_that_it_dropped_and_what_others_added():
    then = {"data": {"a": "1", "b": "2"}, "spec": {"ports": [1, 2], "gone": {"x": 1}}}
    live = {"data": {"a": "by hand", "b": "2", "theirs": "x"}, "spec": {"ports": [1, 3], "gone": {"x": 1, "y": 2}}}
    now = {"data": {"a": "1"}, "spec": {"ports": [1]}}

    made = overlaid(without_dropped(live, then, now), now)
    assert made == {"data": {"a": "1", "theirs": "x"}, "spec": {"ports": [1]}}
    assert without_dropped(live, None, now) == live
