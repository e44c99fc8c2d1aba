"""Watches of a real API server, and what becomes of them when it, or what stands before it, fails."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.errors import Unavailable
from gitops_bot.doors.cluster.kinds import Kind, discover_kinds
from gitops_bot.doors.cluster.objects import SETTLES, Objects
from gitops_bot.doors.cluster.requests import Requests
from gitops_bot.doors.cluster.watch import Chosen, Event, Snapshot, Watcher
from tests.agent.live.faults import ENDS, EXPIRED, NOT_FOUND, Fault, Proxy, fault_proxy
from tests.controlplane.plugin import Installed
from tests.doors.cluster.bodies import config_map, definition, key_of

_LABEL = "gitops-bot.test/watched"
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def until(holds: Callable[[], Any]) -> None:
    """Wait until it is true; fails the test when that takes too long."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


class Told:
    """What a watcher told, one after another."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Snapshot | Event] = queue.Queue()

    def next(self) -> Snapshot | Event:
        return self.queue.get(timeout=20)

    def until(self, type_: str) -> Event:
        while True:
            event = self.next()
            if isinstance(event, Event) and event.type == type_:
                return event


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def watcher(objects: Objects, told: Told, place: str) -> Iterator[Watcher]:
    watcher = Watcher(objects, Chosen(_LABEL, place), told.queue.put)
    kind = objects.kinds.preferred("", "ConfigMap")
    assert kind is not None
    watcher.watch(kind)
    yield watcher
    watcher.close()


def test_changes_arrive_as_metadata_and_the_end_as_deleted(
    objects: Objects, watcher: Watcher, told: Told, place: str
) -> None:
    first = told.next()
    assert first == Snapshot(next(iter(watcher.kinds)), (), first.version)
    assert first.version.isdigit()
    made = objects.apply(config_map(place, labels={_LABEL: "yes"}, a="1"), key_of(place), "gitops-bot").body

    added = told.until("ADDED")
    assert added.body["metadata"]["uid"] == made["metadata"]["uid"]
    assert "data" not in added.body

    objects.apply(config_map(place, labels={_LABEL: "yes"}, a="2"), key_of(place), "gitops-bot")
    assert told.until("MODIFIED").body["metadata"]["name"] == "settings"

    # Losing what is selected by is leaving.
    objects.apply(config_map(place, a="2"), key_of(place), "gitops-bot")
    assert told.until("DELETED").body["metadata"]["name"] == "settings"


def test_a_stream_that_breaks_goes_on_where_it_was(objects: Objects, watcher: Watcher, told: Told, place: str) -> None:
    from gitops_bot.doors.cluster import watch

    assert isinstance(told.next(), Snapshot)
    objects.apply(config_map(place, "first", {_LABEL: "yes"}), key_of(place, "first"), "gitops-bot")
    told.until("ADDED")

    for response in list(watcher._open):
        watch._shut(response)
    objects.apply(config_map(place, "second", {_LABEL: "yes"}), key_of(place, "second"), "gitops-bot")

    assert told.until("ADDED").body["metadata"]["name"] == "second"


def test_a_watcher_that_is_closed_leaves_no_thread(objects: Objects, told: Told, place: str) -> None:
    before = set(threading.enumerate())
    watcher = Watcher(objects, Chosen(_LABEL, place), told.queue.put)
    for kind in ("ConfigMap", "Secret", "Service"):
        found = objects.kinds.preferred("", kind)
        assert found is not None
        watcher.watch(found)
        told.next()
    watcher.close()

    left = set(threading.enumerate()) - before
    assert [each.name for each in left if each.name.startswith("watch ")] == []


# -- streams that end -------------------------------------------------------------------------------------------------


class Waiting:
    """Time that passes where something is waited for, and where a test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.instead: Callable[[threading.Event], object] = lambda _awake: None
        """What is done while time passes."""

    def wait(self, awake: threading.Event, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        self.instead(awake)

    def until(self, count: int) -> threading.Event:
        """Wait so often, and then until the watcher is closed; set when it has."""
        enough = threading.Event()

        def instead(awake: threading.Event) -> None:
            if len(self.waits) >= count:
                enough.set()
                awake.wait()

        self.instead = instead
        return enough


class Through(NamedTuple):
    """A watcher of ConfigMaps behind a proxy that fails, in a time of its own."""

    proxy: Proxy
    objects: Objects
    watcher: Watcher
    waiting: Waiting

    def until_open(self, number: int) -> None:
        """Wait until so many streams were opened so far."""
        until(lambda: self.proxy.opened >= number)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def through(installed: Installed, told: Told, place: str, waiting: Waiting, tmp_path: Path) -> Iterator[Through]:
    with fault_proxy(installed.plane) as proxy:
        connection = connect(str(proxy.kubeconfig(tmp_path / "config", installed.kubeconfig)))
        objects = Objects(Requests(connection))
        watcher = Watcher(
            objects, Chosen(_LABEL, place), told.queue.put, clock=lambda: waiting.now, wait=waiting.wait
        )  # fmt: skip
        yield Through(proxy, objects, watcher, waiting)
        watcher.close()
        connection.close()


def config_maps(objects: Objects) -> Kind:
    found = objects.kinds.preferred("", "ConfigMap")
    assert found is not None
    return found


def is_watch(_verb: str, path: str) -> bool:
    return "/configmaps?" in path and "watch=true" in path


@pytest.mark.parametrize(("fault", "lists"), [(ENDS, 1), (EXPIRED, 8)], ids=["ends", "expired"])
def test_streams_that_are_for_nothing_are_opened_less_and_less_often(
    through: Through, fault: Fault, lists: int
) -> None:
    asked: list[str] = []

    def choose(verb: str, path: str) -> Fault | None:
        if "/configmaps?" in path:
            asked.append(path)
        return fault if is_watch(verb, path) else None

    through.proxy.choose = choose
    enough = through.waiting.until(7)
    through.watcher.watch(config_maps(through.objects))

    assert enough.wait(20)
    assert through.waiting.waits == [1, 2, 4, 8, 16, 30, 30]
    assert (
        sum("watch=true" in path for path in asked) == 8
    )  # once more at once, for most that end are opened well again
    assert len(asked) == 8 + lists


def test_streams_that_lasted_or_told_something_are_opened_again_at_once(
    through: Through, told: Told, place: str
) -> None:
    through.watcher.watch(config_maps(through.objects))
    assert isinstance(told.next(), Snapshot)

    for number in range(4):
        through.until_open(number + 1)
        if number % 2:
            name = f"map-{number}"
            through.objects.apply(config_map(place, name, {_LABEL: "yes"}), key_of(place, name), "x")
            told.until("ADDED")
        else:
            through.waiting.now += 60
        through.proxy.cut_watches()

    through.objects.apply(config_map(place, "last", {_LABEL: "yes"}), key_of(place, "last"), "x")
    assert told.until("ADDED").body["metadata"]["name"] == "last"
    assert through.waiting.waits == []


# -- kinds that are not there -----------------------------------------------------------------------------------------


def test_a_kind_that_is_not_found_for_a_moment_is_not_told_as_gone(through: Through, told: Told, place: str) -> None:
    through.objects.apply(config_map(place, "first", {_LABEL: "yes"}), key_of(place, "first"), "x")
    through.watcher.watch(config_maps(through.objects))
    first = told.next()
    through.until_open(1)

    failed = through.proxy.once(NOT_FOUND, is_watch)
    through.proxy.cut_watches()

    again = told.next()
    assert failed.is_set()
    assert isinstance(first, Snapshot)
    assert isinstance(again, Snapshot)
    assert [each["metadata"]["uid"] for each in again.items] == [each["metadata"]["uid"] for each in first.items]
    through.objects.apply(config_map(place, "second", {_LABEL: "yes"}), key_of(place, "second"), "x")
    assert told.until("ADDED").body["metadata"]["name"] == "second"


def test_the_kinds_that_an_api_server_has_just_after_its_start_are_not_believed(
    installed: Installed, tmp_path: Path
) -> None:
    """Its list of kinds lacks the custom ones then, and says so nowhere."""
    with fault_proxy(installed.plane) as proxy:
        config = str(proxy.kubeconfig(tmp_path / "config", installed.kubeconfig))
        proxy.choose = lambda _verb, path: Fault(503) if path.startswith("/apis/nowhere") else None

        with pytest.raises(Unavailable):
            discover_kinds(Requests(connect(config), wait=lambda _seconds: None))
        waited: list[float] = []

        def wait(seconds: float) -> None:
            waited.append(seconds)
            proxy.never()

        kinds = discover_kinds(Requests(connect(config), wait=wait))
        assert kinds.preferred("argoproj.io", "Application") is not None
        assert len(waited) == 1


class Cups(NamedTuple):
    """A kind of the test's own, and its definition."""

    plane: Any
    objects: Objects
    group: str

    def define(self, *versions: str) -> None:
        """Define it, and wait until it is served."""
        body = definition(self.group, *versions)
        try:
            self.plane.request("POST", _DEFINITIONS, body)
        except urllib.error.HTTPError as error:
            assert error.code == 409  # noqa: PT017 - it is there already
            path = f"{_DEFINITIONS}/{body['metadata']['name']}"
            self.plane.request("PATCH", path, {"spec": body["spec"]}, content_type="application/merge-patch+json")
        until(lambda: self.kind(versions[0]) is not None and self.is_served(versions[0]))

    def forget(self) -> None:
        """Take its definition away, and wait until it is gone."""
        with contextlib.suppress(urllib.error.HTTPError):
            self.plane.request("DELETE", f"{_DEFINITIONS}/cups.{self.group}")
        until(lambda: self.kind("v1") is None and not self.is_defined())

    def is_defined(self) -> bool:
        with contextlib.suppress(urllib.error.HTTPError):
            self.plane.request("GET", f"{_DEFINITIONS}/cups.{self.group}")
            return True
        return False

    def kind(self, version: str) -> Kind | None:
        self.objects.forget_kinds()
        return self.objects.kinds.find(f"{self.group}/{version}", "Cup")

    def is_served(self, version: str) -> bool:
        with contextlib.suppress(urllib.error.HTTPError):
            self.plane.request("GET", f"/apis/{self.group}/{version}/cups")
            return True
        return False

    def create(self, place: str, name: str) -> None:
        body = {"apiVersion": f"{self.group}/v1", "kind": "Cup", "metadata": {"name": name}}
        self.plane.request("POST", f"/apis/{self.group}/v1/namespaces/{place}/cups", body)


@pytest.fixture
def cups(installed: Installed, place: str) -> Iterator[Cups]:
    connection = connect(str(installed.kubeconfig))
    made = Cups(installed.plane, Objects(Requests(connection)), f"{place}.example.org")
    yield made
    made.forget()
    connection.close()


@pytest.fixture
def cup_watcher(objects: Objects, told: Told, waiting: Waiting) -> Iterator[Watcher]:
    made = Watcher(objects, Chosen(), told.queue.put, clock=lambda: waiting.now, wait=waiting.wait)
    yield made
    made.close()


def test_a_kind_that_is_missing_for_some_moments_is_not_told_as_gone(
    cups: Cups, cup_watcher: Watcher, told: Told, waiting: Waiting, place: str
) -> None:
    cups.define("v1")
    kind = cups.kind("v1")
    assert kind is not None
    cup_watcher.watch(kind)
    assert told.next()[:2] == (kind, ())

    def define(_awake: threading.Event) -> None:
        if len(waiting.waits) == 2:
            cups.define("v1")
            cups.create(place, "blue")

    waiting.instead = define
    cups.forget()

    again = told.next()
    assert isinstance(again, Snapshot)
    assert [each["metadata"]["name"] for each in again.items] == ["blue"]
    assert cup_watcher.kinds == {kind}


def test_a_kind_that_is_missing_for_long_is_told_as_gone_and_watched_again_when_it_is_back(
    cups: Cups, cup_watcher: Watcher, objects: Objects, told: Told, waiting: Waiting, place: str
) -> None:
    cups.define("v1")
    kind = cups.kind("v1")
    assert kind is not None
    cup_watcher.watch(kind)
    assert told.next()[:2] == (kind, ())
    waiting.instead = lambda awake: cup_watcher.kinds or awake.wait()
    cups.forget()

    assert told.next() == Snapshot(kind, ())
    assert waiting.now >= SETTLES
    cups.define("v1")
    cups.create(place, "blue")
    objects.forget_kinds()
    cup_watcher.watch(kind)

    back = told.next()
    assert isinstance(back, Snapshot)
    assert [each["metadata"]["name"] for each in back.items] == ["blue"]


def test_a_kind_whose_version_is_not_served_any_more_is_watched_in_another(
    cups: Cups, cup_watcher: Watcher, told: Told, place: str
) -> None:
    cups.define("v1beta1", "v1")
    cups.create(place, "blue")
    old = cups.kind("v1beta1")
    assert old is not None
    cup_watcher.watch(old)
    assert told.next().kind == old

    cups.define("v1")

    moved = told.next()
    assert isinstance(moved, Snapshot)
    assert moved.kind == cups.kind("v1")
    assert [each["metadata"]["name"] for each in moved.items] == ["blue"]
    cups.create(place, "green")
    assert told.until("ADDED").body["metadata"]["name"] == "green"
