"""Trees made in memory, for tests of what only reads them."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Mapping

from gitops_bot.model.tree import Entry, Tree


def tree_of(files: Mapping[str, str | bytes], links: Mapping[str, str] | None = None) -> Tree:
    """A tree of these files and symbolic links; object ids are hashes of the content, as Git's are."""
    contents = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
    contents |= {path: target.encode() for path, target in (links or {}).items()}
    blobs = {_oid(data): data for data in contents.values()}
    entries = {
        path: Entry("120000" if path in (links or {}) else "100644", _oid(data), len(data))
        for path, data in contents.items()
    }
    below: dict[str, list[str]] = {"": []}
    for path in sorted(contents):
        directory = path
        while directory:
            directory = posixpath.dirname(directory)
            below.setdefault(directory, []).append(f"{path} {entries[path].mode} {entries[path].oid}")
    for directory, inside in below.items():
        if directory:
            entries[directory] = Entry("040000", _oid("\n".join(inside).encode()), 0)
    return Tree(_oid("\n".join(below[""]).encode()), entries, lambda oids: {oid: blobs[oid] for oid in oids})


def _oid(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
