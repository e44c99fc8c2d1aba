"""An Application as it is kept says what the API server's JSON says, also from a list that was made smaller."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_bot.agent.application import state
from gitops_bot.agent.application.record import as_object, slim
from gitops_bot.agent.values import live_of
from gitops_bot.model.resource import ResourceKey

BODY: dict[str, Any] = {
    "metadata": {
        "name": "shop", "namespace": "gitops", "uid": "u", "resourceVersion": "7", "labels": {"a": "b"},
        "managedFields": [{"manager": "kubectl-edit", "operation": "Update", "apiVersion": "argoproj.io/v1alpha1",
                           "time": "2026-11-29T12:00:00Z", "fieldsV1": {"f:spec": {"f:project": {}}}}],
    },
    "spec": {"destination": {}, "project": None},
    "status": {"sync": {"status": "Synced"}, "resources": [{"kind": "ConfigMap", "name": "cm"}]},
}  # fmt: skip
KEY = ResourceKey("argoproj.io", "Application", "gitops", "shop")


@pytest.mark.parametrize("body", [BODY, slim(BODY)], ids=["as it is", "from a list"])
def test_what_is_kept_of_an_application_is_what_it_says(body: dict[str, Any]) -> None:
    app = as_object(body)

    assert app.status == state.read(BODY["status"])
    assert app.live == live_of({**BODY, "apiVersion": "argoproj.io/v1alpha1"}, KEY)
    assert app.live.managed[0].manager == "kubectl-edit"
    assert app == as_object(BODY)


def test_an_application_without_a_status_has_an_empty_one() -> None:
    app = as_object({name: value for name, value in BODY.items() if name != "status"})

    assert app.status == state.Status()
