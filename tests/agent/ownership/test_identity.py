"""Which object is whose: the marks, and that copies of them claim nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot import __version__
from gitops_bot.agent.ownership.identity import (
    GROUP_KINDS,
    NAMESPACES,
    PARENT_ID,
    PART_OF,
    TOOLING,
    TRACKING_ID,
    App,
    claimant,
    group_kinds,
    is_left_over,
    is_ours,
    parent,
    parse_tracking_id,
    stamp,
    tracking_id,
)
from gitops_bot.model.resource import ResourceKey
from tests.agent.entries import live

APP = App("guestbook", "gitops-bot")
WEB = ResourceKey("apps", "Deployment", "shop", "web")
CONFIG = ResourceKey("", "ConfigMap", "default", "cm")
ROLE = ResourceKey("rbac.authorization.k8s.io", "ClusterRole", "", "system:node")


def marked(key=WEB, app=APP, **more):
    body = stamp({"metadata": {}}, app, key, destination="shop")["metadata"]
    return live(**{"key": key, "labels": body["labels"], "annotations": body["annotations"], **more})


def test_the_id_is_that_of_the_kep():
    """By other programs: printf guestbook.gitops-bot.Application.argoproj.io | openssl sha256 -binary | basenc --base64url"""
    assert APP.id == "applyset-Fs3yURNIeusK7dZQkkg2lSsvyJ5qneON9jLPeTXDw-4-v1"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (WEB, "guestbook:apps/Deployment:shop/web"),
        (CONFIG, "guestbook:/ConfigMap:default/cm"),
        (ROLE, "guestbook:rbac.authorization.k8s.io/ClusterRole:shop/system:node"),
    ],
)
def test_a_tracking_id_is_argo_cds(key, text):
    assert tracking_id(APP, key, "shop") == text
    assert parse_tracking_id(text).names(key)
    assert parse_tracking_id(text).app == "guestbook"


@pytest.mark.parametrize(
    "text",
    ["", "guestbook", "guestbook:apps/Deployment", "a:b:c", ":apps/D:ns/n", "a:apps/:ns/n", "a:apps/D:ns/", "a:D:ns/n"],
)
def test_what_is_no_tracking_id(text):
    assert parse_tracking_id(text) is None


@given(st.text())
def test_any_text_is_one_or_none(text):
    assert parse_tracking_id(text) is None or text.startswith(parse_tracking_id(text).app)


def test_an_object_is_stamped_and_what_it_brings_is_replaced():
    foreign = {PART_OF: "other", "app": "web"}
    body = {"kind": "Deployment", "metadata": {"name": "web", "labels": foreign, "annotations": None}}

    assert stamp(body, APP, WEB, destination="shop") == {
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "labels": {"app": "web", PART_OF: APP.id},
            "annotations": {TRACKING_ID: "guestbook:apps/Deployment:shop/web"},
        },
    }
    assert foreign[PART_OF] == "other"
    assert body["metadata"]["annotations"] is None


@pytest.mark.parametrize("key", [WEB, CONFIG, ROLE])
def test_what_was_stamped_is_ours_and_claimed_by_nobody_else(key):
    assert is_ours(marked(key), APP)
    assert claimant(marked(key), APP) is None


@pytest.mark.parametrize(
    "more",
    [
        {"owned": True},
        {"labels": {}},
        {"annotations": {}},
        {"labels": {PART_OF: App("guestbook", "elsewhere").id}},
        {"annotations": {TRACKING_ID: "other:apps/Deployment:shop/web"}},
        {"annotations": {TRACKING_ID: "guestbook:apps/Deployment:shop/other"}},
        {"annotations": {TRACKING_ID: "guestbook:apps/Deployment:elsewhere/web"}},
        {"annotations": {TRACKING_ID: "guestbook:apps/ReplicaSet:shop/web"}},
        {"annotations": {TRACKING_ID: "guestbook:extensions/Deployment:shop/web"}},
        {"annotations": {TRACKING_ID: "guestbook"}},
    ],
)
def test_one_mark_alone_or_a_copied_one_makes_nothing_ours(more):
    assert not is_ours(marked(**more), APP)


@pytest.mark.parametrize(
    ("labels", "annotations", "owned", "expected"),
    [
        ({}, {TRACKING_ID: "other:apps/Deployment:shop/web"}, False, "other"),
        ({}, {TRACKING_ID: "argocd_guestbook:apps/Deployment:shop/web"}, False, "argocd_guestbook"),
        ({}, {TRACKING_ID: "other:apps/Deployment:shop/copied-from"}, False, None),
        ({}, {TRACKING_ID: "other:apps/Deployment:shop/web"}, True, None),
        ({PART_OF: "applyset-x-v1"}, {}, False, "applyset-x-v1"),
        ({PART_OF: "applyset-x-v1"}, {TRACKING_ID: "guestbook:apps/Deployment:shop/web"}, False, "applyset-x-v1"),
        ({PART_OF: "applyset-x-v1"}, {TRACKING_ID: "other:apps/Deployment:shop/copied-from"}, False, None),
        ({}, {TRACKING_ID: "guestbook:apps/Deployment:shop/web"}, False, None),
        ({}, {}, False, None),
    ],
)
def test_who_else_claims_an_object(labels, annotations, owned, expected):
    assert claimant(marked(labels=labels, annotations=annotations, owned=owned), APP) == expected


def test_the_parent_tells_kinds_and_namespaces_sorted():
    told = parent(App("guestbook", "shop"), [WEB, ROLE, CONFIG, WEB], earlier=[("batch", "Job"), ("", "Service")])

    assert told.labels == {PARENT_ID: App("guestbook", "shop").id}
    assert told.annotations == {
        TOOLING: f"gitops-bot/v{__version__}",
        GROUP_KINDS: "ClusterRole.rbac.authorization.k8s.io,ConfigMap,Deployment.apps,Job.batch,Service",
        NAMESPACES: "default",
    }
    assert group_kinds(told.annotations) == {
        ("rbac.authorization.k8s.io", "ClusterRole"), ("", "ConfigMap"), ("apps", "Deployment"), ("batch", "Job"), ("", "Service"),
    }  # fmt: skip


def test_group_kinds_are_read_as_they_come():
    assert group_kinds({}) == frozenset()
    assert group_kinds({GROUP_KINDS: ""}) == frozenset()
    assert group_kinds({GROUP_KINDS: " Deployment.apps, ConfigMap,"}) == {("apps", "Deployment"), ("", "ConfigMap")}


def test_namespaces_that_do_not_fit_are_left_out_altogether():
    keys = [ResourceKey("", "ConfigMap", f"{number:060}", "cm") for number in range(5_000)]
    told = parent(APP, keys).annotations

    assert NAMESPACES not in told
    assert told[GROUP_KINDS] == "ConfigMap"
    assert sum(len(key) + len(value) for key, value in told.items()) < 262_144


OTHER = App("other", APP.namespace)


@pytest.mark.parametrize(
    ("app", "more", "there", "expected"),
    [
        (OTHER, {}, set(), True),
        (OTHER, {}, {"other"}, False),
        # Another agent's, in a namespace of its own: this one does not know which Applications are there.
        (App("other", "elsewhere"), {}, set(), False),
        # Argo CD's, which labels nothing.
        (OTHER, {"labels": {}}, set(), False),
        (OTHER, {"annotations": {}}, set(), False),
    ],
)
def test_what_is_left_over_is_of_an_application_that_was_here(app, more, there, expected):
    assert is_left_over(marked(WEB, app, **more), APP.namespace, there.__contains__) is expected
