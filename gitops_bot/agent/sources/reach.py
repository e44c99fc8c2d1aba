"""How far a render may reach, and with which logins: the renderer's side of ``logins`` and of an AppProject.

What an Application's sources are is allowed by its project. What their charts and overlays name beside it may be
fetched as the settings say, but a login is sent to no place that the project does not allow (Argo CD's rule for Helm
dependencies, application-semantics 2.15; ours for everything), and inside your network only what you have named: in the
project's ``sourceRepos`` by more than ``*``, or with a login of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

from gitops_bot.agent.sources.logins import find, place_of
from gitops_bot.agent.sources.rendering import Login
from gitops_bot.doors.credentials import Access
from gitops_bot.doors.http import resolve_host
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.project import Project
from gitops_bot.model.url import Url
from gitops_bot.render.fetching.policy import Kind, Policy, Reach, is_public_address

_DOCKER_HUB = ("registry-1.docker.io", "docker.io", "index.docker.io")
_DOCKER_HUB_TOKENS = "https://auth.docker.io/token"


class Offered:
    """What is sent where, of the logins that the agent gave (``doors.credentials.Keyring``, ``doors.http.Headers``)."""

    def __init__(
        self, logins: Iterable[Login], permitted: tuple[str, ...], authorities: Mapping[str, str] | None = None
    ) -> None:
        """Take the logins, the project's ``sourceRepos``, and what is trusted for which host (PEM)."""
        self._authorities = authorities or {}
        self._logins = tuple(logins)
        self._project = Project(source_repos=permitted)
        self._lock = threading.Lock()
        self._opened: dict[Url, str] = {}

    def is_named(self, written: str) -> bool:
        """Whether somebody who may do so has named this place, not only a chart or overlay."""
        globs = tuple(each for each in self._project.source_repos or () if each not in ("*", "**"))
        named = Project(source_repos=globs).allows_source(written)
        return named or find(self._logins, place_of(written, registry=True), self.scope) is not None

    @property
    def scope(self) -> str:
        """The project that has logins of its own: what is fetched with them is kept for it alone."""
        return next((each.project for each in self._logins if each.project), "")

    def access(self, url: Url) -> Access:
        """How a Git repository is reached. Raises FetchError where its login cannot be used."""
        login = self._login(str(url))
        trusted = self._authorities.get(url.host, "")
        if login is None:
            return Access(authorities=trusted)
        return Access(login.header, login.key, login.known_hosts, trusted)

    def open(self, url: Url, written: str) -> None:
        """Take that charts or a file of a place are fetched; ``written`` is how the source writes it.

        Raises FetchError where its login cannot be used.
        """
        login = self._login(written, registry=True)
        if login is not None and login.header:
            scheme = {"oci": "https", "oci+http": "http"}.get(url.scheme, url.scheme)
            place = url._replace(scheme=scheme, user="", query="")
            with self._lock:
                self._opened[place] = login.header
                if url.host in _DOCKER_HUB:
                    self._opened[urls.parse(_DOCKER_HUB_TOKENS)] = login.header

    def header(self, url: str) -> str:
        """The ``Authorization`` header for a URL of a place that was opened, ``""`` for none."""
        try:
            asked = urls.parse(url)
        except ValueError:
            return ""
        with self._lock:
            found = [place for place in self._opened if place.covers(asked)]
            return self._opened[max(found, key=lambda place: len(place.path))] if found else ""

    def _login(self, written: str, *, registry: bool = False) -> Login | None:
        if not self._project.allows_source(written):
            return None
        login = find(self._logins, place_of(written, registry=registry), self.scope)
        if login is not None and login.refused:
            raise FetchError(f"{urls.shown(written)} is not asked: {login.refused}")
        return login


class Places:
    """Which places may be fetched from (``render.fetching.policy.Places``)."""

    def __init__(
        self,
        own: Iterable[str],
        allow: tuple[str, ...] | None,
        offered: Offered,
        resolve: Callable[[str], list[str]] = resolve_host,
    ) -> None:
        """Take the Application's own repositories, what the settings allow beside them, and what opens them.

        ``allow`` None: whatever the charts and overlays of the sources name. ``resolve`` gives the addresses of a host
        and raises OSError. Raises FetchError for what is no URL.
        """
        self._resolve = resolve
        self._offered = offered
        self._policy = Policy.from_settings([*map(_with_scheme, filter(None, own)), *(allow or ())])
        self._follows = allow is None
        self._lock = threading.Lock()

    def require(self, kind: Kind, text: str) -> Url:
        """The URL of a source as it will be asked. Raises FetchError when it is not allowed."""
        if self._follows and not self._is_own(kind, text):
            known = Policy.from_settings([_with_scheme(text)])
            if not self._offered.is_named(text):
                self._require_outside(known.allowed[0], text)
            with self._lock:
                self._policy = Policy(tuple(dict.fromkeys((*self._policy.allowed, *known.allowed))))
        url = self._policy.require(kind, text)
        if kind != "git":
            self._offered.open(url, text)
        return url

    def _is_own(self, kind: Kind, text: str) -> bool:
        try:
            self._policy.require(kind, text)
        except FetchError:
            return False
        return True

    def _require_outside(self, url: Url, text: str) -> None:
        """Refuse what lies in our network, or is not encrypted, and that nobody but a chart or overlay has named."""
        hint = "name it in the AppProject's sourceRepos, or give it a repository Secret"
        if url.scheme in ("http", "oci+http"):
            raise FetchError(f"{urls.shown(text)} is not fetched: it is not encrypted", hint=hint)
        try:
            addresses = self._resolve(url.host.strip("[]"))
        except OSError:
            return  # a proxy may know it; without one nobody can be asked
        inside = next((each for each in addresses if not is_public_address(each)), "")
        if inside:
            raise FetchError(f"{urls.shown(text)} is not fetched: its host has the private address {inside}", hint=hint)

    def reach(self, text: str, *, pinned: bool = False) -> Reach:
        """How far a URL that an allowed source led to may be followed."""
        return self._policy.reach(text, pinned=pinned)


def _with_scheme(repository: str) -> str:
    """A registry without a scheme is one of OCI's."""
    return repository if "://" in repository or "@" in repository.partition("/")[0] else f"oci://{repository}"
