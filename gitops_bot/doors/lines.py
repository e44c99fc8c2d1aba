"""One line to another process and one line back: over the pipes of a child, or over a socket in the file system."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gitops_bot.doors.process import Conversation

LONGEST = 256 * 1024 * 1024
"""Bytes of a line: no cluster takes manifests that are larger."""


class LineBroken(Exception):
    """The other side has ended, or said too much."""


class LineSilent(LineBroken):
    """The other side has said nothing in time."""


class Line(Protocol):
    """Asks one question at a time."""

    def ask(self, line: bytes, seconds: float) -> bytes:
        """The answer to a line (with its newline), without its newline. Raises LineBroken, LineSilent."""
        ...

    def abort(self) -> None:
        """Let the thread that waits for an answer have a LineBroken; it is to be closed all the same."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class ChildLine:
    """A child process that answers lines on its pipes."""

    def __init__(self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], memory: int = 0) -> None:
        """Start it, with so many bytes of memory at most (0: any). Raises LineBroken when it cannot be found."""
        try:
            self._child = Conversation(argv, cwd=cwd, env=env, memory=memory)
        except FileNotFoundError as error:
            raise LineBroken(f"{argv[0]} was not found") from error

    def ask(self, line: bytes, seconds: float) -> bytes:
        """As ``Line.ask``."""
        self.tell(line)
        if not self._child.poll_readable(seconds):
            raise LineSilent(f"no answer within {seconds:.0f} s")
        return self.read()

    def tell(self, line: bytes) -> None:
        """Send a line (with its newline). Raises LineBroken."""
        try:
            self._child.write(line)
        except OSError as error:
            raise LineBroken("the other process has ended") from error

    def read(self) -> bytes:
        """Its next line, without its newline, however long that takes. Raises LineBroken."""
        try:
            return self._child.read_line()
        except (EOFError, OSError, ValueError) as error:
            raise LineBroken("the other process has ended") from error

    def abort(self) -> None:
        """As ``Line.abort``."""
        self._child.kill()

    def fileno(self) -> int:
        """Of the pipe that its answers come from."""
        return self._child.fileno()

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
            raise LineSilent(f"no answer within {seconds:.0f} s") from error
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


def serve(path: Path, open_line: Callable[[], ChildLine], stopped: threading.Event, *, most: int) -> None:
    """Answer lines at a socket, until ``stopped``; only this user's processes may ask.

    Each of ``most`` connections has a child of its own, which is killed when the other side hangs up: whatever it does
    by then, nobody waits for it.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    free = threading.Semaphore(most)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(16)
        listener.settimeout(0.5)
        while not stopped.is_set():
            if not free.acquire(timeout=0.5):
                continue
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                free.release()
                continue
            threading.Thread(target=_serve, args=(connection, open_line, free), daemon=True).start()
    path.unlink(missing_ok=True)


def _serve(connection: socket.socket, open_line: Callable[[], ChildLine], free: threading.Semaphore) -> None:
    try:
        with connection, contextlib.suppress(OSError, LineBroken):
            connection.settimeout(None)
            _relay(connection, open_line)
    finally:
        free.release()


def _relay(connection: socket.socket, open_line: Callable[[], ChildLine]) -> None:
    """Hand lines to a child and its answers back, until one side ends."""
    with connection.makefile("rb") as file:
        line = open_line()
        try:
            while (asked := file.readline(LONGEST)).endswith(b"\n"):
                line.tell(asked)
                with selectors.DefaultSelector() as selector:
                    selector.register(connection, selectors.EVENT_READ)
                    selector.register(line, selectors.EVENT_READ)
                    # Nothing is asked before the answer is there, so what can be read before is a hang-up.
                    if any(key.fileobj is connection for key, _ in selector.select()):
                        return
                connection.sendall(line.read() + b"\n")
        finally:
            line.close()
