"""Renders that need not be made again, by the hash of everything that went into them.

The directory can be carried between machines (``actions/cache``). It is not trusted: an entry carries the hash of its
content and is dropped when that does not match. A render that holds anything
secret (``docs/reference/secrets.md``) is never kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zlib
from pathlib import Path

from gitops_bot.doors.blobs import remove_unused
from gitops_bot.manifests.order import hides

_MAGIC = b"gitops-bot render 1 "
KEPT_BYTES = 512 * 1024 * 1024
"""Above this size the entries that were unused for longest are removed."""


class Cache:
    """A content-addressed store of renders. Safe under several processes; an unusable directory only costs time."""

    def __init__(self, directory: Path | None, *, anew: bool = False) -> None:
        """Keep entries below ``directory``, which is made when first needed; None keeps nothing.

        ``anew`` finds none: everything is rendered again, and takes the place of what was there.
        """
        self._directory = directory / "render" if directory else None
        self._anew = anew

    def get(self, key: str) -> bytes | None:
        """The render of that key, None when there is none or its content does not match its hash."""
        if self._directory is None or self._anew:
            return None
        path = self._path(self._directory, key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        head, _, body = data.partition(b"\n")
        with contextlib.suppress(zlib.error):
            content = zlib.decompress(body)
            if head == _MAGIC + self._seal(key, content):
                with contextlib.suppress(OSError):
                    os.utime(path)
                return content
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def put(self, key: str, content: bytes) -> None:
        """Keep a render, unless it holds something secret."""
        if self._directory is None or hides(content):
            return
        path = self._path(self._directory, key)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + self._seal(key, content) + b"\n" + zlib.compress(content, 1))
            os.replace(temporary, path)

    def trim(self, limit: int = KEPT_BYTES) -> None:
        """Remove what was unused for longest until at most ``limit`` bytes are kept."""
        if self._directory is None:
            return
        remove_unused(self._directory.glob("*/*"), limit)

    @staticmethod
    def _path(directory: Path, key: str) -> Path:
        return directory / key[:2] / key

    @staticmethod
    def _seal(key: str, content: bytes) -> bytes:
        """The hash covers the key too, so that an entry moved to another key is not believed."""
        return hashlib.sha256(key.encode() + b"\n" + content).hexdigest().encode()
