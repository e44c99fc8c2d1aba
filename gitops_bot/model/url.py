"""URLs as values: read strictly, compared by whole parts, shown without credentials."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

_DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22, "oci": 443, "oci+http": 80}
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_SCP = re.compile(r"(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?!//)(?P<path>[^:]+)")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_USERINFO = re.compile(r"(?<=://)[^/]*@")
_BARE_USERINFO = re.compile(r"^[^/@]*:[^/]*@")
"""The same in a text without a scheme; ``git@host:path`` holds no password and stays."""
_ODD_PORT = re.compile(r"://(?:\[[^/\]]*\]|[^/:]*):(?![0-9]*(?:/|$)).*", re.DOTALL)
"""What stands where a port should be may be a password with a slash in it."""


class Url(NamedTuple):
    """One URL, normalised so that equal places compare equal."""

    scheme: str
    """Lower case: ``https``, ``http``, ``oci``, ``oci+http``, ``ssh``."""
    user: str
    """User name before the host (``git`` of ``git@host``), ``""`` for none; never a password."""
    host: str
    """Lower case, without final dot; IPv6 in brackets."""
    port: int | None
    """None: the scheme's own port."""
    path: str
    """Without trailing slashes, ``""`` for the root; as written, so still percent-encoded."""
    query: str = ""

    @property
    def origin(self) -> str:
        """Scheme, host and port: ``https://charts.example.org:8443``."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """Host and port, the port only where it is not the scheme's own."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{user}{self.authority}{self.path}{query}"

    def covers(self, other: Url) -> bool:
        """Whether ``other`` is this place or below it: same origin, and the path by whole segments."""
        if (self.scheme, self.host, self.port) != (other.scheme, other.host, other.port):
            return False
        return not self.path or other.path == self.path or other.path.startswith(f"{self.path}/")


def parse(text: str) -> Url:
    """Read a URL strictly.

    Raises ValueError for what could be read in two ways or hides something: no host, a password, dot segments (also
    percent-encoded), backslashes, spaces and control characters, a name that is not plain ASCII. The message never
    contains a credential.
    """
    if _FORBIDDEN.search(text) or not text.isascii():
        raise ValueError("it contains spaces, backslashes, control or non-ASCII characters")
    try:
        parts = urlsplit(text)
        written = parts.port
    except ValueError:  # its own message quotes the text, which may be a password
        raise ValueError("its host or port is not valid") from None
    scheme = parts.scheme.lower()
    if not scheme or not parts.netloc:
        raise ValueError("it is not a URL with a scheme and a host")
    if parts.password is not None:
        raise ValueError("it carries a password or token")
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        host = f"[{host}]"
    if not _HOST.fullmatch(host):
        raise ValueError("its host name is not valid")
    if any(part in (".", "..") for part in unquote(unquote(parts.path)).replace("\\", "/").split("/")):
        raise ValueError("its path contains . or .. segments")
    user = parts.username or ""
    if user.startswith("-") or parts.path.startswith("/-"):
        raise ValueError("a part of it begins with a dash")
    port = written if written != _DEFAULT_PORTS.get(scheme) else None
    return Url(scheme, user, host, port, re.sub("/{2,}", "/", parts.path).rstrip("/"), parts.query)


def parse_git(text: str) -> Url:
    """Read a Git URL; ``git@host:path`` is short for ``ssh://git@host/path``. Raises ValueError as ``parse``."""
    short = _SCP.fullmatch(text) if "://" not in text else None
    if short is not None:
        user = f"{short['user']}@" if short["user"] else ""
        text = f"ssh://{user}{short['host']}/{short['path'].lstrip('/')}"
    return parse(text)


def normalise_git(text: str) -> str:
    """One spelling for a Git repository, by the rules of Argo CD's NormalizeGitURL.

    The whole text in lower case, the short form as ``ssh://`` without that prefix, no user for https, no trailing
    ``.git`` or slash. Text that is no URL comes back trimmed and in lower case.
    """
    text = text.strip().lower()
    try:
        url = parse_git(text)
    except ValueError:
        return shown(text).rstrip("/").removesuffix(".git")
    path = url.path.removesuffix(".git").rstrip("/")
    if url.scheme == "ssh":
        user = f"{url.user}@" if url.user else ""
        return f"{user}{url.authority}{path}"
    return f"{url.origin}{path}"


def shown(text: str) -> str:
    """A URL as it may be printed: without user information, query and fragment."""
    bare = _USERINFO.sub("", text) if "://" in text else _BARE_USERINFO.sub("", text)
    bare = _ODD_PORT.sub("://...", bare).partition("?")[0].partition("#")[0]
    return re.sub(r"[^\x20-\x7e]", "?", bare)[:300]
