"""The door to files that others read: written whole, or not at all."""

from __future__ import annotations

import os
import stat
import tempfile


def write_whole(path: str, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it; with the mode that a new file of this user has.

    A link's target is written, and what is no file (``/dev/stdout``, a pipe) is written into: a new file in its place
    would take it away from everybody. Raises OSError; a file that was there before is then as it was.
    """
    path = os.path.realpath(path)
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        with open(path, "wb") as there:
            there.write(content)
        return
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=f".{os.path.basename(path)}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
