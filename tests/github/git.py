"""The Git side of a repository: a real bare repository, read and written by git itself."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

NOBODY = "0" * 40
_UPDATE_HOOK = r"""#!/bin/sh
if grep -qxF "$1" "$GIT_DIR/protected" 2>/dev/null; then
  echo "error: GH006: Protected branch update failed for $1." >&2
  echo "error: Changes must be made through a pull request." >&2
  exit 1
fi
if grep -qxF "$1" "$GIT_DIR/signed" 2>/dev/null; then
  echo "error: GH013: Repository rule violations found for $1." >&2
  echo "" >&2
  echo "- Commits must have verified signatures." >&2
  echo "  Found 1 violation:" >&2
  exit 1
fi
if [ -e "$GIT_DIR/no-workflows" ] && git diff-tree -r --name-only "$2" "$3" | grep -q '^.github/workflows/'; then
  echo "refusing to allow a GitHub App to create or update workflow without \`workflows\` permission" >&2
  exit 1
fi
"""


class GitFailed(Exception):
    """git ended with an error; its message."""


class Person(NamedTuple):
    name: str
    email: str
    date: str
    """``2026-01-31T12:00:00Z``."""


class Commit(NamedTuple):
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


class Entry(NamedTuple):
    """One line of a tree."""

    mode: str
    type: str
    sha: str
    size: int | None
    path: str


class File(NamedTuple):
    """One file of a difference."""

    path: str
    before: str | None
    """Its former path, where it was renamed."""
    status: str
    sha: str
    additions: int
    deletions: int
    patch: str


class Bare:
    """A bare repository at ``path``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, fork_of: Bare | None = None) -> Bare:
        """Make a repository, empty or with all that another has."""
        path.parent.mkdir(parents=True, exist_ok=True)
        made = cls(path)
        if fork_of is None:
            made._run("init", "--quiet", "--bare", "--initial-branch=main", str(path), cwd=path.parent)
        else:
            made._run("clone", "--quiet", "--bare", str(fork_of.path), str(path), cwd=path.parent)
        for name, value in (
            ("http.receivepack", "true"), ("uploadpack.allowFilter", "true"),
            ("uploadpack.allowAnySHA1InWant", "true"), ("receive.denyDeleteCurrent", "ignore"), ("gc.auto", "0"),
        ):  # fmt: skip
            made.run("config", name, value)
        hook = path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_UPDATE_HOOK)
        hook.chmod(0o755)
        return made

    def run(self, *arguments: str, content: str | bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """What git prints, without the last newline.

        Raises:
            GitFailed: it failed.
        """
        return self._run(*arguments, content=content, env=env).decode(errors="surrogateescape").removesuffix("\n")

    def _run(
        self, *arguments: str, content: str | bytes = b"", env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> bytes:
        given = content.encode(errors="surrogateescape") if isinstance(content, str) else content
        sealed = {
            "PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "GitHub", "GIT_AUTHOR_EMAIL": "noreply@github.com",
            "GIT_COMMITTER_NAME": "GitHub", "GIT_COMMITTER_EMAIL": "noreply@github.com", **(env or {}),
        }  # fmt: skip
        ended = subprocess.run(
            ["git", *arguments], cwd=cwd or self.path, input=given, env=sealed, capture_output=True, check=False
        )
        if ended.returncode:
            raise GitFailed(f"git {' '.join(arguments[:2])}: {ended.stderr.decode(errors='replace').strip()}")
        return ended.stdout

    # -- refs ----------------------------------------------------------------------------------------------------------

    def refs(self, prefix: str = "refs/heads/") -> dict[str, str]:
        """Full names with what they point to, sorted by name; read from Git's files, for it is asked at every request."""
        found: dict[str, str] = {}
        packed = self.path / "packed-refs"
        if packed.is_file():
            lines = (line.split(" ", 1) for line in packed.read_text().splitlines() if line[:1] not in ("#", "^"))
            found = {name: sha for sha, name in lines}
        for folder, _, files in os.walk(self.path / "refs"):
            for file in files:
                path = Path(folder, file)
                if not file.endswith(".lock"):
                    with contextlib.suppress(FileNotFoundError):
                        found[path.relative_to(self.path).as_posix()] = path.read_text().strip()
        return {name: sha for name, sha in sorted(found.items()) if name.startswith(prefix) and sha}

    def resolve(self, revision: str) -> str | None:
        """The commit of a branch, tag, full ref or id; None when there is none."""
        if revision.startswith("-"):
            return None
        for candidate in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            try:
                return self.run("rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}")
            except GitFailed:
                continue
        return None

    def update(self, ref: str, sha: str, expected: str | None = None) -> None:
        """Point a full ref at an object, only if it points to ``expected`` now (40 zeros: only if it is new).

        Raises:
            GitFailed: it points elsewhere, or the name or object is none.
        """
        self.run("update-ref", ref, sha, *([expected] if expected is not None else []))

    def delete(self, ref: str) -> None:
        self.run("update-ref", "-d", ref)

    def bring(self, other: Bare, ref: str, to: str) -> None:
        """Copy a ref of another repository here."""
        self.run("fetch", "--quiet", str(other.path), f"+{ref}:{to}")

    # -- objects -------------------------------------------------------------------------------------------------------

    def kind(self, sha: str) -> str | None:
        """``blob``, ``tree``, ``commit``, ``tag``; None when there is no such object."""
        try:
            return self.run("cat-file", "-t", sha)
        except GitFailed:
            return None

    def commit(self, sha: str) -> Commit:
        shape = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B"
        out = self.run("log", "-1", f"--format={shape}", sha, "--")
        id_, tree, parents, an, ae, at, cn, ce, ct, message = out.split("\0", 9)
        return Commit(
            id_,
            tree,
            tuple(parents.split()),
            Person(an, ae, _date(at)),
            Person(cn, ce, _date(ct)),
            message.rstrip("\n"),
        )

    def history(self, revision: str, path: str = "", limit: int = 1000) -> list[str]:
        return self.run("rev-list", f"--max-count={limit}", revision, "--", *([path] if path else [])).split()

    def entries(self, tree: str, *, recursive: bool = False) -> list[Entry]:
        out = self.run("ls-tree", "-l", "-z", *(["-r", "-t"] if recursive else []), tree)
        found = []
        for line in out.split("\0"):
            if line:
                head, _, path = line.partition("\t")
                mode, kind, sha, size = head.split()
                found.append(Entry(mode, kind, sha, None if size == "-" else int(size), path))
        return found

    def blob(self, sha: str) -> bytes:
        return self._run("cat-file", "blob", sha)

    def write_blob(self, content: bytes) -> str:
        return self.run("hash-object", "-w", "--stdin", content=content)

    def write_tree(self, base: str | None, changes: Sequence[tuple[str, str, str | None]]) -> str:
        """A tree: ``base`` (None: nothing) with these (path, mode, blob id); a blob of None removes the path."""
        index = self.path / f"index-{os.getpid()}-{id(changes)}"
        env = {"GIT_INDEX_FILE": str(index)}
        try:
            self.run("read-tree", base or "--empty", env=env)
            lines = [f"{mode} {sha}\t{path}" if sha else f"0 {NOBODY}\t{path}" for path, mode, sha in changes]
            self.run("update-index", "-z", "--index-info", content="".join(f"{line}\0" for line in lines), env=env)
            return self.run("write-tree", env=env)
        finally:
            index.unlink(missing_ok=True)

    def write_commit(
        self,
        tree: str,
        parents: Sequence[str],
        message: str,
        author: Person | None = None,
        committer: Person | None = None,
    ) -> str:
        """Store a commit; who is not named is GitHub itself, now."""
        env = {}
        for role, person in (("AUTHOR", author), ("COMMITTER", committer or author)):
            if person is not None:
                env |= {
                    f"GIT_{role}_NAME": person.name, f"GIT_{role}_EMAIL": person.email, f"GIT_{role}_DATE": person.date,
                }  # fmt: skip
        flags = [flag for parent in parents for flag in ("-p", parent)]
        return self.run("commit-tree", tree, *flags, content=message, env=env)

    # -- differences ---------------------------------------------------------------------------------------------------

    def merge_base(self, one: str, other: str) -> str | None:
        try:
            return self.run("merge-base", one, other)
        except GitFailed:
            return None

    def merge(self, base: str, head: str) -> str | None:
        """The tree of both merged; None when they conflict."""
        try:
            return self.run("merge-tree", "--write-tree", base, head).splitlines()[0]
        except GitFailed:
            return None

    def between(self, base: str, head: str) -> list[str]:
        """The commits of head that base does not have, oldest first."""
        return self.run("rev-list", "--reverse", f"{base}..{head}").split()

    def files(self, base: str, head: str) -> list[File]:
        """What differs between two commits or trees, sorted by path."""
        raw = self.run("diff-tree", "-r", "-M", "-z", "--raw", base, head).split("\0")
        found = []
        place = 0
        while place < len(raw) and raw[place]:
            _, _, _, after, kind = raw[place].split()
            renamed = kind[0] in "RC"
            before = raw[place + 1] if renamed else None
            path = raw[place + 2] if renamed else raw[place + 1]
            place += 3 if renamed else 2
            patch = self.run("diff-tree", "-r", "-M", "-p", "--no-color", base, head, "--", path)
            lines = patch[patch.find("\n@@") + 1 :].split("\n") if "\n@@" in patch else []
            status = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "T": "changed"}.get(
                kind[0], "changed"
            )
            found.append(
                File(
                    path, before, status, after if status != "removed" else raw[place - 2].split()[2],
                    sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines),
                    "\n".join(lines),
                )
            )  # fmt: skip
        return found


def _date(seconds: str) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
