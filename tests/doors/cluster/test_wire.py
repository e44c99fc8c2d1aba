"""What goes out and what comes back over a connection that stays open: against a server that says exactly what it is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import BinaryIO

import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_bot.doors.cluster.wire import NoAnswer, Reply, Wires

OK = b"HTTP/1.1 200 OK\r\n"


class Peer:
    """Answers each request with the next of its answers, in as many pieces; ``None`` closes the connection first."""

    def __init__(self, *answers: list[bytes] | None) -> None:
        self._answers = iter(answers)
        self.asked: list[bytes] = []
        self.connections = 0
        self.closed = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError, StopIteration):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                with connection:
                    self._serve(connection)
                self.closed.set()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = connection.makefile("rb")
        while head := self._head(reader):
            self.asked.append(head)
            answer = next(self._answers)
            for piece in answer or ():
                connection.sendall(piece)
            if answer is None or answer[-1:] == [b""]:
                return

    def _head(self, reader: BinaryIO) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = reader.readline()
            if not line:
                return b""
            head += line
        length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
        return head + reader.read(length)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # whoever waits for a connection would take those of the next server
        self._thread.join(5)
        self._listener.close()


@contextlib.contextmanager
def peer(*answers: list[bytes] | None) -> Iterator[tuple[Peer, Wires]]:
    there = Peer(*answers)
    pool = urllib3.HTTPConnectionPool("127.0.0.1", there.port)
    wires = Wires(pool, f"127.0.0.1:{there.port}", 16)
    try:
        yield there, wires
    finally:
        wires.close()
        pool.close()
        there.close()
        assert not there.is_alive


def ask(wires: Wires, verb: str = "GET", body: bytes = b"", **headers: str) -> Reply:
    return wires.exchange(verb, "/x?a=b", headers, body, connect=5.0, read=5.0)


def sized(data: bytes, *more: bytes) -> list[bytes]:
    lines = b"".join(each + b"\r\n" for each in more)
    return [OK + b"Content-Length: %d\r\n%b\r\n" % (len(data), lines) + data]


def test_a_request_says_what_it_is_about_and_how_long_it_is() -> None:
    with peer(sized(b"{}"), sized(b"{}")) as (there, wires):
        ask(wires, Accept="application/json")
        ask(wires, "PATCH", b'{"a": 1}', Accept="application/json")
    start = f" /x?a=b HTTP/1.1\r\nHost: 127.0.0.1:{there.port}\r\nAccept: application/json\r\n".encode()
    assert there.asked == [b"GET" + start + b"\r\n", b"PATCH" + start + b'Content-Length: 8\r\n\r\n{"a": 1}']


@settings(deadline=None, max_examples=40)
@given(st.lists(st.binary(min_size=1, max_size=50_000), max_size=5), st.integers(1, 9))
def test_an_answer_comes_back_whole_however_it_is_cut(chunks: list[bytes], pieces: int) -> None:
    chunked = b"".join(b"%X;x=y\r\n%b\r\n" % (len(each), each) for each in chunks) + b"0\r\nA-Trailer: 1\r\n\r\n"
    answer = OK + b"Warning: 299 - one\r\nwarning: 299 - two\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked
    step = max(1, len(answer) // pieces)
    cut = [answer[start : start + step] for start in range(0, len(answer), step)]
    with peer(cut, sized(b"next")) as (there, wires):
        reply = ask(wires)
        assert (reply.status, reply.data) == (200, b"".join(chunks))
        assert reply.values("warning") == ["299 - one", "299 - two"]
        assert ask(wires).data == b"next"
        assert there.connections == 1


@pytest.mark.parametrize(
    ("answer", "data", "stays"),
    [
        (sized(b"{}"), b"{}", True),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", *sized(b"{}")], b"{}", True),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b"", True),
        (sized(b"{}", b"Connection: close"), b"{}", False),
        ([OK + b"\r\n{}", b""], b"{}", False),
    ],
    ids=["sized", "continue", "no content", "to be closed", "until it ends"],
)
def test_a_connection_is_used_again_where_it_can_be(answer: list[bytes], data: bytes, stays: bool) -> None:
    with peer(answer, sized(b"more")) as (there, wires):
        assert ask(wires).data == data
        assert ask(wires).data == b"more"
        assert there.connections == (1 if stays else 2)


def test_what_was_closed_meanwhile_is_opened_anew_and_nothing_is_sent_twice() -> None:
    with peer([*sized(b"{}"), b""], sized(b"{}")) as (there, wires):
        ask(wires)
        assert there.closed.wait(5)
        ask(wires, "POST", b"{}")
        assert (there.connections, len(there.asked)) == (2, 2)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", b""],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", b""],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n"],
        [OK + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n"],
        [OK + b"Content-Length: many\r\n\r\n"],
        [OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n"],
        [OK + b"X: y\r\n" * 300 + b"\r\n"],
        [b"SSH-2.0-OpenSSH_9.6\r\n\r\n"],
        [b"HTTP/1.1 OK\r\n\r\n"],
    ],
)  # fmt: skip
def test_half_an_answer_is_none_and_its_connection_is_not_used_again(answer: list[bytes] | None) -> None:
    with peer(answer, sized(b"{}")) as (there, wires):
        with pytest.raises(NoAnswer):
            ask(wires)
        assert ask(wires).data == b"{}"
        assert there.connections == 2


def test_silence_ends_a_request() -> None:
    with peer([]) as (_, wires), pytest.raises(TimeoutError):
        wires.exchange("GET", "/x", {}, b"", connect=5.0, read=0.05)


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb"])
def test_a_header_with_a_line_break_is_never_sent(value: str) -> None:
    with peer(sized(b"{}")) as (there, wires):
        with pytest.raises(NoAnswer, match="line break"):
            ask(wires, Authorization=value)
        assert there.connections == 0
