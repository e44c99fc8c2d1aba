"""Credentials for fetching, each bound to one exact place and offered to no other."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.model import typed
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url

VARIABLE = "GITOPS_BOT_FETCH_CREDENTIALS"
"""Environment variable with the path of the credentials file."""

_DOCKER_HUB = "https://index.docker.io/v1/"
"""How Docker writes its own registry in ``config.json``; it means the two places below."""
_DOCKER_HUB_PLACES = ("https://registry-1.docker.io", "https://auth.docker.io/token")


_KEYS = ("url", "username", "password", "token")
_HIDDEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_TOKEN = re.compile(r"[!-~]+")
_PLAIN_SCHEMES = {"oci": "https", "oci+http": "http"}
"""What a registry is spoken to by, whatever people write before its name."""


class _DockerEntry(msgspec.Struct, frozen=True):
    """One entry of ``auths`` in Docker's ``config.json``."""

    auth: str = ""
    identitytoken: str = ""


class _DockerConfig(msgspec.Struct, frozen=True):
    auths: dict[str, _DockerEntry] = {}


class Credential(NamedTuple):
    """What is sent to one place. Never printed: ``repr`` names the place only."""

    place: Url
    """URL prefix it is for: same scheme, host and port, path by whole segments."""
    header: str
    """The value of the ``Authorization`` header."""

    def __repr__(self) -> str:
        return f"Credential({self.place})"


class Access(NamedTuple):
    """How one Git repository is reached. Never printed: ``repr`` is empty."""

    header: str = ""
    """The value of the ``Authorization`` header, ``""`` for none."""
    key: str = ""
    """Private SSH key (PEM or OpenSSH, without passphrase), ``""``: whatever an ssh agent has."""
    known_hosts: str = ""
    """The host's keys as ``ssh-keyscan`` prints them; a key without them is not used."""
    authorities: str = ""
    """Certificates (PEM) that alone are trusted for the host's own, ``""``: those of the system, or of a bundle."""

    def __repr__(self) -> str:
        return "Access()"


class Keyring(Protocol):
    """What is sent to which repository."""

    def access(self, url: Url) -> Access:
        """How a repository is reached. Raises FetchError where what is bound to it cannot be used."""
        ...


class Credentials(NamedTuple):
    """All credentials of a run."""

    entries: tuple[Credential, ...] = ()
    """Longest path first, so that the most specific place wins."""
    unset: tuple[str, ...] = ()
    """Places that were named with an empty password or token, as a secret is that a fork's run does not get."""

    def header(self, url: str) -> str:
        """The ``Authorization`` header for a URL, ``""`` when none is bound to its place."""
        return next((entry.header for entry in self._for(url)), "")

    def access(self, url: Url) -> Access:
        """How a Git repository is reached."""
        return Access(self.header(str(url._replace(user=""))))

    def _for(self, url: str) -> list[Credential]:
        try:
            asked = urls.parse(url)
        except ValueError:
            return []
        return [entry for entry in self.entries if entry.place.covers(asked)]


def load(environment: Mapping[str, str]) -> Credentials:
    """The credentials of the file that GITOPS_BOT_FETCH_CREDENTIALS names, then those of Docker's ``config.json``.

    The file is JSON in the form that ``bind`` reads. Of Docker's file only ``auths`` is read; no credential helper is
    run. Raises UsageError, without any content of the file, when the named file cannot be read.
    """
    named = _from_file(environment.get(VARIABLE, ""))
    return Credentials(_most_specific_first([*named.entries, *_from_docker(environment)]), named.unset)


def bind(value: object) -> tuple[Credentials, tuple[str, ...]]:
    """The credentials in a plain value, and every problem of it; no problem quotes anything but our own words.

    ``value`` is a list of ``{"url": …, "username": …, "password": …}`` or ``{"url": …, "token": …}``. An entry whose
    secret is empty or null is no problem: its place is told as ``unset``. Where there are problems, what is returned
    is not to be used.
    """
    if not isinstance(value, list):
        return Credentials(), ("is no list of entries with a url and a password or token",)
    entries: list[Credential] = []
    unset: list[str] = []
    found: list[str] = []
    for number, entry in enumerate(value, 1):
        wrong = [f"entry {number} {each}" for each in _problems(entry)]
        found += wrong
        if not wrong:
            place, header = _place(entry["url"]), _header(entry)
            if header:
                entries.append(Credential(place, header))
            else:
                unset.append(str(place))
    return Credentials(_most_specific_first(entries), tuple(unset)), tuple(found)


def _most_specific_first(entries: list[Credential]) -> tuple[Credential, ...]:
    return tuple(sorted(entries, key=lambda entry: -len(entry.place.path)))


def _from_file(path: str) -> Credentials:
    if not path:
        return Credentials()
    hint = 'write a JSON list of {"url": "https://host/path", "username": "…", "password": "…"}'
    try:
        read = msgspec.json.decode(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"{VARIABLE}: {path}: {error.strerror}", hint="name a file that can be read") from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise UsageError(f"{VARIABLE}: {path} is no JSON", hint=hint) from None
    credentials, found = bind(read)
    if found:
        raise UsageError("\n".join(f"{VARIABLE}: {path}: {each}" for each in found), hint=hint)
    return credentials


def _problems(entry: Any) -> Iterator[str]:
    """What is wrong with one entry; a key that is not ours is not quoted, for it may be a password in a wrong place."""
    if not isinstance(entry, dict):
        yield "is no mapping with a url and a password or token"
        return
    if not set(entry) <= set(_KEYS):
        yield f"has an unknown key (there are {', '.join(_KEYS)})"
    texts = {key: "" if entry.get(key) is None else entry[key] for key in _KEYS}
    for key, text in texts.items():
        if not isinstance(text, str):
            yield f"has a {key} that is no text: write it in quotes"
        elif _HIDDEN.search(text.strip("\r\n")):
            yield f"has a {key} with a line break or another control character in it"
    texts = {key: text.strip("\r\n") if isinstance(text, str) else "" for key, text in texts.items()}
    if texts["password"] and texts["token"]:
        yield "has both a password and a token"
    if texts["token"] and not _TOKEN.fullmatch(texts["token"]):
        yield "has a token that is no token: it may have printable ASCII characters only"
    if ":" in texts["username"]:
        yield "has a username with a colon, which basic authentication cannot send"
    try:
        _place(texts["url"])
    except ValueError as error:
        yield f"has a url that cannot be used: {error}" if texts["url"] else "has no url"


def _place(text: str) -> Url:
    """Where a credential is sent. Raises ValueError, without what the URL may hold of a password."""
    url = urls.parse(text.strip("\r\n"))
    scheme = _PLAIN_SCHEMES.get(url.scheme, url.scheme)
    if scheme not in ("https", "http"):
        raise ValueError("it is neither https nor a registry's (ssh uses an agent's keys)")
    return url._replace(scheme=scheme, user="", query="")


def _header(entry: Mapping[str, str | None]) -> str:
    """The value of the ``Authorization`` header, ``""`` where the entry's secret is empty."""
    username, password, token = ((entry.get(key) or "").strip("\r\n") for key in ("username", "password", "token"))
    if token:
        return f"Bearer {token}"
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode() if password else ""


def _from_docker(environment: Mapping[str, str]) -> list[Credential]:
    """Docker's logins by exact registry host; a file that cannot be read counts as none."""
    folder = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME", ""), ".docker")
    try:
        config = typed.decode(Path(folder, "config.json").read_bytes(), _DockerConfig)
    except (OSError, msgspec.DecodeError):
        return []
    entries = []
    for name, entry in config.auths.items():
        if not entry.auth:
            continue
        for place in _DOCKER_HUB_PLACES if name == _DOCKER_HUB else (_registry(name),):
            try:
                entries.append(Credential(urls.parse(place), f"Basic {entry.auth}"))
            except ValueError:
                continue
    return entries


def _registry(name: str) -> str:
    """``ghcr.io`` → ``https://ghcr.io``; a registry on this machine is spoken to without TLS."""
    if "://" in name:
        return name
    host = name.partition("/")[0].rpartition(":")[0] or name.partition("/")[0]
    return f"{'http' if host in ('localhost', '127.0.0.1') else 'https'}://{name}"
