"""When something that could not be rendered is rendered again: later each time, at once for what is new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitops_bot.agent.application.record import Record, as_object
from gitops_bot.agent.rules.project import Cluster
from gitops_bot.agent.sources.keys import Host, Keys
from gitops_bot.agent.sources.renderers import Renderers
from gitops_bot.agent.sources.rendering import Render, Rendered, decode_request, encode
from gitops_bot.agent.sources.revisions import Revisions
from gitops_bot.agent.sources.sources import Sources
from gitops_bot.agent.sources.surroundings import Surroundings
from gitops_bot.errors import BotError
from gitops_bot.model.settings import Settings
from gitops_bot.render.prepared import Capabilities

FAILS = Rendered(error="helm: no such value")
GOOD = Rendered(manifests="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", types=("Helm",))
COMMIT = "1" * 40


class Answers:
    """The other side of a line: it answers as it is told, and notes what it was asked."""

    def __init__(self) -> None:
        self.answer = FAILS
        self.asked: list[Render] = []

    def ask(self, line: bytes, seconds: float) -> bytes:
        request = decode_request(line)
        assert isinstance(request, Render)
        self.asked.append(request)
        return encode(self.answer).rstrip(b"\n")

    def abort(self) -> None:
        pytest.fail("nobody stops")

    def close(self) -> None:
        pytest.fail("nothing has broken")


class World:
    def __init__(self, tmp_path: Any) -> None:
        self.now = datetime(2026, 8, 1, tzinfo=UTC)
        self.line = Answers()
        self.record = Record()
        keys = Keys(lambda *_: pytest.fail("there is no App"), lambda: 0.0)
        around = Surroundings(
            cluster=Cluster(), capabilities=Capabilities, settings=Settings, projects=dict, logins=keys.sent,
            delete_jq=None, now=lambda: self.now, watch=lambda _: None,
        )  # fmt: skip
        revisions = Revisions(Host(keys, tmp_path), lambda: 0.0, lambda: self.now)
        self.sources = Sources(revisions, Renderers(lambda: self.line), around)

    def render(self, commit: str = COMMIT, *, hard: bool = False) -> str:
        """The error, ``""`` for none."""
        body = {
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop", "namespace": "x"},
            "spec": {"source": {"repoURL": "https://git.example.org/x", "path": "."}, "destination": {}, "project": "team"},
        }  # fmt: skip
        app = as_object(body)
        try:
            self.sources.rendered(app, (commit,), self.record, ("https://git.example.org/*",), hard=hard)
        except BotError as error:
            return error.message
        return ""


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def test_what_failed_waits_longer_each_time(world: World) -> None:
    waits = []
    for _ in range(8):
        assert world.render() == FAILS.error
        asked = len(world.line.asked)
        assert world.record.unrendered is not None
        wait = world.record.unrendered.again - world.now
        waits.append(wait / timedelta(seconds=1))
        world.now += wait - timedelta(seconds=1)
        assert world.render() == FAILS.error
        assert len(world.line.asked) == asked
        world.now += timedelta(seconds=1)
    assert waits == [30, 60, 120, 240, 480, 960, 1800, 1800]


def test_a_new_commit_and_a_hard_refresh_do_not_wait(world: World) -> None:
    world.render()
    assert world.render("2" * 40) == FAILS.error
    assert world.render("2" * 40, hard=True) == FAILS.error
    assert len(world.line.asked) == 3
    world.line.answer = GOOD
    assert world.render("2" * 40, hard=True) == ""
    assert world.record.unrendered is None


def test_what_was_rendered_is_not_rendered_again(world: World) -> None:
    world.line.answer = GOOD
    assert [world.render(), world.render(), world.render("2" * 40)] == ["", "", ""]
    assert [request.commits for request in world.line.asked] == [(COMMIT,), ("2" * 40,)]


def test_the_renderer_is_told_where_logins_may_go(world: World) -> None:
    world.render()
    (request,) = world.line.asked
    assert request.permitted == ("https://git.example.org/*",)
    assert (request.logins, request.allow) == ((), None)
