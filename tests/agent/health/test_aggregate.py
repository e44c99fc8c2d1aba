"""The health of an Application."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.agent.health.aggregate import Part, aggregate, transition
from gitops_bot.agent.health.verdict import ORDER, Health, severity
from gitops_bot.agent.values import Live
from gitops_bot.model.resource import ResourceKey
from tests.agent.health.cases import NOW

HOOK = {"argocd.argoproj.io/hook": "PreSync"}
IGNORED = {"argocd.argoproj.io/ignore-healthcheck": "true"}


def key(name="churn-api", kind="Deployment", group="apps") -> ResourceKey:
    return ResourceKey(group, kind, "churn-mlops-staging", name)


DEPLOYMENT = key()
CONFIG = key("churn-config", "ConfigMap", "")
CHILD = key("churn-mlops", "Application", "argoproj.io")


def live(of: ResourceKey, annotations: dict[str, str] | None = None) -> Live:
    return Live(key=of, api_version=f"{of.group}/v1", uid="1", resource_version="1", annotations=annotations or {})


def part(status=None, message="", *, of=DEPLOYMENT, annotations=None, wanted=None, until=None) -> Part:
    health = Health(status, message, until) if status else None
    return Part(key=of, wanted=wanted or {}, live=live(of, annotations), health=health)


def missing(of=CONFIG, wanted=None) -> Part:
    return Part(key=of, wanted=wanted or {}, live=None)


@pytest.mark.parametrize("better", ORDER)
@pytest.mark.parametrize("worse", ORDER)
def test_the_worst_counts(better, worse):
    expected = max(better, worse, key=severity)
    assert aggregate([part(better, of=key("a")), part(worse, of=key("b"))]).status == expected


def test_the_order_is_that_of_argo_cd():
    assert ORDER == ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([], "Healthy", id="nothing at all"),
        pytest.param([part("Healthy")], "Healthy", id="healthy"),
        pytest.param([part(None)], "Healthy", id="no health counts as healthy"),
        pytest.param([part(None, of=key("a")), part("Progressing")], "Progressing", id="no health beside another"),
        pytest.param([missing()], "Missing", id="nothing is live"),
        pytest.param([missing(), missing(key("b"))], "Missing", id="nothing of two is live"),
        pytest.param([missing(), part("Healthy")], "Healthy", id="one is missing, which is said by OutOfSync"),
        pytest.param([missing(), part("Degraded")], "Degraded", id="one is missing, one degraded"),
        pytest.param([missing(), part(None)], "Healthy", id="one is missing, one without health"),
        pytest.param([part("Degraded", annotations=HOOK)], "Healthy", id="a hook"),
        pytest.param([part("Degraded", annotations={"helm.sh/hook": "post-install"})], "Healthy", id="a hook of Helm"),
        pytest.param([part("Degraded", annotations={"helm.sh/hook": "crd-install"})], "Degraded", id="no hook"),
        pytest.param([part("Degraded", annotations={"argocd.argoproj.io/hook": "Nonsense"})], "Healthy", id="ignored"),
        pytest.param([part("Degraded", wanted={"argocd.argoproj.io/hook": "Skip"})], "Healthy", id="never applied"),
        pytest.param([missing(wanted=HOOK)], "Healthy", id="a hook that has not run"),
        pytest.param([missing(wanted=HOOK), missing(key("b"))], "Missing", id="a hook that has not run, and nothing else"),
        pytest.param([part("Healthy", annotations=HOOK), missing()], "Missing", id="only a hook is live"),
        pytest.param([part("Degraded", annotations=IGNORED)], "Healthy", id="ignored by annotation"),
        pytest.param([part("Degraded", annotations=IGNORED), missing()], "Healthy", id="ignored, but there"),
        pytest.param([part("Degraded", annotations=IGNORED), part("Suspended", of=key("b"))], "Suspended", id="ignored beside"),
        pytest.param([part("Degraded", annotations={**IGNORED, "argocd.argoproj.io/ignore-healthcheck": "false"})], "Degraded", id="not ignored"),
        pytest.param([part("Degraded", wanted=IGNORED)], "Degraded", id="ignored in Git only, not yet applied"),
        pytest.param([part("Degraded", of=CHILD)], "Degraded", id="a child is degraded"),
        pytest.param([part("Progressing", of=CHILD)], "Progressing", id="a child is progressing"),
        pytest.param([part("Missing", of=CHILD)], "Healthy", id="a child is missing all it has"),
        pytest.param([part("Unknown", of=CHILD)], "Healthy", id="a child is unknown"),
        pytest.param([part("Unknown")], "Unknown", id="another kind is unknown"),
        pytest.param([part("Unknown", of=key("x", "Application", "app.k8s.io"))], "Unknown", id="another group's Application"),
    ],
)  # fmt: skip
def test_what_counts(parts, expected):
    assert aggregate(parts).status == expected


def test_an_application_among_its_own_resources_does_not_count():
    parts = [part("Degraded", of=CHILD), part("Healthy")]
    assert aggregate(parts, application=CHILD).status == "Healthy"
    assert aggregate(parts, application=CHILD._replace(namespace="other")).status == "Degraded"


def test_the_message_names_the_resource_it_comes_from():
    assert aggregate([part("Healthy", "all is well")]).message == ""
    one = part("Degraded", "timed out")
    assert aggregate([part("Progressing", "waits", of=key("a")), one]).message == (
        "Deployment.apps/churn-mlops-staging/churn-api: timed out"
    )
    two = part("Degraded", of=key("aaa"))
    assert aggregate([one, two]).message == "Deployment.apps/churn-mlops-staging/aaa (and 1 more)"
    assert aggregate([missing(), missing(key())]).message == "none of 2 resources is in the cluster"


def test_the_verdict_holds_until_the_first_of_them_changes():
    soon, later = (NOW + timedelta(minutes=minutes) for minutes in (1, 5))
    parts = [
        part("Degraded", of=key("a")),
        part("Progressing", of=key("b"), until=later),
        part("Progressing", until=soon),
    ]
    assert aggregate(parts).until == soon
    assert aggregate(parts[:1]).until is None
    assert aggregate([part("Progressing", until=soon, annotations=IGNORED), parts[1]]).until == later


_KEYS = st.builds(
    key, st.sampled_from("abc"), st.sampled_from(["Pod", "Application"]), st.sampled_from(["", "argoproj.io"])
)
_LIVE = st.builds(
    part,
    st.none() | st.sampled_from(ORDER),
    st.sampled_from(["", "x", "y"]),
    of=_KEYS,
    annotations=st.sampled_from([{}, HOOK, IGNORED]),
    until=st.none() | st.sampled_from([NOW, NOW + timedelta(1)]),
)
_PARTS = st.lists(_LIVE | st.builds(missing, _KEYS, st.sampled_from([{}, HOOK])), max_size=6)


@given(st.data(), _PARTS)
def test_the_order_of_resources_does_not_matter(data, parts):
    assert aggregate(data.draw(st.permutations(parts))) == aggregate(parts)


@given(_PARTS, st.sampled_from(ORDER))
def test_one_more_that_counts_makes_it_as_bad_as_itself(parts, status):
    parts = [part("Healthy"), *parts]
    more = part(status, of=key("more", "Pod", ""))
    assert severity(aggregate([*parts, more]).status) == max(severity(aggregate(parts).status), severity(status))


@pytest.mark.parametrize(
    ("status", "before", "since", "expected"),
    [
        ("Healthy", "Healthy", NOW - timedelta(1), NOW - timedelta(1)),
        ("Healthy", "Degraded", NOW - timedelta(1), NOW),
        ("Healthy", None, None, NOW),
        ("Healthy", "Healthy", None, NOW),
        ("Healthy", None, NOW - timedelta(1), NOW),
    ],
)
def test_the_time_of_a_transition_moves_with_the_status_only(status, before, since, expected):
    assert transition(status, before=before, since=since, now=NOW) == expected
