"""What an AppProject forbids an Application, as the agent judges it; the rules themselves are tested in tests/model."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gitops_bot.agent.rules.project import FORBIDDEN, INVALID, LEFT, NOT_ENFORCED, Cluster, Limits, limits_of
from gitops_bot.model.application import Application
from gitops_bot.model.project import Project
from gitops_bot.model.resource import ResourceKey
from tests.agent.lives import key

HERE = "https://kubernetes.default.svc"
CLUSTER = Cluster(name="prod-eu", server="https://eu.example.org")
REPO = "https://github.com/acme/web"


def application(project: str = "team", **destination: str) -> Application:
    spec = {
        "project": project,
        "source": {"repoURL": REPO, "path": "."},
        "destination": destination or {"server": HERE, "namespace": "shop"},
    }
    return msgspec.convert({"metadata": {"name": "shop"}, "spec": spec}, Application)


def limits(app: Application | None = None, cluster: Cluster = CLUSTER, **spec: Any) -> Limits:
    written = {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}], **spec}
    found = limits_of(app or application(), {"team": msgspec.convert(written, Project)}, cluster)
    assert isinstance(found, Limits)
    return found


def refusals(**spec: Any) -> list[str]:
    told = limits(**spec).refusals()
    assert {type_ for type_, _ in told} <= {INVALID}
    return [message for _, message in told]


def test_a_missing_project_refuses() -> None:
    found = limits_of(application("gone"), {}, CLUSTER)
    assert not isinstance(found, Limits)
    assert found[0] == INVALID
    assert "AppProject gone does not exist" in found[1]


def test_a_project_that_cannot_be_read_refuses() -> None:
    found = limits_of(application(), {"team": None}, CLUSTER)
    assert not isinstance(found, Limits)
    assert "AppProject team cannot be read" in found[1]


@pytest.mark.parametrize("name", ["default", ""])
def test_the_default_project_allows_everything_where_nobody_made_one(name: str) -> None:
    found = limits_of(application(name), {}, CLUSTER)
    assert isinstance(found, Limits)
    assert found.refusals() == ()
    for of in (key(), key("Namespace", "x"), key("CustomResourceDefinition", "x")):
        assert found.permits(of)


def test_a_default_project_that_somebody_made_counts() -> None:
    found = limits_of(application("default"), {"default": Project()}, CLUSTER)
    assert isinstance(found, Limits)
    assert len(found.refusals()) == 2


def test_all_refusals_are_told_at_once() -> None:
    told = refusals(sourceRepos=[], destinations=[], signatureKeys=[{"keyID": "x"}], syncWindows=[{"kind": "deny"}])
    assert len(told) == 4
    for part, message in zip((REPO, "namespace shop", "signatureKeys", "syncWindows"), told, strict=True):
        assert part in message
        assert "AppProject team" in message


@pytest.mark.parametrize(
    ("destination", "told"),
    [
        ({"name": "prod-us"}, "its destination prod-us is not this cluster; the agent there applies it"),
        ({"server": "https://u:hunter2@us.example.org"},
         "its destination https://us.example.org is not this cluster; the agent there applies it"),
        ({}, "spec.destination names no cluster; write server: https://kubernetes.default.svc for this one"),
    ],
)  # fmt: skip
def test_another_cluster_is_no_matter_of_the_project(destination: dict[str, str], told: str) -> None:
    found = limits(application(**{"namespace": "shop", **destination}), destinations=[]).refusals()
    assert found == ((INVALID, told),)


def test_a_password_in_a_source_is_not_told() -> None:
    spec = {
        "project": "team",
        "source": {"repoURL": "https://u:hunter2@example.org/x.git", "path": "."},
        "destination": {"server": HERE},
    }
    app = msgspec.convert({"metadata": {"name": "shop"}, "spec": spec}, Application)
    assert "hunter2" not in str(limits(app, sourceRepos=[]).refusals())


def test_what_harms_no_sync_is_only_told() -> None:
    found = limits(
        roles=[{"name": "dev", "policies": ["p, …"]}], destinationServiceAccounts=[{}], orphanedResources={"warn": True}
    )
    assert found.refusals() == ()
    assert [type_ for type_, _ in found.notes()] == [NOT_ENFORCED] * 3
    assert limits().notes() == ()


# -- destinations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("destination", "cluster", "meant"),
    [
        ({"server": HERE}, CLUSTER, True),
        ({"server": f"{HERE}/"}, CLUSTER, True),
        ({"name": "in-cluster"}, CLUSTER, True),
        ({"name": "prod-eu"}, CLUSTER, True),
        ({"server": "https://eu.example.org/"}, CLUSTER, True),
        ({"name": "prod-us"}, CLUSTER, False),
        ({"server": "https://us.example.org"}, CLUSTER, False),
        ({"server": "https://us.example.org", "name": "prod-eu"}, CLUSTER, False),
        ({}, CLUSTER, False),
        ({}, Cluster(), False),
        ({"name": "in-cluster"}, Cluster(), True),
        ({"namespace": "shop"}, Cluster(), False),
    ],
)
def test_which_destination_is_this_cluster(destination: dict[str, str], cluster: Cluster, meant: bool) -> None:
    assert cluster.is_meant(application(**{"namespace": "shop", **destination}).spec.destination) is meant


@pytest.mark.parametrize(
    ("destination", "entries", "allowed"),
    [
        ({"server": HERE}, [{"server": HERE, "namespace": "shop"}], True),
        ({"server": HERE}, [{"name": "in-cluster", "namespace": "shop"}], True),
        ({"server": HERE}, [{"name": "prod-eu", "namespace": "shop"}], True),
        ({"server": HERE}, [{"server": "https://eu.example.org", "namespace": "shop"}], True),
        ({"name": "prod-eu"}, [{"server": "https://eu.example.org", "namespace": "sh*"}], True),
        ({"name": "prod-eu"}, [{"name": "prod-*", "namespace": "*"}], True),
        ({"name": "prod-eu"}, [{"server": HERE, "namespace": "*"}], False),
        ({"server": HERE}, [{"server": "*", "namespace": "*"}, {"name": "!prod-eu", "namespace": "*"}], False),
        ({"name": "prod-eu"}, [{"server": "*", "namespace": "*"}, {"server": f"!{HERE}", "namespace": "*"}], True),
        ({"server": HERE}, [{"server": "*", "namespace": "*"}, {"server": f"!{HERE}", "namespace": "*"}], False),
        ({"server": HERE}, [{"server": "*", "namespace": "other"}], False),
        ({"server": HERE}, [{"server": "*", "namespace": "!shop"}], False),
        ({"name": "prod-us"}, [{"server": "*", "namespace": "*"}], False),
    ],
)
def test_destinations(destination: dict[str, str], entries: list[dict[str, str]], allowed: bool) -> None:
    app = application(**{**destination, "namespace": "shop"})
    assert (limits(app, destinations=entries).refusals() == ()) is allowed


def test_a_cluster_whose_url_nobody_told_is_not_taken_for_any() -> None:
    app = application(name="prod-eu", namespace="shop")
    entries = [{"server": "https://somewhere.example.org", "namespace": "*"}]
    assert limits(app, Cluster(name="prod-eu"), destinations=entries).refusals()


# -- objects ----------------------------------------------------------------------------------------------------------


def test_objects() -> None:
    found = limits(
        destinations=[{"server": HERE, "namespace": "shop"}, {"server": HERE, "namespace": "shop-*"}],
        clusterResourceWhitelist=[{"group": "", "kind": "Namespace"}],
        namespaceResourceBlacklist=[{"group": "", "kind": "Secret"}],
    )
    allowed = [key(), key("Namespace", "x"), key(namespace="shop-dev")]
    refused = [key("Secret"), key("ClusterRole", "x"), key(namespace="kube-system")]
    keys, told = found.forbidden([*refused, *allowed])
    assert keys == frozenset(refused)
    ((type_, message),) = told
    assert type_ == FORBIDDEN
    for of in refused:
        assert str(of) in message
    assert found.forbidden(allowed) == (frozenset(), ())


def test_what_has_left_git_and_stays_is_told() -> None:
    ((type_, message),) = limits().left([key(), key("Secret")])
    assert type_ == LEFT
    assert message == (
        "AppProject team does not allow ConfigMap/shop/cm, Secret/shop/cm: not in Git any more, and not pruned"
    )
    assert limits().left([]) == ()


def test_many_forbidden_objects_are_counted() -> None:
    found = limits(namespaceResourceWhitelist=[])
    _, ((_, message),) = found.forbidden(ResourceKey("", "ConfigMap", "shop", f"cm-{n:03}") for n in range(500))
    assert "cm-009 and 490 more" in message
    assert len(message) < 1000
