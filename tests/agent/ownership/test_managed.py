"""What managedFields say: paths, whose they are, and what they cover."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.agent.ownership.managed import (
    PEOPLE,
    beyond,
    covers,
    drop,
    fields_v1,
    find,
    matches,
    ours,
    paths,
    readable,
    topmost,
    uncovered,
)
from gitops_bot.manifests.lists import ABSENT
from tests.agent import entries
from tests.agent.entries import APPLIED, CREATED, DEBUG, EDITED, WEB, deployment, entry

ELEMENTS = st.sampled_from(["f:a", "f:b.c/d", 'k:{"name":"x"}', 'k:{"port":1,"protocol":"TCP"}', 'v:"y"', "i:0", "f:."])
TREES = st.frozensets(st.lists(ELEMENTS, min_size=1, max_size=5).map(tuple), max_size=12).map(fields_v1)


@given(st.frozensets(st.lists(ELEMENTS, min_size=1, max_size=5).map(tuple), max_size=12))
def test_paths_become_fields_and_come_back(members):
    assert paths(fields_v1(members)) == members


@pytest.mark.parametrize("fields", [APPLIED, EDITED, CREATED])
def test_fields_are_written_as_the_server_writes_them(fields):
    assert json.dumps(fields_v1(paths(fields))) == json.dumps(fields)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("f:spec", "f:template", "f:spec", "f:containers", WEB, "f:image"), "spec.template.spec.containers[name=web].image"),
        (("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}'), "spec.ports[port=80,protocol=TCP]"),
        (("f:metadata", "f:labels", "f:app.kubernetes.io/name"), 'metadata.labels["app.kubernetes.io/name"]'),
        (("f:metadata", "f:finalizers", 'v:"example.com/x"'), "metadata.finalizers[example.com/x]"),
        (("f:spec", "f:list", "i:2"), "spec.list[2]"),
    ],
)  # fmt: skip
def test_a_path_is_readable(path, text):
    assert readable(path) == text


@pytest.mark.parametrize(
    ("manager", "more", "expected"),
    [
        ("kubectl-edit", {}, True),
        ("kubectl", {"operation": "Apply"}, True),
        ("before-first-apply", {}, True),
        ("k9s", {}, True),
        ("Lens", {}, True),
        ("node-fetch", {}, True),
        ("kube-controller-manager", {}, False),
        ("helm-controller", {}, False),
        ("kubectl", {"subresource": "scale"}, False),
        ("kubectl-edit", {"subresource": "status"}, False),
        ("gitops-bot", {"operation": "Apply"}, False),
        ("gitops-bot", {"operation": "Update"}, True),  # nobody of us wrote it
    ],
)
def test_whose_an_entry_is(manager, more, expected):
    assert matches(entry(manager, {}, **more), PEOPLE) is expected


def test_our_entry_is_that_of_our_applies():
    mine = entries.ours({"f:a": {}})
    others = (entry("gitops-bot", {}), entry("x", {}, "Apply"), entries.ours({}, subresource="status"))

    assert ours((*others, mine)) is mine
    assert ours(others) is None


BODY = {
    "spec": {
        "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "name": "tcp"}],
        "topology": [{"key": "zone", "weight": 1}],
        "set": ["a", 1, True],
    }
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("f:spec", "f:ports", 'k:{"containerPort":53,"protocol":"TCP"}', "f:name"), "tcp"),
        (("f:spec", "f:ports", 'k:{"containerPort":53,"protocol":"UDP"}', "f:protocol"), "UDP"),
        (("f:spec", "f:ports", 'k:{"containerPort":54,"protocol":"UDP"}'), ABSENT),
        (("f:spec", "f:topology", 'k:{"key":"zone","mode":"strict"}', "f:weight"), 1),  # a default of a custom resource
        (("f:spec", "f:topology", 'k:{"mode":"strict"}'), ABSENT),
        (("f:spec", "f:set", 'v:"a"'), "a"),
        (("f:spec", "f:set", "v:true"), True),
        (("f:spec", "f:set", "v:2"), ABSENT),
        (("f:spec", "f:set", "i:1"), 1),
        (("f:spec", "f:set", "i:3"), ABSENT),
        (("f:spec", "f:set", "f:x"), ABSENT),
        (("f:spec", "f:absent", "f:x"), ABSENT),
    ],
)
def test_a_path_is_found_in_an_object(path, value):
    assert find(BODY, path) is value or find(BODY, path) == value


@pytest.mark.parametrize(
    ("path", "left"),
    [
        (("f:a",), {"b": [{"name": "x", "v": 1}, {"name": "y"}], "s": ["q"]}),
        (("f:b", 'k:{"name":"x"}'), {"a": 1, "b": [{"name": "y"}], "s": ["q"]}),
        (("f:b", 'k:{"name":"x"}', "f:v"), {"a": 1, "b": [{"name": "x"}, {"name": "y"}], "s": ["q"]}),
        (("f:s", 'v:"q"'), {"a": 1, "b": [{"name": "x", "v": 1}, {"name": "y"}], "s": []}),
        (("f:b", 'k:{"name":"z"}'), {"a": 1, "b": [{"name": "x", "v": 1}, {"name": "y"}], "s": ["q"]}),
        (("f:z", "f:y"), {"a": 1, "b": [{"name": "x", "v": 1}, {"name": "y"}], "s": ["q"]}),
    ],
)
def test_a_path_is_dropped_from_an_object(path, left):
    body = {"a": 1, "b": [{"name": "x", "v": 1}, {"name": "y"}], "s": ["q"]}
    drop(body, path)
    assert body == left


def test_only_the_topmost_of_some_paths_are_told():
    assert [readable(path) for path in topmost(paths(EDITED))] == [
        "spec.template.metadata.annotations",
        "spec.template.spec.containers[name=debug]",
        "spec.template.spec.containers[name=web].command",
        "spec.template.spec.containers[name=web].env[name=X]",
        "spec.template.spec.containers[name=web].resources.limits",
    ]


# -- coverage ----------------------------------------------------------------------------------------------------------


def test_our_entry_covers_what_was_applied():
    assert uncovered(APPLIED, deployment()) == ()
    assert beyond(APPLIED, deployment()) == frozenset()


def full():
    """Everything that entries write in a way of its own: nulls, empty maps and lists, sets, keys with defaults."""
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "default", "creationTimestamp": None, "annotations": {},
                     "labels": {"a": "b", "app.kubernetes.io/name": "x"}, "finalizers": ["example.com/x"]},
        "spec": {
            "replicas": 2, "strategy": {}, "selector": {"matchLabels": {"a": "b"}}, "minReadySeconds": None,
            "template": {
                "metadata": {"labels": {"a": "b"}, "creationTimestamp": None},
                "spec": {
                    "volumes": [{"name": "t", "emptyDir": {}},
                                {"name": "c", "configMap": {"name": "cm", "items": [{"key": "k", "path": "p"}]}}],
                    "tolerations": [], "imagePullSecrets": [{"name": "reg"}], "initContainers": [], "nodeSelector": {},
                    "affinity": None, "securityContext": {},
                    "hostAliases": [{"ip": "1.2.3.4", "hostnames": ["a"]}],
                    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule",
                                                   "labelSelector": {"matchLabels": {"a": "b"}}}],
                    "containers": [{
                        "name": "web", "image": "x:1", "args": ["a", "b"], "command": [], "envFrom": [],
                        "resources": {"limits": {"cpu": "1000m"}},
                        "ports": [{"containerPort": 53, "name": "t"}, {"containerPort": 53, "protocol": "UDP", "name": "u"}],
                        "env": [{"name": "A", "value": "1"}, {"name": "C"}, {"name": "E", "value": ""},
                                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                        "volumeMounts": [{"name": "t", "mountPath": "/t"}],
                        "securityContext": {"capabilities": {"drop": ["ALL"]}},
                    }],
                },
            },
        },
        "status": {},
    }  # fmt: skip


FULL = json.loads(r"""
{"f:metadata": {"f:annotations": {}, "f:finalizers": {"v:\"example.com/x\"": {}},
 "f:labels": {"f:a": {}, "f:app.kubernetes.io/name": {}}},
 "f:spec": {"f:minReadySeconds": {}, "f:replicas": {}, "f:selector": {}, "f:strategy": {}, "f:template":
 {"f:metadata": {"f:creationTimestamp": {}, "f:labels": {"f:a": {}}}, "f:spec": {"f:affinity": {}, "f:containers":
 {"k:{\"name\":\"web\"}": {".": {}, "f:args": {}, "f:command": {}, "f:env": {
 "k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}},
 "k:{\"name\":\"B\"}": {".": {}, "f:name": {}, "f:valueFrom": {"f:secretKeyRef": {}}},
 "k:{\"name\":\"C\"}": {".": {}, "f:name": {}}, "k:{\"name\":\"E\"}": {".": {}, "f:name": {}, "f:value": {}}},
 "f:envFrom": {}, "f:image": {}, "f:name": {}, "f:ports": {
 "k:{\"containerPort\":53,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}, "f:name": {}},
 "k:{\"containerPort\":53,\"protocol\":\"UDP\"}": {".": {}, "f:containerPort": {}, "f:name": {}, "f:protocol": {}}},
 "f:resources": {"f:limits": {"f:cpu": {}}}, "f:securityContext": {"f:capabilities": {"f:drop": {}}},
 "f:volumeMounts": {"k:{\"mountPath\":\"/t\"}": {".": {}, "f:mountPath": {}, "f:name": {}}}}},
 "f:hostAliases": {"k:{\"ip\":\"1.2.3.4\"}": {".": {}, "f:hostnames": {}, "f:ip": {}}},
 "f:imagePullSecrets": {"k:{\"name\":\"reg\"}": {}}, "f:nodeSelector": {}, "f:securityContext": {},
 "f:tolerations": {}, "f:topologySpreadConstraints": {
 "k:{\"topologyKey\":\"z\",\"whenUnsatisfiable\":\"DoNotSchedule\"}":
 {".": {}, "f:labelSelector": {}, "f:maxSkew": {}, "f:topologyKey": {}, "f:whenUnsatisfiable": {}}}, "f:volumes": {
 "k:{\"name\":\"c\"}": {".": {}, "f:configMap": {"f:items": {}, "f:name": {}}, "f:name": {}},
 "k:{\"name\":\"t\"}": {".": {}, "f:emptyDir": {}, "f:name": {}}}}}}}
""")


def test_an_entry_covers_nulls_empties_sets_and_keys_with_defaults():
    assert uncovered(FULL, full()) == ()
    assert beyond(FULL, full()) == frozenset()


@given(st.sampled_from(sorted(path for path in paths(FULL) if path[-1] != "f:name")))
def test_whatever_is_taken_from_our_entry_is_missed(path):
    """With all that is below it, as who removes an item or a field takes it; an item's key goes only with the item."""
    left = [each for each in paths(FULL) if each[: len(path)] != path]
    assert uncovered(fields_v1(left), full())


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        (lambda body: body["spec"].update(paused=True), "spec.paused"),
        (lambda body: body["spec"].update(paused=None), "spec.paused"),
        (lambda body: body["spec"].update(strategy={"type": "Recreate"}), "spec.strategy.type"),
        (lambda body: body["metadata"]["labels"].update({"x.y/z": "1"}), 'metadata.labels["x.y/z"]'),
        (lambda body: containers(body).append({"name": "side"}), "spec.template.spec.containers[1]"),
        (lambda body: containers(body)[0].update(image=None, tty=True), "spec.template.spec.containers[name=web].tty"),
        (lambda body: containers(body)[0].update(envFrom=[]), "spec.template.spec.containers[name=web].envFrom"),
        (
            lambda body: containers(body)[0]["env"].append({"name": "B"}),
            "spec.template.spec.containers[name=web].env[1]",
        ),
    ],
)
def test_what_our_entry_does_not_have_is_missed(change, missed):
    body = deployment(strategy={})
    change(body)
    fields = {**APPLIED, "f:spec": {**APPLIED["f:spec"], "f:strategy": {"f:x": {}} if "strategy" in missed else {}}}

    assert uncovered(fields, body) == (missed,)


def containers(body):
    return body["spec"]["template"]["spec"]["containers"]


def test_an_empty_list_whose_items_are_owned_one_by_one_leaves_no_trace():
    body = deployment()
    containers(body)[0]["ports"] = []
    body["spec"]["template"]["spec"]["volumes"] = []
    assert covers(APPLIED, body)

    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}, "imagePullSecrets": []}
    assert uncovered({}, account) == ("imagePullSecrets",)
    assert covers({"f:imagePullSecrets": {}}, account)


def test_an_item_that_could_be_two_is_not_covered():
    """A custom resource's key has a default that we do not know."""
    body = {"apiVersion": "x.io/v1", "kind": "X", "metadata": {"name": "a"}, "items": [{"port": 1}]}
    one = {'k:{"mode":"a","port":1}': {".": {}, "f:port": {}}}

    assert covers({"f:items": one}, body)
    assert not covers({"f:items": {**one, 'k:{"mode":"b","port":1}': {".": {}, "f:port": {}}}}, body)
    assert not covers({"f:items": one}, {**body, "items": [{"port": 1}, {"port": 1, "mode": "a"}]})


def test_a_custom_resources_mapping_that_lost_its_fields_is_not_taken_for_one_owned_as_a_whole():
    body = {"apiVersion": "x.io/v1", "kind": "X", "metadata": {"name": "a"}, "spec": {"map": {"key": {"a": 1}}}}

    assert covers({"f:spec": {"f:map": {"f:key": {".": {}, "f:a": {}}}}}, body)
    assert uncovered({"f:spec": {"f:map": {"f:key": {}}}}, body) == ("spec.map.key",)
    assert covers(
        {"f:spec": {"f:selector": {}}}, {"apiVersion": "apps/v1", "spec": {"selector": {"matchLabels": {"a": "b"}}}}
    )


VALUES = st.recursive(
    st.one_of(st.none(), st.integers(0, 2), st.sampled_from(["x", "y"])),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["a", "b.c/d", "name", "port"]), below),
    max_leaves=10,
)


@given(TREES, st.dictionaries(st.sampled_from(["a", "b.c/d"]), VALUES))
def test_what_is_beyond_an_object_is_just_what_is_not_found_in_it(fields, body):
    found = beyond(fields, body)

    assert all((path in found) == (find(body, path) is ABSENT) for path in paths(fields))
    assert all(isinstance(each, str) for each in uncovered(fields, body))


THING = json.loads(r"""
{"f:spec": {"f:free": {"f:e": {}, "f:n": {}, "f:o": {}, "f:x": {".": {}, "f:y": {}}},
 "f:map": {"f:k": {".": {}, "f:a": {}, "f:b": {}}}, "f:plain": {},
 "f:ports": {"k:{\"mode\":\"lax\",\"port\":2}": {".": {}, "f:mode": {}, "f:port": {}},
 "k:{\"mode\":\"strict\",\"port\":1}": {".": {}, "f:port": {}, "f:v": {}}},
 "f:set": {"v:\"a\"": {}, "v:\"b\"": {}}, "f:whole": {}}}
""")


def test_a_custom_resources_entry():
    """With a keyed list whose second key has a default, a set, an atomic map and fields without a schema."""
    thing = {
        "apiVersion": "x.example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "t"},
        "spec": {
            "map": {"k": {"a": 1, "b": 2}},
            "ports": [{"port": 1, "v": 1}, {"port": 2, "mode": "lax"}],
            "free": {"x": {"y": [1, {"z": 2}]}, "e": [], "n": None, "o": {}},
            "whole": {"a": "b"},
            "plain": ["a"],
            "set": ["a", "b"],
        },
    }
    taken = {"f:spec": {**THING["f:spec"], "f:map": {"f:k": {}}}}

    assert beyond(THING, thing) == frozenset()
    assert uncovered(THING, thing) == ("spec.whole",)
    assert uncovered(taken, thing) == ("spec.map.k", "spec.whole")


def test_what_stands_beyond_git_is_told():
    found = beyond(EDITED, deployment())

    assert ("f:spec", "f:template", "f:spec", "f:containers", DEBUG) in found
    assert len(found) == len(paths(EDITED))
