"""Which places sources may be fetched from. Pure; made from the base revision, so that no change widens its own reach.

``fetch.allow`` of the settings lists URL prefixes. Without it, exactly the repositories that the base revision's
Applications and charts already name may be asked again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol

from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url

Kind = Literal["chart", "git", "file"]
Reach = Literal["trusted", "public", "refused"]
"""How far a URL may be followed: ``trusted`` (allowed, credentials apply), ``public`` (any public https host, nothing
secret is sent), ``refused``."""

_SCHEMES: dict[Kind, frozenset[str]] = {
    "chart": frozenset({"https", "http", "oci", "oci+http"}),
    "git": frozenset({"https", "http", "ssh"}),
    "file": frozenset({"https", "http"}),
}
_HINT = "add it to fetch.allow in .gitops-bot.yaml on the base branch"


class Places(Protocol):
    """Decides what may be fetched."""

    def require(self, kind: Kind, text: str) -> Url:
        """As ``Policy.require``."""
        ...

    def reach(self, text: str, *, pinned: bool = False) -> Reach:
        """As ``Policy.reach``."""
        ...


class Policy(NamedTuple):
    """What may be fetched. Build it with ``from_settings`` or ``from_named``."""

    allowed: tuple[Url, ...] = ()
    """Allowed places."""
    exact: bool = False
    """True: a source must be one of the places, False: it may also lie below one."""

    @classmethod
    def from_settings(cls, allow: Iterable[str]) -> Policy:
        """The policy of ``fetch.allow``: every entry is a URL prefix, matched by scheme, host and path segments.

        ``http://`` entries allow plain http for that prefix, ``oci+http://`` a registry without TLS on a loopback
        address. Raises FetchError for an entry that cannot be read.
        """
        places = []
        for entry in allow:
            try:
                place = _source(entry)
            except ValueError as error:
                raise FetchError(
                    f"fetch.allow: {urls.shown(entry)}: {error}", hint="write scheme://host/path"
                ) from None
            if place.scheme == "oci+http" and not is_loopback(place.host):
                raise FetchError(
                    f"fetch.allow: {urls.shown(entry)}: a registry without TLS is only allowed on a loopback address",
                    hint="use oci:// and serve the registry over TLS",
                )
            places.append(place)
        return cls(tuple(sorted(set(places), key=str)))

    @classmethod
    def from_named(cls, named: Iterable[str]) -> Policy:
        """The policy without ``fetch.allow``: the repositories that the base revision names, and no plain http.

        What cannot be read as a URL allows nothing.
        """
        places = set()
        for entry in named:
            try:
                place = _source(entry)
            except ValueError:
                continue
            if place.scheme in ("https", "oci", "ssh"):
                places.add(place)
        return cls(tuple(sorted(places, key=str)), exact=True)

    def require(self, kind: Kind, text: str) -> Url:
        """The URL of a source as it will be asked, ``oci`` or ``oci+http`` for registries.

        Raises FetchError, naming the URL without credentials, when it is not allowed.
        """
        try:
            url = urls.parse_git(text) if kind == "git" else _source(text)
        except ValueError as error:
            hint = "put credentials into the fetch credentials" if "password" in str(error) else "correct the URL"
            raise FetchError(f"{urls.shown(text)} is not fetched: {error}", hint=hint) from None
        if url.scheme not in _SCHEMES[kind]:
            raise FetchError(f"{urls.shown(text)} is not fetched: {url.scheme} is not a way to get a {kind}")
        for candidate in (url, url._replace(scheme="oci+http")) if url.scheme == "oci" else (url,):
            if any(self._allows(place, candidate, kind) for place in self.allowed):
                return candidate
        raise FetchError(f"{urls.shown(text)} is not allowed by the base revision", hint=_HINT)

    def reach(self, text: str, *, pinned: bool = False) -> Reach:
        """How far a URL that an allowed source led to (a redirect, an archive of an index) may be followed.

        ``pinned``: the digest of the content is known beforehand, so that any public https host may hold it.
        """
        try:
            url = urls.parse(text)
        except ValueError:
            return "refused"
        if any(place.covers(url) for place in self.allowed):
            return "trusted"
        return "public" if pinned and is_public(url) else "refused"

    def _allows(self, place: Url, url: Url, kind: Kind) -> bool:
        if kind == "git":
            place, url = _git_form(place), _git_form(url)
            if place.user and place.user != url.user:
                return False
        if place.scheme != url.scheme or (self.exact and place.path != url.path):
            return False
        return place.covers(url)


def is_public(url: Url) -> bool:
    """Whether a URL may be followed without trust: https, no user, and no literal private address."""
    if url.scheme != "https" or url.user:
        return False
    try:
        return is_public_address(url.host.strip("[]"))
    except ValueError:
        return "." in url.host and not url.host.endswith((".localhost", ".local", ".internal"))


def is_public_address(address: str) -> bool:
    """Whether an IP address is globally reachable. Raises ValueError when the text is no address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global and not ip.is_multicast


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: ``localhost`` or a loopback address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _source(text: str) -> Url:
    """A source's URL; without a scheme it is a registry, as Argo CD writes it, or Git's ``user@host:path``."""
    if "://" in text:
        return urls.parse(text)
    if "@" in text.partition("/")[0]:
        return urls.parse_git(text)
    return urls.parse(f"oci://{text}")


def _git_form(url: Url) -> Url:
    """The URL with the letters and suffix that tell no two repositories apart (Argo CD's NormalizeGitURL)."""
    user = url.user.lower() if url.scheme == "ssh" else ""
    return url._replace(user=user, path=url.path.lower().removesuffix(".git"))
