"""What passes between a client and the fake: requests, answers, refusals in GitHub's words, and the record of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from tests.github.routing import Route

DOCS = "https://docs.github.com/rest"
DROPPED = 0
"""The status of an answer that is never sent: the connection closes instead."""


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    target: str
    """Path and query, as sent."""
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    at: float
    """Unix time of its arrival."""

    @property
    def prefix(self) -> str:
        """``/api/v3`` as on GitHub Enterprise Server, or nothing as on github.com."""
        path = urlsplit(self.target).path
        return "/api/v3" if path == "/api/v3" or path.startswith("/api/v3/") else ""

    @property
    def path(self) -> str:
        """Path without the prefix, quoted as sent: ``/repos/shop/apps/pulls/1``."""
        return urlsplit(self.target).path.removeprefix(self.prefix) or "/"

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def json(self) -> Any:
        """The body as JSON, None when there is none.

        Raises:
            Refusal: 400, it is no JSON.
        """
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Refusal(400, "Problems parsing JSON") from error


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    body: Any = None
    """JSON, bytes as they are, or None for no body."""
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


class Refusal(Exception):
    """GitHub says no, with its own words and shape."""

    def __init__(self, status: int, message: str, errors: list[Any] | None = None, **headers: str) -> None:
        super().__init__(f"{status} {message}")
        body: dict[str, Any] = {"message": message, "documentation_url": DOCS, "status": str(status)}
        if errors is not None:
            body["errors"] = errors
        self.answer = Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def invalid(resource: str, field_name: str, code: str = "custom", message: str = "") -> Refusal:
    """422 as GitHub's validations answer."""
    one = {"resource": resource, "code": code, "field": field_name}
    return Refusal(422, "Validation Failed", [{**one, "message": message} if message else one])


@dataclass(frozen=True)
class Exchange:
    """A request with its answer, for the tests and the judges."""

    request: Request
    answer: Answer
    route: Route | None
    """None when nothing in the fake serves the path."""
    parameters: dict[str, str]
    """What the route's template took from the path."""
    fault: str
    """Name of the fault that changed the answer, or ``""``."""
    login: str = ""
    """Who asked, ``""`` for nobody."""

    def __str__(self) -> str:
        return f"{self.request.method} {unquote(self.request.target)} -> {self.answer.status or 'dropped'}"

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def at(self) -> float:
        return self.request.at

    @property
    def headers(self) -> dict[str, str]:
        return self.request.headers
