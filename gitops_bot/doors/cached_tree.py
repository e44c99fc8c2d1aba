"""The tree of one commit in a bare repository of ours, proved when it is read; files that are missing are brought then.

Git does not check objects that it reads from a pack, and the cache is not trusted: every commit, directory and file has
to hash to its id.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from gitops_bot.doors import process
from gitops_bot.errors import FetchError
from gitops_bot.model.tree import Entry, Tree

_BATCH = 500
"""Object ids sent to ``cat-file --batch`` before its answers are read: below any pipe buffer, so nobody blocks."""
_LISTING = process.Limits(seconds=60.0, output=64 * 1024 * 1024, memory=0)

Bring = Callable[[Sequence[str]], None]
"""Brings objects by id, all at once. Raises FetchError."""


class Damaged(FetchError):
    """An object of the cache is not what its id says, or cannot be read."""

    def __init__(self, name: str, what: str) -> None:
        """Take the repository as it is shown, and what is damaged."""
        super().__init__(f"{name}: {what}", hint="delete the fetch cache and run again")


class CachedRepository:
    """A bare repository that is read and never written here. A context manager; safe under many threads."""

    def __init__(self, directory: Path, name: str, environment: Mapping[str, str]) -> None:
        """Take where it is, how it is called in messages, and git's whole environment."""
        self._directory = directory
        self._name = name
        # What is missing is told and never fetched behind our back.
        self._environment = {**environment, "GIT_ALLOW_PROTOCOL": "none"}
        self._conversation: process.Conversation | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """End the program that reads."""
        with self._lock:
            if self._conversation is not None:
                self._conversation.close()
                self._conversation = None

    def tree(self, commit: str) -> Tree:
        """The tree of a commit, with the files that are here.

        Raises FetchError: Damaged for what is not what its id says.
        """
        content = self._proved([commit], "commit")[commit]
        if not content.startswith(b"tree "):
            raise Damaged(self._name, f"the cached commit {commit} is damaged")
        oid = content[5:].partition(b"\n")[0].decode("ascii", "replace")
        entries = self._entries(oid)
        directories = {oid, *(entry.oid for entry in entries.values() if entry.is_directory)}
        self._proved(sorted(directories), "tree")
        for path in entries:
            if any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/")):
                raise FetchError(f"{self._name} holds the path {path[:80]!r}, which leads out of it")
        return Tree(oid, entries, self._whole)

    def bringing(self, tree: Tree, bring: Bring, first: Callable[[str], bool]) -> Tree:
        """A tree of this repository whose files need not be here.

        One that is not is brought when it is read, together with the files beside it, and, the first time, with every
        file whose path is one of the ``first``: those that decide what else is read.
        """
        return tree.read_by(_Reader(self, tree.entries, bring, first).read)

    def _whole(self, oids: Iterable[str]) -> Mapping[str, bytes]:
        wanted = frozenset(oids)
        found = self.proved(wanted)
        if len(found) < len(wanted):
            raise self.missing(wanted - found.keys())
        return found

    def present(self, oids: Iterable[str]) -> dict[str, tuple[str, bytes]]:
        """Kind and content of those objects that are here. Raises Damaged."""
        wanted = list(dict.fromkeys(oids))
        found: dict[str, tuple[str, bytes]] = {}
        with self._lock:
            for start in range(0, len(wanted), _BATCH):
                found.update(self._batch(wanted[start : start + _BATCH]))
        return found

    def proved(self, oids: Iterable[str]) -> dict[str, bytes]:
        """The content of those files that are here, each proved. Raises Damaged."""
        found = self.present(oids)
        for oid, (kind, content) in found.items():
            if kind != "blob" or object_id(oid, b"blob", content) != oid:
                raise Damaged(self._name, f"the cached object {oid} is damaged")
        return {oid: content for oid, (_, content) in found.items()}

    def missing(self, oids: Iterable[str]) -> Damaged:
        """What is raised where objects are not here although they were brought."""
        return Damaged(self._name, f"the object {next(iter(oids))} is not in the cache")

    def _proved(self, oids: Sequence[str], kind: str) -> dict[str, bytes]:
        found = self.present(oids)
        for oid in oids:
            told, content = found.get(oid, ("", b""))
            if told != kind or object_id(oid, kind.encode(), content) != oid:
                raise Damaged(self._name, f"the cached object {oid} is damaged")
        return {oid: content for oid, (_, content) in found.items()}

    def _entries(self, oid: str) -> dict[str, Entry]:
        # Without the sizes of files: git would have to have them all.
        argv = ["git", "ls-tree", "-r", "-t", "-z", "--full-tree", oid]
        ended = process.run(argv, cwd=str(self._directory), env=self._environment, limits=_LISTING, network=True)
        if ended.stopped:
            raise FetchError(f"{self._name}: listing its files was stopped after {ended.stopped}")
        if ended.code != 0:
            raise Damaged(self._name, f"the cached tree {oid} cannot be listed")
        entries = {}
        for record in ended.stdout.split(b"\0")[:-1]:
            meta, _, path = record.partition(b"\t")
            mode, kind, found = meta.decode().split()
            size = -1 if kind == "blob" else 0
            entries[path.decode("utf-8", "surrogateescape")] = Entry(mode, found, size)
        return entries

    def _batch(self, oids: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        if self._conversation is None:
            argv = ["git", "cat-file", "--batch"]
            self._conversation = process.Conversation(argv, cwd=str(self._directory), env=self._environment)
        found: dict[str, tuple[str, bytes]] = {}
        try:
            self._conversation.write("".join(f"{oid}\n" for oid in oids).encode())
            for oid in oids:
                header = self._conversation.read_line().decode("ascii", "replace").split()
                if len(header) == 3:
                    found[oid] = header[1], self._conversation.read(int(header[2]))
                    self._conversation.read(1)
        except (EOFError, OSError) as error:
            self._conversation.close()
            self._conversation = None
            raise Damaged(self._name, "the cache cannot be read") from error
        return found


class _Reader:
    """Reads the files of one tree, and brings what is missing in as few questions as it takes."""

    def __init__(
        self, repository: CachedRepository, entries: Mapping[str, Entry], bring: Bring, first: Callable[[str], bool]
    ) -> None:
        self._repository = repository
        self._entries = entries
        self._bring = bring
        self._first = first
        self._begun = False
        self._lock = threading.Lock()

    def read(self, oids: Iterable[str]) -> Mapping[str, bytes]:
        wanted = frozenset(oids)
        found = self._repository.proved(wanted)
        if len(found) < len(wanted):
            with self._lock:  # who comes meanwhile finds it brought
                missing = wanted - found.keys()
                found |= self._repository.proved(missing)
                missing -= found.keys()
                if missing:
                    found |= self._brought(missing)
        if len(found) < len(wanted):
            raise self._repository.missing(wanted - found.keys())
        return found

    def _brought(self, missing: frozenset[str]) -> dict[str, bytes]:
        files = {path: entry for path, entry in self._entries.items() if entry.is_file or entry.is_link}
        folders = {path.rpartition("/")[0] for path, entry in files.items() if entry.oid in missing}
        # Links decide where paths lead, so they come with the first question too.
        more = {
            entry.oid
            for path, entry in files.items()
            if path.rpartition("/")[0] in folders or (not self._begun and (entry.is_link or self._first(path)))
        }
        self._begun = True
        here = self._repository.present(more).keys()
        self._bring(sorted(missing | (more - here)))
        return self._repository.proved(missing)


def object_id(like: str, kind: bytes, content: bytes) -> str:
    """Git's id of an object (``blob``, ``tree``, ``commit``), by the algorithm of an id of that length."""
    algorithm = hashlib.sha1 if len(like) == 40 else hashlib.sha256
    return algorithm(kind + b" %d\0" % len(content) + content).hexdigest()
