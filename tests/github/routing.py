"""Which function answers which path: templates are written with GitHub's own names, so that its OpenAPI knows them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from tests.github.exchange import Answer, Refusal, Request, invalid

if TYPE_CHECKING:
    from tests.github.state import Repository, State
    from tests.github.tokens import Token, Tokens


@dataclass(frozen=True)
class Route:
    """One operation of the API."""

    method: str
    template: str
    """``/repos/{owner}/{repo}/pulls/{pull_number}``."""
    answer: Callable[[Call], Answer]
    needs: tuple[str, ...]
    """One of these permissions is needed, ``pull_requests:write``; nothing for what everybody may."""
    anyone: bool
    """Answers without a token too, where the repository is public."""
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Call:
    """What a route's function is given."""

    state: State
    tokens: Tokens
    request: Request
    parameters: dict[str, str]
    token: Token | None
    found: Repository | None

    @property
    def repository(self) -> Repository:
        assert self.found is not None
        return self.found

    @property
    def api(self) -> str:
        """Where links of answers begin: the same host and prefix that the request came to."""
        return self.state.server_url + self.request.prefix

    @property
    def caller(self) -> Token:
        """Who asks.

        Raises:
            Refusal: 401, nobody does.
        """
        if self.token is None:
            raise Refusal(401, "Requires authentication")
        return self.token

    def number(self, name: str) -> int:
        """A number of the path."""
        return int(self.parameters[name])

    def body(self) -> dict[str, Any]:
        """The body's object; an empty one when there is none."""
        content = self.request.json()
        if content is None:
            return {}
        if not isinstance(content, dict):
            raise Refusal(400, "Body should be a JSON object")
        return content

    def required(self, resource: str, name: str, kind: type = str) -> Any:
        """A field of the body that must be there."""
        content = self.body()
        if name not in content or content[name] is None:
            raise invalid(resource, name, "missing_field")
        if not isinstance(content[name], kind):
            raise Refusal(422, f"Invalid request.\n\nFor '{name}', {content[name]!r} is not a {kind.__name__}.")
        return content[name]

    def page(self, items: list[Any]) -> tuple[list[Any], dict[str, str]]:
        """The items of the page that is asked for, and the Link header; next pages are named by repository id."""
        size = min(100, max(1, int(self.request.query.get("per_page") or 30)))
        number = max(1, int(self.request.query.get("page") or 1))
        last = max(1, -(-len(items) // size))
        names: dict[str, int] = {}
        if number > 1:
            names |= {"prev": min(number - 1, last), "first": 1}
        if number < last:
            names |= {"next": number + 1, "last": last}
        path = self.request.path
        if self.found is not None:
            rest = path.split("/", 4)[4:] if path.startswith("/repos/") else path.split("/", 3)[3:]
            path = "/".join([f"/repositories/{self.found.id}", *rest])
        links = []
        for name, page in names.items():
            query = urlencode({**self.request.query, "page": str(page)})
            links.append(f'<{self.api}{path}?{query}>; rel="{name}"')
        return items[(number - 1) * size : number * size], {"Link": ", ".join(links)} if links else {}


ROUTES: list[Route] = []


def route(
    method: str, template: str, *needs: str, anyone: bool | None = None
) -> Callable[[Callable[[Call], Answer]], Callable[[Call], Answer]]:
    """Register a function as the answer to a path; ``needs`` as in Route. Reading is for anyone unless said."""
    parts = re.split(r"\{(\w+)\}", template)
    pattern = "".join(
        re.escape(part) if place % 2 == 0 else f"(?P<{part}>{_DEEP if part in _DEEP_NAMES else '[^/]+'})"
        for place, part in enumerate(parts)
    )

    def register(function: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        open_to_all = anyone if anyone is not None else method == "GET"
        ROUTES.append(Route(method, template, function, needs, open_to_all, re.compile(pattern)))
        return function

    return register


_DEEP_NAMES = ("path", "ref", "branch", "basehead")
"""Names whose value may hold a slash."""
_DEEP = r"(?!.*/(?:protection|rename|pulls|comments|check-suites|branches-where-head)(?:/|$)).+"
"""Such a value, but for what GitHub has below these paths."""


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a path and what it took from it; the longest template wins. None when there is none."""
    found: list[tuple[int, Route, dict[str, str]]] = []
    for one in ROUTES:
        if one.method == method and (match := one.pattern.fullmatch(path)):
            values = {name: unquote(value) for name, value in match.groupdict().items()}
            found.append((len(re.sub(r"\{\w+\}", "", one.template)), one, values))
    if not found:
        return None
    _, best, values = max(found, key=lambda each: each[0])
    return best, values
