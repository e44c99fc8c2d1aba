"""A tree with some files changed, as it would be after a commit that is not made yet."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping

from gitops_bot.model.tree import Entry, Tree


def overlaid(tree: Tree, files: Mapping[str, bytes | None]) -> Tree:
    """The tree with other content in files, by their real paths (links followed); None takes a file out.

    Object ids of the changed files are Git's; those of the directories above them are not, though they differ from the
    old ones and are the same for the same change.
    """
    if not files:
        return tree
    entries = dict(tree.entries)
    blobs: dict[str, bytes] = {}
    for path, data in files.items():
        if data is None:
            entries.pop(path, None)
            continue
        oid = _blob_id(data, len(tree.oid))
        blobs[oid] = data
        entries[path] = Entry(entries[path].mode if path in entries else "100644", oid, len(data))
    changed = sorted((path, entries[path].oid if path in entries else "") for path in files)
    for directory in sorted({parent for path in files for parent in _parents(path)}, reverse=True):
        inside = [f"{path} {oid}" for path, oid in changed if path.startswith(f"{directory}/")]
        old = entries.pop(directory, None)
        if any(path.startswith(f"{directory}/") for path in entries):
            entries[directory] = Entry("040000", _changed_id(old.oid if old else tree.oid, inside), 0)

    def read(oids: Iterable[str]) -> Mapping[str, bytes]:
        wanted = list(oids)
        others = [oid for oid in wanted if oid not in blobs]
        found = dict(tree.blobs(others)) if others else {}
        return {oid: blobs[oid] if oid in blobs else found[oid] for oid in wanted}

    return Tree(_changed_id(tree.oid, [f"{path} {oid}" for path, oid in changed]), entries, read)


def _parents(path: str) -> Iterable[str]:
    parent = posixpath.dirname(path)
    while parent:
        yield parent
        parent = posixpath.dirname(parent)


def _blob_id(data: bytes, length: int) -> str:
    algorithm = hashlib.sha256 if length == 64 else hashlib.sha1
    return algorithm(b"blob %d\0" % len(data) + data).hexdigest()


def _changed_id(old: str, inside: list[str]) -> str:
    algorithm = hashlib.sha256 if len(old) == 64 else hashlib.sha1
    return algorithm("\n".join([old, *inside]).encode("utf-8", "surrogateescape")).hexdigest()
