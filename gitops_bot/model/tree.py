"""A directory tree of a Git commit, or of anything unpacked into the same shape."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from typing import NamedTuple

LINK_DEPTH = 10
"""How many symbolic links may be followed for one path (Argo CD's limit, application-semantics of value files)."""


class Entry(NamedTuple):
    """One path of a tree."""

    mode: str
    """Git's mode: 100644 file, 100755 executable, 120000 symbolic link, 160000 submodule, 040000 directory."""
    oid: str
    """Object id (hexadecimal) of the blob or tree; equal ids mean equal content."""
    size: int
    """Bytes of a file or link target; 0 for directories and submodules, -1 where it is not known before it is read."""

    @property
    def is_directory(self) -> bool:
        return self.mode == "040000"

    @property
    def is_file(self) -> bool:
        return self.mode in ("100644", "100755")

    @property
    def is_link(self) -> bool:
        return self.mode == "120000"

    @property
    def is_submodule(self) -> bool:
        return self.mode == "160000"


class PathEscape(ValueError):
    """A path or link leads out of its tree, or links form a cycle."""


class Tree:
    """An immutable tree of files, read lazily by object id.

    Paths are POSIX, relative to the root, without leading or trailing slash; the root itself is ``""``.
    """

    def __init__(
        self,
        oid: str,
        entries: Mapping[str, Entry],
        read: Callable[[Iterable[str]], Mapping[str, bytes]],
    ) -> None:
        """Take the tree's own object id, every path below it, directories included, and a reader of blobs.

        ``read`` takes object ids and returns the content of each; it raises for one that does not exist.
        """
        self.oid = oid
        self.entries = entries
        self._read = read
        self._paths = sorted(entries)
        self._children: dict[str, list[str]] = {}

    def read_by(self, read: Callable[[Iterable[str]], Mapping[str, bytes]]) -> Tree:
        """The same tree, its blobs given by another reader."""
        made = copy(self)
        made.__dict__["_read"] = read
        return made

    def __contains__(self, path: str) -> bool:
        return self.entry(path) is not None

    def entry(self, path: str) -> Entry | None:
        """The entry at exactly this path, links not followed; None when there is none. The root is a directory."""
        return Entry("040000", self.oid, 0) if path == "" else self.entries.get(path)

    def below(self, directory: str) -> Iterator[str]:
        """Every path below a directory, at any depth, in order; links are listed, not followed."""
        prefix = f"{directory}/" if directory else ""
        for index in range(bisect_left(self._paths, prefix), len(self._paths)):
            path = self._paths[index]
            if not path.startswith(prefix):
                return
            yield path

    def children(self, directory: str) -> Iterator[str]:
        """The paths directly in a directory, in order; links are listed, not followed."""
        if not self._children:
            for path in self._paths:
                self._children.setdefault(path.rpartition("/")[0], []).append(path)
        return iter(self._children.get(directory, ()))

    def resolve(self, path: str) -> str | None:
        """The path with every symbolic link in it followed; None when nothing is there.

        Raises PathEscape when a link, or ``path`` itself, leads out of the tree, is absolute, or never ends.
        """
        done: list[str] = []
        todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                if not done:
                    raise PathEscape(f"{path} leads out of the repository")
                done.pop()
                continue
            here = "/".join([*done, part])
            entry = self.entry(here)
            if entry is None:
                if ".." in todo:
                    self._refuse_escape(path, [*done, part], todo)
                return None
            if not entry.is_link:
                done.append(part)
                continue
            links += 1
            if links > LINK_DEPTH:
                raise PathEscape(f"{path} follows more than {LINK_DEPTH} symbolic links")
            target = self._read([entry.oid])[entry.oid].decode("utf-8", "surrogateescape")
            if target.startswith("/"):
                raise PathEscape(f"{here} is a symbolic link to the absolute path {target}")
            todo.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
        return "/".join(done)

    @staticmethod
    def _refuse_escape(path: str, done: list[str], todo: list[str]) -> None:
        depth = len(done)
        for part in reversed(todo):
            depth += -1 if part == ".." else 1
            if depth < 0:
                raise PathEscape(f"{path} leads out of the repository")

    def read(self, path: str) -> bytes:
        """The content of the file at this path, links followed.

        Raises FileNotFoundError when it is not a file, PathEscape as ``resolve`` does.
        """
        real = self.resolve(path)
        entry = self.entry(real) if real is not None else None
        if entry is None or not entry.is_file:
            raise FileNotFoundError(path)
        return self._read([entry.oid])[entry.oid]

    def blobs(self, oids: Iterable[str]) -> Mapping[str, bytes]:
        """The content of many blobs at once, by object id."""
        return self._read(oids)
