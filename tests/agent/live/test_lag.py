"""What the answers to our own writes tell, before or after the watch does: neither makes the other's word undone."""

from __future__ import annotations

from typing import Any

import pytest

from gitops_bot.agent.application.applications import Applications
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.model.resource import ResourceKey

KIND = ("", "ConfigMap")
KEY = ResourceKey("", "ConfigMap", "shop", "a")


def body(version: int, **labels: str) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "shop", "uid": "u", "resourceVersion": str(version)}
    return {"metadata": {**metadata, "labels": {"part-of": "app", **labels}}}


def version(inventory: Inventory) -> str | None:
    live = inventory.find(KEY)
    return live.resource_version if live is not None else None


@pytest.fixture
def inventory() -> Inventory:
    """With one object, as a first list has it."""
    made = Inventory("part-of")
    made.replace(KIND, [body(5)], "6")
    return made


def test_an_answer_that_is_older_than_what_the_watch_told_is_not_taken(inventory):
    inventory.put(KIND, body(8))
    inventory.wrote(KIND, body(7))
    assert version(inventory) == "8"


def test_an_object_that_goes_before_our_answer_comes_stays_gone(inventory):
    inventory.remove(KIND, body(8))
    inventory.wrote(KIND, body(7))
    assert version(inventory) is None
    assert inventory.of("app") == ()
    inventory.wrote(KIND, body(9))
    assert version(inventory) == "9"


def test_an_object_that_a_list_does_not_have_any_more_stays_gone(inventory):
    inventory.replace(KIND, [], "8")
    inventory.wrote(KIND, body(7))
    assert version(inventory) is None


def test_what_we_wrote_while_a_list_was_made_is_not_undone_by_it(inventory):
    inventory.wrote(KIND, body(9))
    assert inventory.replace(KIND, [body(5)], "8") == ()
    assert version(inventory) == "9"
    inventory.replace(KIND, [], "8")
    assert version(inventory) == "9"
    inventory.remove(KIND, body(10))
    assert version(inventory) is None


def test_an_answer_alone_is_not_all_that_there_is_of_a_kind():
    inventory = Inventory("part-of")
    inventory.wrote(KIND, body(5))
    assert version(inventory) == "5"
    assert not inventory.knows(KIND)


def test_a_cluster_that_was_restored_from_a_backup_is_believed(inventory):
    inventory.put(KIND, body(9))
    (touched,) = inventory.replace(KIND, [body(5)], "7")
    assert touched.key == KEY
    assert version(inventory) == "5"
    inventory.put(KIND, body(8))
    assert version(inventory) == "8"


def test_a_kind_that_is_gone_and_comes_again_begins_anew(inventory):
    inventory.put(KIND, body(9))
    inventory.replace(KIND, [])
    assert version(inventory) is None
    assert not inventory.knows(KIND)  # what there is of it when it comes again has to be listed
    inventory.wrote(KIND, body(3))
    assert version(inventory) == "3"


def app(version: int, project: str = "default") -> dict[str, Any]:
    return {
        "metadata": {"name": "shop", "namespace": "agent", "uid": "u", "resourceVersion": str(version)},
        "spec": {"project": project, "destination": {}},
    }


@pytest.fixture
def applications() -> Applications:
    """With one of them, as a first list has it."""
    made = Applications(None, "agent")  # type: ignore[arg-type]  # nobody is asked
    made.replace([app(5)], "6")
    return made


def test_an_application_that_we_wrote_to_while_a_list_was_made_is_not_taken_back(applications):
    applications.wrote(app(9, "newer"))
    assert applications.replace([app(5)], "8") == frozenset()
    assert [each.application.spec.project for each in applications.all] == ["newer"]
    assert applications.replace([app(5)], "10") == {"shop"}


def test_an_application_that_goes_before_our_answer_comes_stays_gone(applications):
    applications.remove(app(8))
    applications.wrote(app(7))
    assert applications.names == ()
