"""The door that reads the tips of branches and pushes commits to them, by real ``git push``.

All happens in a bare repository of our own, which borrows the objects of a checkout where there is one; no working tree
and no index of anybody is touched. A branch takes a commit only while it points to the commit's parent, and nothing
is sent twice before the branch was looked at.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

from gitops_bot.doors.conceal import conceal
from gitops_bot.doors.git import Repository
from gitops_bot.doors.history import History, Origin
from gitops_bot.doors.kinds import Kinds
from gitops_bot.doors.process import Finished
from gitops_bot.doors.rejection import kind_of, rejected
from gitops_bot.errors import GitError, GitHubError, UsageError
from gitops_bot.model.github import CommitInfo, Tag
from gitops_bot.model.tree import Tree
from gitops_bot.model.writeback import FileChange, Head

_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none")
T = TypeVar("T")
_HERE = "refs/gitops-bot"
_FAULTS = 5
"""Attempts that may be lost on the way, with pauses between them: about half a minute."""
_MOST_TREES = 16
"""Trees that are remembered."""
_DEEP = 200
"""Commits of a branch that are read to find one of ours below those of others."""
_FAULT_SIGNS = re.compile(
    r"RPC failed|hung up|early EOF|disconnect|Connection (?:reset|refused|timed out|closed)|error: 5\d\d|timed? ?out|"
    r"Could not resolve host|fatal: expected |curl \d+|Empty reply|send-pack: |Broken pipe|internal server error",
    re.IGNORECASE,
)
_GONE_SIGNS = re.compile(
    r"couldn't find remote ref|not our ref|unadvertised object|bad object|repository corruption on the remote side|"
    r"bad revision|did not send all necessary objects"
)
"""Of a branch that is not there, and of objects that the other side does not have or cannot read."""


class Author(NamedTuple):
    """Who stands in commits that Git makes here."""

    name: str = "gitops-bot"
    email: str = "gitops-bot@localhost"


class Logged(NamedTuple):
    """One commit of a branch's history."""

    oid: str
    parents: tuple[str, ...]
    message: str
    """Whole, without white space at its ends."""


class Clone:
    """A repository elsewhere, for one run and one thread. A context manager: leaving it ends its helper process."""

    def __init__(
        self,
        origin: Origin,
        scratch: Path,
        *,
        checkout: str = "",
        author: Author | None = None,
        wait: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        secrets: Sequence[str] = (),
    ) -> None:
        """Take where it is, an empty directory of ours, a directory of a repository to borrow objects from (or none).

        ``wait`` sleeps seconds, ``jitter`` is in [0, 1), ``secrets`` are kept out of messages beside the origin's.
        """
        self._history = History(checkout or "/nonexistent", origin, scratch / "clone.git", offline=False)
        kinds = History(checkout or "/nonexistent", origin, scratch / "kinds.git", offline=False)
        self._kinds = Kinds(kinds, self._asked_of_kinds)
        self._url = origin.url
        self._author = author or Author()
        self._wait = wait
        self._jitter = jitter
        self._secrets = tuple(secret for secret in (*secrets, origin.token) if secret)
        self._repository: Repository | None = None
        self._trees: dict[str, Tree] = {}
        self._made = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the helper process."""
        if self._repository is not None:
            self._repository.close()
            self._repository = None

    # -- reading ------------------------------------------------------------------------------------------------------

    def head(self, branch: str) -> Head:
        """The tip of a branch as it is now, with every file. Raises UsageError when there is none, GitError."""
        commit = self._fetch(branch, "--depth=1")
        if not commit:
            raise UsageError(f"there is no branch {branch} at {self._url}", hint="check the environment's branch")
        return self._headed(branch, commit)

    def head_and_log(self, branch: str, limit: int = 10) -> tuple[Head, tuple[Logged, ...]] | None:
        """The tip of a branch as it is now, and what led to it along first parents, newest first, by one question.

        At most ``limit`` commits; None when there is no such branch. Raises GitError.
        """
        commit = self._fetch(branch, f"--depth={limit}")
        return (self._headed(branch, commit), self._logged(commit, limit, "--first-parent")) if commit else None

    def _headed(self, branch: str, commit: str) -> Head:
        return Head(branch=branch, commit=commit, tree=self._completed(commit))

    def _completed(self, commit: str) -> Tree:
        """The tree of a commit that is here, with every file; of the newest ones it is remembered."""
        if commit not in self._trees:
            self._patiently(lambda: self._history.complete([commit]))
            for old in list(self._trees)[: 1 - _MOST_TREES]:
                del self._trees[old]
            self._trees[commit] = self.repository.tree(commit)
        return self._trees[commit]

    @property
    def repository(self) -> Repository:
        """The repository of ours that holds what was read; there is one once a ``head`` was."""
        if self._repository is None:
            self._repository = Repository(str(self._made_directory()))
        return self._repository

    def tree(self, commit: str) -> Tree:
        """Every file of a commit (full id) that the repository has, at whatever place. Raises GitError."""
        self._made_directory()
        if commit not in self._trees and not self._history.has(f"{commit}^{{tree}}"):
            self._patiently(lambda: self._history.fetch("--depth=1", commit))
        return self._completed(commit)

    def trees(self, commits: Sequence[str]) -> tuple[Tree, ...]:
        """The same for several commits, by as few questions as there can be."""
        self._made_directory()
        missing = [commit for commit in dict.fromkeys(commits) if not self._history.has(f"{commit}^{{tree}}")]
        if missing:
            self._patiently(lambda: self._history.fetch("--depth=1", *missing))
        if commits:
            self._patiently(lambda: self._history.complete(commits))
        return tuple(self.repository.tree(commit) for commit in commits)

    def default_branch(self) -> str:
        """The branch that others get without naming one. Raises UsageError when there is none, GitError."""
        ended = self._asked(("ls-remote", "--symref", "--", "origin", "HEAD"), "asking for the default branch")
        for line in (ended.stdout.decode("utf-8", "replace") if ended else "").splitlines():
            name, _, what = line.partition("\t")
            if what == "HEAD" and name.startswith("ref: refs/heads/"):
                return name.removeprefix("ref: refs/heads/")
        raise UsageError(f"{self._url} has no default branch", hint="name one with --branch")

    def tip(self, branch: str) -> str:
        """The commit that a branch points to now, ``""`` when there is none. Raises GitError."""
        return self._listed(f"refs/heads/{branch}").get(f"refs/heads/{branch}", "")

    def tags(self) -> tuple[Tag, ...]:
        """All tags, in order of names; a question or two, however many there are. Raises GitError."""
        listed = self._listed("refs/tags/*")
        names = sorted({name.removesuffix("^{}") for name in listed})
        meant = {name.removeprefix("refs/tags/"): listed.get(f"{name}^{{}}") or listed[name] for name in names}
        commits = self._kinds.commits(meant.values())
        return tuple(Tag(name=name, commit=oid if oid in commits else "") for name, oid in meant.items())

    def log(self, commit: str, limit: int = 10, *, merged: bool = False) -> tuple[Logged, ...]:
        """A commit (full id) and what led to it, newest first: along first parents, with ``merged`` all of it.

        At most ``limit`` commits. Raises GitError, also for a commit that is not there.
        """
        argv = (*_FETCH, f"--depth={limit}", "origin", f"+{commit}:{_HERE}/{commit}")
        if self._asked(argv, f"fetching {commit[:8]}") is None:
            raise GitError(f"there is no commit {commit} at {self._url}", hint="run it again")
        return self._logged(commit, limit, *(() if merged else ("--first-parent",)))

    def _logged(self, commit: str, limit: int, *line: str) -> tuple[Logged, ...]:
        shown = ("log", "-z", *line, f"--max-count={limit}", "--format=%H%n%P%n%B", commit, "--")
        out = self._history.must(shown, self._history.directory).decode("utf-8", "replace")
        return tuple(_read(record) for record in out.split("\0") if record)

    def touching(self, commit: str, paths: Sequence[str], limit: int) -> tuple[CommitInfo, ...]:
        """The commits that changed one of some files, newest first: a commit (full id) and its first parents.

        The newest ``limit`` are looked at. Where history is cut off there, the last one is without parents and seems to
        change every file that it has. Raises GitError.
        """
        self._made_directory()
        self._patiently(lambda: self._history.fetch(f"--depth={limit}", commit))
        return self.repository.line(commit, limit, paths)

    def contains(self, tip: str, commit: str) -> bool:
        """Whether a commit is an ancestor of another, or the same; both are full ids. Raises GitError."""
        self._made_directory()
        return self._patiently(lambda: self._history.is_ancestor(commit, tip))

    # -- writing ------------------------------------------------------------------------------------------------------

    def changed(self, commit: str, files: Sequence[FileChange]) -> str:
        """The id of the tree that a commit whose tree is here has with some files changed. Raises GitError."""
        directory, must = self._made_directory(), self._history.must
        index = {"GIT_INDEX_FILE": str(directory / "gitops-bot-index")}
        records = []
        for one in files:
            if one.content is None:
                records.append(f"0 {'0' * len(commit)}\t{one.path}")
                continue
            # An empty file is /dev/null's: no bytes on standard input mean that there is none.
            oid = must(("hash-object", "-w", "--stdin", "--no-filters"), directory, stdin=one.content).decode().strip()
            records.append(f"{one.mode} {oid}\t{one.path}")
        must(("read-tree", f"{commit}^{{tree}}"), directory, extra=index)
        listed = "".join(f"{record}\0" for record in records).encode("utf-8", "surrogateescape")
        must(("update-index", "-z", "--index-info"), directory, stdin=listed, extra=index)
        return must(("write-tree",), directory, extra=index).decode().strip()

    def merged(self, base: str, head: str) -> str | None:
        """The id of the tree that merging one commit into another gives; None where Git cannot by itself.

        Both are full ids. Raises GitError.
        """
        directory = self._made_directory()
        ancestors = self._patiently(lambda: self._history.join([base, head]))
        if not ancestors:
            return None
        self._patiently(lambda: self._history.complete([base, head, *ancestors]))
        argv = ("merge-tree", "--write-tree", "--no-messages", "--name-only", base, head)
        ended = self._history.run(argv, directory, lazy=False)
        if ended.code not in (0, 1) or ended.stopped:
            raise GitError(f"merging {head[:8]} into {base[:8]} failed: {self._said(ended)[:300]}")
        return ended.stdout.decode().split("\n", 1)[0] if ended.code == 0 else None

    def commit(self, parent: str, message: str, files: Sequence[FileChange]) -> str:
        """Make a commit here, with one parent whose tree is here; its id. Raises GitError."""
        directory, must = self._made_directory(), self._history.must
        tree = self.changed(parent, files)
        people = {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER")
                  for field, value in (("NAME", self._author.name), ("EMAIL", self._author.email))}  # fmt: skip
        argv = ("-c", "commit.gpgSign=false", "commit-tree", tree, "-p", parent, "-F", "-")
        return must(argv, directory, stdin=f"{message.rstrip()}\n".encode(), extra=people).decode().strip()

    def push(self, branch: str, commit: str, expected: str) -> None:
        """Let a branch point to a commit made here, only if it points to ``expected`` now (``""``: if it is not there).

        Raises Rejected: ``moved`` when it points elsewhere and the commit is not on it, other kinds for what does not
        take it; GitHubError when the way stays broken.
        """
        doing = f"pushing to {branch} of {self._url}"
        ended = self._pushed(branch, commit, expected)
        for attempt in range(1, _FAULTS + 1):
            if ended.code == 0 and not ended.stopped:
                return
            said = self._said(ended)
            kind = kind_of(said)
            lost = bool(ended.stopped) or (kind is None and bool(_FAULT_SIGNS.search(said)))
            if lost:
                self._wait(min(2.0**attempt, 15.0) * (0.5 + self._jitter() / 2))
            # What is in the way may be our own: curl repeats a request by itself when a kept connection breaks.
            if (lost or kind == "moved") and self._took(branch, commit):
                return
            if not lost:
                raise rejected(doing, said, kind or "other")
            ended = self._pushed(branch, commit, expected)
        if (ended.code == 0 and not ended.stopped) or self._took(branch, commit):
            return
        kind = kind_of(self._said(ended))
        if kind is not None:
            raise rejected(doing, self._said(ended), kind)
        raise GitHubError(
            f"{doing}: the connection was lost {_FAULTS + 1} times ({self._said(ended)[:200]})",
            hint="run it again: what has landed is not done twice",
        )

    def _pushed(self, branch: str, commit: str, expected: str) -> Finished:
        # The lease is the comparison of compare and swap, not force: the commit's parent is what is expected.
        name = f"refs/heads/{branch}"
        argv = ("push", "--porcelain", "--no-verify", "--no-signed", f"--force-with-lease={name}:{expected}",
                "origin", f"{commit}:{name}")  # fmt: skip
        return self._history.run(argv, self._made_directory())

    def _took(self, branch: str, commit: str) -> bool:
        """Whether a branch has a commit of ours, below others' or not; False too while nobody can be asked."""
        try:
            if self.tip(branch) == commit:
                return True
            tip = self._fetch(branch, f"--depth={_DEEP}")
        except GitError:
            return False
        argv = ("merge-base", "--is-ancestor", commit, tip)
        return bool(tip) and self._history.run(argv, self._history.directory, lazy=False).code == 0

    # -- asking -------------------------------------------------------------------------------------------------------

    def _made_directory(self) -> Path:
        if not self._made:
            self._history.make(sha256=False)
            self._made = True
        return self._history.directory

    def _fetch(self, branch: str, *depth: str) -> str:
        """Fetch a branch's newest commits and directories; its tip, ``""`` when there is no such branch.

        Where there is no checkout that has most files already, they come with them: that saves a question.
        """
        directory, name = self._made_directory(), f"refs/heads/{branch}"
        files = () if self._history.borrows else ("--no-filter",)
        argv = (*_FETCH, *files, *depth, "origin", f"+{name}:{_HERE}/{name}")
        ended = self._asked(argv, f"fetching {branch}", room=self._history.room())
        if ended is None:
            return ""
        return self._history.must(("rev-parse", "--verify", f"{_HERE}/{name}"), directory).decode().strip()

    def _listed(self, pattern: str) -> dict[str, str]:
        ended = self._asked(("ls-remote", "--", "origin", pattern), "listing references")
        lines = ended.stdout.decode("utf-8", "replace").splitlines() if ended else ()
        return {name: oid for oid, _, name in (line.partition("\t") for line in lines)}

    def _asked_of_kinds(self, argv: Sequence[str], directory: Path, stdin: bytes) -> bool:
        return self._asked(argv, "reading what tags mean", at=directory, stdin=stdin) is not None

    def _asked(
        self, argv: Sequence[str], doing: str, *, at: Path | None = None, stdin: bytes = b"", room: int = 0
    ) -> Finished | None:
        """What git says to a question, asked again while the connection is lost; None when what it asks for is gone.

        ``room`` is how many bytes a fetch may bring, 0 for any.
        """
        for pause in self._pauses():
            ended = self._history.run(argv, at or self._made_directory(), stdin=stdin, file=room)
            if ended.code == 0 and not ended.stopped:
                return ended
            if room:
                self._history.refuse_beyond(room)
            said = self._said(ended)
            if _GONE_SIGNS.search(said):
                return None
            if pause is None or not (ended.stopped or _FAULT_SIGNS.search(said)) or kind_of(said) == "access":
                break
            self._wait(pause)
        if "Host key verification failed" in said:
            message = f"{doing} of {self._url}: the host's key is not the one of known_hosts"
            raise GitError(message, hint="compare known_hosts with the keys that the host's owner publishes")
        access = "give the token contents: read (or add the deploy key to the repository), and check the URL"
        hint = access if kind_of(said) == "access" else "check the URL and the network"
        raise GitError(f"{doing} of {self._url} failed: {said[:300]}", hint=hint)

    def _patiently(self, fetch: Callable[[], T]) -> T:
        """What a fetch gives, done again while the connection is lost. Raises GitError."""
        for pause in self._pauses():
            try:
                return fetch()
            except GitError as error:
                if pause is None or not _FAULT_SIGNS.search(error.message):
                    raise
                self._wait(pause)
        raise AssertionError("unreachable")

    def _pauses(self) -> Iterator[float | None]:
        """Seconds after each attempt, None after the last."""
        for attempt in range(_FAULTS):
            yield min(2.0**attempt, 15.0) * (0.5 + self._jitter() / 2)
        yield None

    def _said(self, ended: Finished) -> str:
        """Git's words and those of the other side, on one line and without secrets."""
        if ended.stopped:
            return f"git was stopped after {ended.stopped}"
        refused = [line for line in ended.stdout.decode("utf-8", "replace").splitlines() if line.startswith("!")]
        words = (line.removeprefix("remote:").strip() for line in (*ended.stderr.splitlines(), *refused))
        return conceal(" ".join(word for word in words if word), self._secrets)


def _read(record: str) -> Logged:
    oid, parents, message = record.split("\n", 2)
    return Logged(oid, tuple(parents.split()), message.strip())
