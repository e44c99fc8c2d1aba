"""Which commit of the application a version was built from: by what bumps say, else by the tag's own words. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

from gitops_bot.model.github import CommitInfo
from gitops_bot.model.image import same_repository
from gitops_bot.writeback.trailers import Bumped, Kind, read_trailers

_COMMIT_IN_TAG = re.compile(r"(?:.*[^0-9a-z])?([0-9a-f]{7,40})")
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.{1,2}\Z)[A-Za-z0-9._-]+")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


class Built(NamedTuple):
    """What a version was built from; each is ``""`` or 0 where it is not known."""

    repository: str = ""
    """``owner/name``."""
    commit: str = ""
    """Full id, or its beginning."""
    run_url: str = ""
    """Of the build."""
    run: int = 0
    """Id of the build, which grows over all workflows of a repository; 0 when there is none."""


def built(history: Iterable[CommitInfo], kind: Kind, what: str, versions: Collection[str]) -> Built:
    """What a version was built from, by its names (tag and digest).

    ``history`` are commits, newest first; the newest counts whose message says that it wrote the version. It is read
    as far as that only. Trailers are believed whoever wrote them.
    """
    told = Built()
    for commit in history:
        trailers = read_trailers(commit.message)
        if any(_wrote(bump, kind, what, versions) for bump in trailers.bumps):
            repository = trailers.repository if _REPOSITORY.fullmatch(trailers.repository) else ""
            commit_id = trailers.commit if _COMMIT.fullmatch(trailers.commit) else ""
            told = Built(repository, commit_id, trailers.run_url, trailers.run)
            if told.commit:
                break
    named = next(filter(None, map(commit_in, versions)), "") if kind == "image" else ""
    # A tag that names its commit says what was built; a workflow may run for another one. Digits may be a date.
    if named and not told.commit.startswith(named) and not (told.commit and named.isdigit()):
        return told._replace(commit=named)
    return told


def commit_in(tag: str) -> str:
    """The id of a commit, or its beginning, in a tag such as ``sha-4f2a9c1`` or ``main-4f2a9c1``; ``""`` for none."""
    found = _COMMIT_IN_TAG.fullmatch(tag)
    return found[1] if found else ""


def _wrote(bump: Bumped, kind: Kind, what: str, versions: Collection[str]) -> bool:
    same = bump.what == what or (kind == "image" and same_repository(bump.what, what))
    return bump.kind == kind and same and (bump.new in versions or bump.digest in versions)
