"""Order counts where Kubernetes reads in order, and does not where it looks things up by key."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.manifests import yaml
from gitops_bot.manifests.compare import compare
from gitops_bot.manifests.fields import differences
from gitops_bot.manifests.lists import ABSENT, align
from gitops_bot.manifests.unified import lines
from tests.manifests.streams import VALUES, body, deployment, stream


def fields(before, after, *, built_in=True):
    return [
        (each.change.path, each.change.before, each.change.after)
        for each in differences(before, after, built_in=built_in)
    ]


def named(*names, **more):
    return [{"name": name, **more} for name in names]


@pytest.mark.parametrize(
    ("field", "items"),
    [
        ("containers", named("a", "b")),
        ("volumes", named("a", "b")),
        ("ports", [{"port": 1, "protocol": "TCP"}, {"port": 2, "protocol": "TCP"}]),
        ("ports", [{"containerPort": 1}, {"containerPort": 2}]),
        ("ports", [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]),
        ("volumeMounts", [{"mountPath": "/a", "name": "x"}, {"mountPath": "/b", "name": "x"}]),
        ("volumeClaimTemplates", [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]),
        ("topologySpreadConstraints", [{"topologyKey": "a", "whenUnsatisfiable": "x"}, {"topologyKey": "b"}]),
        ("imagePullSecrets", named("a", "b")),
        ("finalizers", ["a", "b"]),
    ],
)
def test_lists_with_keys_have_no_order(field, items):
    assert fields({field: items}, {field: items[::-1]}) == []


@pytest.mark.parametrize(
    ("field", "items"),
    [
        ("args", ["--a", "--b"]),
        ("command", ["sh", "-c"]),
        ("env", named("A", "B", value="1")),
        ("initContainers", named("a", "b")),
        ("envFrom", [{"configMapRef": {"name": "a"}}, {"secretRef": {"name": "b"}}]),
        ("rules", [{"verbs": ["get"]}, {"verbs": ["list"]}]),
        ("finalizers", [{"a": 1}, {"b": 1}]),
    ],
)
def test_other_lists_have_one(field, items):
    assert fields({field: items}, {field: items[::-1]}) != []


def test_keyed_lists_of_custom_resources_have_an_order():
    before, after = {"containers": named("a", "b")}, {"containers": named("b", "a")}
    assert fields(before, after, built_in=False) == [("containers", ["a", "b"], ["b", "a"])]


def test_an_env_var_that_moves_is_a_change_of_order_and_one_that_is_added_is_not():
    assert fields({"env": named("A", "B", "C")}, {"env": named("B", "A", "C")}) == [
        ("env", ["A", "B", "C"], ["B", "A", "C"])
    ]
    assert fields({"env": named("A", "C")}, {"env": named("A", "B", "C")})[0][0] == "env[name=B]"
    assert fields({"env": named("A", value="1")}, {"env": named("A", value="2")}) == [("env[name=A].value", "1", "2")]
    twice = {"env": [*named("A", value="1"), *named("A", value="2")]}
    assert fields(twice, {"env": twice["env"][::-1]}) != []


def test_a_service_port_without_a_name_is_changed_not_replaced():
    port = {"port": 80, "targetPort": 8080, "protocol": "TCP"}
    for field, value in (("targetPort", 9090), ("port", 81), ("protocol", "UDP"), ("nodePort", 30000)):
        found = fields({"ports": [port]}, {"ports": [{**port, field: value}]})
        assert [path.rpartition(".")[2] for path, _, _ in found] == [field]
    assert fields({"ports": [port]}, {"ports": [{**port, "name": "http"}]}) == [
        ("ports[port=80,protocol=TCP].name", fields({}, {"x": 1})[0][1], "http")
    ]
    two = [port, {"port": 443, "targetPort": 8443, "protocol": "TCP"}]
    assert len(fields({"ports": two}, {"ports": [{**two[1], "port": 444}, two[0]]})) == 1


def test_arguments_are_aligned():
    found = fields({"args": ["a", "b", "c", "d"]}, {"args": ["x", "a", "b", "c2", "d"]})
    assert [(path, after) for path, _, after in found] == [("args[0]", "x"), ("args[3]", "c2")]


def test_paths_can_be_read():
    before, after = deployment(), deployment(image="api:2", args=["x"])
    after["metadata"]["annotations"] = {"a.b/c": "1"}
    assert [path for path, _, _ in fields(before, after)] == [
        'metadata.annotations["a.b/c"]',
        "spec.template.spec.containers[name=api].args",
        "spec.template.spec.containers[name=api].image",
    ]  # fmt: skip


ITEMS = st.lists(
    st.integers(0, 3) | st.builds(lambda name, port: {"name": name, "port": port}, st.sampled_from("abc"), st.integers(0, 2)),
    max_size=7,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(ITEMS, ITEMS, st.sampled_from(["args", "ports", "containers", "env"]), st.booleans())
def test_alignment_keeps_every_item_once(before, after, field, built_in):
    pairs = align(before, after, field, built_in=built_in).pairs
    assert sorted(map(repr, (p.before for p in pairs if p.before is not ABSENT))) == sorted(map(repr, before))
    assert [p.after for p in pairs if p.after is not ABSENT] == after
    assert all(p.before is not ABSENT or p.after is not ABSENT for p in pairs)


MAPS = st.dictionaries(st.sampled_from(["a", "env", "ports", "args", "containers"]), VALUES, max_size=4)


@settings(max_examples=300, deadline=None)
@given(MAPS, MAPS)
def test_the_head_side_of_the_diff_is_the_head_as_yaml(before, after):
    marked = lines(before, after, built_in=False)
    head = [line for mark, line in marked if mark != "-"]
    base = [line for mark, line in marked if mark != "+"]
    assert yaml.load("\n".join([*head, ""]).encode()) in (after, None)
    assert not head or head == yaml.dump(after).splitlines() or not after
    assert yaml.load("\n".join([*base, ""]).encode()) in (before, None) or any(
        each.change.path for each in differences(before, after, built_in=False)
    )
    assert bool(list(differences(before, after, built_in=False))) == any(mark != " " for mark, _ in marked)


def test_a_moved_item_is_removed_and_added_in_the_diff():
    old = body("Thing", "x", "acme.io/v1", spec={"env": named("A", "B")})
    new = body("Thing", "x", "acme.io/v1", spec={"env": named("B", "A")})
    diff = compare(stream(old), stream(new)).changes[0].diff
    assert diff.count("- name: A\n") + diff.count("- name: B\n") == 3
    assert ("-  - name: A\n" in diff and "+  - name: A\n" in diff) or (
        "-  - name: B\n" in diff and "+  - name: B\n" in diff
    )
