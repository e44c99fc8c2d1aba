"""The plan hash names what would be applied, and nothing that may not be told."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from gitops_bot.manifests import yaml
from gitops_bot.manifests.compare import compare
from gitops_bot.manifests.plan import plan_hash
from gitops_bot.manifests.yaml import YamlError
from tests.manifests.streams import STREAMS, body, deployment, stream


def plan(*bodies, namespace="n"):
    return plan_hash(stream(*bodies), namespace=namespace)


def test_it_is_a_sha256():
    assert plan().startswith("sha256:")
    assert len(plan()) == len("sha256:") + 64


def test_order_notation_comments_and_what_is_defaulted_do_not_count():
    one, other = body(), deployment(ports=[{"containerPort": 1}])
    whole = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [deployment(ports=[{"containerPort": 1, "protocol": "TCP"}]), one],
    }
    assert plan(one, other) == plan(other, one) == plan(whole)
    assert plan_hash(b"# c\n" + stream(one), namespace="n") == plan(one)
    assert plan(one) == plan(body(metadata={"namespace": "n"}))


def test_what_would_be_applied_counts():
    plans = [
        plan(), plan(body()), plan(body(data={"a": "1"})), plan(body(data={"a": "2"})), plan(body(name="y")),
        plan(body(), namespace="m"), plan(body("Secret")), plan(body("Secret", data={"a": "eA=="})),
        plan(body("Secret", data={"b": "eA=="})), plan(body(metadata={"labels": {"a": "b"}})),
        plan(body(metadata={"labels": {"helm.sh/chart": "b"}})),
    ]  # fmt: skip
    assert len(set(plans)) == len(plans)


def test_secrets_and_checksums_do_not_count_by_value():
    assert plan(body("Secret", data={"a": "eA=="})) == plan(body("Secret", stringData={"a": "else"}))
    sums = [plan(body(metadata={"annotations": annotations} if annotations else {}))
            for annotations in ({"checksum/a": "1"}, {"checksum/a": "2"}, None)]  # fmt: skip
    assert len(set(sums)) == 1


def test_hooks_that_never_run_do_not_count_and_the_last_of_one_identity_does():
    test = body("Pod", "t", metadata={"annotations": {"helm.sh/hook": "test"}})
    assert plan(body(), test) == plan(body())
    assert plan(body(data={"a": "1"}), body(data={"a": "2"})) == plan(body(data={"a": "2"}))


def test_an_error_names_the_line():
    with pytest.raises(YamlError, match="line 8: "):
        plan_hash(stream(body()) + b"---\n{a: 1\nb: [}", namespace="")


@settings(max_examples=200, deadline=None)
@given(STREAMS, STREAMS)
def test_no_difference_has_one_plan_and_a_change_has_two(old, new):
    base, head = stream(*old), stream(*new)
    found = compare(base, head, namespace="n")
    same = plan_hash(base, namespace="n") == plan_hash(head, namespace="n")
    masked = all(
        (change.key.kind == "Secret" and change.bucket == "changed")
        or change.bucket == "noise"
        or [field.path for field in change.fields] == ["metadata.namespace"]  # named, or left to the target
        for change in found.changes
    )
    assert same if not found.changes else not same or masked
    assert yaml.load_all(base) is not None
