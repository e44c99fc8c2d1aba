"""Image references: repository, tag, digest. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from gitops_bot.review.images import split_image

_LONGEST = 512
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
"""What an image reference is made of; anything else is a template's variable or a mistake."""


class Reference(NamedTuple):
    """An image reference in parts."""

    repository: str
    """With its registry; Docker Hub's long forms shortened: ``nginx``."""
    tag: str
    """``""`` where there is none."""
    digest: str
    """``sha256:…``, ``""`` where there is none."""

    @property
    def floats(self) -> bool:
        """Whether it may mean another image tomorrow: neither digest nor tag, or the tag ``latest``."""
        return not self.digest and (self.tag in ("", "latest") or self.tag.startswith("latest-"))


def reference(image: object) -> Reference | None:
    """The parts of a reference; None for what is none."""
    return _read(image) if isinstance(image, str) and len(image) <= _LONGEST else None


@lru_cache(maxsize=4096)
def _read(image: str) -> Reference | None:
    if not _PLAIN.fullmatch(image):
        return None
    repository, rest = split_image(image)
    tag, _, digest = rest.partition("@")
    for prefix in ("index.docker.io/", "docker.io/", "library/"):
        repository = repository.removeprefix(prefix)
    return Reference(repository, tag, digest)
