"""Objects against the schemas of a cluster's Kubernetes version, with the real package."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.manifests.yaml import Unchanged
from gitops_bot.model.resource import ResourceKey
from gitops_bot.review.signals import schema

pytest.importorskip("kubernetes_validate", reason="pip install gitops-bot[schemas]")


def deployment(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    whole = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "creationTimestamp": None},
        "spec": whole,
    }


def found(body: dict[str, Any], version: str = "1.36") -> list[tuple[str, str]]:
    key = ResourceKey("", body["kind"], "", "x")
    return [(one.path, one.message) for one in schema.check(key, body, version)]


def test_a_valid_object_raises_nothing() -> None:
    assert found(deployment()) == []


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        ({"replicas": "two"}, "spec.replicas", "expected integer, found text"),
        ({"replcias": 2}, "spec", "unknown field replcias"),
        (
            {"template": {"spec": {"containers": [{"image": "x"}]}}},
            "spec.template.spec.containers[0]",
            "name is missing",
        ),
    ],
)
def test_what_does_not_match_is_told_with_its_place(spec: dict[str, Any], path: str, message: str) -> None:
    ((where, told),) = found(deployment(**spec))
    assert where == path
    assert told == f"does not match the schema of Kubernetes 1.36: {message}"


@pytest.mark.parametrize("version", ["", "1.99", "1.3", "2.0"])
def test_a_version_without_schemas_raises_nothing(version: str) -> None:
    assert found(deployment(replicas="two"), version) == []


def test_custom_resources_and_partly_read_objects_raise_nothing() -> None:
    assert found({"apiVersion": "networking.istio.io/v1", "kind": "NetworkPolicy", "metadata": {}, "spec": 3}) == []
    assert found(deployment(replicas="two", strategy=Unchanged(40))) == []
    assert schema.check(ResourceKey("", "Deployment", "", "x"), None, "1.36") == ()


def test_a_group_of_the_same_first_word_is_no_built_in_one() -> None:
    assert found({"apiVersion": "networking.gke.io/v1", "kind": "Ingress", "metadata": {"name": "x"}, "foo": 1}) == []


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.integers() | st.booleans() | st.none(), lambda inner: st.lists(inner, max_size=3)))
def test_no_value_of_a_secret_is_told(value: Any) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"p": value, "q": 918273645}}
    assert "918273645" not in repr(found(body))
    assert [where for where, _ in found(body) if where == "stringData.q"] == ["stringData.q"]
