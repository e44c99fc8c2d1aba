"""Kubernetes Events on a real API server: said once, counted when said again, and not too many."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitops_bot.agent.application.record import AppObject, as_object
from gitops_bot.agent.reports.events import Recorder
from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.requests import Requests
from tests.controlplane.plugin import Installed


class Clock:
    """Moves when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


class Told:
    """What was said of Applications of one namespace."""

    def __init__(self, installed: Installed, objects: Objects, place: str) -> None:
        self._plane, self._objects, self._place = installed.plane, objects, place
        self._path = f"/api/v1/namespaces/{place}/events"
        self.clock = Clock()
        self.dropped = 0

    def app(self, name: str) -> AppObject:
        spec = {"destination": {}, "project": "default", "source": {"repoURL": "https://git.example/shop"}}
        metadata = {"name": name, "namespace": self._place, "uid": name}
        return as_object({"metadata": metadata, "spec": spec})

    def recorder(self) -> Recorder:
        def dropped() -> None:
            self.dropped += 1

        return Recorder(self._objects, "test", self.clock, dropped)

    def say(self, recorder: Recorder, *messages: str, app: str = "shop") -> None:
        for message in messages:
            recorder.put(self.app(app), "DriftDetected", message, warning=True)

    @property
    def events(self) -> list[dict[str, Any]]:
        return self._plane.request("GET", self._path)["items"]

    @property
    def counts(self) -> dict[str, int]:
        return {each["message"]: each["count"] for each in self.events}

    def forget(self) -> None:
        """The API server forgets Events after an hour."""
        for each in self.events:
            self._plane.request("DELETE", f"{self._path}/{each['metadata']['name']}")


@pytest.fixture
def told(installed: Installed, place: str) -> Iterator[Told]:
    connection = connect(str(installed.kubeconfig))
    yield Told(installed, Objects(Requests(connection)), place)
    connection.close()


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def saying(told: Told, say: Callable[[Recorder], None]) -> None:
    """Say it, and wait until all of it is written."""
    recorder = told.recorder()
    recorder.start()
    say(recorder)
    recorder.close(30)


def test_what_is_said_again_is_counted(told: Told) -> None:
    saying(told, lambda recorder: told.say(recorder, "a", "b", "a", "a"))
    assert told.counts == {"a": 3, "b": 1}
    (one,) = [each for each in told.events if each["message"] == "a"]
    assert (one["type"], one["reason"], one["source"]) == ("Warning", "DriftDetected", {"component": "gitops-bot"})
    assert one["involvedObject"]["name"] == "shop"


def test_what_was_forgotten_is_said_anew(told: Told) -> None:
    recorder = told.recorder()
    recorder.start()
    told.say(recorder, "a")
    until(lambda: told.events)
    told.forget()
    told.say(recorder, "a")
    recorder.close(30)
    assert told.counts == {"a": 1}
    assert told.dropped == 0


def test_who_says_much_is_heard_for_a_while_and_then_seldom_and_nobody_else_suffers(told: Told) -> None:
    def say(recorder: Recorder) -> None:
        told.say(recorder, *(f"{number:02}" for number in range(30)))
        told.say(recorder, "another's", app="other")

    saying(told, say)
    assert told.dropped == 5
    assert set(told.counts) == {*(f"{number:02}" for number in range(25)), "another's"}


def test_a_little_later_one_more_is_heard(told: Told) -> None:
    recorder = told.recorder()
    recorder.start()
    told.say(recorder, *(f"{number:02}" for number in range(26)))
    until(lambda: told.dropped)
    told.clock.seconds = 301
    told.say(recorder, "later", "and not this")
    recorder.close(30)
    assert "later" in told.counts
    assert told.dropped == 2


def test_a_long_message_is_cut_to_what_the_api_server_takes(told: Told) -> None:
    saying(told, lambda recorder: told.say(recorder, "ü" * 5000))
    ((message, count),) = told.counts.items()
    assert count == 1
    assert message.endswith("ü…")
    assert len(message.encode()) <= 1024
