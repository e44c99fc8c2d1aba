"""The door that completes a checkout: the commits of a comparison, their merge base, and what their trees hold.

A workflow's checkout is usually one commit deep, and sometimes there is none. What is missing is fetched into a bare
repository of our own that borrows the checkout's objects, so the checkout stays as it was and may belong to anybody.
"""

from __future__ import annotations

import base64
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gitops_bot.doors import process
from gitops_bot.errors import CommitGone, GitError, UsageError

_PASSED = ("PATH", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY",
           "all_proxy")  # fmt: skip
_BUNDLES = ("GIT_SSL_CAINFO", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
         "-c", "core.fsmonitor=false", "-c", "core.alternateRefsCommand=true", "-c", "http.followRedirects=false",
         "-c", "fetch.recurseSubmodules=false", "-c", "fetch.unpackLimit=1", "-c", "protocol.version=2")  # fmt: skip
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_STEPS = ("--deepen=50", "--deepen=250", "--deepen=1500", "--deepen=10000", "--unshallow")
"""How the history is deepened until two commits have an ancestor in common: commits and directories, no files."""
_BATCH = 20_000
"""Files that are asked for in one fetch."""


class Bounds(NamedTuple):
    """What may be fetched in a run: far beyond what a repository of manifests holds."""

    files: int = 200_000
    size: int = 1 << 30
    """Bytes of all that is fetched, as it is packed."""


class Origin(NamedTuple):
    """Where missing objects come from."""

    url: str
    """``https://github.com/acme/shop``."""
    token: str = ""
    """Sent to this host only; ``""`` for none. Never printed."""
    ssh: str = ""
    """The ``ssh`` that reaches it, with all options, as a shell reads it; ``""``: it is reached by HTTP only."""

    def __repr__(self) -> str:
        return f"Origin({self.url})"


def bring(
    checkout: str,
    commits: Sequence[str],
    *,
    origin: Origin,
    scratch: Path,
    offline: bool = False,
    bounds: Bounds = Bounds(),  # noqa: B008 - a frozen value
) -> str:
    """Make a bare repository in ``scratch`` that holds the commits, their merge base, and all that their trees hold.

    ``checkout`` is a directory of a repository to borrow from, or of none. ``commits`` are full ids. Returns the
    directory of the bare repository. Without a common ancestor in the whole history the commits alone are there.

    Raises GitError when something is missing and cannot be fetched, or must not be (``offline``, ``bounds``).
    """
    for commit in commits:
        if not _COMMIT.fullmatch(commit):
            raise GitError(f"{commit[:80]!r} is no commit id", hint="name a full commit id")
    history = History(checkout, origin, scratch / "history.git", offline=offline, bounds=bounds)
    history.make(len(commits[0]) == 64)
    missing = [commit for commit in dict.fromkeys(commits) if not history.has(f"{commit}^{{tree}}")]
    if missing:
        history.fetch("--depth=1", *missing)
    ancestors = history.join(commits) if len(set(commits)) > 1 else []
    history.complete([*commits, *ancestors])
    return str(history.directory)


def resolve(checkout: str, revision: str, *, origin: Origin, scratch: Path, offline: bool = False) -> str:
    """The commit id that a revision means: in the checkout, else among the origin's branches and tags.

    Raises UsageError when neither knows it, GitError when the origin cannot be asked.
    """
    if _COMMIT.fullmatch(revision):
        return revision
    history = History(checkout, origin, scratch / "resolve.git", offline=offline)
    for spelling in (f"refs/remotes/origin/{revision}", revision):
        found = history.commit_in_checkout(spelling)
        if found:
            return found
    found = "" if offline else history.commit_at_origin(revision)
    if not found:
        raise UsageError(f"unknown revision {revision}", hint="name a branch, a tag or a full commit id")
    return found


def checked_out(checkout: str, scratch: Path) -> str:
    """The commit of the checkout's HEAD, ``""`` where nothing is checked out."""
    return History(checkout, Origin(""), scratch / "head.git", offline=True).commit_in_checkout("HEAD")


def ancestry(checkout: str, old: str, new: str) -> bool | None:
    """Whether one commit is an ancestor of another in a checkout; None where it does not know both."""
    with tempfile.TemporaryDirectory(prefix="gitops-bot-git-") as scratch:
        history = History(checkout, Origin(""), Path(scratch) / "none.git", offline=True)
        commits = [history.commit_in_checkout(each) for each in (old, new)]
        if not all(commits):
            return None
        argv = ("-c", f"safe.directory={os.path.abspath(checkout)}", "merge-base", "--is-ancestor", *commits)
        code = history.run(argv, Path(checkout), lazy=False).code
        return {0: True, 1: False}.get(code)


class History:
    """The bare repository in the making; what is not in it comes from its origin alone."""

    def __init__(
        self,
        checkout: str,
        origin: Origin,
        directory: Path,
        *,
        offline: bool,
        bounds: Bounds = Bounds(),  # noqa: B008
    ) -> None:
        self.directory = directory
        self._checkout = os.path.abspath(checkout)
        self._origin = origin
        self._offline = offline
        self._bounds = bounds
        self._home = directory.parent / "history-home"
        self.borrows = False
        """Whether it has the objects of a checkout, once it was made."""

    def make(self, sha256: bool) -> None:
        """Begin with what the checkout has: its objects are borrowed, and where its history ends is copied."""
        self._home.mkdir(parents=True, exist_ok=True)
        algorithm = ("--object-format=sha256",) if sha256 else ()
        self.must(("init", "--quiet", "--bare", "--template=", *algorithm, str(self.directory)), self._home)
        for key, value in (("url", self._origin.url), ("promisor", "true"), ("partialCloneFilter", "blob:none")):
            self.must(("config", f"remote.origin.{key}", value), self.directory)
        found = self.run(
            ("-c", f"safe.directory={self._checkout}", "rev-parse", "--path-format=absolute", "--show-toplevel",
             "--git-path", "objects", "--git-path", "shallow"),
            Path(self._checkout),
        ) if os.path.isdir(self._checkout) else None  # fmt: skip
        if found is None or found.code != 0:
            return
        _, objects, shallow = found.stdout.decode("utf-8", "surrogateescape").splitlines()[:3]
        (self.directory / "objects" / "info").mkdir(exist_ok=True)
        (self.directory / "objects" / "info" / "alternates").write_text(f"{objects}\n", errors="surrogateescape")
        self.borrows = True
        if os.path.isfile(shallow):
            (self.directory / "shallow").write_bytes(Path(shallow).read_bytes())

    def commit_in_checkout(self, revision: str) -> str:
        """The commit id that the checkout gives a revision, ``""`` when it knows none."""
        if not os.path.isdir(self._checkout):
            return ""
        self._home.mkdir(parents=True, exist_ok=True)
        argv = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        ended = self.run(("-c", f"safe.directory={self._checkout}", *argv), Path(self._checkout), lazy=False)
        return ended.stdout.decode().strip() if ended.code == 0 else ""

    def commit_at_origin(self, revision: str) -> str:
        """The commit id of the origin's branch or tag of this name, ``""`` when there is none. Raises GitError."""
        self._home.mkdir(parents=True, exist_ok=True)
        names = [f"refs/heads/{revision}", f"refs/tags/{revision}^{{}}", f"refs/tags/{revision}"]
        ended = self.run(("ls-remote", "--", self._origin.url, *names), self._home)
        if ended.code != 0 or ended.stopped:
            raise self._failed(ended)
        lines = (line.partition("\t") for line in ended.stdout.decode("utf-8", "replace").splitlines())
        found = {name: commit for commit, _, name in lines}
        return next((found[name] for name in names if name in found), "")

    def has(self, name: str) -> bool:
        """Whether an object is here, without asking for it."""
        return self.run(("cat-file", "-e", name), self.directory, lazy=False).code == 0

    def fetch(self, *arguments: str, names: Sequence[str] = ()) -> None:
        """Fetch from the origin: commits and directories, and the objects called ``names``.

        Raises GitError, also when all that was fetched would be larger than the bounds: git has no such limit of its
        own, so the pack is a file that may not grow beyond what is left.
        """
        if self._offline:
            raise GitError(
                "commits or files of the comparison are not in this checkout",
                hint="check out with fetch-depth: 0, or run without --offline",
            )
        left = self.room()
        stdin = "".join(f"{name}\n" for name in names).encode()
        options = ("-c", "fetch.negotiationAlgorithm=noop") if names else ()
        listed = ("--stdin",) if names else ()
        flags = [each for each in arguments if each.startswith("--")]
        wanted = [f"+{each}:refs/gitops-bot/{each}" for each in arguments if not each.startswith("--")]
        ended = self.run(
            (*options, *_FETCH, *flags, *listed, "origin", *wanted), self.directory, stdin=stdin, file=left
        )
        if ended.code != 0:
            self.refuse_beyond(left)
        if ended.code != 0 or ended.stopped:
            raise self._failed(ended)

    def join(self, commits: Sequence[str]) -> list[str]:
        """Deepen until the commits have an ancestor in common; it alone, or nothing when they have none."""
        for step in ("", *_STEPS):
            if step:
                if not (self.directory / "shallow").exists() or self._offline:
                    break
                self.fetch(step, *dict.fromkeys(commits))
            found = self.run(("merge-base", *commits), self.directory, lazy=False)
            if found.code == 0:
                return [found.stdout.decode().strip()]
        return []

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether a commit lies on or below another: deepens until it is found, or the history of ``new`` ends.

        Raises GitError when the history cannot be had.
        """
        for step in ("", *_STEPS):
            if step or not self.has(f"{new}^{{commit}}"):
                self.fetch(step or "--depth=1", new)
            found = self.has(f"{old}^{{commit}}") and self.run(
                ("merge-base", "--is-ancestor", old, new), self.directory, lazy=False
            ).code == 0  # fmt: skip
            if found or not (self.directory / "shallow").exists():
                return found
        return False

    def complete(self, commits: Sequence[str]) -> None:
        """Fetch every file of the commits' trees that is not here."""
        for _ in range(2):
            listed = self.must(
                ("rev-list", "--objects", "--no-walk", "--no-object-names", "--missing=print", *dict.fromkeys(commits)),
                self.directory,
            )
            missing = [line[1:] for line in listed.decode().splitlines() if line.startswith("?")]
            if not missing:
                return
            if len(missing) > self._bounds.files:
                raise GitError(
                    f"the comparison needs more than {self._bounds.files:,} files that are not in this checkout",
                    hint="check out with fetch-depth: 0",
                )
            for start in range(0, len(missing), _BATCH):
                self.fetch(names=missing[start : start + _BATCH])

    def room(self) -> int:
        """Bytes that may still be fetched, at least one. Raises GitError when there are none."""
        left = self._bounds.size - self._fetched()
        if left <= 0:
            raise self._too_much()
        return left

    def refuse_beyond(self, room: int) -> None:
        """Raise GitError when a fetch that failed was as large as the ``room`` it had."""
        if self._largest_pack() >= room:
            raise self._too_much()

    def _fetched(self) -> int:
        """Bytes of the packs that were fetched so far."""
        return sum(path.stat().st_size for path in (self.directory / "objects" / "pack").glob("*.pack"))

    def _largest_pack(self) -> int:
        """Bytes of the largest file among the packs, finished or cut off."""
        return max((path.stat().st_size for path in (self.directory / "objects" / "pack").iterdir()), default=0)

    def _too_much(self) -> GitError:
        return GitError(
            f"the comparison needs more than {self._bounds.size >> 20:,} MiB that are not in this checkout",
            hint="check out with fetch-depth: 0",
        )

    def _failed(self, ended: process.Finished) -> GitError:
        said = ended.stderr
        where = f"fetching missing commits from {self._origin.url}"
        if ended.stopped:
            return GitError(f"{where} was stopped after {ended.stopped}", hint="check out with fetch-depth: 0")
        if any(sign in said for sign in ("could not read Username", "Authentication failed", "error: 401", "error: 403",
                                         "not found", "terminal prompts disabled")):  # fmt: skip
            return GitError(
                f"{where}: no access to it", hint="give the token `contents: read`, or check out with fetch-depth: 0"
            )
        if "not our ref" in said or "unadvertised" in said or "couldn't find remote ref" in said:
            return CommitGone(
                f"{where}: a commit of the comparison is not there any more",
                hint="it was probably force-pushed away; the newer event's run has the newer commit",
            )
        lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no message"]
        hint = "check the network, or check out with fetch-depth: 0"
        return GitError(f"{where} failed: {lines[-1][:300]}", hint=hint)

    def must(
        self, argv: Sequence[str], cwd: Path, *, stdin: bytes = b"", extra: Mapping[str, str] | None = None
    ) -> bytes:
        """What git prints when it runs sealed and alone, with ``extra`` in its environment. Raises GitError."""
        ended = self.run(argv, cwd, lazy=False, stdin=stdin, extra=extra)
        if ended.code != 0 or ended.stopped:
            lines = ended.stderr.strip().splitlines()[-1:] or ["no message"]
            raise GitError(f"git {argv[0]} failed: {lines[0][:300]}")
        return ended.stdout

    def run(
        self,
        argv: Sequence[str],
        cwd: Path,
        *,
        lazy: bool = True,
        stdin: bytes = b"",
        extra: Mapping[str, str] | None = None,
        file: int = 0,
    ) -> process.Finished:
        """Run git sealed; without ``lazy`` nothing that is missing can be fetched behind our back.

        ``file`` is the size in bytes of the largest file that it may write, 0 for any.
        """
        environment = {name: os.environ[name] for name in _PASSED if os.environ.get(name)}
        bundle = next((os.environ[name] for name in _BUNDLES if os.environ.get(name)), "")
        environment |= {
            "HOME": str(self._home),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": self._protocols if lazy else "none",
            "GIT_HTTP_LOW_SPEED_LIMIT": "1",
            "GIT_HTTP_LOW_SPEED_TIME": "30",
            **({"GIT_SSL_CAINFO": bundle} if bundle else {}),
            **(self._credential() if lazy else {}),
            **({"GIT_SSH_COMMAND": self._origin.ssh} if lazy and self._origin.ssh else {}),
            **(extra or {}),
        }
        try:
            return process.run(
                ["git", *_SAFE, *argv],
                cwd=str(cwd),
                env=environment,
                stdin=stdin,
                limits=process.Limits(seconds=300.0, memory=0, file=file),
                network=True,
            )
        except FileNotFoundError as error:
            raise GitError("git was not found on PATH", hint="install git 2.38 or newer") from error

    @property
    def _protocols(self) -> str:
        return "ssh" if self._origin.ssh else "https:http"

    def _credential(self) -> Mapping[str, str]:
        """The token as configuration in the environment, for this URL only: nobody can read it from a file or argv."""
        if not self._origin.token:
            return {}
        basic = base64.b64encode(f"x-access-token:{self._origin.token}".encode()).decode()
        return {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{self._origin.url}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        }
