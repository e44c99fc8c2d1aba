"""Credentials for fetching, each bound to one exact place and offered to no other."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url

VARIABLE = "GITOPS_BOT_FETCH_CREDENTIALS"
"""Environment variable with the path of the credentials file."""

_DOCKER_HUB = "https://index.docker.io/v1/"
"""How Docker writes its own registry in ``config.json``; it means the two places below."""
_DOCKER_HUB_PLACES = ("https://registry-1.docker.io", "https://auth.docker.io/token")


class _FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the credentials file."""

    url: str
    username: str = ""
    password: str = ""
    token: str = ""


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


class Credentials(NamedTuple):
    """All credentials of a run."""

    entries: tuple[Credential, ...] = ()
    """Longest path first, so that the most specific place wins."""

    def header(self, url: str) -> str:
        """The ``Authorization`` header for a URL, ``""`` when none is bound to its place."""
        return next((entry.header for entry in self._for(url)), "")

    def place(self, url: str) -> str:
        """The place whose credential applies to a URL, ``""`` for none."""
        return next((str(entry.place) for entry in self._for(url)), "")

    def _for(self, url: str) -> list[Credential]:
        try:
            asked = urls.parse(url)
        except ValueError:
            return []
        return [entry for entry in self.entries if entry.place.covers(asked)]


def load(environment: Mapping[str, str]) -> Credentials:
    """The credentials of the file that GITOPS_BOT_FETCH_CREDENTIALS names, then those of Docker's ``config.json``.

    The file is JSON: a list of ``{"url": …, "username": …, "password": …}`` or ``{"url": …, "token": …}``. Of Docker's
    file only ``auths`` is read; no credential helper is run. Raises UsageError, without any content of the file, when
    the named file cannot be read.
    """
    entries = [*_from_file(environment.get(VARIABLE, "")), *_from_docker(environment)]
    return Credentials(tuple(sorted(entries, key=lambda entry: -len(entry.place.path))))


def _from_file(path: str) -> list[Credential]:
    if not path:
        return []
    hint = 'write a JSON list of {"url": "https://host/path", "username": "…", "password": "…"}'
    try:
        read = msgspec.json.decode(Path(path).read_bytes(), type=list[_FileEntry])
    except OSError as error:
        raise UsageError(f"{VARIABLE}: {path}: {error.strerror}", hint="name a file that can be read") from None
    except msgspec.DecodeError:
        raise UsageError(f"{VARIABLE}: {path} is not in the expected form", hint=hint) from None
    entries = []
    for number, entry in enumerate(read):
        try:
            place = urls.parse(entry.url)
        except ValueError as error:
            raise UsageError(f"{VARIABLE}: {path}: entry {number}: {error}", hint=hint) from None
        entries.append(Credential(place._replace(user="", query=""), _header(entry)))
    return entries


def _header(entry: _FileEntry) -> str:
    if entry.token:
        return f"Bearer {entry.token}"
    return "Basic " + base64.b64encode(f"{entry.username}:{entry.password}".encode()).decode()


def _from_docker(environment: Mapping[str, str]) -> list[Credential]:
    """Docker's logins by exact registry host; a file that cannot be read counts as none."""
    folder = environment.get("DOCKER_CONFIG") or os.path.join(environment.get("HOME", ""), ".docker")
    try:
        config = msgspec.json.decode(Path(folder, "config.json").read_bytes(), type=_DockerConfig)
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
