"""Which words name an environment, and how far along it is. Pure.

``values-dev.yaml`` and ``overlays/production`` speak of environments, ``values-ha.yaml`` and ``overlays/istio`` do not:
nothing but the words that people use for environments tells them apart. The folders of ``envs`` need no such word.
"""

from __future__ import annotations

import posixpath
import re
from itertools import pairwise

_STAGES = (
    ("development", "develop", "devel", "dev", "sandbox"),
    ("test", "testing", "qa", "integration", "int", "sit", "nonprod", "alpha", "load", "perf", "performance"),
    ("staging", "stage", "stg", "uat", "acceptance", "preprod", "preproduction", "beta"),
    ("production", "prod", "prd", "live"),
)
_RANK = {word: rank for rank, words in enumerate(_STAGES) for word in words}
PRODUCTION = len(_STAGES) - 1
"""The stage that customers see."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,60}[A-Za-z0-9])?")
_VALUES = re.compile(r"values[-._](?P<after>.+)\.ya?ml|(?P<before>.+)[-._]values\.ya?ml")
_FOLDERS = ("overlays", "env", "clusters")
"""Folders whose folders are environments, where their names say so: overlays are made for much else."""
_OF_ENVIRONMENTS = ("environments", "environment", "envs")
"""Folders whose folders are environments whatever their names."""
_SHARED = ("base", "bases", "common", "shared", "default", "defaults", "global", "all", "template", "templates")
"""Names of what all of them share."""


def stage(name: str) -> int | None:
    """How far along an environment of this name is, 0 for development to ``PRODUCTION``; None for another word."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    ranks = [_RANK[word] for word in words if word in _RANK]
    if not ranks:
        return None
    if max(ranks) == PRODUCTION and {"pre", "non"} & set(words):
        return _RANK["preprod" if "pre" in words else "nonprod"]
    return max(ranks)


def order(name: str) -> tuple[int, str]:
    """Sorts environments in the order of promotion."""
    rank = stage(name)
    return (PRODUCTION if rank is None else rank, name)


def named_by_file(path: str) -> str | None:
    """The environment that a value file or a file in an overlay belongs to by its path, None for others."""
    *folders, base = path.split("/")
    found = _VALUES.fullmatch(base)
    if found is not None:
        name = found["after"] or found["before"]
        if _NAME.fullmatch(name) and stage(name) is not None:
            return name
    for parent, folder in pairwise(folders):
        said = parent in _OF_ENVIRONMENTS and folder.lower() not in _SHARED
        if (said or (parent in _FOLDERS and stage(folder) is not None)) and _NAME.fullmatch(folder):
            return folder
    return None


def named_by_folder(path: str) -> tuple[str, str] | None:
    """The environment that a folder above a file is called after, and that folder; None where there is none.

    ``argocd/staging/api/application.yaml`` → ``staging`` in ``argocd/staging``.
    """
    folder = posixpath.dirname(path)
    while folder:
        above, name = posixpath.split(folder)
        if _NAME.fullmatch(name) and stage(name) is not None:
            return name, folder
        folder = above
    return None


def counterpart(name: str, others: list[str]) -> str | None:
    """What another place calls the same environment: the same name, else the only one of its stage; None for none."""
    if name in others:
        return name
    same = [other for other in others if stage(other) is not None and stage(other) == stage(name)]
    return same[0] if len(same) == 1 else None
