"""What a commit, a branch and a repository may be called, so that no name from outside is an option or a path. Pure."""

from __future__ import annotations

import re

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NOBODY = re.compile(r"0{40}|0{64}")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.{1,2}\Z)[A-Za-z0-9._-]+")
_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\[bot\])?")
_PREFIX = re.compile(r"refs/(heads|tags)/")
_NOT_IN_A_NAME = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{|//|/\.|\.lock(?=/|\Z)")
"""What `git check-ref-format` refuses anywhere, and halves of surrogate pairs, which no command line can carry."""

LONGEST_NAME = 1024
"""Characters of a branch or tag; GitHub itself allows a quarter of it."""


def is_commit(text: str) -> bool:
    """Whether this is a whole commit id, SHA-1 or SHA-256, in lower case, and not the id that stands for nothing."""
    return _COMMIT.fullmatch(text) is not None and not is_nothing(text)


def is_nothing(text: str) -> bool:
    """Whether this is the id of zeros that a push event has for a branch that is made or deleted."""
    return _NOBODY.fullmatch(text) is not None


def is_ref(text: str) -> bool:
    """Whether Git takes this as a branch, a tag or a whole ref, and nothing takes its short form for an option."""
    return (
        0 < len(text) <= LONGEST_NAME
        and text[0] not in "-./"
        and not _PREFIX.sub("", text, count=1).startswith("-")
        and text[-1] not in "./"
        and text != "@"
        and _NOT_IN_A_NAME.search(text) is None
    )


def is_repository(text: str) -> bool:
    """Whether this is ``owner/name`` as GitHub spells it."""
    return len(text) <= 200 and REPOSITORY.fullmatch(text) is not None


def is_login(text: str) -> bool:
    """Whether this is the login of a person or of an app (``dependabot[bot]``)."""
    return len(text) <= 100 and _LOGIN.fullmatch(text) is not None
