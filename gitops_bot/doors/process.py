"""The one door to other programs: fixed arguments, sealed environment, limits, and no survivor."""

from __future__ import annotations

import contextlib
import os
import resource
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple, NoReturn, Self

_CHUNK = 1 << 16
_STDERR_KEPT = 64 * 1024
_STDERR_START = 4 * 1024


class Limits(NamedTuple):
    """What one process may use before it is killed."""

    seconds: float = 120.0
    """Wall-clock time."""
    output: int = 256 * 1024 * 1024
    """Bytes on standard output."""
    memory: int = 4 * 1024 * 1024 * 1024
    """Bytes of address space beyond what the runtime reserves; 0 for no limit."""
    file: int = 0
    """Bytes of the largest file that it or what it starts may write; 0 for no limit."""


DEFAULT_LIMITS = Limits()

_live: set[subprocess.Popen[bytes]] = set()
_ending = threading.Event()


class _Starting:
    """The moment in which a program runs that nobody knows of yet: a signal must not end us in it.

    Python runs signal handlers in the main thread only, so only that one's starts count.
    """

    def __init__(self) -> None:
        self._busy = False
        self._stop: Callable[[], NoReturn] | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._busy = True

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            self._busy = False
            if self._stop is not None:
                end_all()
                self._stop()

    def put_off(self, stop: Callable[[], NoReturn]) -> bool:
        """Whether a program is being started: then ``stop`` is called as soon as it is known, and not now."""
        if self._busy:
            self._stop = stop
        return self._busy


_starting = _Starting()
put_off = _starting.put_off
"""For signal handlers that raise; see ``_Starting.put_off``."""


class Finished(NamedTuple):
    """How a process ended."""

    code: int
    """Exit code; negative for the signal that ended it."""
    stdout: bytes
    stderr: str
    """At most 64 KiB, the first 4 and the last 60; undecodable bytes replaced."""
    stopped: str
    """Why it was killed (``120 s``, ``256 MiB of output``), ``""`` when it ended by itself."""


def run(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    stdin: bytes = b"",
    limits: Limits = DEFAULT_LIMITS,
    network: bool = False,
) -> Finished:
    """Run a program to its end, or kill it and all its children at a limit.

    ``argv`` is passed as it is, never through a shell; ``env`` is the whole environment, nothing is inherited.
    Without ``network`` the program runs in an empty network namespace where the platform allows one.
    Raises FileNotFoundError when ``argv[0]`` cannot be found, InterruptedError after ``end_all``.
    """
    if _ending.is_set():
        raise InterruptedError("this program is ending; it starts no other")
    command = list(argv) if network else [*network_guard(), *argv]
    with _starting:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        _live.add(process)
    try:
        if _ending.is_set():  # end_all may have looked at _live a moment too early
            raise InterruptedError("this program is ending")
        _limit_resources(process.pid, limits)
        stdout, stderr, stopped = _collect(process, stdin, limits)
    finally:
        _kill_group(process)
    return Finished(process.returncode, stdout, stderr.decode("utf-8", "replace"), stopped)


def _collect(process: subprocess.Popen[bytes], stdin: bytes, limits: Limits) -> tuple[bytes, bytes, str]:
    """Feed and drain the pipes until the program ends or breaks a limit; the third value says which."""
    deadline = time.monotonic() + limits.seconds
    stdout: list[bytes] = []
    stderr, pending, size = b"", memoryview(stdin), 0
    assert process.stdout is not None and process.stderr is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                return b"".join(stdout), stderr, f"{limits.seconds:g} s"
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    pending = _feed(process, selector, pending)
                    continue
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    stdout.append(chunk)
                    size += len(chunk)
                    if size > limits.output:
                        return b"".join(stdout), stderr, f"{limits.output >> 20} MiB of output"
                else:
                    stderr = _shortened(stderr + chunk)
    if not _ends(process, deadline - time.monotonic()):
        return b"".join(stdout), stderr, f"{limits.seconds:g} s"
    return b"".join(stdout), stderr, ""


def _ends(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for a program whose pipes are closed; False when the time is over first.

    Python's own wait with a time limit polls with sleeps, which costs up to a millisecond a run; Linux can tell.
    """
    if process.poll() is None and hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(process.pid)
            try:
                with selectors.DefaultSelector() as selector:
                    selector.register(handle, selectors.EVENT_READ)
                    selector.select(max(0.0, seconds))
            finally:
                os.close(handle)
            seconds = 0.0
    try:
        process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        return False
    return True


def _shortened(text: bytes) -> bytes:
    """The start, where a crash names its cause, and the end, where an error is told."""
    if len(text) <= _STDERR_KEPT:
        return text
    return text[:_STDERR_START] + text[_STDERR_START - _STDERR_KEPT :]


def _feed(process: subprocess.Popen[bytes], selector: selectors.BaseSelector, pending: memoryview) -> memoryview:
    """Write some of the pending input; close the pipe when it is all written or nobody reads it."""
    assert process.stdin is not None
    with contextlib.suppress(BlockingIOError):
        try:
            pending = pending[os.write(process.stdin.fileno(), pending[:_CHUNK]) :]
        except BrokenPipeError:
            pending = pending[:0]
        if not pending:
            selector.unregister(process.stdin)
            process.stdin.close()
    return pending


def _limit_resources(pid: int, limits: Limits) -> None:
    """Set the limits of memory and files from outside; where the platform cannot, the others still hold."""
    for kind, size in ((resource.RLIMIT_AS, limits.memory), (resource.RLIMIT_FSIZE, limits.file)):
        if size and hasattr(resource, "prlimit"):
            with contextlib.suppress(OSError, ValueError):
                resource.prlimit(pid, kind, (size, size))


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the process group, and collect the process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _live.discard(process)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            # What was written and not read yet is lost with its reader.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def end_all() -> None:
    """Kill every running program and start no more: for a process that was told to end while threads still work."""
    _ending.set()
    for process in list(_live):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


@cache
def network_guard() -> tuple[str, ...]:
    """The command prefix that gives a program an empty network namespace; empty where the platform has none."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    guard = (unshare, "--net", "--map-root-user", "--")
    probe = subprocess.run([*guard, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return guard if probe.returncode == 0 else ()


class Conversation:
    """A program that answers one request after another on its pipes (``git cat-file --batch``).

    A context manager: leaving it ends the program.
    """

    def __init__(self, argv: Sequence[str], *, cwd: str, env: Mapping[str, str], memory: int = 0) -> None:
        """Start the program, with ``memory`` bytes of address space at most (0: any); what it starts may be given more.

        Raises FileNotFoundError when it cannot be found.
        """
        self._process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if memory and hasattr(resource, "prlimit"):
            with contextlib.suppress(OSError, ValueError):
                _, most = resource.prlimit(self._process.pid, resource.RLIMIT_AS)
                resource.prlimit(self._process.pid, resource.RLIMIT_AS, (memory, most))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Send bytes at once. Raises BrokenPipeError when the program has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def read_line(self) -> bytes:
        """The next line without its newline; raises EOFError when the program has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the program ended in the middle of an answer")
        return line[:-1]

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes; raises EOFError when the program ends before."""
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        if len(data) != size:
            raise EOFError("the program ended in the middle of an answer")
        return data

    def poll_readable(self, seconds: float) -> bool:
        """Wait until an answer can be read; False when the time is over first."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def fileno(self) -> int:
        """Of the pipe that answers come from, for selectors."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def kill(self) -> None:
        """End the program and what it runs, while another thread may wait for its answer: that gets an EOFError."""
        if self._process.poll() is None:
            _kill_descendants(self._process.pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the program and what it runs."""
        if self._process.poll() is None:
            _kill_descendants(self._process.pid)
        _kill_group(self._process)


def _kill_descendants(pid: int) -> None:
    """Kill what a program has started, in whatever group: it is halted first, so that it starts no more."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGSTOP)
    for child in _children(pid):
        _kill_descendants(child)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(child, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    """What Linux knows of a program's children; none where the platform does not tell."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
    return found
