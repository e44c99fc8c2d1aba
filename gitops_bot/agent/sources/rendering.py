"""What the agent asks its renderer, and the renderer's answers: one JSON line each, over a pipe or a socket.

The renderer is a process of its own, in the cluster a container of its own, without the account's token: what a chart
may do, it cannot do with our rights (DESIGN: rendering never stands beside the token).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from gitops_bot.model.settings import Render as RenderSettings
from gitops_bot.model.settings import Settings
from gitops_bot.render.prepared import Capabilities


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent to one place, to fetch from it. Never printed: ``repr`` names the place only."""

    place: str
    """URL as ``logins.place_of`` writes it."""
    below: bool = False
    """Whether it opens what is below the place, too."""
    project: str = ""
    """The project it is for, ``""`` for all."""
    source: str = ""
    header: str = ""
    """The value of ``Authorization``."""
    key: str = ""
    """Private SSH key."""
    known_hosts: str = ""
    refused: str = ""
    """Why it is not used, with the next step."""

    def __repr__(self) -> str:
        return f"Login({self.place})"


class Render(msgspec.Struct, frozen=True, kw_only=True, tag="render"):
    """Render one Application."""

    application: dict[str, Any]
    """The object."""
    commits: tuple[str, ...]
    """For each of its sources the commit to render, ``""`` for a chart of a Helm repository."""
    capabilities: Capabilities
    logins: tuple[Login, ...] = ()
    authorities: dict[str, str] = {}
    """Host → certificates (PEM) that alone are trusted for its own."""
    settings: RenderSettings = RenderSettings()
    allow: tuple[str, ...] | None = None
    """URL prefixes that may be fetched beside the sources' own; None: what they name themselves."""
    permitted: tuple[str, ...] = ("*",)
    """The project's ``sourceRepos``: to no other place is a login sent, whatever charts and overlays name."""
    anew: bool = False
    """Whether nothing that was rendered before counts, and charts are fetched again though their version is whole."""


class Define(msgspec.Struct, frozen=True, kw_only=True, tag="define"):
    """Find the Applications and AppProjects of a repository."""

    url: str
    commit: str
    path: str = ""
    """Directory to look in; ``""`` for all of it."""
    logins: tuple[Login, ...] = ()
    authorities: dict[str, str] = {}
    """As of ``Render``."""


Request: TypeAlias = Render | Define


class Rendered(msgspec.Struct, frozen=True, kw_only=True, tag="rendered"):
    """An Application's manifests, or why there are none."""

    manifests: str = ""
    generated: tuple[dict[str, Any], ...] = ()
    """The Applications of the ApplicationSets among the manifests: they take the place of those."""
    plan: str = ""
    """The plan hash, ``""`` where two renders may differ."""
    unstable: str = ""
    """Why they may."""
    types: tuple[str, ...] = ()
    """``Helm``, ``Kustomize`` or ``Directory`` of each source that is rendered."""
    warnings: tuple[str, ...] = ()
    error: str = ""
    """``""`` when it was rendered."""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One Application or AppProject of a repository."""

    kind: str
    file: str
    document: dict[str, Any]


class Defined(msgspec.Struct, frozen=True, kw_only=True, tag="defined"):
    """What a repository defines."""

    definitions: tuple[Definition, ...] = ()
    problems: tuple[str, ...] = ()
    """Each hides something: while there is one, nothing that is missing may be taken for removed."""
    settings: Settings | None = None
    """The repository's own; None: they cannot be read, and ``problems`` says why."""
    elsewhere: bool = False
    """Whether another repository was read for it, so that the commit alone does not tell what is defined."""
    error: str = ""


Answer: TypeAlias = Rendered | Defined

# Made when the module is read, by one thread.
_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)  # noqa: TID251
_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)  # noqa: TID251


def decode_request(line: bytes) -> Request:
    """A request's line. Raises msgspec.DecodeError."""
    return _requests.decode(line)


def decode_answer(line: bytes) -> Answer:
    """An answer's line. Raises msgspec.DecodeError."""
    return _answers.decode(line)


def encode(message: Request | Answer) -> bytes:
    """A line with its newline."""
    return msgspec.json.encode(message) + b"\n"
