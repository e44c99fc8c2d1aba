"""A control plane out of its projects' own release files: pinned by hash, downloaded at the same time, kept whole or not at all.

The thread that asks for all of them keeps and hashes what others only receive, so that a download that is given up leaves
nobody who still writes. What arrives has no name until all of it is as published: a run that is killed leaves nothing.
"""

from __future__ import annotations

import hashlib
import queue
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3

_CHUNK = 1 << 18
_WAITING = 64
"""Pieces that may wait to be written, of all files together."""


class Release(NamedTuple):
    """A file that a project has published, and what is wanted of it."""

    url: str
    digest: str
    """``ALGORITHM:HEX``, as it was published."""
    wanted: Mapping[str, str]
    """Name in our folder → path in the archive (``.tar.gz``); the path ``""`` is the file itself."""


class Limits(NamedTuple):
    """What a download may take."""

    connect: float = 3.0
    """Seconds to connect to one address."""
    first: float = 5.0
    """Seconds until the first piece of any file is there: a name server, a proxy or a host may be silent instead."""
    idle: float = 15.0
    """Seconds without a byte of one file, once there was one."""
    size: int = 1 << 30
    """Bytes of one file."""


class NotDownloaded(Exception):
    """The release files could not be had, and nothing of them is there; the message says why, in a line or two."""


KUBERNETES, ETCD, KWOK = "v1.36.0", "v3.6.11", "v0.8.0"
"""As in the three go.mod beside this file: it is the same control plane, whichever way it comes."""

# Kubernetes' hashes are those of its CHANGELOG-1.36.md, which tells those of whole archives only. Those of etcd and kwok are
# what several packagers pin, each by itself; those of the stages were taken from kwok's Go module, which go.sum guards.
_STAGES = {
    "node/fast/node-initialize": "bb38f752d90248528b579a0ae8f0f660ff3428457eb5c1ebe6345c3246cc7ee5",
    "node/heartbeat-with-lease/node-heartbeat-with-lease": "9becfc93321222915bd1ec8ab103fe769afe4b23e1386bf40553deb02e332c9c",
    "pod/fast/pod-ready": "4d04a22c1b9dc6adcd4da90b32ce85687ba0058e15ca1eebcfa7cd64201d4148",
    "pod/fast/pod-complete": "86b800597419abbd7d8c43b0dfc4782643cfcfcfc8ac617f1e79e4e3a68533b2",
    "pod/fast/pod-delete": "a83bc287bfc7a4f1e3748e01761186128a4042e38b304195e984111ce5626cef",
}


def _releases(system: str, kubernetes_sha512: str, etcd_sha256: str, kwok_sha256: str) -> tuple[Release, ...]:
    etcd = f"etcd-{ETCD}-{system}"
    return (
        Release(
            f"https://dl.k8s.io/{KUBERNETES}/kubernetes-server-{system}.tar.gz",
            f"sha512:{kubernetes_sha512}",
            {
                name: f"kubernetes/server/bin/{name}"
                for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
            },
        ),
        Release(
            f"https://github.com/etcd-io/etcd/releases/download/{ETCD}/{etcd}.tar.gz",
            f"sha256:{etcd_sha256}",
            {"etcd": f"{etcd}/etcd"},
        ),
        Release(
            f"https://github.com/kubernetes-sigs/kwok/releases/download/{KWOK}/kwok-{system}",
            f"sha256:{kwok_sha256}",
            {"kwok": ""},
        ),
        *(
            Release(
                f"https://raw.githubusercontent.com/kubernetes-sigs/kwok/{KWOK}/kustomize/stage/{stage}.yaml",
                f"sha256:{sha256}",
                {f"{Path(stage).name}.yaml": ""},
            )
            for stage, sha256 in _STAGES.items()
        ),
    )


RELEASES: Mapping[str, tuple[Release, ...]] = {
    "linux-amd64": _releases(
        "linux-amd64",
        "1c64da92575451c2c7ff97c79b772e603995f8e76da1371a6b0746aaa27b65dce81c4d734cbb50f40e71486a8e08df36f14e12974f97d4d2"
        "9e41f23a172a6a25",
        "8756f7a4eaf921668a83de0bf13c0f65cae9186a165696e3ae8396afe6f557ed",
        "f5a4385a2ae1b9dd7f8acae18e002a75c0ebba124ae9d7259aa8dadb50711f46",
    ),
    "linux-arm64": _releases(
        "linux-arm64",
        "7f95e451baedd9368a2fa637afa84c9ed1b958736540ca27a379e5e292e1a10c5d9a29539f833047574bf5d3b6f907f32dee5735acecc11a"
        "a4686f078108dcf8",
        "5302f1a6157c34eb0568c75fba9d06da98353576df04399f08645bef634acd2d",
        "628f7d277860f524a2a775c217adcc58828e7b59ab0933680315784f1b8b0e37",
    ),
}
"""Platform → all that a control plane needs."""


def download(
    releases: Sequence[Release], folder: Path, say: Callable[[str], None], limits: Limits | None = None
) -> None:
    """Put what is wanted of the releases into the folder, and the mark ``complete`` when all of it is there.

    ``say`` is told how it goes, in about a dozen lines. Proxies and authorities are those of the environment.
    Raises NotDownloaded at the first of them that fails.
    """
    limits = limits or Limits()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            kept = [
                _Kept(release, stack.enter_context(tempfile.TemporaryFile(dir=folder)), limits.size)
                for release in releases
            ]
            with _asked(releases, limits) as news:
                _receive(kept, news, limits, say)
            for each in kept:
                each.check()
            say("unpacking")
            _install(kept, folder)
    except OSError as error:
        raise NotDownloaded(f"{folder} could not be written: {error.strerror or error}") from error


class _Kept:
    """What has arrived of a release."""

    def __init__(self, release: Release, file: IO[bytes], limit: int) -> None:
        algorithm, _, self._published = release.digest.partition(":")
        self._digest = hashlib.new(algorithm)
        self._limit = limit
        self.release = release
        self.file = file
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Keep what comes next. Raises NotDownloaded when it is more than there can be."""
        self.size += len(piece)
        if self.size > self._limit:
            raise NotDownloaded(f"{self.release.url} is larger than {self._limit >> 20} MiB")
        self._digest.update(piece)
        self.file.write(piece)

    def check(self) -> None:
        """Raises NotDownloaded unless it is what was published."""
        if (found := self._digest.hexdigest()) != self._published:
            raise NotDownloaded(
                f"WRONG CONTENT: {self.release.url} has the {self._digest.name} {found},\n"
                f"not the published {self._published}; it was not used. Does a proxy change what is downloaded?"
            )

    def unpacked(self) -> Iterator[tuple[str, IO[bytes]]]:
        """Each wanted name with its content, to be read before the next. Raises NotDownloaded when one is missing."""
        self.file.seek(0)
        left = {path: name for name, path in self.release.wanted.items()}
        if "" in left:
            yield left[""], self.file
            return
        with tarfile.open(fileobj=self.file, mode="r:gz") as archive:
            for member in archive:
                if member.name in left and member.isreg():
                    content = archive.extractfile(member)
                    assert content is not None
                    yield left.pop(member.name), content
                if not left:
                    return
        raise NotDownloaded(f"{self.release.url} has no regular file {', '.join(sorted(left))}")


# -- on the way -------------------------------------------------------------------------------------------------------

_News = queue.Queue[tuple[int, int | bytes | str]]
"""Of which release: its length in bytes (0: not told), a piece, ``b""`` at its end, or in words why there is no more."""


@contextmanager
def _asked(releases: Sequence[Release], limits: Limits) -> Iterator[_News]:
    """News of all releases, each asked for in a thread of its own; none of them says anything more afterwards."""
    news: _News = queue.Queue(_WAITING)
    given_up = threading.Event()
    for at, release in enumerate(releases):
        threading.Thread(target=_ask, args=(at, release.url, limits, news, given_up), daemon=True).start()
    try:
        yield news
    finally:
        given_up.set()
        with suppress(queue.Empty):  # who waits to tell something can do so, and then sees that nobody wants more
            while True:
                news.get_nowait()


def _ask(at: int, url: str, limits: Limits, news: _News, given_up: threading.Event) -> None:
    # As it is stored, since that is what the hash is of.
    headers = {"Accept-Encoding": "identity"}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=(limits.connect, limits.idle)) as answer:
            answer.raise_for_status()
            news.put((at, int(answer.headers.get("Content-Length", 0))))
            while not given_up.is_set():
                piece = answer.raw.read(_CHUNK, decode_content=False)
                news.put((at, piece))
                if not piece:
                    return
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        news.put((at, f"{url}: {_in_words(error)}"))


def _in_words(error: Exception) -> str:
    if isinstance(error, requests.HTTPError):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate is not trusted"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "no answer"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "it was cut short"
    return type(error).__name__


def _receive(kept: Sequence[_Kept], news: _News, limits: Limits, say: Callable[[str], None]) -> None:
    """Keep what arrives until all has. Raises NotDownloaded when one of them fails or nothing comes."""
    lengths: dict[int, int] = {}
    received, told, left = 0, 0, len(kept)
    while left:
        try:
            at, word = news.get(timeout=None if received else limits.first)
        except queue.Empty:
            hosts = sorted({urlsplit(each.release.url).hostname or "" for each in kept})
            raise NotDownloaded(f"nothing comes from {', '.join(hosts)}") from None
        if isinstance(word, str):
            raise NotDownloaded(word)
        if isinstance(word, int):
            lengths[at] = word
        elif not word:
            left -= 1
        else:
            kept[at].add(word)
            received += len(word)
        total = sum(lengths.values())
        if len(lengths) == len(kept) and total and (tenth := received * 10 // total) > told:
            told = tenth
            say(f"{received >> 20} of {total >> 20} MiB")


def _install(kept: Sequence[_Kept], folder: Path) -> None:
    """Give everything its name once all of it is unpacked, as build.sh does; the mark comes last."""
    with ExitStack() as stack:
        ready = {}
        for each in kept:
            for name, content in each.unpacked():
                ready[name] = folder / f".{name}"
                stack.callback(ready[name].unlink, missing_ok=True)
                with ready[name].open("wb") as file:
                    shutil.copyfileobj(content, file, _CHUNK)
                ready[name].chmod(0o644 if name.endswith(".yaml") else 0o755)
        for name, path in ready.items():
            path.replace(folder / name)
        (folder / "complete").touch()
