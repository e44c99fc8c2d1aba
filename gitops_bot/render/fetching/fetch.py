"""Sources from elsewhere: charts, Git repositories and single files, within the base revision's policy.

Everything fetched lies in the cache by its hash and is verified again when read. What can move (a branch, a tag, a
range) is asked for once in a run and means the same for all of it; what cannot (a whole version, a commit id) is not
asked for again once the cache holds it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, TypeVar, cast

from gitops_bot.doors import credentials as credential_door
from gitops_bot.doors import http
from gitops_bot.doors.blobs import Blobs
from gitops_bot.doors.cached_tree import Damaged
from gitops_bot.doors.credentials import Credentials
from gitops_bot.doors.remote_git import References, RemoteGit
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.fetched import Fetched
from gitops_bot.model.tree import Tree
from gitops_bot.model.url import Url
from gitops_bot.render.fetching import archive, semver
from gitops_bot.render.fetching.charts import Charts
from gitops_bot.render.fetching.policy import Kind, Places
from gitops_bot.render.plain import KUSTOMIZATIONS

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
_FIRST = re.compile(
    r"(?:.*/)?(?:Chart\.(?:yaml|lock)|requirements\.(?:yaml|lock)|values[^/]*\.ya?ml|\.helmignore|\.argocd-source[^/]*\.yaml)"
)
"""Files of charts that decide which others are read."""
_GIT_SECONDS = 300.0
_Made = TypeVar("_Made")


class Request(NamedTuple):
    """One source to fetch."""

    kind: Kind
    url: str
    """As the Application or chart writes it."""
    name: str = ""
    """The chart's name; ``""`` for the other kinds."""
    revision: str = ""
    """Version or range of a chart, revision of a Git repository; ``""`` for files."""


class RemoteSources:
    """The fetcher of one run (``render.prepared.Fetcher``). A context manager; safe under many threads."""

    def __init__(
        self,
        directory: Path,
        policy: Places,
        *,
        offline: bool = False,
        anew: bool = False,
        credentials: Credentials | None = None,
        client: http.Client | None = None,
        remote: RemoteGit | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Take the directory that keeps what was fetched, and the base revision's policy.

        ``offline`` uses the cache only; ``anew`` asks also for charts of a whole version, since some are published
        twice. ``credentials`` None reads those that the environment names; ``client`` and ``remote`` None make one with
        the usual limits, and both are closed with this; ``environment`` None is the process's own.
        Raises UsageError for a credentials file that cannot be read.
        """
        known = os.environ if environment is None else environment
        bound = credential_door.load(known) if credentials is None else credentials
        self._policy = policy
        self._offline = offline
        self._anew = anew
        self._blobs = Blobs(directory)
        self._client = client or http.Client(bound, environment=known)
        self._charts = Charts(self._client, policy)
        self._remote = remote or RemoteGit(directory, bound, seconds=_GIT_SECONDS, environment=known)
        self._lock = threading.Lock()
        self._made: dict[tuple[object, ...], Future[Any]] = {}
        self._read: set[Url] = set()
        self._fetched: dict[Request, Fetched] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and repositories; trees of Git repositories cannot be read afterwards."""
        self._client.close()
        self._remote.close()

    def mend(self) -> bool:
        """Forget the Git repositories of this run, one of which is damaged; whether there were any."""
        with self._lock:
            read, self._read = self._read, set()
        for url in read:
            self._remote.forget(url)
        return bool(read)

    # -- the three ways in ----------------------------------------------------------------------------------------

    def chart(self, repository: str, name: str, version: str) -> Tree:
        """The unpacked chart, its ``Chart.yaml`` at the root. Raises FetchError.

        ``version`` is exact, a range, a tag of a registry, or ``""`` for the newest release.
        """
        request = Request("chart", repository, name, version)
        return self._once(request, lambda: self._chart(request))

    def git(self, url: str, revision: str) -> Tree:
        """The whole tree of another repository at a branch, tag, commit or range of tags. Raises FetchError.

        ``""`` and ``HEAD`` mean its default branch.
        """
        request = Request("git", url, "", revision)
        return self._once(request, lambda: self._git(request))

    def file(self, url: str) -> bytes:
        """The content of one URL. Raises FetchError."""
        request = Request("file", url)
        return self._once(request, lambda: self._file(request))

    def prefetch(self, requests: Iterable[Request], workers: int = 8) -> dict[Request, FetchError]:
        """Fetch many sources at once; what fails is returned, in order, and fails again when asked for."""
        wanted = sorted(set(requests))
        with ThreadPoolExecutor(max_workers=workers) as pool:
            failures = pool.map(self._failure, wanted)
            return {request: error for request, error in zip(wanted, failures, strict=True) if error is not None}

    def _failure(self, request: Request) -> FetchError | None:
        try:
            if request.kind == "chart":
                self.chart(request.url, request.name, request.revision)
            elif request.kind == "git":
                self.git(request.url, request.revision)
            else:
                self.file(request.url)
        except FetchError as error:
            return error
        return None

    @property
    def fetched(self) -> tuple[Fetched, ...]:
        """What was fetched so far in this run, in order."""
        with self._lock:
            return tuple(sorted(self._fetched.values()))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was not asked for anew because of ``offline``, though it may have moved; one sentence each."""
        return tuple(
            f"{each.url}{'/' if each.name else ''}{each.name} {each.wanted or 'HEAD'} was not asked for (--offline): "
            f"it stands for {each.version or each.digest}, as when it was last fetched"
            for each in self.fetched
            if self._offline and each.kind != "file" and _moves(each.kind, each.wanted)
        )

    # -- charts ---------------------------------------------------------------------------------------------------

    def _chart(self, request: Request) -> Tree:
        if request.url.startswith(("@", "alias:")):
            raise FetchError(
                f"{urls.shown(request.url)} is a repository name of somebody's own Helm configuration",
                hint="write the repository's URL in Chart.yaml",
            )
        url = self._policy.require("chart", request.url)
        shown = f"{urls.shown(str(url))}{'/' if request.name else ''}{request.name}"
        key = f"chart {url} {request.name} {request.revision}"
        note = self._blobs.note(key)
        if note is not None and (self._offline or not (self._anew or _moves("chart", request.revision))):
            kept = self._blobs.get(note["digest"])
            if kept is not None:
                return self._unpacked(request, shown, kept, note["version"], "cache")
        self._refuse_offline(f"{shown} {request.revision}".rstrip())
        found = self._charts.find(url, request.name, request.revision)
        kept = self._blobs.get(found.digest) if found.digest else None
        data = self._charts.download(found, f"{shown} {found.version}") if kept is None else kept
        tree = self._unpacked(request, shown, data, found.version, "network" if kept is None else "cache")
        with contextlib.suppress(OSError):
            self._blobs.write_note(key, {"digest": self._blobs.put(data), "version": found.version})
        return tree

    def _unpacked(
        self, request: Request, shown: str, data: bytes, version: str, source: Literal["network", "cache"]
    ) -> Tree:
        tree = archive.unpack(data, f"the chart {shown} {version}")
        if "Chart.yaml" not in tree:
            raise FetchError(f"the chart {shown} {version} has no Chart.yaml", hint="it is not a chart")
        self._record(request, version, "sha256:" + hashlib.sha256(data).hexdigest(), source)
        return tree

    # -- Git ------------------------------------------------------------------------------------------------------

    def _git(self, request: Request) -> Tree:
        url = self._policy.require("git", request.url)
        shown, key = urls.shown(str(url)), f"git {url} {request.revision}"
        version, commit, reference = "", request.revision, ""
        if not _COMMIT.fullmatch(commit):
            version, commit, reference = self._resolved(url, request.revision, key)
        with self._lock:
            self._read.add(url)
        known = self._remote.has(url, commit)
        if not known:
            self._refuse_offline(f"{shown} {request.revision or 'HEAD'}")
            self._remote.fetch(url, commit, reference)
        if not known or commit != request.revision:  # what a commit id means needs no note
            with contextlib.suppress(OSError):
                self._blobs.write_note(key, {"commit": commit, "version": version})
        tree = self._once(("tree", url, commit), lambda: self._tree(url, commit))
        self._record(request, version, commit, "cache" if known else "network")
        return tree

    def _resolved(self, url: Url, revision: str, key: str) -> tuple[str, str, str]:
        """Branch or tag, commit id and full reference name that a revision means now, or meant last when offline."""
        if self._offline:
            note = self._blobs.note(key)
            if note is None or not _COMMIT.fullmatch(note.get("commit", "")):
                self._refuse_offline(f"{urls.shown(str(url))} {revision or 'HEAD'}")
            assert note is not None
            return note.get("version", ""), note["commit"], ""
        references = self._once(("references", url), lambda: self._remote.references(url))
        return resolve(references, revision, urls.shown(str(url)))

    def _tree(self, url: Url, commit: str) -> Tree:
        try:
            return self._remote.tree(url, commit, _is_first)
        except Damaged:
            # What nobody has read yet is mended at once: it is fetched again.
            self._refuse_offline(f"{urls.shown(str(url))} {commit}")
            self._remote.forget(url)
            self._remote.fetch(url, commit)
            return self._remote.tree(url, commit, _is_first)

    # -- files ----------------------------------------------------------------------------------------------------

    def _file(self, request: Request) -> bytes:
        url = self._policy.require("file", request.url)
        shown, key = urls.shown(str(url)), f"file {url}"
        if self._offline:
            note = self._blobs.note(key)
            kept = self._blobs.get(note["digest"]) if note is not None else None
            if kept is None:
                self._refuse_offline(shown)
            assert kept is not None
            self._record(request, "", "sha256:" + hashlib.sha256(kept).hexdigest(), "cache")
            return kept
        answer = self._client.get(str(url), self._policy.reach, compressed=True)
        if answer.status != 200:
            raise FetchError(f"{shown} answers HTTP {answer.status}", hint="check the URL and its credential")
        with contextlib.suppress(OSError):
            self._blobs.write_note(key, {"digest": self._blobs.put(answer.body)})
        self._record(request, "", "sha256:" + hashlib.sha256(answer.body).hexdigest(), "network")
        return answer.body

    # -- shared ---------------------------------------------------------------------------------------------------

    def _refuse_offline(self, what: str) -> None:
        if self._offline:
            raise FetchError(f"{what} is not in the cache, and --offline is set", hint="run gitops-bot fetch first")

    def _record(self, request: Request, version: str, digest: str, source: Literal["network", "cache"]) -> None:
        entry = Fetched(request.kind, urls.shown(request.url), request.name, request.revision, version, digest, source)
        with self._lock:
            self._fetched[request] = entry

    def _once(self, key: tuple[object, ...], make: Callable[[], _Made]) -> _Made:
        """The value of a key, made once in a run; threads that ask meanwhile wait, and a failure is kept as well."""
        with self._lock:
            future = self._made.get(key)
            mine = future is None
            if future is None:
                future = self._made[key] = Future()
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:
                future.set_exception(error)
                raise
        return cast("_Made", future.result())


def resolve(references: References, revision: str, shown: str) -> tuple[str, str, str]:
    """The short name, commit id and full reference name that a revision means, by Argo CD's rules.

    A range of tags comes first (``1.2`` is a name, not a range), then branches, then tags, by short or full name.
    Raises FetchError.
    """
    if revision in ("", "HEAD"):
        if references.head:
            return "HEAD", references.head, "HEAD"
        raise FetchError(f"{shown} has no default branch", hint="name a branch in targetRevision")
    lacking = f"branch or tag {revision[:80]!r}"
    if not semver.is_version(revision):
        with contextlib.suppress(ValueError):
            tag = semver.newest(revision, references.tags)
            lacking = f"tag in the range {revision[:80]!r}, and no branch of that name"
            if tag is not None:
                return tag, references.tags[tag], f"refs/tags/{tag}"
    for known, prefix in ((references.branches, "refs/heads/"), (references.tags, "refs/tags/")):
        short = revision.removeprefix(prefix)
        if short in known:
            return short, known[short], f"{prefix}{short}"
    hint = "write the whole commit id" if _SHORT_COMMIT.fullmatch(revision) else "git ls-remote lists what it has"
    raise FetchError(f"{shown} has no {lacking}", hint=hint)


def _is_first(path: str) -> bool:
    """Whether a file decides which others are read: one question brings them all."""
    return path.rpartition("/")[2] in KUSTOMIZATIONS or _FIRST.fullmatch(path) is not None


def _moves(kind: Kind, wanted: str) -> bool:
    """Whether what is asked for may mean something else tomorrow."""
    if kind == "chart":
        return not (semver.is_exact(wanted) or wanted.startswith("sha256:"))
    return not _COMMIT.fullmatch(wanted)
