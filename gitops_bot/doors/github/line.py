"""PyGithub's connection under limits of size and time, and what a lost one is called."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from gitops_bot.errors import UsageError

IDLE = 20
"""Seconds without a byte."""
_TOTAL = 60.0
"""Seconds for one answer."""
_LARGEST = 64 * 1024 * 1024
"""Bytes of one answer: a hundred comments of the largest size are below half of it."""


class Answer(NamedTuple):
    """An answer in the shape that PyGithub reads, with the headers kept from it.

    It would follow a 301 without end, losing the query, and fail over a rate limit's header that is no number.
    """

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    text: str

    def getheaders(self) -> tuple[tuple[str, str], ...]:
        return ()

    def read(self) -> str:
        return self.text


class Line:
    """PyGithub's connection with a limit on the size and the time of an answer."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.last = Answer(0, {}, "")
        """What came last."""
        inner.session.stream = True

    def request(self, *arguments: Any) -> None:
        self._inner.request(*arguments)

    def getresponse(self) -> Answer:
        import urllib3

        deadline = time.monotonic() + _TOTAL
        with self._inner.getresponse().response as response:
            body = bytearray()
            try:
                while piece := response.raw.read1(1 << 16, decode_content=True):
                    body += piece
                    if len(body) > _LARGEST or time.monotonic() > deadline:
                        raise TimeoutError("the answer does not end")
            except urllib3.exceptions.HTTPError:
                raise ConnectionError("the answer was cut short") from None
            if response.raw.length_remaining:
                raise ConnectionError("the answer was cut short")
            if response.status_code == 202 and self._inner.verb == "GET":
                # PyGithub would sleep and ask again, without end.
                raise ConnectionError("GitHub is still preparing the answer (202)")
            headers = {name.lower(): value for name, value in response.headers.items()}
            self.last = Answer(response.status_code, headers, body.decode("utf-8", "replace"))
            return self.last

    def close(self) -> None:
        self._inner.close()


def bundle() -> bool | str:
    """The CA bundle that the environment names, else True (the usual one). Raises UsageError when it is missing."""
    names = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
    name = next((name for name in names if os.environ.get(name)), "")
    if name and not os.path.exists(os.environ[name]):
        raise UsageError(f"{name} names a file that is not there", hint="name a PEM file of CA certificates")
    return os.environ[name] if name else True


def in_words(error: OSError, names: set[str]) -> str:
    """Why there was no answer, without the library's words, which hold URLs."""
    text = f"{type(error).__name__} {error}"
    if names & {"ConnectTimeout"}:
        return "no connection to GitHub's API in time"
    if names & {"ReadTimeout", "TimeoutError"} or "Read timed out" in text:
        return f"no answer of GitHub's API for {IDLE} s"
    for sign, words in (
        ("NameResolution", "the host name of GitHub's API is not known"),
        ("ProxyError", "the proxy did not connect to GitHub's API"),
        ("refused", "the connection to GitHub's API was refused"),
    ):
        if sign in text:
            return words
    return "the connection to GitHub's API was lost"
