"""Files and objects by path: a local path, ``file://…``, or ``s3://bucket/key``."""

from __future__ import annotations

import os
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

TIMEOUT = 10.0
"""Seconds until an object store that does not answer is given up."""


class StoreError(Exception):
    """An object that cannot be read or written."""


def join(path: str, name: str) -> str:
    """The path of a file in a directory or under a key prefix."""
    return path.rstrip("/") + "/" + name


def read(path: str) -> bytes:
    """The content at a path. Raises StoreError when it cannot be read."""
    if path.startswith("s3://"):
        return _request(_url(path), None)
    try:
        return _local(path).read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def write(path: str, data: bytes) -> None:
    """Write a whole file or object; a reader sees the old or the new content, never half. Raises StoreError."""
    if path.startswith("s3://"):
        _request(_url(path), data)
        return
    target = _local(path)
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        half.write_bytes(data)
        half.replace(target)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def _local(path: str) -> Path:
    return Path(urllib.parse.unquote(path.removeprefix("file://")))


def _url(path: str) -> str:
    """Path-style address of an object. Requests are not signed: the store has to allow that to this network."""
    endpoint = os.environ.get("OBJECT_STORE_ENDPOINT", "")
    if not endpoint.startswith(("http://", "https://")):
        raise StoreError(f"{path}: set OBJECT_STORE_ENDPOINT to the http(s) address of the object store")
    return endpoint.rstrip("/") + "/" + urllib.parse.quote(path.removeprefix("s3://"))


def _request(url: str, data: bytes | None) -> bytes:
    request = urllib.request.Request(url, data=data, method="GET" if data is None else "PUT")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        raise StoreError(f"{url}: HTTP {error.code}") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise StoreError(f"{url}: {getattr(error, 'reason', error)}") from error
