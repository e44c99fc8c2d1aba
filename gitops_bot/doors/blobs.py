"""A directory of content by its hash, and of notes about it; safe for many threads and processes at once."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from gitops_bot.model import typed


class _Note(msgspec.Struct, frozen=True):
    """A note as it lies on disk: its key and its own hash, so that a damaged or misplaced one is noticed."""

    key: str
    value: dict[str, str]
    sha256: str


class Blobs:
    """Content-addressed files below one directory. Nothing in it is trusted: every read is verified."""

    def __init__(self, directory: Path) -> None:
        """Take the directory; it is made when something is first written."""
        self.directory = directory

    def get(self, digest: str) -> bytes | None:
        """The content whose SHA-256 is ``digest`` (hexadecimal); None when it is not here or is damaged."""
        path = self._blob(digest)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() == digest:
            with contextlib.suppress(OSError):
                os.utime(path)
            return content
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def put(self, content: bytes) -> str:
        """Keep content; returns its SHA-256 (hexadecimal). Raises OSError when the disk does not take it."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._blob(digest)
        if not path.exists():
            write_atomically(path, content)
        return digest

    def note(self, key: str) -> dict[str, str] | None:
        """What was last noted under a key; None when there is nothing, or it is damaged."""
        try:
            note = typed.decode(self._note(key).read_bytes(), _Note)
        except (OSError, msgspec.DecodeError):
            return None
        return note.value if note.key == key and note.sha256 == _hash(key, note.value) else None

    def write_note(self, key: str, value: dict[str, str]) -> None:
        """Note something under a key, over what was there. Raises OSError when the disk does not take it."""
        content = msgspec.json.encode(_Note(key, value, _hash(key, value)))
        write_atomically(self._note(key), content)

    def trim(self, limit: int) -> None:
        """Remove what was unused for longest until at most ``limit`` bytes of content are kept."""
        remove_unused(self.directory.glob("blobs/*/*"), limit)

    def _blob(self, digest: str) -> Path:
        return self.directory / "blobs" / digest[:2] / digest

    def _note(self, key: str) -> Path:
        return self.directory / "notes" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"


def _hash(key: str, value: dict[str, str]) -> str:
    return hashlib.sha256(msgspec.json.encode((key, sorted(value.items())))).hexdigest()


def remove_unused(paths: Iterable[Path], limit: int) -> None:
    """Of some files, remove those that were unused for longest until the rest has at most ``limit`` bytes."""
    with contextlib.suppress(OSError):
        stats = [(path, path.stat()) for path in paths]
        excess = sum(stat.st_size for _, stat in stats) - limit
        for path, stat in sorted(stats, key=lambda item: (item[1].st_mtime, item[0])):
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= stat.st_size


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that others see it whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file for the block; other threads and processes that want it wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
