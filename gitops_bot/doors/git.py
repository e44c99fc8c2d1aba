"""The door to Git: revisions, trees and blobs of a repository, read from its objects, never from its checkout."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Self

from gitops_bot.doors import process
from gitops_bot.errors import GitError, UsageError
from gitops_bot.model.github import CommitInfo, Tag
from gitops_bot.model.tree import Entry, Tree

_KEPT_VARIABLES = ("PATH", "HOME", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "GIT_SSL_CAINFO", "SSL_CERT_FILE", "LANG")
_BATCH = 500
"""Object ids sent to ``cat-file --batch`` before its answers are read: below any pipe buffer, so nobody blocks."""

_SAFE = (
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "protocol.ext.allow=never",
    "-c", "gc.auto=0",
    "-c", "core.quotePath=false",
)  # fmt: skip
"""Options before every command: nothing that a repository's configuration could run as a program."""

_COMMIT = re.compile(r"[0-9a-f]{40,64}")


class Comparison(NamedTuple):
    """The two trees that a review compares."""

    base: Tree
    head: Tree
    base_commit: str
    """Commit id of the base side."""
    head_commit: str
    """Commit id of the head; ``""`` for the working tree."""
    how: Literal["merge", "conflict", "direct"]
    """``merge``: base tip against the merge result. ``conflict``: they do not merge, so merge base against head.
    ``direct``: no common history (or git before 2.38), so base tip against head."""
    conflicts: tuple[str, ...] = ()
    """Paths in conflict, for ``conflict``."""
    tip: Tree | None = None
    """The base's tip where ``base`` is something older, so that nobody chooses by a conflict whose rules hold."""

    @property
    def policy(self) -> Tree:
        """The tree whose settings are in force: always the tip of what is merged into."""
        return self.tip or self.base


class Repository:
    """A local repository. A context manager: leaving it ends its helper process and removes its scratch objects.

    What has to be made (the working tree as a tree, a merge) is written into a scratch object directory, so the
    user's repository stays as it was.
    """

    def __init__(self, directory: str) -> None:
        """Open the repository that contains ``directory``.

        Raises GitError when there is none, or git is missing.
        """
        self._scratch = Path(tempfile.mkdtemp(prefix="gitops-bot-git-"))
        self._env = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        self._env |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        self._cat: process.Conversation | None = None
        self._lock = threading.Lock()
        self.directory = os.path.abspath(directory)
        try:
            top, bare, objects, git_dir = self._open()
        except BaseException:
            self.close()
            raise
        self.root: str | None = None if bare else top
        """The top of the working tree, None for a bare repository."""
        self.directory = top or git_dir
        self._git_dir = git_dir
        self._env |= {
            "GIT_OBJECT_DIRECTORY": str(self._scratch / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": objects,
        }
        (self._scratch / "objects").mkdir()

    def _open(self) -> tuple[str, bool, str, str]:
        if not os.path.isdir(self.directory):
            raise GitError(f"{self.directory} is not a directory", hint="name a Git repository with --repo")
        argv = ("rev-parse", "--is-bare-repository", "--path-format=absolute", "--git-path", "objects",
                "--absolute-git-dir")  # fmt: skip
        ended = self._run(argv)
        if ended.code != 0:
            if "dubious ownership" in ended.stderr:
                raise GitError(
                    f"git does not trust {self.directory}, because another user owns it",
                    hint=f"git config --global --add safe.directory {self.directory}",
                )
            raise GitError(
                f"{self.directory} is not a Git repository",
                hint="run it inside a repository, or name one with --repo",
            )
        bare, objects, git_dir = ended.stdout.decode().splitlines()
        top = "" if bare == "true" else self._run(("rev-parse", "--show-toplevel")).stdout.decode().strip()
        return top, bare == "true", objects, git_dir

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the helper process and remove the scratch objects."""
        if self._cat is not None:
            self._cat.close()
            self._cat = None
        shutil.rmtree(self._scratch, ignore_errors=True)

    # -- revisions ------------------------------------------------------------------------------------------------

    def commit(self, revision: str) -> str:
        """The commit id of a revision. Raises UsageError when the repository does not know it."""
        ended = self._run(("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"))
        if ended.code != 0:
            raise UsageError(f"unknown revision {revision}", hint=self._revision_hint(revision))
        return ended.stdout.decode().strip()

    def _revision_hint(self, revision: str) -> str:
        if os.path.exists(os.path.join(self._git_dir, "shallow")):
            return f"this clone is shallow; git fetch --unshallow, or git fetch origin {revision}"
        if revision == "origin/HEAD":
            return (
                "there is no remote default branch; name the base with --base (git remote set-head origin -a sets it)"
            )
        return "git branch -a and git tag list what there is"

    def branch_of(self, revision: str) -> str:
        """The branch name a revision stands for (``origin/HEAD`` → ``main``), ``""`` when it is no branch."""
        ended = self._run(("rev-parse", "--symbolic-full-name", "--verify", "--quiet", "--end-of-options", revision))
        name = ended.stdout.decode().strip()
        for prefix in ("refs/heads/", "refs/remotes/"):
            if name.startswith(prefix):
                short = name.removeprefix(prefix)
                return short if prefix == "refs/heads/" else short.partition("/")[2]
        return ""

    def messages(self, limit: int = 50) -> tuple[str, ...]:
        """The messages of the newest commits of HEAD along first parents, newest first; none without a commit."""
        ended = self._run(("log", "-z", "--first-parent", f"--max-count={limit}", "--format=%B", "HEAD", "--"))
        found = ended.stdout.decode("utf-8", "replace").split("\0") if ended.code == 0 else []
        return tuple(each.strip() for each in found if each.strip())

    def line(self, revision: str, limit: int, paths: Sequence[str]) -> tuple[CommitInfo, ...]:
        """The newest commits of a revision along first parents that changed one of some files, newest first.

        None where the revision is not known. A commit whose parents a shallow repository lacks is without parents, and
        seems to change every file that it has.
        """
        argv = ("--literal-pathspecs", "log", "-z", "--first-parent", f"--max-count={limit}",
                "--format=%H%n%P%n%an%n%B", revision, "--", *paths)  # fmt: skip
        ended = self._run(argv) if paths else None
        if ended is None:
            return ()
        records = ended.stdout.decode("utf-8", "replace").split("\0") if ended.code == 0 else []
        found = (record.split("\n", 3) for record in records if record)
        return tuple(
            CommitInfo(sha=sha, parents=tuple(parents.split()), author=author, message=message.strip())
            for sha, parents, author, message in found
        )

    def contains(self, tip: str, commit: str) -> bool:
        """Whether a commit is an ancestor of a revision, or the same, as far as the history is here."""
        return self._run(("merge-base", "--is-ancestor", "--end-of-options", commit, tip)).code == 0

    def tags(self) -> tuple[Tag, ...]:
        """All tags with the commits that they mean, in order of names."""
        names = sorted(self._run(("for-each-ref", "--format=%(refname)", "refs/tags")).stdout.splitlines())
        asked = b"".join(name + b"^{commit}\n" for name in names)
        said = self._run(("cat-file", "--batch-check=%(objectname)"), stdin=asked).stdout.decode().splitlines()
        # What means no commit is answered with its own name and a word.
        return tuple(
            Tag(
                name=name.decode("utf-8", "replace").removeprefix("refs/tags/"),
                commit=oid if _COMMIT.fullmatch(oid) else "",
            )
            for name, oid in zip(names, said, strict=True)
        )

    def branches(self) -> tuple[str, ...]:
        """The names of local branches and of the remotes' (``origin/main`` → ``main``), each once, in order."""
        ended = self._run(("for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes"))
        names = ended.stdout.decode("utf-8", "replace").splitlines()
        local = {name.removeprefix("refs/heads/") for name in names if name.startswith("refs/heads/")}
        remote = {name.split("/", 3)[3] for name in names if name.startswith("refs/remotes/") and name.count("/") > 2}
        return tuple(sorted(local | remote - {"HEAD"}))

    def remotes(self) -> tuple[str, ...]:
        """The URLs of all remotes, in order of the remotes' names; credentials in them are the caller's to hide."""
        ended = self._run(("config", "--get-regexp", r"^remote\..*\.url$"))
        return tuple(line.split(" ", 1)[1] for line in sorted(ended.stdout.decode().splitlines()) if " " in line)

    # -- trees ----------------------------------------------------------------------------------------------------

    def tree(self, treeish: str) -> Tree:
        """The tree of a commit or tree id. Raises GitError when it cannot be read."""
        oid = self._text(("rev-parse", "--verify", "--end-of-options", f"{treeish}^{{tree}}"))
        listing = self._must(("ls-tree", "-r", "-t", "-z", "--long", "--full-tree", oid)).stdout
        entries: dict[str, Entry] = {}
        for record in listing.split(b"\0")[:-1]:
            meta, _, path = record.partition(b"\t")
            mode, _, object_id, size = meta.split()
            entries[path.decode("utf-8", "surrogateescape")] = Entry(
                mode.decode(), object_id.decode(), 0 if size == b"-" else int(size)
            )
        return Tree(oid, entries, self.blobs)

    def working_tree(self) -> Tree:
        """The working tree as it stands: tracked, changed and new files, without ignored ones.

        Raises GitError for a bare repository.
        """
        if self.root is None:
            raise GitError("a bare repository has no working tree", hint="name a revision with --head")
        return self.tree(self._working_tree_id())

    def _working_tree_id(self) -> str:
        index = self._scratch / "index"
        current = Path(self._text(("rev-parse", "--path-format=absolute", "--git-path", "index")))
        if current.exists():
            shutil.copyfile(current, index)
        extra = {"GIT_INDEX_FILE": str(index)}
        self._must(("add", "--all", "--ignore-errors", "--", ":/"), extra)
        return self._text(("write-tree",), extra)

    def compare(self, base: str, head: str | None, *, direct: bool = False) -> Comparison:
        """What merging ``head`` into ``base`` would change; ``head`` None is the working tree.

        With ``direct`` nothing is merged: the two are compared as they are, as after a push.
        Raises UsageError for an unknown revision.
        """
        base_commit = self.commit(base)
        head_commit = self.commit(head) if head is not None else self._working_commit()
        shown = head_commit if head is not None else ""
        if direct:
            return Comparison(self.tree(base_commit), self.tree(head_commit), base_commit, shown, "direct")
        ancestor = self._run(("merge-base", base_commit, head_commit)).stdout.decode().strip()
        if ancestor == base_commit or not ancestor:
            how: Literal["merge", "direct"] = "merge" if ancestor else "direct"
            return Comparison(self.tree(base_commit), self.tree(head_commit), base_commit, shown, how)
        merged = self._run(
            ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", base_commit, head_commit)
        )
        lines = merged.stdout.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
        if merged.code == 0:
            return Comparison(self.tree(base_commit), self.tree(lines[0]), base_commit, shown, "merge")
        if merged.code == 1:
            conflicts = tuple(sorted(lines[1:]))
            tip = self.tree(base_commit)
            return Comparison(self.tree(ancestor), self.tree(head_commit), ancestor, shown, "conflict", conflicts, tip)
        return Comparison(self.tree(base_commit), self.tree(head_commit), base_commit, shown, "direct")

    def _working_commit(self) -> str:
        if self.root is None:
            raise GitError("a bare repository has no working tree", hint="name a revision with --head")
        who = {f"GIT_{role}_{field}": value
               for role in ("AUTHOR", "COMMITTER")
               for field, value in (("NAME", "working tree"), ("EMAIL", "none"), ("DATE", "@0 +0000"))}  # fmt: skip
        tree = self._working_tree_id()
        parent = self._run(("rev-parse", "--verify", "--quiet", "HEAD")).stdout.decode().strip()
        parents = ("-p", parent) if parent else ()
        return self._text(("commit-tree", *parents, "-m", "working tree", tree), who)

    # -- objects --------------------------------------------------------------------------------------------------

    def blobs(self, oids: Iterable[str]) -> Mapping[str, bytes]:
        """The content of blobs by object id, each read once. Raises GitError when one is missing."""
        wanted = list(dict.fromkeys(oids))
        found: dict[str, bytes] = {}
        with self._lock:
            for start in range(0, len(wanted), _BATCH):
                found.update(self._batch(wanted[start : start + _BATCH]))
        return found

    def _batch(self, oids: Sequence[str]) -> dict[str, bytes]:
        if self._cat is None:
            self._cat = process.Conversation(["git", *_SAFE, "cat-file", "--batch"], cwd=self.directory, env=self._env)
        found = {}
        try:
            self._cat.write("".join(f"{oid}\n" for oid in oids).encode())
            for oid in oids:
                header = self._cat.read_line().split()
                if len(header) != 3:
                    raise GitError(
                        f"object {oid} is not in this clone",
                        hint="the clone is incomplete (partial or shallow); git fetch the revision in full",
                    )
                found[oid] = self._cat.read(int(header[2]))
                self._cat.read(1)
        except (EOFError, BrokenPipeError) as error:
            raise GitError("git cat-file ended unexpectedly", hint="git fsck checks the repository") from error
        return found

    # -- running --------------------------------------------------------------------------------------------------

    def _run(
        self, argv: Sequence[str], extra: Mapping[str, str] | None = None, *, stdin: bytes = b""
    ) -> process.Finished:
        try:
            return process.run(
                ["git", *_SAFE, *argv],
                cwd=self.directory,
                env={**self._env, **(extra or {})},
                stdin=stdin,
                limits=process.Limits(memory=0),
                network=True,
            )
        except FileNotFoundError as error:
            raise GitError("git was not found on PATH", hint="install git 2.38 or newer") from error

    def _must(self, argv: Sequence[str], extra: Mapping[str, str] | None = None) -> process.Finished:
        ended = self._run(argv, extra)
        if ended.code != 0:
            tail = ended.stderr.strip().splitlines()[-1:] or ["no message"]
            raise GitError(f"git {argv[0]} failed: {tail[0]}")
        return ended

    def _text(self, argv: Sequence[str], extra: Mapping[str, str] | None = None) -> str:
        return self._must(argv, extra).stdout.decode("utf-8", "surrogateescape").strip()


def text_diff(before: str, after: str) -> str:
    """A unified diff of two texts with 3 lines of context and no file headers; ``""`` when they are equal.

    Git's histogram diff: linear where Python's difflib is quadratic. Raises GitError when git cannot run.
    """
    with tempfile.TemporaryDirectory(prefix="gitops-bot-diff-") as scratch:
        for name, text in (("before", before), ("after", after)):
            Path(scratch, name).write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
        env = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": scratch, "GIT_CONFIG_NOSYSTEM": "1"}
        argv = ["git", "diff", "--no-index", "--histogram", "--no-ext-diff", "--no-color", "--", "before", "after"]
        try:
            ended = process.run(argv, cwd=scratch, env=env, limits=process.Limits(memory=0), network=True)
        except FileNotFoundError as error:
            raise GitError("git was not found on PATH", hint="install git 2.38 or newer") from error
    if ended.code not in (0, 1) or ended.stopped:
        raise GitError(f"git diff failed: {ended.stopped or ended.stderr.strip()}")
    text = ended.stdout.decode("utf-8", "surrogateescape")
    start = text.find("\n@@ ")
    return text[start + 1 :] if start >= 0 else ""
