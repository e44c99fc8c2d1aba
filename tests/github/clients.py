"""PyGithub as a client of the fake."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from github import Auth, Github, GithubException

from tests.github.fake import FakeGitHub
from tests.github.tokens import Token


def client(github: FakeGitHub, token: Token | None = None, base: str = "", retry: object = None) -> Github:
    """PyGithub without its pauses and, unless given, without its retries."""
    value = (token or github.tokens.actions).value
    return Github(
        auth=Auth.Token(value), base_url=base or github.url, seconds_between_requests=0, seconds_between_writes=0,
        per_page=100, retry=retry,
    )  # fmt: skip


def status_of(call: Callable[[], object]) -> tuple[int, str]:
    """The status and message that a call is refused with."""
    with pytest.raises(GithubException) as caught:
        call()
    return caught.value.status, str(caught.value.data.get("message") if isinstance(caught.value.data, dict) else "")
