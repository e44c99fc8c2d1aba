"""What makes a soak begin anew, on the example repository."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gitops_bot.doors.git import Repository
from gitops_bot.render.settings import read_settings
from gitops_bot.writeback.moves.content import deploys_same
from tests.writeback.moves.test_promote import EXAMPLE, VALUES, example

CHART = "k8s/helm/churn-mlops"


@pytest.mark.parametrize(
    ("path", "edit", "same"),
    [
        (VALUES.format("staging"), ("tag: sha-9d3e7f2", "tag: sha-1"), False),
        (VALUES.format("staging"), ("replicaCount: 2", "replicaCount: 3"), False),
        (VALUES.format("staging"), ("# Staging:", "# STAGING:"), True),
        (VALUES.format("production"), ("replicaCount: 3", "replicaCount: 4"), True),
        (f"{CHART}/values.yaml", ("replicaCount: 1", "replicaCount: 9"), False),
        (f"{CHART}/templates/service.yaml", ("kind: Service", "kind:  Service"), False),
        ("README.md", ("churn", "Churn"), True),
        ("src/churn_mlops/server.py", ("import", "import "), True),
    ],
)
def test_only_what_staging_is_made_of_counts(
    repository: Callable[..., Any], path: str, edit: tuple[str, str], same: bool
) -> None:
    checkout = repository(example())
    before = (EXAMPLE / path).read_text()
    assert edit[0] in before
    checkout.commit({path: before.replace(*edit, 1)})
    with Repository(str(checkout.path)) as git:
        settings = read_settings(git.tree("main"))
        one, other = git.tree("main~1"), git.tree("main")
        assert deploys_same(settings, "staging", one, other) is same
        assert deploys_same(settings, "staging", other, one) is same
        assert deploys_same(settings, "staging", one, one)
