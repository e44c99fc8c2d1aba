"""The door to other Git repositories: their references, and single commits kept in a bare repository in the cache.

How git is run against other hosts is in ``sealed_git``, how a commit's files are read in ``cached_tree``. A repository
of the cache may be used by several processes; one at a time writes to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gitops_bot.doors.blobs import locked
from gitops_bot.doors.cached_tree import CachedRepository, Damaged
from gitops_bot.doors.credentials import Credentials, Keyring
from gitops_bot.doors.open_trees import Open, OpenTrees
from gitops_bot.doors.sealed_git import SealedGit, last_line
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.tree import Tree
from gitops_bot.model.url import Url

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DAMAGE = re.compile(
    r"corrupt|not a git repository|bad object|inflate|invalid (?:object|gitfile|sha1|ref)|shallow file"
)
"""What git says of its own repository; said of the other side's, one more attempt is in vain."""
_NOT_GIVEN = ("not our ref", "unadvertised")
_PARTIAL = ("-c", "remote.origin.url=URL", "-c", "remote.origin.promisor=true", "-c",
            "remote.origin.partialclonefilter=blob:none")  # fmt: skip
"""Only for the command that fetches: what lies in the cache knows no place to fetch from."""
_USED = "used"
"""A file whose time says when a repository was last opened."""
_MOST_PACKS = 300
"""Every fetch is one, and git looks through all of them."""
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head")


class References(NamedTuple):
    """What a repository offers."""

    head: str
    """Commit id of its default branch, ``""`` when it has none."""
    branches: Mapping[str, str]
    """Short name → commit id."""
    tags: Mapping[str, str]
    """Short name → commit id, annotated tags followed to their commit."""


class Bounds(NamedTuple):
    """What the cache may hold, in bytes as they are packed; 0 for any."""

    repository: int = 0
    """Of one repository: beyond it, it begins anew with the next commit."""
    total: int = 0
    """Of all: beyond it, those that were unused for longest go."""


class RemoteGit:
    """Read access to other repositories. One instance serves all threads of a run; ``close`` ends what it reads."""

    def __init__(
        self,
        directory: Path,
        keyring: Keyring | None = None,
        *,
        seconds: float = 120.0,
        environment: Mapping[str, str] | None = None,
        partial: bool = False,
        bounds: Bounds = Bounds(),  # noqa: B008 - a frozen value
        trees: OpenTrees | None = None,
    ) -> None:
        """Take the cache directory, what may be sent where, and the time limit of one git command in seconds.

        With ``partial`` a commit comes without its files, which are brought when they are read. ``trees`` are shared
        with others, None for none.
        """
        self._directory = directory
        self._environment = os.environ if environment is None else environment
        self._git = SealedGit(
            keyring or Credentials(), seconds=seconds, environment=self._environment, largest=bounds.repository
        )
        self._partial = partial
        self._bounds = bounds
        self._trees = trees if trees is not None else OpenTrees()
        self._lock = threading.Lock()
        self._begun = False

    def close(self) -> None:
        """Let go of what was read; its trees cannot be read afterwards."""
        with self._lock:
            begun, self._begun = self._begun, False
        if begun:
            self._trees.end()

    def references(self, url: Url) -> References:
        """Branches and tags of a repository. Raises FetchError."""
        listing = self._git.ask(url, ("ls-remote", "--symref", "--", "URL", "HEAD", "refs/heads/*", "refs/tags/*"))
        found: dict[str, str] = {}
        for line in listing.decode("utf-8", "replace").splitlines():
            oid, _, name = line.partition("\t")
            if _COMMIT.fullmatch(oid):
                found[name] = oid
        if not found:
            raise FetchError(
                f"{urls.shown(str(url))} has no branch: it is an empty repository or none", hint="check the URL"
            )
        tags = {name: oid for name, oid in found.items() if name.startswith("refs/tags/") and not name.endswith("^{}")}
        return References(
            found.get("HEAD", ""),
            {name.removeprefix("refs/heads/"): oid for name, oid in found.items() if name.startswith("refs/heads/")},
            {name.removeprefix("refs/tags/"): found.get(f"{name}^{{}}", oid) for name, oid in tags.items()},
        )

    def has(self, url: Url, commit: str) -> bool:
        """Whether the cache holds a commit completely enough to read its tree."""
        directory = self._bare(url)
        if self._trees.find(directory, commit) is not None:
            return True
        return (directory / "HEAD").exists() and self._knows(directory, f"{_kept(commit)}^{{tree}}")

    def fetch(self, url: Url, commit: str, reference: str = "") -> None:
        """Bring one commit into the cache, without history where the server allows that.

        ``reference`` is a full name (``refs/heads/main``) that pointed at it, for servers that give no bare commits.
        Raises FetchError.
        """
        if self.has(url, commit):
            return
        directory = self._bare(url)
        with locked(_lock(directory)):
            if self.has(url, commit):
                return
            self._keep_within(directory)
            self._make(directory)
            self._bring(url, directory, commit, reference)

    def tree(self, url: Url, commit: str, first: Callable[[str], bool] = lambda _: False) -> Tree:
        """The tree of a commit that was fetched, proved when it is read. Raises FetchError.

        ``first`` tells paths of files that decide what else is read: where files are brought when they are read, those
        come together.
        """
        directory = self._bare(url)
        with self._lock:
            if not self._begun:
                self._begun = True
                self._trees.begin()
        found = self._trees.find(directory, commit) or self._open(directory, commit, urls.shown(str(url)))
        if not self._partial:
            return found.tree

        def bring(oids: Sequence[str]) -> None:
            with locked(_lock(directory)):
                listed = "".join(f"{oid}\n" for oid in oids).encode()
                options = (*_PARTIAL, "-c", "fetch.negotiationAlgorithm=noop")
                argv = (*options, *_FETCH, "--filter=blob:none", "--stdin", "origin")
                self._fetched(url, argv, directory, listed)

        return found.repository.bringing(found.tree, bring, first)

    def forget(self, url: Url) -> None:
        """Remove a repository of the cache, whoever reads it: it is damaged."""
        directory = self._bare(url)
        self._trees.drop(directory)
        with locked(_lock(directory)):
            _remove(directory)

    # -- fetching -----------------------------------------------------------------------------------------------------

    def _bring(self, url: Url, directory: Path, commit: str, reference: str) -> None:
        """Fetch a commit in the way that this server allows, and note that it is complete."""
        options, place = ((*_PARTIAL, *_FETCH, "--filter=blob:none"), "origin") if self._partial else (_FETCH, "URL")
        # What is kept is named to the server, so that only what is new crosses the wire.
        tried = [("--depth=1", place, f"+{commit}:{_kept(commit)}")]
        if reference:
            tried.append(("--depth=1", place, f"+{reference}:refs/seen/it"))
        unshallow = ("--unshallow",) if (directory / "shallow").exists() else ()
        tried.append((*unshallow, place, "+refs/heads/*:refs/seen/heads/*", "+refs/tags/*:refs/seen/tags/*"))
        failure: FetchError | None = None
        for arguments in tried:
            try:
                self._fetched(url, (*options, *arguments), directory)
            except FetchError as error:
                failure = failure or error
                if not any(sign in str(error) for sign in _NOT_GIVEN):
                    raise
                continue
            if self._knows(directory, f"{commit}^{{tree}}"):
                self._git.run(("update-ref", _kept(commit), commit), str(directory))
                return
        raise failure or FetchError(
            f"{urls.shown(str(url))} does not give commit {commit}", hint="is it in a branch or tag of the repository?"
        )

    def _fetched(self, url: Url, argv: Sequence[str], directory: Path, stdin: bytes = b"") -> None:
        """Fetch; of what was begun and not ended nothing stays. Raises FetchError."""
        try:
            self._git.ask(url, argv, directory, stdin=stdin)
        except FetchError as error:
            left = list((directory / "objects" / "pack").glob("tmp_*"))
            largest = max((path.stat().st_size for path in left), default=0)
            for path in left:
                path.unlink(missing_ok=True)
            if 0 < self._bounds.repository <= largest:
                raise FetchError(
                    f"{urls.shown(str(url))} gives more than {self._bounds.repository / 1e6:,.1f} MB at once",
                    hint="keep manifests apart from large files",
                ) from None
            if _DAMAGE.search(error.message):
                raise Damaged(urls.shown(str(url)), "the cached repository is damaged") from error
            raise

    def _knows(self, directory: Path, name: str) -> bool:
        return self._git.run(("cat-file", "-e", name), str(directory)).code == 0

    def _make(self, directory: Path) -> None:
        """An empty bare repository, in its place at once and whole."""
        if (directory / "HEAD").exists():
            return
        directory.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(directory, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=directory.parent) as scratch:
            ended = self._git.run(("init", "--quiet", "--bare", "--template=", "new"), scratch)
            if ended.code != 0:
                raise FetchError(f"git init failed: {last_line(ended.stderr)}", hint="is the cache directory writable?")
            os.rename(os.path.join(scratch, "new"), directory)

    # -- the cache ----------------------------------------------------------------------------------------------------

    def _bare(self, url: Url) -> Path:
        name = hashlib.sha256(urls.normalise_git(str(url)).encode()).hexdigest()
        return self._directory / "git" / name

    def _open(self, directory: Path, commit: str, name: str) -> Open:
        if not (directory / "HEAD").exists():
            raise FetchError(f"{name} is not in the cache", hint="fetch it first")
        with contextlib.suppress(OSError):
            (directory / _USED).touch()
        environment = {"PATH": self._environment.get("PATH", os.defpath), "LC_ALL": "C", "HOME": "/nonexistent",
                       "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}  # fmt: skip
        repository = CachedRepository(directory, name, environment)
        try:
            tree = repository.tree(commit)
        except BaseException:
            repository.close()
            raise
        return self._trees.keep(directory, commit, Open(repository, tree))

    def _keep_within(self, directory: Path) -> None:
        """Make room: this repository begins anew when it is too large, and those unused for longest go.

        Whoever reads one that goes finds it damaged, and asks once more.
        """
        grown = _size(directory) > self._bounds.repository // 2 or len(_packs(directory)) > _MOST_PACKS
        if self._bounds.repository and grown:
            self._trees.drop(directory)
            _remove(directory)
        if not self._bounds.total:
            return
        others = [path for path in self._directory.glob("git/*") if path.is_dir() and path != directory]
        sizes = {path: _size(path) for path in others}
        excess = sum(sizes.values()) - self._bounds.total
        for path in sorted(others, key=lambda each: (_used_at(each), each)):
            if excess <= 0:
                return
            self._trees.drop(path)
            _remove(path)
            excess -= sizes[path]


def _kept(commit: str) -> str:
    return f"refs/kept/{commit}"


def _lock(directory: Path) -> Path:
    """The file that is locked by who writes to a repository."""
    return directory.with_name(f"{directory.name}.lock")


def _used_at(directory: Path) -> float:
    with contextlib.suppress(OSError):
        return (directory / _USED).stat().st_mtime
    return 0.0


def _size(directory: Path) -> int:
    """Bytes of the packs and loose objects of a repository."""
    return sum(_sizes(directory / "objects"))


def _packs(directory: Path) -> list[Path]:
    return list(directory.glob("objects/pack/*.pack"))


def _sizes(directory: Path) -> Iterator[int]:
    for folder, _, files in os.walk(directory):
        for file in files:
            with contextlib.suppress(OSError):
                yield os.stat(os.path.join(folder, file)).st_size


def _remove(directory: Path) -> None:
    """Take a repository out of its place at once, then remove it."""
    with (
        contextlib.suppress(FileNotFoundError),
        tempfile.TemporaryDirectory(prefix=".gone-", dir=directory.parent, ignore_cleanup_errors=True) as gone,
    ):
        os.rename(directory, os.path.join(gone, "it"))
