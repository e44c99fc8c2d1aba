"""The door to OCI registries: tags, manifests and layers, by the distribution protocol, read only."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from typing import NamedTuple, TypeVar
from urllib.parse import quote, urlencode, urljoin

import msgspec

from gitops_bot.doors import http
from gitops_bot.errors import FetchError
from gitops_bot.model import typed
from gitops_bot.model import url as urls

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_DOCKER = "application/vnd.docker.distribution.manifest"
_ACCEPTED = f"{MANIFEST}, {INDEX}, {_DOCKER}.v2+json, {_DOCKER}.list.v2+json"
_MANIFEST_SIZE = 4 * 1024 * 1024
_TOKEN_SIZE = 1024 * 1024
_TAG_PAGES = 100
_NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'([a-z_]+)="([^"]*)"', re.IGNORECASE)


class Place(NamedTuple):
    """One repository in one registry."""

    origin: str
    """``https://ghcr.io``, or ``http://127.0.0.1:5000`` for a registry on this machine."""
    name: str
    """``acme/charts/churn``."""

    def __str__(self) -> str:
        return f"{self.origin.partition('://')[2]}/{self.name}"


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """What a manifest or index points at."""

    media_type: str
    digest: str
    size: int = 0


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """A manifest (``layers``) or an index (``manifests``)."""

    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()


class _Tags(msgspec.Struct, frozen=True):
    tags: tuple[str, ...] | None = None


class _Token(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""


_Shape = TypeVar("_Shape", Manifest, _Tags, _Token)


class Registry:
    """Read access to registries through one HTTP client; bearer tokens are kept for the run, per repository."""

    def __init__(self, client: http.Client, reach: Callable[[str], http.Reach]) -> None:
        """Take the client, and how URLs are judged that hold content with a known digest (redirects of layers)."""
        self._client = client
        self._pinned = reach
        self._tokens: dict[Place, str] = {}
        self._lock = threading.Lock()

    def tags(self, place: Place) -> tuple[str, ...]:
        """Every tag of a repository, as the registry lists them. Raises FetchError."""
        url = f"{self._base(place)}/tags/list?n=1000"
        found: list[str] = []
        for _ in range(_TAG_PAGES):
            answer = self._get(place, url, "application/json", size=_MANIFEST_SIZE)
            found.extend(_decode(answer.body, _Tags, place).tags or ())
            following = re.match(r'<([^>]+)>\s*;\s*rel="?next"?', answer.headers.get("Link", ""))
            if following is None:
                break
            url = urljoin(url, following[1])
        return tuple(found)

    def manifest(self, place: Place, reference: str) -> tuple[str, Manifest]:
        """The digest (``sha256:…``) and content of what a tag or digest names. Raises FetchError.

        The digest is computed from the bytes that came; when a digest was asked for, they must agree.
        """
        if not (_TAG.fullmatch(reference) or _DIGEST.fullmatch(reference)):
            raise FetchError(f"{place}: {reference[:80]!r} is not a tag of a registry")
        answer = self._get(place, f"{self._base(place)}/manifests/{reference}", _ACCEPTED, size=_MANIFEST_SIZE)
        digest = "sha256:" + hashlib.sha256(answer.body).hexdigest()
        if reference != digest and reference.startswith("sha256:"):
            raise _wrong_digest(place, reference)
        return digest, _decode(answer.body, Manifest, place)

    def blob(self, place: Place, digest: str) -> bytes:
        """The content with this digest; it may lie behind a redirect, and is verified. Raises FetchError."""
        if not _DIGEST.fullmatch(digest):
            raise FetchError(f"{place}: {digest[:80]!r} is not a SHA-256 digest")
        answer = self._get(place, f"{self._base(place)}/blobs/{digest}", "*/*", pinned=True)
        if "sha256:" + hashlib.sha256(answer.body).hexdigest() != digest:
            raise _wrong_digest(place, digest)
        return answer.body

    def _base(self, place: Place) -> str:
        if not _NAME.fullmatch(place.name):
            raise FetchError(f"{urls.shown(str(place))} is not a repository of a registry", hint="names are lower case")
        return f"{place.origin}/v2/{place.name}"

    def _get(self, place: Place, url: str, accept: str, *, pinned: bool = False, size: int = 0) -> http.Answer:
        def reach(asked: str) -> http.Reach:
            if _below(place, asked):
                return "trusted"
            return self._pinned(asked) if pinned else "refused"

        answer = self._client.get(url, reach, headers={"Accept": accept}, authorization=self._known(place), size=size)
        if answer.status == 401:
            token = self._authorise(place, answer.headers.get("WWW-Authenticate", ""))
            with self._lock:
                self._tokens[place] = token
            answer = self._client.get(url, reach, headers={"Accept": accept}, authorization=token, size=size)
        if answer.status in (401, 403):
            raise FetchError(
                f"{place}: the registry refuses access (HTTP {answer.status})",
                hint="bind a credential to it in the fetch credentials (outside of the Action, docker login does too)",
            )
        if answer.status != 200:
            missing = "there is no such tag or repository" if answer.status == 404 else f"HTTP {answer.status}"
            raise FetchError(f"{place}: {missing} ({urls.shown(url).rpartition('/v2/')[2]})", hint="check the version")
        return answer

    def _known(self, place: Place) -> str:
        """The token of an earlier request, ``""`` for none: the first request never carries a credential."""
        with self._lock:
            return self._tokens.get(place, "")

    def _authorise(self, place: Place, challenge: str) -> str:
        """The ``Authorization`` header that a 401 asks for.

        Basic: the credential bound to the registry. Bearer: a token of the announced realm, which must be https (or
        the registry's own origin) and gets the registry's credential only when it lies on the registry's own host;
        another host gets the credential bound to that host, or none.
        """
        scheme, _, rest = challenge.partition(" ")
        repository = f"{place.origin}/{place.name}"
        own = self._client.credentials.header(repository)
        if scheme.lower() == "basic":
            return own
        parameters = {name.lower(): value for name, value in _PARAMETER.findall(rest)}
        realm = parameters.get("realm", "")
        if scheme.lower() != "bearer" or not realm:
            raise FetchError(f"{place}: the registry asks for a way to log in that is not known")
        same = _origin(realm) == place.origin
        scope = {"scope": f"repository:{place.name}:pull"}
        if parameters.get("service"):
            scope["service"] = parameters["service"]
        asked = f"{realm}{'&' if '?' in realm else '?'}{urlencode(scope, quote_via=quote)}"

        def reach(url: str) -> http.Reach:
            if url != asked:
                return "refused"
            if same or self._client.credentials.header(realm):
                return "trusted"
            return self._pinned(url)

        header = own if same else None
        answer = self._client.get(asked, reach, authorization=header, size=_TOKEN_SIZE)
        if answer.status != 200:
            raise FetchError(
                f"{place}: no token from {urls.shown(realm)} (HTTP {answer.status})",
                hint="bind a credential to it in the fetch credentials (outside of the Action, docker login does too)",
            )
        decoded = _decode(answer.body, _Token, place)
        return f"Bearer {decoded.token or decoded.access_token}"


def _below(place: Place, url: str) -> bool:
    """Whether a URL is part of this repository's own interface; never one with ``..`` in it."""
    try:
        return urls.parse(f"{place.origin}/v2/{place.name}").covers(urls.parse(url))
    except ValueError:
        return False


def _origin(url: str) -> str:
    try:
        return urls.parse(url).origin
    except ValueError:
        return ""


def _decode(body: bytes, shape: type[_Shape], place: Place) -> _Shape:
    try:
        return typed.decode(body, shape)
    except msgspec.DecodeError as error:
        raise FetchError(f"{place}: the registry's answer is not in the expected form") from error


def _wrong_digest(place: Place, digest: str) -> FetchError:
    return FetchError(
        f"{place}: the content does not have the digest {digest}", hint="the registry or something between is broken"
    )
