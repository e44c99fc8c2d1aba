"""Values of a declared type, read from JSON or from plain objects, by any number of threads.

msgspec finds out when a type is used first how it is read, keeps that with the type, and lets other threads see it
half done: where two of them use a type first at the same moment, the process crashes (tried with 0.22.0). So what it
finds out, it finds out for one thread at a time.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
_lock = threading.Lock()
_known: set[Any] = set()


def convert(value: Any, kind: type[_T]) -> _T:
    """A value of this type from plain objects. Raises msgspec.ValidationError for one that is none."""
    return msgspec.convert(value, ready(kind))


def decode(data: bytes | str, kind: type[_T], *, strict: bool = True) -> _T:
    """A value of this type from JSON. Raises msgspec.DecodeError; where it is JSON, msgspec.ValidationError.

    ``strict`` False also takes numbers and booleans that are written as text.
    """
    return msgspec.json.decode(data, type=ready(kind), strict=strict)


def ready(kind: type[_T]) -> type[_T]:
    """The same type, which any number of threads may use from now on."""
    if kind not in _known:
        with _lock:
            msgspec.json.Decoder(kind)
            _known.add(kind)
    return kind
