"""One line to another process and one line back: over the pipes of a child, or over a socket in the file system."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gitops_bot.doors.process import Conversation

LONGEST = 256 * 1024 * 1024
"""Bytes of a line: no cluster takes manifests that are larger."""


class LineBroken(Exception):
    """The other side has ended, said too much, or nothing in time."""


class Line(Protocol):
    """Asks one question at a time."""

    def ask(self, line: bytes, seconds: float) -> bytes:
        """The answer to a line (with its newline), without its newline. Raises LineBroken."""
        ...

    def abort(self) -> None:
        """Let the thread that waits for an answer have a LineBroken; it is to be closed all the same."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class ChildLine:
    """A child process that answers lines on its pipes."""

    def __init__(self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str]) -> None:
        """Start it. Raises LineBroken when it cannot be found."""
        try:
            self._child = Conversation(argv, cwd=cwd, env=env)
        except FileNotFoundError as error:
            raise LineBroken(f"{argv[0]} was not found") from error

    def ask(self, line: bytes, seconds: float) -> bytes:
        """As ``Line.ask``."""
        try:
            self._child.write(line)
            if not self._child.poll_readable(seconds):
                raise LineBroken(f"no answer within {seconds:.0f} s")
            return self._child.read_line()
        except (EOFError, OSError) as error:
            raise LineBroken("the other process has ended") from error

    def abort(self) -> None:
        """As ``Line.abort``."""
        self._child.kill()

    def close(self) -> None:
        """Kill it with all that it runs."""
        self._child.close()


class SocketLine:
    """A connection to a socket that somebody serves."""

    def __init__(self, path: Path) -> None:
        """Connect. Raises LineBroken when nobody serves it."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise LineBroken(f"nobody answers at {path}: {error.strerror}") from error
        self._file = self._socket.makefile("rb")

    def ask(self, line: bytes, seconds: float) -> bytes:
        """As ``Line.ask``."""
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(line)
            answer = self._file.readline(LONGEST)
        except TimeoutError as error:
            raise LineBroken(f"no answer within {seconds:.0f} s") from error
        except OSError as error:
            raise LineBroken("the other process has ended") from error
        if not answer.endswith(b"\n"):
            raise LineBroken("the other process has ended, or said too much")
        return answer[:-1]

    def abort(self) -> None:
        """As ``Line.abort``."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._file.close()
        self._socket.close()


def serve(path: Path, answer: Callable[[bytes], bytes], stopped: threading.Event) -> None:
    """Answer lines at a socket, each connection in a thread, until ``stopped``; only this user's processes may ask.

    ``answer`` takes a line without and gives one with its newline; it may not raise.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(16)
        listener.settimeout(0.5)
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=_answer, args=(connection, answer), daemon=True).start()
    path.unlink(missing_ok=True)


def _answer(connection: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    with connection, connection.makefile("rb") as file, contextlib.suppress(OSError):
        connection.settimeout(None)
        while (line := file.readline(LONGEST)).endswith(b"\n"):
            connection.sendall(answer(line[:-1]))
