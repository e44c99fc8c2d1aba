"""What holds of every object."""

from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.agent.health.assess import HOOK_FINALIZER, MESSAGE_LIMIT, RULES, assess, has_health
from gitops_bot.agent.health.verdict import ORDER
from gitops_bot.manifests.objects import group_of
from tests.agent.health.cases import KINDS, NOW, conditions, made, met

DELETED = {"deletionTimestamp": "2026-08-14T11:59:00Z", "deletionGracePeriodSeconds": 0}


@pytest.mark.parametrize("kind", KINDS)
def test_the_healthy_object_of_each_table_is_healthy(kind):
    health = assess(made(kind), now=NOW)
    expected = "Progressing" if kind == "job" else "Healthy"  # a Job that is complete is none that runs
    assert health
    assert health.status == expected


def test_every_rule_has_a_table():
    tables = {(group_of(body["apiVersion"]), body["kind"]) for body in map(made, KINDS)}
    assert set(RULES) - tables == {("extensions", "Ingress")}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_being_deleted_is_progressing(kind):
    health = assess(made(kind, {"metadata": DELETED}), now=NOW)
    assert health
    assert (health.status, health.message.split(";")[0]) == ("Progressing", "is being deleted")


def test_a_deletion_tells_what_it_waits_for():
    health = assess(made("persistentvolumeclaim", {"metadata": DELETED}), now=NOW)
    assert health
    assert health.message == "is being deleted; waits for kubernetes.io/pvc-protection"


def test_metadata_alone_tells_a_deletion():
    partial = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "uid": "1"}}
    assert assess(partial, now=NOW) is None
    deleted = assess({**partial, "metadata": {**partial["metadata"], **DELETED}}, now=NOW)
    assert deleted
    assert deleted.status == "Progressing"


def test_a_hook_that_is_kept_for_its_result_is_judged_by_it():
    done = conditions(met("Complete", "True"))
    kept = assess(made("job", {"metadata": {**DELETED, "finalizers": [HOOK_FINALIZER]}, **done}), now=NOW)
    other = assess(made("job", {"metadata": {**DELETED, "finalizers": ["example.com/other"]}, **done}), now=NOW)
    assert kept
    assert other
    assert (kept.status, other.status) == ("Healthy", "Progressing")


@pytest.mark.parametrize(
    ("group", "kind", "read"),
    [("apps", "Deployment", True), ("", "Secret", False), ("", "ConfigMap", False), ("batch", "CronJob", False),
     ("rbac.authorization.k8s.io", "ClusterRole", False), ("gateway.networking.k8s.io", "Gateway", True),
     ("acme.example.com", "Model", True), ("acme.example.com", "Deployment", True), ("", "Deployment", False)],
)  # fmt: skip
def test_only_what_can_have_a_health_is_read_in_full(group, kind, read):
    assert has_health(group, kind) is read


def test_a_message_is_one_short_line():
    long = met("Ready", "False", "UpgradeFailed", "first\n\tsecond " + "x" * 40_000)
    health = assess(made("helmrelease", conditions(long)), now=NOW)
    assert health
    assert health.message.startswith("first second xxx")
    assert health.message.endswith("x…")
    assert len(health.message) == MESSAGE_LIMIT
    short = assess(made("helmrelease", conditions({**long, "message": "x" * MESSAGE_LIMIT})), now=NOW)
    assert short
    assert short.message == "x" * MESSAGE_LIMIT


# -- whatever stands in an object -------------------------------------------------------------------------------------

_WORDS = st.sampled_from(
    ["True", "False", "Unknown", "Ready", "Progressing", "Pending", "Running", "Failed", "Always", "", "1", "٣", "9" * 5000,
     "2026-08-14T11:59:00Z", "0001-01-01T00:00:00+23:59", "Err", "[[", "LoadBalancer", "OnDelete"]
)  # fmt: skip
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), _WORDS)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def _places(body, path=()):
    """Every place of an object where something stands."""
    if path:
        yield path
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield from _places(value, (*path, key))


@st.composite
def _spoiled(draw):
    """The object of a table with anything at some of its places."""
    body = deepcopy(made(draw(st.sampled_from(KINDS))))
    for _ in range(draw(st.integers(1, 4))):
        *way, last = draw(st.sampled_from(list(_places(body))))
        inner = body
        for key in way:
            inner = inner[key]
        inner[last] = draw(_JSON)
    return body


@given(_spoiled())
def test_nothing_in_an_object_raises(body):
    health = assess(body, now=NOW)
    assert health is None or (health.status in ORDER and len(health.message) <= MESSAGE_LIMIT)


@given(
    st.sampled_from(sorted(RULES)),
    st.fixed_dictionaries({}, optional={"metadata": _JSON, "spec": _JSON, "status": _JSON}),
)
def test_nothing_in_place_of_an_object_raises(kind, body):
    health = assess({"apiVersion": f"{kind[0]}/v1", "kind": kind[1], **body}, now=NOW)
    assert health is None or health.status in ORDER


@given(_spoiled())
def test_judging_changes_nothing(body):
    before = deepcopy(body)
    first = assess(body, now=NOW)
    assert repr(body) == repr(before)
    assert repr(assess(body, now=NOW)) == repr(first)
