"""The door that tells which objects of a repository elsewhere are commits: a tag may mean a file, or nothing at all.

Git's listing of references does not say it. What is not known yet is fetched, a commit each without its files, into a
bare repository of its own, so that the histories that are read elsewhere end where they did.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from gitops_bot.doors.history import History

_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=tree:0", "--depth=1", "--stdin", "origin")
_BATCH = 5_000
"""Objects that are asked for in one fetch."""

Ask = Callable[[Sequence[str], Path, bytes], bool]
"""Has git ask the origin, in a directory, with bytes on standard input; False when what is asked for is not there.

Raises GitError when the origin cannot be asked."""


class Kinds:
    """What kind of object a full id is, for one run; each is asked for once."""

    def __init__(self, history: History, ask: Ask) -> None:
        """Take a repository of its own that is still to be made, and what asks its origin."""
        self._history = history
        self._ask = ask
        self._made = False
        self._found: dict[str, bool] = {}

    def commits(self, oids: Collection[str]) -> set[str]:
        """Those of the objects that are commits; what cannot be read is none. Raises GitError."""
        new = sorted({oid for oid in oids if oid not in self._found})
        for start in range(0, len(new), _BATCH):
            self._look(new[start : start + _BATCH])
        return {oid for oid in oids if self._found[oid]}

    def _look(self, oids: Sequence[str]) -> None:
        if not self._made:
            self._history.make(sha256=len(oids[0]) == 64)
            self._made = True
        here = self._fetched(oids)
        stdin = "".join(f"{oid}\n" for oid in here).encode()
        said = self._history.must(("cat-file", "--batch-check"), self._history.directory, stdin=stdin).decode()
        kinds = dict(line.split(" ")[:2] for line in said.splitlines())
        self._found |= {oid: kinds.get(oid) == "commit" for oid in oids}

    def _fetched(self, oids: Sequence[str]) -> list[str]:
        """Fetch objects; those that are here then. One that is broken there fails a fetch as a whole."""
        if self._ask(_FETCH, self._history.directory, "".join(f"{oid}\n" for oid in oids).encode()):
            return list(oids)
        if len(oids) == 1:
            return []
        half = len(oids) // 2
        return [*self._fetched(oids[:half]), *self._fetched(oids[half:])]
