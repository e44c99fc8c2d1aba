"""Names of images: which spellings mean one repository, and the parts of a reference. Pure.

The rules are those of the distribution project's reference grammar, by which container runtimes read a name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_HUB = "docker.io"
_LEGACY_HUB = "index.docker.io"
_NAME = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{{1,5}})?/)?{_NAME}(?:/{_NAME})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")


class Reference(NamedTuple):
    """What names an image, in parts, each as it is written; ``""`` for one that is not there."""

    repository: str
    tag: str
    digest: str
    """``sha256:…``."""


def canonical(repository: str) -> str:
    """The one name of a repository (without tag), whatever its spelling: ``nginx`` is ``docker.io/library/nginx``.

    What stands before the first slash is a host when it has a dot, a colon or a capital in it, or is ``localhost``;
    hosts are the same in any case, and with the port of https. Meant for comparing only: what is written and shown
    keeps its own spelling. A text that is no repository gives some text, the same for the same.
    """
    host, slash, path = repository.partition("/")
    if not slash or not _is_host(host):
        host, path = _HUB, repository
    bare = host.lower().removesuffix(":443")
    host = bare if _is_host(bare) else f"{bare}:443"  # without its port or capital a single word is no host
    if host == _LEGACY_HUB:
        host = _HUB
    return f"{host}/library/{path}" if host == _HUB and "/" not in path else f"{host}/{path}"


def _is_host(text: str) -> bool:
    return text == "localhost" or "." in text or ":" in text or text != text.lower()


def same_repository(one: str, other: str) -> bool:
    """Whether two spellings mean one repository."""
    return canonical(one) == canonical(other)


def split(reference: str) -> Reference:
    """The parts of ``repository[:tag][@digest]``. A colon before the last slash belongs to a port."""
    name, _at, digest = reference.partition("@")
    colon = name.find(":", name.rfind("/") + 1)
    return Reference(name, "", digest) if colon < 0 else Reference(name[:colon], name[colon + 1 :], digest)


def reference(text: str) -> Reference | None:
    """The parts of a text that names an image by tag or digest; None for anything else, also for a bare name."""
    found = split(text)
    right = is_repository(found.repository) and (not found.tag or is_tag(found.tag))
    right = right and (not found.digest or is_digest(found.digest))
    return found if right and (found.tag or found.digest) else None


def has_host(repository: str) -> bool:
    """Whether a repository is written with its host."""
    host, slash, _path = repository.partition("/")
    return bool(slash) and _is_host(host)


def is_repository(text: str) -> bool:
    """Whether a text is a repository, with its host or without."""
    return _REPOSITORY.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether a text is a tag alone."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether a text is a digest alone, of any algorithm."""
    return _DIGEST.fullmatch(text) is not None
