"""What a kustomization names elsewhere: a file behind a URL, or a directory of another repository."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs

from gitops_bot.errors import NotRenderable

_SCHEME = re.compile(r"(?:git::)?(?P<scheme>https?|ssh|git|file)://(?P<rest>.+)", re.I | re.S)
_SCP = re.compile(r"(?:git::)?(?P<user>[A-Za-z0-9._-]+)@(?P<host>[A-Za-z0-9.-]+):(?P<rest>(?!//)[^\s]+)")
_SHORT = re.compile(r"(?:git::)?(?:www\.)?(?P<host>github\.com)[:/](?P<rest>[^\s]+)", re.I)
_GH = re.compile(r"gh:(?P<rest>[^\s]+)")
_FILE = re.compile(r"\.(?:ya?ml|json)\Z")


class Remote(NamedTuple):
    """Somewhere else."""

    url: str
    """Of the repository, or of the file."""
    path: str = ""
    """The directory in the repository."""
    revision: str = ""
    """Branch, tag or commit; ``""`` for the default branch."""
    is_file: bool = False

    @property
    def label(self) -> str:
        """The URL for messages: no user, no password, no query."""
        return re.sub(r"//[^/@]*@", "//", self.url).partition("?")[0]


def parse(reference: str) -> Remote | None:
    """The remote that a reference means, None for a path. Raises NotRenderable for ``file://``.

    Follows kustomize: ``host/org/repo/path?ref=x``, ``…/repo//path``, ``….git/path``, ``git@host:org/repo``, ``git::``
    before any of them. An https URL that ends like a manifest and names no revision is a file.
    """
    found = _SCHEME.match(reference)
    if found:
        scheme, rest = found["scheme"].lower(), found["rest"]
        if scheme == "file":
            raise NotRenderable(f"{reference} is outside of every repository", hint="use a relative path")
        host, slash, rest = rest.partition("/")
        base = f"{scheme}://{host}{slash}"
        bare, _, query = rest.partition("?")
        marked = ".git" in bare or "//" in bare or "/_git/" in bare or "ref=" in query or "version=" in query
        if (
            scheme.startswith("http")
            and not reference.startswith("git::")
            and not marked
            and (_FILE.search(bare) or not host.lower().endswith(("github.com", "gitlab.com", "bitbucket.org")))
        ):
            return Remote(reference, is_file=True)
    elif found := _SCP.match(reference):
        base, rest = f"{found['user']}@{found['host']}:", found["rest"]
    elif found := _SHORT.match(reference) or _GH.match(reference):
        base, rest = "https://github.com/", found["rest"]
    else:
        return None
    bare, _, query = rest.partition("?")
    options = parse_qs(query)
    revision = (options.get("ref") or options.get("version") or [""])[0]
    repository, path = _split(bare)
    return Remote(base + repository, path.strip("/"), revision)


def _split(path: str) -> tuple[str, str]:
    """Repository and directory: at ``//``, behind ``.git`` or ``_git/name``, else after two segments."""
    if "//" in path:
        repository, _, inside = path.partition("//")
        return repository, inside
    if found := re.match(r"(.*?\.git)(?:/(.*))?\Z", path, re.S):
        return found[1], found[2] or ""
    if found := re.match(r"(.*?_git/[^/]+)(?:/(.*))?\Z", path, re.S):
        return found[1], found[2] or ""
    parts = path.split("/")
    return "/".join(parts[:2]), "/".join(parts[2:])
