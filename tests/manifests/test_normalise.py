"""Only what the API server itself would make equal is made equal."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import kubernetes_validate
import pytest

from gitops_bot.manifests.normalise import _GROUPS, is_built_in, normalise
from gitops_bot.manifests.quantity import canonical_quantity


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("1000m", "1"), (1, "1"), (0.5, "500m"), ("0.5", "500m"), ("1500m", "1500m"), ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"), ("0.5Ki", "512"), ("100.1Mi", "104962457600m"), ("1000k", "1M"), ("1000Ki", "1000Ki"),
        ("128974848", "128974848"), ("1E", "1E"), ("1e3", "1e3"), ("12E6", "12e6"), ("1e4", "10e3"), ("0", "0"),
        ("-1000m", "-1"), (".5", "500m"), ("5.", "5"), ("0.0000000001", "1n"), ("$(CPU)", "$(CPU)"), ("", ""),
        (True, True), (None, None), ("1e999999999", "1e999999999"),
    ],
)  # fmt: skip
def test_quantities_are_canonical(written, stored):
    assert canonical_quantity(written) == stored


def pod(**container):
    spec = {"containers": [{"name": "a", **container}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}


SAME = {
    "cpu": (pod(resources={"limits": {"cpu": "1000m"}}), pod(resources={"limits": {"cpu": 1}})),
    "no resources": (pod(resources={}), pod()),
    "no limits": (pod(resources={"limits": {}}), pod(resources=None)),
    "protocol": (pod(ports=[{"containerPort": 1}]), pod(ports=[{"containerPort": 1, "protocol": "TCP"}])),
    "null": (pod(command=None), pod()),
    "created": (
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "creationTimestamp": None, "labels": {}}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}},
    ),
    "stringData": (
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "eA=="}, "stringData": {"b": "y"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"a": "eA==", "b": "eQ=="}},
    ),
    "stringData wins": (
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"b": "eA=="}, "stringData": {"b": "y"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"b": "eQ=="}},
    ),
    "null text": (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": None}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": ""}},
    ),
    "claim": (
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "x"},
         "spec": {"resources": {"requests": {"storage": "1024Mi"}}}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "x"},
         "spec": {"resources": {"requests": {"storage": "1Gi"}}}},
    ),
    "null in a custom resource": (
        {"apiVersion": "acme.io/v1", "kind": "Thing", "metadata": {"name": "x", "annotations": {}}, "spec": {"a": None}},
        {"apiVersion": "acme.io/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": {}},
    ),
}  # fmt: skip

DIFFERENT = {
    "emptyDir": (
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"volumes": [{"name": "a", "emptyDir": {}}]}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"volumes": [{"name": "a"}]}},
    ),
    "podSelector": (
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x"}, "spec": {"podSelector": {}}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x"}, "spec": {}},
    ),
    "binary and decimal": (pod(resources={"limits": {"memory": "1Gi"}}), pod(resources={"limits": {"memory": "1G"}})),
    "text of a ConfigMap": (
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"limits": "1000m"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"limits": "1"}},
    ),
    "custom resource": (
        {"apiVersion": "acme.io/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": {"resources": {"limits": {"cpu": "1000m"}}}},
        {"apiVersion": "acme.io/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": {"resources": {"limits": {"cpu": "1"}}}},
    ),
    "empty list": (pod(args=[]), pod()),
    "another default": (pod(imagePullPolicy="IfNotPresent"), pod()),
    "annotation": (
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "annotations": {"cpu": "1000m"}}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "annotations": {"cpu": "1"}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_what_the_api_server_makes_equal_is_equal(case):
    one, other = SAME[case]
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize("case", DIFFERENT)
def test_nothing_else_is(case):
    one, other = DIFFERENT[case]
    assert normalise(one) != normalise(other)


def test_the_argument_stays_as_it_is():
    body = pod(resources={"limits": {"cpu": "1000m"}}, ports=[{"containerPort": 1}], command=None)
    before = repr(body)
    normalise(body)
    assert repr(body) == before


def test_a_secret_that_is_none_does_not_break():
    for data in ("x", ["x"], {"a": 1}, None):
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": data, "data": data}
        assert normalise(body)["kind"] == "Secret"
    text = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"a": "ü"}}
    assert base64.b64decode(normalise(text)["data"]["a"]).decode() == "ü"


def test_groups_of_the_api_server_are_told_from_installed_ones():
    assert all(is_built_in(each) for each in ("v1", "apps/v1", "batch/v1", "networking.k8s.io/v1", "policy/v1"))
    assert not any(is_built_in(each) for each in ("acme.io/v1", "gateway.networking.k8s.io/v1", "argoproj.io/v1alpha1"))
    assert not is_built_in("policy.networking.k8s.io/v1alpha1")


def test_built_in_groups_are_those_of_kubernetes_own_schemas():
    schemas = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    groups = {
        kind["group"]
        for file in schemas.glob("*-local/_definitions.json")
        for definition in json.loads(file.read_bytes())["$defs"].values()
        for kind in definition.get("x-kubernetes-group-version-kind", ())
    }
    assert {group for group in groups if "." in group} == _GROUPS
    assert all(is_built_in(f"{group}/v1") for group in groups)
