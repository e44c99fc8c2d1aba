"""Every login that the agent has: of Secrets as they change, of mounted files, and of GitHub Apps, renewed in time."""

from __future__ import annotations

import logging
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gitops_bot.agent.sources import logins
from gitops_bot.agent.sources.logins import GitHubApp, Login, find, place_of
from gitops_bot.agent.sources.rendering import Login as Sent
from gitops_bot.doors.credentials import Access
from gitops_bot.doors.lineage import Lineage
from gitops_bot.doors.remote_git import References, RemoteGit
from gitops_bot.errors import BotError, FetchError, UsageError
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url

_RENEWED = 50 * 60.0
"""Seconds that a token of an App is used; GitHub lets it live an hour."""
_AGAIN = 60.0
"""Seconds before an App is tried again that gave no token."""
_SECONDS = 60.0
"""That one question to a Git host may take."""
_log = logging.getLogger(__name__)

Mint = Callable[[GitHubApp, str], str]
"""Makes a token of an App that reads a repository (``owner/name``), or with ``""`` all of its installation.

Raises BotError.
"""


class Files(NamedTuple):
    """Mounted files with what opens the repositories beside one; read whenever they are needed."""

    beside: str = ""
    """URL of that repository."""
    token: Path | None = None
    ssh_key: Path | None = None
    known_hosts: Path | None = None

    def check(self) -> None:
        """Raises UsageError for what can open nothing."""
        if not self.beside and (self.token or self.ssh_key):
            raise UsageError("a token or key file opens nothing without --repo", hint="name the repository with --repo")
        by_ssh = self.beside and "://" not in place_of(self.beside)
        if self.token and by_ssh:
            raise UsageError("a token opens no SSH URL", hint="write --repo with https://, or give --git-ssh-key-file")
        if self.ssh_key and not by_ssh:
            raise UsageError("an SSH key opens no https URL", hint="write --repo as git@HOST:OWNER/NAME.git")


class _Made(NamedTuple):
    """What came of asking for a token."""

    at: float
    token: str
    error: str


class Keys:
    """What opens what; safe under many threads."""

    def __init__(self, mint: Mint, clock: Callable[[], float], files: Files = Files()) -> None:  # noqa: B008
        """Take what makes tokens, monotonic seconds, and the mounted files."""
        self._mint = mint
        self._clock = clock
        self._files = files
        self._lock = threading.Lock()
        self._minting: dict[tuple[GitHubApp, str], threading.Lock] = {}
        self._found: dict[str, Login] = {}
        self._problems: dict[str, str] = {}
        self._hosts = ""
        self._trusted: dict[str, str] = {}
        self._made: dict[tuple[GitHubApp, str], _Made] = {}

    # -- fed by watches -----------------------------------------------------------------------------------------------

    def replace(self, secrets: Iterable[Mapping[str, Any]]) -> bool:
        """Take all Secrets that there are; whether that changes anything."""
        with self._lock:
            before, self._found, self._problems = self._found, {}, {}
            for secret in secrets:
                self._take(secret)
            return before != self._found

    def put(self, secret: Mapping[str, Any]) -> bool:
        """Take one Secret as it is now; whether that changes anything."""
        name = secret["metadata"]["name"]
        with self._lock:
            before = self._found.get(name)
            self._take(secret)
            return before != self._found.get(name)

    def remove(self, secret: Mapping[str, Any]) -> bool:
        """Take that a Secret is gone; whether that changes anything."""
        name = secret["metadata"]["name"]
        with self._lock:
            self._problems.pop(name, None)
            return self._found.pop(name, None) is not None

    def put_hosts(self, text: str) -> bool:
        """Take the hosts' keys that are known; whether that changes anything."""
        with self._lock:
            before, self._hosts = self._hosts, text
            return before != text

    def put_authorities(self, data: Mapping[str, Any]) -> bool:
        """Take which certificates (PEM) are trusted for which hosts; whether that changes anything."""
        found = {str(host).lower(): str(text) for host, text in data.items() if _is_readable(host, str(text))}
        with self._lock:
            before, self._trusted = self._trusted, found
            return before != found

    def _take(self, secret: Mapping[str, Any]) -> None:
        name = secret["metadata"]["name"]
        login, problem = logins.read(secret)
        self._found.pop(name, None)
        if login is not None:
            self._found[name] = login
        if problem and self._problems.get(name) != problem:
            _log.warning("%s", problem)
        self._problems.pop(name, None)
        if problem:
            self._problems[name] = problem

    # -- asked --------------------------------------------------------------------------------------------------------

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with Secrets, in order of their names, and with nothing of their content."""
        with self._lock:
            return tuple(self._problems[name] for name in sorted(self._problems))

    @property
    def uses_ssh(self) -> bool:
        """Whether any login is an SSH key, so that the hosts' keys are needed."""
        with self._lock:
            return self._files.ssh_key is not None or any(each.key for each in self._found.values())

    def scope(self, url: str, project: str) -> str:
        """The project whose own login opens a repository for it, ``""`` where it is everybody's or there is none."""
        login = find(self._all(), place_of(url), project)
        return login.project if login is not None else ""

    def authorities(self) -> Mapping[str, str]:
        """Host → certificates (PEM) that alone are trusted for its own."""
        with self._lock:
            return dict(self._trusted)

    def of(self, project: str) -> ProjectKeys:
        """What opens what for the Applications of a project."""
        return ProjectKeys(self, project)

    def access(self, url: Url, project: str) -> Access:
        """How a repository is reached. Raises FetchError where its login cannot be used."""
        login = find(self._all(), place_of(str(url)), project)
        trusted = self.authorities().get(url.host, "")
        if login is None:
            return Access(authorities=trusted)
        if login.refused:
            raise FetchError(f"{urls.shown(str(url))} is not asked: {login.refused}")
        if login.key:
            return Access(key=login.key, known_hosts=self._known_hosts(login))
        return Access(header=self._header(login, url), authorities=trusted)

    def sent(self, project: str, repositories: Iterable[str]) -> tuple[Sent, ...]:
        """What a renderer needs for an Application of a project with these repositories.

        Tokens of Apps are made for its own repositories and for whole installations.
        """
        found = []
        asked = [place_of(each) for each in repositories]
        for login in self._all():
            if login.project not in ("", project):
                continue
            try:
                found += self._sent_as(login, [place for place in asked if find([login], place, project)])
            except FetchError as error:
                found.append(_sent(login, refused=error.told))
        return tuple(found)

    def _sent_as(self, login: Login, places: list[str]) -> list[Sent]:
        if login.app is None or login.refused:
            hosts = self._known_hosts(login) if login.key and not login.refused else ""
            return [_sent(login, header=login.header, known_hosts=hosts)]
        if _is_whole(login):
            return [_sent(login, header=self._header(login, None))]
        return [_sent(login, header=self._header(login, urls.parse(at)), at=at) for at in places]

    def _all(self) -> list[Login]:
        with self._lock:
            found = list(self._found.values())
        files = self._files
        beside = place_of(files.beside).rpartition("/")[0]
        named = [("header", files.token), ("key", files.ssh_key)]
        return found + [_of_file(path, field, beside) for field, path in named if path is not None]

    def _known_hosts(self, login: Login) -> str:
        """Raises FetchError without any: whoever answers could stand in for the host."""
        with self._lock:
            text = self._hosts
        if self._files.known_hosts is not None:
            text = f"{_content(self._files.known_hosts)}\n{text}"
        if not text.strip():
            raise FetchError(
                f"{login.source} has an SSH key, and no host's key is known",
                hint=f"write what the host's owner publishes into the ConfigMap {logins.KNOWN_HOSTS}, key "
                f"{logins.KNOWN_HOSTS_KEY}, or name a file with --known-hosts-file",
            )
        return text

    # -- tokens of Apps -----------------------------------------------------------------------------------------------

    def _header(self, login: Login, url: Url | None) -> str:
        """The header of a login. Raises FetchError where an App gives no token."""
        if login.app is None:
            return login.header
        path = url.path.strip("/").removesuffix(".git") if url is not None and not _is_whole(login) else ""
        return logins.basic("", self._token(login, login.app, "/".join(path.split("/")[:2])))

    def _token(self, login: Login, app: GitHubApp, repository: str) -> str:
        key = app, repository
        with self._lock:
            minting = self._minting.setdefault(key, threading.Lock())
        with minting:  # who comes meanwhile gets the same token
            made, now = self._made.get(key), self._clock()
            if made is None or now - made.at > (_AGAIN if made.error else _RENEWED):
                try:
                    made = _Made(now, self._mint(app, repository), "")
                except BotError as error:
                    made = _Made(now, "", error.told)
                self._made[key] = made
            if made.error:
                raise FetchError(f"{login.source}: {made.error}")
            return made.token


class ProjectKeys:
    """What opens what for one project (``doors.credentials.Keyring``)."""

    def __init__(self, keys: Keys, project: str) -> None:
        self._keys = keys
        self._project = project

    def access(self, url: Url) -> Access:
        """As ``Keys.access``."""
        return self._keys.access(url, self._project)


class Host:
    """Asks Git hosts, each with what opens it (``revisions.Git``), and where commits come from."""

    def __init__(self, keys: Keys, cache: Path, observe: Callable[[str], None] = lambda _: None) -> None:
        """Take what opens what, the agent's directory, and who counts how often hosts were asked."""
        self._keys = keys
        self._cache = cache
        self._observe = observe

    def references(self, url: Url, project: str) -> References:
        """As ``RemoteGit.references``. Raises FetchError."""
        try:
            found = RemoteGit(self._cache / "fetch", self._keys.of(project), seconds=_SECONDS).references(url)
        except FetchError:
            self._observe("error")
            raise
        self._observe("success")
        return found

    def scope(self, url: str, project: str) -> str:
        """As ``Keys.scope``."""
        return self._keys.scope(url, project)

    def follows(self, repository: str, project: str, old: str, new: str) -> bool | None:
        """As ``Lineage.follows``."""
        lineage = Lineage(self._cache, self._keys.of(project), seconds=_SECONDS)
        return lineage.follows(urls.parse_git(repository), old, new)


def _is_readable(host: object, text: str) -> bool:
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        _log.warning("%s: what it has for %s is no certificate: %s", logins.AUTHORITIES, host, error)
        return False
    return True


def _is_whole(login: Login) -> bool:
    """Whether the tokens of a login's App are for all repositories of its installation."""
    return login.below and login.app is not None and login.app.installation_id is not None


def _sent(login: Login, *, header: str = "", known_hosts: str = "", at: str = "", refused: str = "") -> Sent:
    return Sent(
        place=at or login.place,
        below=login.below and not at,
        project=login.project,
        source=login.source,
        header=header,
        key=login.key,
        known_hosts=known_hosts,
        refused=refused or login.refused,
    )


def _of_file(path: Path, field: str, place: str) -> Login:
    """The login of a mounted file; one that cannot be read is refused by name."""
    try:
        content = _content(path)
    except FetchError as error:
        return Login(place=place, below=True, source=str(path), refused=error.told)
    if field == "key":
        return Login(place=place, below=True, source=str(path), key=content)
    return Login(place=place, below=True, source=str(path), header=logins.basic("", content.strip()))


def _content(path: Path) -> str:
    try:
        content = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FetchError(f"{path} cannot be read: {type(error).__name__}", hint="mount a file with text") from None
    if not content.strip():
        raise FetchError(f"{path} is empty", hint="mount what opens the repository")
    return content
