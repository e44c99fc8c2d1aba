"""AppProject rules as Argo CD's own methods decide them; the tables are read off app_project_types.go."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_bot.model.application import Destination
from gitops_bot.model.project import Project, known_place


def project(**spec: object) -> Project:
    return msgspec.convert(spec, Project)


@pytest.mark.parametrize(
    ("repos", "url", "allowed"),
    [
        (["*"], "https://github.com/acme/web", True),
        ([], "https://github.com/acme/web", False),
        (["https://github.com/acme/web"], "https://github.com/acme/web.git", True),
        (["https://github.com/ACME/web.git"], "https://github.com/acme/web", True),
        (["https://github.com/acme/*"], "https://github.com/acme/web", True),
        (["https://github.com/*"], "https://github.com/acme/web", False),
        (["https://github.com/**"], "https://github.com/acme/web", True),
        (["https://github.com/acme/{web,api}"], "https://github.com/acme/api", True),
        (["*", "!https://github.com/acme/web"], "https://github.com/acme/web", False),
        (["*", "!https://github.com/acme/web"], "https://github.com/acme/api", True),
        (["!https://github.com/acme/web"], "https://github.com/acme/api", True),
        (["!https://github.com/acme/*", "*"], "https://github.com/acme/web", False),
    ],
)
def test_sources(repos: list[str], url: str, allowed: bool) -> None:
    assert project(sourceRepos=repos).allows_source(url) is allowed


HERE = "https://kubernetes.default.svc"


@pytest.mark.parametrize(
    ("entries", "namespace", "allowed"),
    [
        ([{"server": HERE, "namespace": "shop"}], "shop", True),
        ([{"server": HERE, "namespace": "shop"}], "else", False),
        ([{"server": HERE, "namespace": "shop-*"}], "shop-dev", True),
        ([{"server": "*", "namespace": "*"}], "shop", True),
        ([{"name": "in-cluster", "namespace": "*"}], "shop", True),
        ([{"server": "https://other", "namespace": "*"}], "shop", False),
        ([{"server": "*", "namespace": "*"}, {"server": "*", "namespace": "!kube-system"}], "kube-system", False),
        ([{"server": "*", "namespace": "!kube-system"}], "shop", True),
        ([{"server": f"!{HERE}", "namespace": "*"}, {"server": "*", "namespace": "*"}], "shop", False),
        ([{"server": HERE}], "shop", False),
        ([], "shop", False),
    ],
)
def test_destinations(entries: list[dict[str, str]], namespace: str, allowed: bool) -> None:
    place = known_place(Destination(server=HERE, namespace=namespace), {})
    assert project(destinations=entries).allows_place(*place, namespace) is allowed


def test_a_cluster_that_nobody_here_knows_is_taken_for_allowed() -> None:
    place = known_place(Destination(name="far"), {})
    assert place == (None, "far")
    limits = project(destinations=[{"server": "https://far.example.org", "namespace": "shop"}])
    assert limits.allows_place(*place, "shop")
    assert not limits.allows_place(*place, "else")
    known = known_place(Destination(name="far"), {"far": "https://near.example.org"})
    assert not limits.allows_place(*known, "shop")


KINDS = [{"group": "apps", "kind": "Deploy*"}]


@pytest.mark.parametrize(
    ("spec", "group", "kind", "namespaced", "allowed"),
    [
        ({}, "apps", "Deployment", True, True),
        ({}, "", "Namespace", False, False),
        ({"clusterResourceWhitelist": []}, "", "Namespace", False, False),
        ({"clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}, "", "Namespace", False, True),
        ({"clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "team-*"}]}, "", "Namespace", False, False),
        ({"clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "n*"}]}, "", "Namespace", False, True),
        ({"namespaceResourceWhitelist": []}, "apps", "Deployment", True, False),
        ({"namespaceResourceWhitelist": None}, "apps", "Deployment", True, True),
        ({"namespaceResourceWhitelist": KINDS}, "apps", "Deployment", True, True),
        ({"namespaceResourceWhitelist": KINDS}, "apps", "StatefulSet", True, False),
        ({"namespaceResourceBlacklist": KINDS}, "apps", "Deployment", True, False),
        ({"namespaceResourceBlacklist": KINDS}, "apps", "StatefulSet", True, True),
        ({"clusterResourceWhitelist": [{"group": "*", "kind": "*"}], "clusterResourceBlacklist": [{"group": "", "kind": "Namespace"}]}, "", "Namespace", False, False),
    ],
)  # fmt: skip
def test_kinds(spec: dict[str, object], group: str, kind: str, namespaced: bool, allowed: bool) -> None:
    assert project(**spec).allows_kind(group, kind, "name", namespaced=namespaced) is allowed


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_pattern_raises(pattern: str, text: str) -> None:
    one = project(sourceRepos=[pattern], destinations=[{"server": pattern, "namespace": pattern}])
    assert one.allows_source(text) in (True, False)
    assert one.allows_place(text, None, text) in (True, False)
