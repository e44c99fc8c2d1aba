"""Reading an event's payload field by field: what is missing or has the wrong form is named, never shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from gitops_bot.actions import names
from gitops_bot.errors import UsageError

_WORD = re.compile(r"[A-Za-z_]{1,60}")
LARGEST_NUMBER = 2**53
"""Beyond it JSON's numbers are no longer exact."""
_LONGEST = 1_000_000
"""Characters of a text; GitHub's longest, a comment's body, has 65,536."""

HINT = "run the Action in a workflow, where GitHub writes the event; a file of your own needs the same fields"


class Payload(NamedTuple):
    """A mapping inside an event, and where it is."""

    event: str
    """Name of the event, for messages."""
    fields: dict[str, Any]
    place: str = ""
    """``pull_request.head``, ``""`` for the event itself."""

    def has(self, key: str) -> bool:
        """Whether the field is there and not null."""
        return self.fields.get(key) is not None

    def part(self, key: str) -> Payload:
        """A mapping inside it. Raises UsageError when it is missing or something else."""
        value = self._required(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "is no mapping")
        return Payload(self.event, value, self._path(key))

    def parts(self, key: str) -> tuple[Payload, ...]:
        """The mappings of a list inside it, none where it is missing. Raises UsageError when it is something else."""
        value = self.fields.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, "is no list of mappings")
        return tuple(Payload(self.event, item, f"{self._path(key)}[{at}]") for at, item in enumerate(value))

    def text(self, key: str, *, default: str | None = None) -> str:
        """A text, ``default`` (None: it has to be there) where it is missing or null. Raises UsageError."""
        value = self.fields.get(key) if default is not None else self._required(key)
        if value is None:
            assert default is not None
            return default
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise self.wrong(key, "is no text" if not isinstance(value, str) else "is too long")
        return value

    def word(self, key: str, *, default: str | None = None) -> str:
        """One of GitHub's own words (``opened``, ``OWNER``); ``default`` as in ``text``. Raises UsageError."""
        if default is not None and not self.has(key):
            return default
        return self.checked(key, lambda text: _WORD.fullmatch(text) is not None, "is no word of GitHub's")

    def flag(self, key: str) -> bool:
        """True or false; false where it is missing or null. Raises UsageError for anything else."""
        value = self.fields.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, "is neither true nor false")
        return bool(value)

    def number(self, key: str) -> int:
        """A number as GitHub counts: from 1. Raises UsageError."""
        value = self._required(key)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < LARGEST_NUMBER:
            raise self.wrong(key, "is no number from 1 on")
        return value

    def commit(self, key: str) -> str:
        """A whole commit id. Raises UsageError."""
        return self.checked(key, names.is_commit, "is no commit id")

    def commit_or_nothing(self, key: str) -> str:
        """A whole commit id, ``""`` for the one of zeros. Raises UsageError."""
        value = self.checked(key, lambda text: names.is_commit(text) or names.is_nothing(text), "is no commit id")
        return "" if names.is_nothing(value) else value

    def ref(self, key: str) -> str:
        """A branch, a tag or a whole ref. Raises UsageError."""
        return self.checked(key, names.is_ref, "is no name of a branch or tag")

    def repository(self, key: str) -> str:
        """``owner/name``. Raises UsageError."""
        return self.checked(key, names.is_repository, "is no name of a repository")

    def time(self, key: str) -> str:
        """A moment, as it is written. Raises UsageError."""
        return self.checked(key, _is_time, "is no time")

    def login(self, key: str) -> str:
        """Login of the account in a field, ``""`` where the account is gone. Raises UsageError."""
        if not self.has(key):
            return ""
        return self.part(key).checked("login", names.is_login, "is no login")

    def is_bot(self, key: str) -> bool:
        """Whether the account in a field is an app's. Raises UsageError."""
        account = self.part(key) if self.has(key) else None
        return account is not None and (
            account.text("type", default="") == "Bot" or account.text("login", default="").endswith("[bot]")
        )

    def _required(self, key: str) -> Any:
        value = self.fields.get(key)
        if value is None:
            raise UsageError(f"the event {self.event} has no {self._path(key)}", hint=HINT)
        return value

    def checked(self, key: str, is_right: Callable[[str], bool], otherwise: str) -> str:
        """A text that is as it has to be; ``otherwise`` ends the sentence about one that is not. Raises UsageError."""
        value = self.text(key)
        if not is_right(value):
            raise self.wrong(key, otherwise)
        return value

    def wrong(self, key: str, what: str) -> UsageError:
        """The error about one field: ``what`` is wrong with it, without its value."""
        return UsageError(f"{self._path(key)} of the event {self.event} {what}", hint=HINT)

    def _path(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
