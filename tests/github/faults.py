"""What goes wrong at GitHub, on demand: per method and path, at the n-th such request.

A fault is a function of a request and of `proceed`, which does what GitHub would have done; so "502 after the write"
proceeds and answers something else, and "before the write" does not proceed.
"""

from __future__ import annotations

import fnmatch
import threading
from collections.abc import Callable
from dataclasses import dataclass

from tests.github.exchange import DROPPED, Answer, Refusal, Request
from tests.github.state import State

Proceed = Callable[[], Answer]
Fault = Callable[[Request, Proceed], Answer]

_SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID 1A2B:3C4D."
)
_ABOUT_LIMITS = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
_UNICORN = (
    b"<!DOCTYPE html>\n<html><head><title>Unicorn!</title></head><body>This page is taking too long.</body></html>\n"
)


def server_error(status: int = 502, *, after_write: bool = False) -> Fault:
    """A page of GitHub's balancer instead of an answer, before or after it was done."""

    def fault(_: Request, proceed: Proceed) -> Answer:
        if after_write:
            proceed()
        return Answer(status, _UNICORN, {"Content-Type": "text/html; charset=utf-8"})

    return fault


def dropped(*, after_write: bool = False) -> Fault:
    """The connection closes without a word, before or after it was done."""

    def fault(_: Request, proceed: Proceed) -> Answer:
        if after_write:
            proceed()
        return Answer(DROPPED)

    return fault


def secondary_limit(status: int = 403, retry_after: int | None = None) -> Fault:
    """The secondary rate limit, with or without Retry-After (seconds)."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    body = {"documentation_url": f"{_ABOUT_LIMITS}#about-secondary-rate-limits", "message": _SECONDARY}
    return lambda *_: Answer(status, body, headers)


def too_many(retry_after: int | None = None) -> Fault:
    """429 with or without Retry-After (seconds)."""
    return secondary_limit(429, retry_after)


def primary_limit(state: State, resets_in: float, status: int = 403) -> Fault:
    """The hour's requests are used up until ``resets_in`` seconds from the request."""

    def fault(_: Request, _proceed: Proceed) -> Answer:
        headers = {
            "X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "0", "X-RateLimit-Used": "1000",
            "X-RateLimit-Resource": "core", "X-RateLimit-Reset": str(int(state.clock() + resets_in)),
        }  # fmt: skip
        message = (
            "API rate limit exceeded for installation. If you reach out to GitHub Support for help, name the request."
        )
        return Answer(status, {"message": message, "documentation_url": _ABOUT_LIMITS, "status": str(status)}, headers)

    return fault


def slow(seconds: float) -> Fault:
    """The answer takes so long."""

    def fault(_: Request, proceed: Proceed) -> Answer:
        threading.Event().wait(seconds)
        return proceed()

    return fault


def refused(status: int, message: str) -> Fault:
    """GitHub says no: 401 ``Bad credentials``, 403 ``Resource not accessible by integration``, 404 ``Not Found`` …"""
    return lambda *_: Refusal(status, message).answer


def shorter_limit(characters: int) -> Fault:
    """Bodies of comments may have so many characters only."""

    def fault(request: Request, proceed: Proceed) -> Answer:
        if len((request.json() or {}).get("body") or "") <= characters:
            return proceed()
        message = f"Body is too long (maximum is {characters} characters)"
        one = {"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": message}
        return Refusal(422, "Validation Failed", [one]).answer

    return fault


def meanwhile(action: Callable[[], object], *, after: bool = False) -> Fault:
    """Something else happens just before (or just after) the request is served: a push, another run's comment."""

    def fault(_: Request, proceed: Proceed) -> Answer:
        if not after:
            action()
            return proceed()
        answer = proceed()
        action()
        return answer

    return fault


@dataclass
class _Scripted:
    method: str
    path: str
    fault: Fault
    first: int
    last: float
    name: str
    seen: int = 0


class Faults:
    """The script of faults; what is scripted later is asked first."""

    def __init__(self) -> None:
        self._scripted: list[_Scripted] = []
        self._lock = threading.Lock()

    def add(self, method: str, path: str, fault: Fault, *, nth: int = 1, times: float = 1, name: str = "") -> None:
        """Let a fault happen at the ``nth`` request (from now) of this method (``*``: any) and path, ``times`` in a row.

        ``path`` is without ``/api/v3``, and ``*`` stands for anything: ``/repos/*/issues/*/comments``.
        ``times=math.inf`` for ever.
        """
        name = name or getattr(fault, "__qualname__", "fault").partition(".")[0]
        with self._lock:
            self._scripted.insert(0, _Scripted(method, path, fault, nth, nth + times - 1, name))

    def clear(self) -> None:
        with self._lock:
            self._scripted.clear()

    def due(self, request: Request) -> tuple[str, Fault] | None:
        """The fault of this request, with its name; every fault of this path counts it."""
        found = None
        with self._lock:
            for one in self._scripted:
                if one.method not in ("*", request.method) or not fnmatch.fnmatchcase(request.path, one.path):
                    continue
                one.seen += 1
                if found is None and one.first <= one.seen <= one.last:
                    found = (one.name, one.fault)
        return found
