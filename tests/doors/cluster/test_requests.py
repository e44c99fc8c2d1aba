"""What is sent again, what never is, and how long is waited: against a server that breaks on demand."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gitops_bot.doors.cluster.connect import CONNECTIONS, connect
from gitops_bot.doors.cluster.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NoKind,
    Refused,
    Unavailable,
    Unreachable,
    Withheld,
)
from gitops_bot.doors.cluster.requests import Requests
from gitops_bot.errors import ClusterError
from tests.servers import Handler, Route, Server, cut_short, gives, in_turn

_GOOD = b'{"kind": "ConfigMap"}'


def refuses(status: int, message: str = "no", **headers: str) -> Route:
    body = {"kind": "Status", "message": message, "reason": "Because", "code": status}
    return gives(json.dumps(body).encode(), status, **headers)


def hangs_up(handler: Handler) -> None:
    handler.close_connection = True


class Asked:
    """Requests to a scripted server, with what was waited."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.waits: list[float] = []
        self.forbidden = ""
        """Why nothing may be written."""
        config = directory / "config"
        config.write_text(json.dumps({
            "clusters": [{"name": "here", "cluster": {"server": server.url}}],
            "users": [{"name": "me", "user": {"token": "s3cr3t-token"}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "current-context": "here",
        }))  # fmt: skip
        self.requests = Requests(
            connect(str(config)), wait=self.waits.append, jitter=lambda: 1.0, forbidden=lambda: self.forbidden
        )


@pytest.fixture
def asked(server: Server, tmp_path: Path) -> Asked:
    return Asked(server, tmp_path)


READS = ("get", "apply", "delete", "patch")


def ask(asked: Asked, way: str) -> object:
    requests = asked.requests
    if way == "get":
        return requests.get("/api/v1/x").body
    if way == "apply":
        return requests.apply("/api/v1/x", {"fieldManager": "m"}, {"a": 1}).body
    if way == "patch":
        return requests.patch("/api/v1/x", [{"op": "test", "path": "/a", "value": 1}]).body
    if way == "delete":
        return requests.delete("/api/v1/x", {"a": 1}).body
    return requests.once(way, "/api/v1/x", {"a": 1}).body


@pytest.mark.parametrize("way", READS)
@pytest.mark.parametrize(
    "fault", [refuses(500), refuses(502), refuses(503), refuses(504), refuses(429), hangs_up, cut_short(_GOOD, 5)]
)
def test_what_may_be_done_twice_is_asked_again(asked: Asked, way: str, fault: Route) -> None:
    asked.server.routes["/"] = in_turn(fault, fault, gives(_GOOD))

    assert ask(asked, way) == json.loads(_GOOD)
    assert len(asked.server.seen) == 3
    assert asked.waits == [0.25, 0.5]


@pytest.mark.parametrize("way", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("fault", [refuses(500), refuses(429), hangs_up])
def test_what_may_not_be_done_twice_is_sent_once(asked: Asked, way: str, fault: Route) -> None:
    asked.server.routes["/"] = in_turn(fault, gives(_GOOD))

    with pytest.raises(ClusterError):
        ask(asked, way)
    assert len(asked.server.seen) == 1
    assert asked.waits == []


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Refused), (403, Forbidden), (404, NoKind), (409, Conflict), (410, Gone), (422, Invalid)],
)
def test_a_refusal_is_told_at_once_in_the_servers_words(asked: Asked, status: int, error: type[Refused]) -> None:
    asked.server.routes["/"] = refuses(status, 'configmaps "a" is not what it was')

    with pytest.raises(error) as caught:
        ask(asked, "get")
    assert caught.value.message == 'configmaps "a" is not what it was'
    assert caught.value.status == status
    assert len(asked.server.seen) == 1


@pytest.mark.parametrize("way", ["apply", "delete", "patch", "POST", "PUT", "PATCH"])
def test_nothing_is_written_by_who_may_not(asked: Asked, way: str) -> None:
    asked.server.routes["/"] = gives(_GOOD)
    asked.forbidden = "another agent may lead now"

    with pytest.raises(Withheld, match="nothing was written: another agent may lead now"):
        ask(asked, way)
    assert asked.server.seen == []
    assert ask(asked, "get") == json.loads(_GOOD), "reading is always allowed"


@pytest.mark.parametrize("way", ["apply", "delete", "patch"])
def test_every_single_attempt_asks_whether_it_may(asked: Asked, way: str) -> None:
    """Whoever lost the lead while it waited to repeat a write does not repeat it."""

    def loses_the_lead(handler: Handler) -> None:
        asked.forbidden = "another agent may lead now"
        refuses(503)(handler)

    asked.server.routes["/"] = in_turn(loses_the_lead, gives(_GOOD))

    with pytest.raises(Withheld):
        ask(asked, way)
    assert len(asked.server.seen) == 1


def test_retry_after_is_obeyed_and_bounded(asked: Asked) -> None:
    asked.server.routes["/"] = in_turn(
        refuses(429, Retry_After="3"), refuses(429, Retry_After="86400"), refuses(429, Retry_After="soon"), gives(_GOOD)
    )

    assert ask(asked, "get") == json.loads(_GOOD)
    assert asked.waits == [3.0, 15.0, 1.0]


@pytest.mark.parametrize(("fault", "error"), [(refuses(503), Unavailable), (hangs_up, Unreachable)])
def test_asking_again_ends(asked: Asked, fault: Route, error: type[ClusterError]) -> None:
    asked.server.routes["/"] = fault

    with pytest.raises(error):
        ask(asked, "get")
    assert len(asked.server.seen) == 6
    assert sum(asked.waits) < 60


def test_waiting_ends_when_the_run_is_stopped(asked: Asked, server: Server, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(_seconds: float) -> None:
        raise Stopped

    requests = Requests(connect(str(tmp_path / "config")), wait=stop)
    server.routes["/"] = refuses(503)

    with pytest.raises(Stopped):
        requests.get("/api/v1/x")
    assert len(server.seen) == 1


def test_causes_of_an_invalid_object_are_kept(asked: Asked) -> None:
    causes = [{"reason": "FieldValueInvalid", "field": "spec.replicas", "message": "must be >= 0"}]
    body = {"kind": "Status", "message": "is invalid", "code": 422, "details": {"causes": causes}}
    asked.server.routes["/"] = gives(json.dumps(body).encode(), 422)

    with pytest.raises(Invalid) as caught:
        ask(asked, "apply")
    assert caught.value.causes == (("spec.replicas", "must be >= 0"),)


@pytest.mark.parametrize("body", [b"<html>bad gateway</html>", b"[]", b'{"message": null, "details": null}', b""])
def test_an_answer_that_is_no_status_is_still_told(asked: Asked, body: bytes) -> None:
    asked.server.routes["/"] = gives(body, 403)

    with pytest.raises(Forbidden, match="403"):
        ask(asked, "get")


def test_of_many_connections_some_stay_open(asked: Asked) -> None:
    """As many as one kind of work has under way; a hundred kinds may be listed at once when an agent starts."""
    together, ports = threading.Barrier(20), set()

    def answer(handler: Handler) -> None:
        ports.add(handler.client_address[1])
        together.wait(20)
        gives(_GOOD)(handler)

    asked.server.routes["/"] = answer
    for _ in range(2):
        with ThreadPoolExecutor(20) as pool:
            assert len([*pool.map(lambda _: ask(asked, "get"), range(20))]) == 20
    assert len(ports) == 20 + 20 - CONNECTIONS


def test_no_error_tells_the_token(asked: Asked) -> None:
    asked.server.routes["/"] = hangs_up

    with pytest.raises(Unreachable) as caught:
        ask(asked, "get")
    assert "s3cr3t" not in str(caught.value) + repr(caught.value.__cause__)
    assert asked.server.seen[0].headers["authorization"] == "Bearer s3cr3t-token"


def test_warnings_come_without_their_wrapping(asked: Asked) -> None:
    asked.server.routes["/"] = gives(_GOOD, Warning='299 - "v1beta1 is deprecated, use \\"v1\\""')

    assert asked.requests.get("/api/v1/x").warnings == ('v1beta1 is deprecated, use "v1"',)
