from __future__ import annotations

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_bot.manifests.compare import compare
from gitops_bot.manifests.yaml import Unchanged, dump
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import CATALOGUE, SEVERITIES
from gitops_bot.review.signals.frozen import RULES
from gitops_bot.review.signals.objects import MOST, ObjectRules
from tests.counting import steps
from tests.review.signals.cases import CASES, HOOK, PLAIN, claim, key_of, pod, read, role, secret, stateful, thing

OTHERS = frozenset(("schema", "duplicate-resource", "project-forbids", "project-widened", "mutable-model"))
"""Signals that need the target: not raised from objects alone."""
NAMES = [f"{case.id}: {case.name}" for case in CASES]


def raised(before, after, kube_version=""):
    old, new = read(before), read(after)
    return ObjectRules(kube_version)(key_of(old, new), old, new)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_fault_is_told(case):
    found = [signal for signal in raised(case.before, case.after) if signal.id == case.id]
    assert [signal.severity for signal in found if case.says in signal.message] == [case.severity], found


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_its_twin_is_not(case):
    assert [signal for signal in raised(*case.twin) if signal.id == case.id] == []


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_trouble_that_was_there_before_is_not_told_again(case):
    for side in (case.before, case.after):
        if side:
            assert raised(side, side + "\n") == ()


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_signals_are_about_their_object_in_the_catalogues_words(case):
    for signal in raised(case.before, case.after):
        meaning = CATALOGUE[signal.id]
        assert SEVERITIES.index(signal.severity) >= SEVERITIES.index(meaning.severity)
        assert signal.name
        assert signal.kind
        assert signal.message == signal.message.strip()
        assert signal.message.isprintable()


def test_every_signal_of_objects_has_a_case():
    assert {case.id for case in CASES} == CATALOGUE.keys() - OTHERS


def test_names_are_names():
    assert len(set(NAMES)) == len(NAMES)


# -- what a table of cases cannot say ----------------------------------------------------------------------------


def test_a_limit_on_history_is_immutable_in_older_clusters():
    sides = stateful(), stateful("revisionHistoryLimit: 3")
    assert raised(*sides, "1.36") == raised(*sides) == ()
    assert [signal.path for signal in raised(*sides, "v1.32.1")] == ["spec.revisionHistoryLimit"]


def test_a_renamed_object_is_told_under_its_former_name():
    (signal,) = raised(claim(), claim("storageClassName: other", name="new"))
    assert (signal.id, signal.name) == ("data-deletion", "it")


def test_a_hook_is_created_anew():
    before, after = (stateful(storage=size, metadata=HOOK) for size in ("1Gi", "2Gi"))
    assert raised(before, after) == ()


def test_rules_are_compared_by_what_they_mean_also_when_there_are_many():
    one = f"- {{apiGroups: [a, b], resources: [{', '.join(f'r{n}' for n in range(100))}], verbs: [get, list, watch, update]}}\n"
    parts = "".join(
        f"- {{apiGroups: [{g}], resources: [r{n}], verbs: [update, get, watch, list]}}\n"
        for n in range(100)
        for g in "ba"
    )
    assert raised(role(one), role(parts)) == ()
    assert raised(role(parts), role(one)) == ()
    (signal,) = raised(role(parts), role(one.replace("r7,", "r7, s7,")))
    assert signal.message == "allows get, list, update, watch on s7.a, s7.b"


def test_what_was_not_read_raises_nothing_and_what_changes_beside_it_does():
    rule = {"apiGroups": [""], "resources": Unchanged(30), "verbs": ["get"]}
    before = {**read(role(" []")), "rules": [rule]}
    after = {**before, "rules": [{**rule, "verbs": ["get", "delete"]}]}
    (signal,) = ObjectRules()(key_of(before, after), before, after)
    assert "delete" in signal.message
    body = read(stateful())
    body["spec"]["volumeClaimTemplates"] = Unchanged(5)
    other = copy.deepcopy(body)
    other["spec"]["replicas"] = 3
    assert ObjectRules()(key_of(body, other), body, other) == ()


def test_many_signals_of_one_id_are_counted():
    many = pod("\n".join(f"- {{name: c{n}, image: i{n}}}" for n in range(100)))
    found = raised("", many)
    assert len(found) == MOST + 1
    assert found[-1].message == "and 80 more of this kind"


def test_rules_of_one_version_are_equal_and_of_two_are_not():
    assert ObjectRules("1.36") == ObjectRules("1.36")
    assert hash(ObjectRules("1.36")) == hash(ObjectRules("1.36"))
    assert ObjectRules("1.36") != ObjectRules("1.35")


def test_compare_carries_them():
    before, after = pod(PLAIN).encode(), pod(PLAIN.replace("v1.4.0", "latest")).encode()
    (change,) = compare(before, after, inspect=ObjectRules()).changes
    assert [signal.id for signal in change.signals] == ["image-latest"]


def test_a_large_definition_that_stops_serving_a_version_is_told():
    body = read(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.a.org}\n"
        "spec: {group: a.org, scope: Namespaced, names: {kind: A, plural: as}}\n"
    )
    schema = {
        "type": "object",
        "properties": {f"p{n}": {"type": "string", "description": "words " * 9} for n in range(2_000)},
    }
    versions = [
        {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": schema}}
        for name in ("v1", "v1beta1")
    ]
    before = {**body, "spec": {**body["spec"], "versions": versions}}
    for after in ([versions[0]], [versions[0], {**versions[1], "served": False}]):
        sides = before, {**body, "spec": {**body["spec"], "versions": after}}
        (change,) = compare(*(dump(side).encode() for side in sides), inspect=ObjectRules()).changes
        assert [signal.id for signal in change.signals] == ["removed-api"]


# -- hostile objects -----------------------------------------------------------------------------------------------

_WORDS = sorted(
    {word for case in CASES for word in ("name", "verbs", "ENC[", "10Gi", "true", "sops", case.id)}
    | {"apiVersion", "kind", "metadata", "spec", "template", "jobTemplate", "containers", "initContainers", "env", "ports",
       "image", "volumes", "hostPath", "path", "volumeMounts", "securityContext", "capabilities", "add", "rules", "subjects",
       "roleRef", "resources", "requests", "storage", "selector", "matchLabels", "matchExpressions", "data", "stringData",
       "immutable", "labels", "annotations", "volumeClaimTemplates", "replicas", "suspend", "aggregationRule", "versions",
       "clusterRoleSelectors", "apiGroups", "nonResourceURLs", "resourceNames", "clusterIP", "type", "completions",
       "argocd.argoproj.io/sync-options", "Force=true", "pod-security.kubernetes.io/enforce", "restricted", "privileged",
       "persistentVolumeClaimRetentionPolicy", "storageClassName", "sources", "chart", "targetRevision", "protocol",
       "templates", "container", "script", "sidecars", "containerSet", "inline", "steps", "hostPort", "served", "syncPolicy",
       "ignoreDifferences", "jsonPointers", "jqPathExpressions", "syncOptions", "argocd.argoproj.io/hook", "PreSync",
       "key", "operator", "In", "values", "readinessProbe", "livenessProbe", "LoadBalancer", "NodePort", "externalIPs",
       "loadBalancerSourceRanges"}
)  # fmt: skip
_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20), st.sampled_from(_WORDS),
    st.just(Unchanged(7)), st.just("a\nb\x1b[31m"), st.just("x" * 5_000), st.just(10**400),
)  # fmt: skip
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_WORDS) | st.text(max_size=8), inner, max_size=6)
    ),
    max_leaves=40,
)
_TYPES = sorted(
    {(read(case.before or case.after)["apiVersion"], read(case.before or case.after)["kind"]) for case in CASES}
    | {(f"{group}/v1" if group else "v1", kind) for group, kind in RULES}
)


@st.composite
def _bent(draw, body):
    """An object of a case with one part, wherever it stands, replaced by anything."""
    body = copy.deepcopy(body)
    place, depth = body, draw(st.integers(0, 7))
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        if not keys:
            return body
        key = draw(st.sampled_from(list(keys)))
        if depth == 0 or not isinstance(place[key], (dict, list)):
            if place is not body or key not in ("apiVersion", "kind"):
                place[key] = draw(_values)
            return body
        place, depth = place[key], depth - 1


@st.composite
def _pairs(draw):
    """Key and two sides of one type: made of anything, or a seeded fault with parts replaced."""
    if draw(st.booleans()):
        api_version, kind = draw(st.sampled_from(_TYPES))
        head = {"apiVersion": api_version, "kind": kind}
        sides = [{**draw(st.dictionaries(st.sampled_from(_WORDS), _values, max_size=5)), **head} for _ in range(2)]
    else:
        case = draw(st.sampled_from(CASES))
        sides = [draw(_bent(read(side))) if side else None for side in (case.before, case.after)]
        head = next(side for side in sides if side)
        api_version, kind = head["apiVersion"], head["kind"]
    group = api_version.rpartition("/")[0]
    return ResourceKey(group, kind, "shop", "it"), sides[0], sides[1]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(_pairs())
def test_anything_may_stand_anywhere(pair):
    key, before, after = pair
    copies = copy.deepcopy((before, after))
    found = ObjectRules("1.36")(key, before, after)
    assert (before, after) == copies
    assert found == ObjectRules("1.36")(key, before, after)
    for signal in found:
        assert signal.id in CATALOGUE
        assert signal.message.isprintable()
        assert len(signal.message) <= 400
        assert len(signal.path) <= 2_000
    for side in (before, after):
        assert ObjectRules()(key, side, copy.deepcopy(side)) == () or side is None


# -- secrets -------------------------------------------------------------------------------------------------------

CANARY = "c4n4ry-hunter2"


def _with_canaries(body):
    """The object with a canary in every place that may hold a secret."""
    body = copy.deepcopy(body)
    body.setdefault("metadata", {}).setdefault("annotations", {})["note"] = CANARY
    for field in ("data", "stringData"):
        if isinstance(body.get(field), dict):
            body[field] = dict.fromkeys([*body[field], "token"], CANARY)
    waiting = [body]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "image" in part and "name" in part:
                part.update(
                    env=[{"name": "A", "value": CANARY}, {"name": "A", "value": CANARY}],
                    args=[CANARY],
                    command=[CANARY],
                )
            if "parameters" in part:
                part["parameters"] = {"password": CANARY}
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return body


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_no_value_that_may_be_a_secret_is_quoted(case):
    old, new = read(case.before), read(case.after)
    for before, after in ((old, new and _with_canaries(new)), (old and _with_canaries(old), new)):
        for signal in ObjectRules()(key_of(old, new), before, after):
            assert CANARY not in repr(signal)


def test_nothing_about_a_secrets_value_is_told():
    short, long = (raised("", secret("", f"a: {value}")) for value in ("hunter2", "correct-horse-battery-staple" * 9))
    assert short == long
    assert "hunter" not in repr(short)


@pytest.mark.parametrize(
    "value", ["password123", "s3cr3t", "admin", "prom-operator", "postgres://u:p@h/d", "{a: b}", "AKIA", "0"]
)
def test_a_value_is_no_placeholder(value):
    assert [signal.id for signal in raised("", secret("", f"a: '{value}'"))] == ["plaintext-secret"]


@pytest.mark.parametrize(
    "value",
    [
        "change-me",
        "REPLACE_ME",
        "<your-token>",
        "${TOKEN}",
        "{{ .token }}",
        "xxxxx",
        "TODO",
        "placeholder",
        "$(TOKEN)",
        "vault:kv/data/a#b",
        "op://v/i/f",
        "YOUR_TOKEN",
        "yourApiToken",
        "  ",
        "{}",
    ],
)
def test_a_placeholder_is_no_value(value):
    import base64

    encoded = base64.b64encode(value.encode()).decode()
    assert raised("", secret("", f"a: '{value}'")) == raised("", secret(f"a: {encoded}")) == ()


# -- time ----------------------------------------------------------------------------------------------------------


def test_an_object_costs_little():
    before, after = read(pod(PLAIN)), read(pod(PLAIN.replace("v1.4.0", "v2.0.0")))
    rules, key = ObjectRules("1.36"), key_of(before, after)
    assert len(rules(key, before, after)) == 1
    work = steps(lambda: rules(key, before, after))
    assert work < 1_500, work


def test_hostile_roles_are_bounded():
    wide = ", ".join(f"r{n}" for n in range(2_000))
    before, after = (
        role(f"- {{apiGroups: [{wide}], resources: [{wide}], verbs: [{verbs}]}}\n") for verbs in ("get", "get, list")
    )
    old, new = read(before), read(after)
    found = ObjectRules()(key_of(old, new), old, new)
    work = steps(lambda: ObjectRules()(key_of(old, new), old, new))
    assert work < 200_000, work
    assert [signal.id for signal in found] == ["rbac-widening"]


def test_a_custom_resource_is_looked_through_as_far_as_it_differs():
    job = "{{template: {{spec: {{containers: [{{name: c, image: 'i{}:1'}}]}}}}}}"
    jobs = f"spec: {{jobs: [{', '.join(job.format(n) for n in range(3_000))}]}}"
    before = thing("a.org/v1", "Batch", jobs)
    assert [signal.path for signal in raised(before, before.replace("i2999:1", "i2999"))] == [
        "spec.jobs[2999].template.spec.containers[name=c].image"
    ]
