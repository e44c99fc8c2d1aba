"""The Applications as they are known, and writing to them."""

from __future__ import annotations

import pytest

from gitops_bot.agent.application.applications import Applications
from gitops_bot.agent.application.record import as_object
from gitops_bot.agent.application.state import Status
from gitops_bot.agent.live.kindwatch import KindWatch
from gitops_bot.doors.cluster.errors import NoKind
from gitops_bot.doors.cluster.kinds import Kind, Kinds
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.watch import Event, Snapshot

DEFINITION = Kind(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False, frozenset()
)


def test_a_status_is_not_given_up_where_the_kind_itself_is_not_served():
    """As by an API server that has just started: what is written of an operation would be lost."""
    app = as_object({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "gitops-bot", "uid": "1", "resourceVersion": "5"},
        "spec": {"destination": {}, "project": "default", "source": {"repoURL": "https://git.example/shop"}},
    })  # fmt: skip
    applications = Applications(Objects(None, Kinds(())), "gitops-bot")
    with pytest.raises(NoKind):
        applications.write_status(app, Status(), {}, {})


class Changes(Objects):
    """Counts how often kinds are said to have changed."""

    def __init__(self) -> None:
        super().__init__(None)
        self.count = 0

    def kinds_changed(self) -> None:
        self.count += 1


def definition(name: str, version: str) -> dict[str, object]:
    return {"metadata": {"name": name, "resourceVersion": version}}


def test_kinds_are_asked_for_anew_when_a_definition_changes_and_not_when_all_are_listed_again():
    objects = Changes()
    watch = KindWatch(objects)
    same = Snapshot(DEFINITION, (definition("teas", "1"), definition("cups", "2")))
    for told, count in [
        (same, 0), (same, 0), (Event(DEFINITION, "ADDED", definition("pots", "3")), 1), (same, 2), (same, 2),
        (Event(DEFINITION, "DELETED", definition("cups", "9")), 3),
        (Snapshot(DEFINITION, (definition("teas", "1"),)), 3),
    ]:  # fmt: skip
        watch._told(told)
        assert objects.count == count
