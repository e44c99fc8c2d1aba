"""What GitHub refuses, in our words: what happened, on which repository or number, and the next step."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gitops_bot.doors.github.pacing import Heard
from gitops_bot.errors import GitHubError

_PERMISSION = re.compile(r"([a-z_]+)=(read|write|admin)")
_LONGEST = 200
"""Characters of GitHub's own words that a message repeats."""
_READ_ONLY_WORDS = re.compile(r"not accessible by|Must have|permission", re.IGNORECASE)


class AccessDenied(GitHubError):
    """401, or a 403 that is no limit: the token may not do this."""

    def __init__(self, message: str, *, hint: str = "", status: int = 403, writing: bool = False) -> None:
        """Take the HTTP ``status`` and whether a write was refused (a token that may only read)."""
        super().__init__(message, hint=hint)
        self.status = status
        self.writing = writing


class NotFound(GitHubError):
    """404 or 410: it is not there, or the token may not see it."""


class TooLong(GitHubError):
    """422: the text is longer than GitHub takes."""


class Unavailable(GitHubError):
    """Limits, 5xx or a network that stayed away longer than is waited."""


def refusal(
    heard: Heard, doing: str, *, writing: bool = False, needs: str = "", hide: Callable[[str], str] = str
) -> GitHubError:
    """The error for a final answer of 4xx or 5xx (or a redirect that leads nowhere).

    ``doing`` says what was asked of what (``reading pull request acme/shop#7``), ``needs`` the permission of a
    workflow's token that it takes (``pull-requests: write``). ``hide`` takes secrets out of GitHub's words.
    """
    said = hide(_said(heard.body))
    told = f"GitHub refused {doing} ({heard.status}{f': {said}' if said else ''})"
    match heard.status:
        case 401:
            hint = "the token is wrong, expired or revoked; in a workflow pass token: ${{ github.token }}"
            return AccessDenied(told, hint=hint, status=401, writing=writing)
        case 403:
            return AccessDenied(told, hint=_hint(heard, said, needs, writing=writing), writing=writing)
        case 404 | 410:
            hint = f"check the repository and the number; GitHub also says so when the token lacks {needs or 'rights'}"
            return NotFound(told, hint=hint)
        case 407:
            return Unavailable(told, hint="the proxy wants a login: check HTTPS_PROXY")
        case 422 if writing and "too long" in heard.body[:2000].lower():
            return TooLong(told, hint="show less, or look at the whole in the step summary and the report")
    return GitHubError(told, hint="if this repeats, look at githubstatus.com and at the API's URL")


def _hint(heard: Heard, said: str, needs: str, *, writing: bool) -> str:
    """What would have helped at a 403."""
    if "locked" in said.lower():
        return "the conversation is locked: unlock it, or give the bot write access"
    wanted = accepted_permissions(heard.headers) or needs
    more = "; workflows of forks and of Dependabot get a token that may only read" if writing else ""
    if wanted and (_READ_ONLY_WORDS.search(said) or not said):
        return f"the token needs the permission {wanted}{more}"
    return f"check what the token may do{f' (it needs {wanted})' if wanted else ''}"


def accepted_permissions(headers: Mapping[str, str]) -> str:
    """What ``x-accepted-github-permissions`` asks for, as a workflow writes it: ``pull-requests: write``.

    ``a=read,b=write`` means both, ``;`` separates alternatives, of which the one for pull requests is told first.
    ``""`` when the header is missing or says something else.
    """
    ways = []
    for way in headers.get("x-accepted-github-permissions", "")[:500].split(";"):
        found = [f"{name.replace('_', '-')}: {level}" for name, level in _PERMISSION.findall(way)]
        if found:
            ways.append(" and ".join(found))
    return " or ".join(sorted(ways, key=lambda way: ("pull-requests" not in way, way)))


def _said(body: str) -> str:
    """GitHub's own words for people, on one line: the message and those of its errors."""
    try:
        answer: Any = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    if not isinstance(answer, dict):
        return ""
    errors = answer.get("errors")
    parts = [answer.get("message"), *(error.get("message") for error in _dicts(errors))]
    words = "; ".join(dict.fromkeys(part for part in parts if isinstance(part, str)))
    return _line(words)


def _line(words: str) -> str:
    """One line of printable characters, cut at a limit."""
    flat = " ".join("".join(sign if sign.isprintable() else " " for sign in words[: 4 * _LONGEST]).split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


_GRAPHQL_STATUS = {
    "RATE_LIMITED": 429,
    "RATE_LIMIT": 429,
    "FORBIDDEN": 403,
    "INSUFFICIENT_SCOPES": 403,
    "NOT_FOUND": 404,
}


def as_rest(heard: Heard) -> Heard:
    """A GraphQL answer with the status that REST would have given: errors come with 200 there.

    A secondary limit has no type, only words. Another error without a type is the server's (a query that timed out):
    502, so that it is asked again.
    """
    if heard.status != 200:
        return heard
    try:
        answer: Any = msgspec.json.decode(heard.body)
    except msgspec.DecodeError:
        return heard
    errors = _dicts(answer.get("errors")) if isinstance(answer, dict) else []
    if not errors:
        return heard
    if any("rate limit" in str(error.get("message")).lower() for error in errors):
        return heard._replace(status=429)
    kinds = [kind for error in errors if isinstance(kind := error.get("type"), str)]
    status = next((_GRAPHQL_STATUS[kind] for kind in kinds if kind in _GRAPHQL_STATUS), 400 if kinds else 502)
    return heard._replace(status=status)
