"""Which API versions are gone in which Kubernetes, against the published schemas of each version."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

import pytest

from gitops_bot.model.resource import ResourceKey
from gitops_bot.review.signals.apis import REMOVED_IN, minor_version, removed_api
from tests.conftest import INSTALL


@cache
def served(minor: int) -> set[tuple[str, str]]:
    """(API version, kind) of everything that has a schema of its own; alpha versions left out."""
    found = set()
    folder = resources.files("kubernetes_validate").joinpath(f"kubernetes-json-schema/v1.{minor}.0-local")
    for file in folder.iterdir():
        if file.name.startswith(("_", "all.")):
            continue
        for each in json.loads(file.read_text()).get("x-kubernetes-group-version-kind", []):
            if "alpha" not in each["version"] and not each["kind"].endswith(("List", "Options", "WatchEvent")):
                found.add((f"{each['group']}/{each['version']}".lstrip("/"), each["kind"]))
    return found


@pytest.mark.parametrize("minor", range(26, 38))
def test_the_table_has_what_left_the_schemas(minor: int) -> None:
    pytest.importorskip("kubernetes_validate", reason=INSTALL.get("schemas", "pip install gitops-bot[schemas]"))
    gone = {key for key, at in REMOVED_IN.items() if at == minor}
    assert served(minor - 1) - served(minor) == gone


def test_nothing_in_the_table_is_served_any_more() -> None:
    pytest.importorskip("kubernetes_validate", reason="pip install gitops-bot[schemas]")
    assert not {key for key, at in REMOVED_IN.items() if at <= 37} & served(37)


KEY = ResourceKey("policy", "PodDisruptionBudget", "shop", "web")


@pytest.mark.parametrize(
    ("version", "risen_from", "fires"),
    [
        ("1.25", "", True),
        ("v1.25.3-eks-1", "", True),
        ("1.24.9", "", False),
        ("", "", False),
        ("1.36", "1.24", True),
        ("1.36", "1.25", False),
        ("2.0", "", False),
    ],
)
def test_a_version_is_gone_from_its_minor_on(version: str, risen_from: str, fires: bool) -> None:
    assert (removed_api("policy/v1beta1", KEY, version, risen_from) is not None) is fires
    assert removed_api("policy/v1", KEY, version, risen_from) is None


def test_versions_are_numbers_and_no_texts() -> None:
    assert (minor_version("1.9"), minor_version("1.36.3"), minor_version("latest")) == (9, 36, None)
