"""A chart archive (``.tgz``) as a tree in memory. Pure; everything an archive could use against us is refused."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gitops_bot.errors import FetchError
from gitops_bot.model.tree import Entry, Tree


class Limits(NamedTuple):
    """How large an archive may grow; Helm's own limits where it has them (100 MiB in all, 5 MiB a file)."""

    size: int = 100 * 1024 * 1024
    """Bytes unpacked, the archive's own headers included."""
    file: int = 16 * 1024 * 1024
    """Bytes of one file."""
    files: int = 10_000
    ratio: int = 100
    """Unpacked bytes for one packed byte, counted from the first MiB on."""


DEFAULT_LIMITS = Limits()
_FREE = 1024 * 1024
_CHUNK = 1 << 18
_DRIVE = re.compile(r"[A-Za-z]:")
_HINT = "look at the archive with tar tzf; nothing of it was used"


def unpack(archive: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Tree:
    """The tree below the one top directory of a gzipped tar archive; ``name`` is what errors call it.

    Object ids are SHA-256 of the content (for directories: of their listing). Raises FetchError for absolute names,
    ``..``, links, devices, two entries of one name, several top directories, and anything beyond the limits.
    """
    files: dict[str, bytes] = {}
    executable: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(_gunzip(archive, name, limits)), mode="r:") as tar:
            for count, member in enumerate(tar):
                if count >= limits.files:
                    raise _refused(name, f"holds more than {limits.files} entries")
                path = _path(member.name, name)
                if member.isdir():
                    continue
                _add(tar, member, path, files, name, limits)
                if member.mode & 0o100:
                    executable.add(path)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise _refused(name, "is not a gzipped tar archive, or a damaged one") from error
    return _rooted(files, executable, name)


def tree_of(files: Mapping[str, bytes], executable: Iterable[str] = ()) -> Tree:
    """A tree in memory from paths and contents. Equal trees have equal ids."""
    blobs = {hashlib.sha256(content).hexdigest(): content for content in files.values()}
    runnable = frozenset(executable)
    entries = {
        path: Entry("100755" if path in runnable else "100644", hashlib.sha256(content).hexdigest(), len(content))
        for path, content in files.items()
    }
    directories = {"/".join(parts[:end]) for path in files for parts in [path.split("/")] for end in range(len(parts))}
    listing: dict[str, list[str]] = {directory: [] for directory in directories | {""}}
    for path in sorted(entries):
        entry = entries[path]
        listing[path.rpartition("/")[0]].append(f"{entry.mode} {path.rpartition('/')[2]}\0{entry.oid}")
    for directory in sorted(directories - {""}, key=lambda path: (-path.count("/"), path)):
        entries[directory] = Entry("040000", _oid(listing[directory]), 0)
        listing[directory.rpartition("/")[0]].append(f"040000 {directory.rpartition('/')[2]}\0{entries[directory].oid}")

    def read(oids: Iterable[str]) -> Mapping[str, bytes]:
        return {oid: blobs[oid] for oid in oids}

    return Tree(_oid(listing[""]), dict(sorted(entries.items())), read)


def _oid(listing: list[str]) -> str:
    return hashlib.sha256("\0".join(sorted(listing)).encode("utf-8", "surrogateescape")).hexdigest()


def _gunzip(archive: bytes, name: str, limits: Limits) -> bytes:
    """The tar inside, stopped at the first byte beyond a limit; several gzip members are one after the other."""
    most = min(limits.size, max(_FREE, limits.ratio * len(archive)))
    pieces, size, rest = [], 0, archive
    while rest:
        unzip = zlib.decompressobj(wbits=31)
        while not unzip.eof:
            try:
                piece = unzip.decompress(rest, _CHUNK)
            except zlib.error as error:
                raise _refused(name, "is not a gzipped tar archive, or a damaged one") from error
            rest = unzip.unconsumed_tail
            size += len(piece)
            if size > most:
                what = f"{limits.size >> 20} MiB" if most == limits.size else f"{limits.ratio} times its own size"
                raise _refused(name, f"unpacks to more than {what}")
            pieces.append(piece)
            if not piece and not rest and not unzip.eof:
                raise _refused(name, "is cut short")
        rest = unzip.unused_data.lstrip(b"\0")
    return b"".join(pieces)


def _path(written: str, name: str) -> str:
    """The path of an entry as plain segments."""
    path = written.replace("\\", "/")
    if path.startswith("/") or _DRIVE.match(path):
        raise _refused(name, f"holds the absolute path {written[:80]!r}")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        raise _refused(name, f"holds a path that leads out of it, {written[:80]!r}")
    return "/".join(parts)


def _add(
    tar: tarfile.TarFile, member: tarfile.TarInfo, path: str, files: dict[str, bytes], name: str, limits: Limits
) -> None:
    if not member.isreg() or member.issparse():
        what = "a link" if member.issym() or member.islnk() else "something that is neither file nor directory"
        raise _refused(name, f"holds {what}, {path[:80]!r}")
    if member.size > limits.file:
        raise _refused(name, f"holds a file larger than {limits.file >> 20} MiB, {path[:80]!r}")
    if path in files:
        raise _refused(name, f"holds {path[:80]!r} twice")
    opened = tar.extractfile(member)
    content = opened.read() if opened is not None else b""
    if len(content) != member.size:
        raise _refused(name, "is cut short")
    files[path] = content


def _rooted(files: dict[str, bytes], executable: set[str], name: str) -> Tree:
    """The tree below the single top directory; a name cannot be file and directory at once."""
    tops = {path.partition("/")[0] for path in files}
    if len(tops) != 1 or any("/" not in path for path in files):
        raise _refused(name, "does not hold exactly one top directory")
    cut = len(tops.pop()) + 1
    inside = {path[cut:]: content for path, content in files.items()}
    for path in inside:
        parts = path.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in inside:
                raise _refused(name, f"holds {'/'.join(parts[:end])[:80]!r} as a file and as a directory")
    return tree_of(inside, (path[cut:] for path in executable))


def _refused(name: str, why: str) -> FetchError:
    return FetchError(f"{name} {why}", hint=_HINT)
