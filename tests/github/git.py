"""The Git side of a repository: a real bare repository, read and written by git itself.

Starting git is what a test of ours takes most of its time for, so what it said of objects is remembered: they never
change under their ids.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

NOBODY = "0" * 40
_ID = re.compile(r"[0-9a-f]{40}")
_CONFIG = """\
[http]
\treceivepack = true
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
[receive]
\tdenyDeleteCurrent = ignore
[gc]
\tauto = 0
"""
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
        self._told: dict[tuple[str, ...], str] = {}
        """What git printed of objects, by its arguments."""

    @classmethod
    def create(cls, path: Path, fork_of: Bare | None = None) -> Bare:
        """Make a repository, empty or with all that another has."""
        path.parent.mkdir(parents=True, exist_ok=True)
        made = cls(path)
        begun = ("init", "--initial-branch=main") if fork_of is None else ("clone", str(fork_of.path))
        made._run(*begun, "--quiet", "--bare", f"--template={_template()}", str(path), cwd=path.parent)
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

    def ref(self, name: str) -> str | None:
        """What a full name points to; None when there is none. Read from Git's files, for it is asked at every request."""
        try:
            found = (self.path / name).read_text().strip()
        except (OSError, ValueError):
            return self._packed().get(name)
        return found if _ID.fullmatch(found) else None

    def refs(self, prefix: str = "refs/heads/") -> dict[str, str]:
        """Full names with what they point to, sorted by name."""
        found = {name: sha for name, sha in self._packed().items() if name.startswith(prefix)}
        for folder, _, files in os.walk(self.path / prefix.rpartition("/")[0]):
            below = os.path.relpath(folder, self.path)
            for file in files:
                name = f"{below}/{file}"
                if name.startswith(prefix) and not file.endswith(".lock") and (sha := self.ref(name)):
                    found[name] = sha
        return dict(sorted(found.items()))

    def _packed(self) -> dict[str, str]:
        try:
            text = (self.path / "packed-refs").read_text()
        except FileNotFoundError:
            return {}
        lines = (line.split(" ", 1) for line in text.splitlines() if line[:1] not in ("#", "^"))
        return {name: sha for sha, name in lines}

    def resolve(self, revision: str) -> str | None:
        """The commit of a branch, tag, full ref or id; None when there is none."""
        if revision.startswith("-"):
            return None
        named = (self.ref(f"{kind}{revision}") for kind in ("refs/heads/", "refs/tags/", ""))
        found = next(filter(None, named), revision)
        try:
            return self._about([found], "rev-parse", "--verify", "--quiet", f"{found}^{{commit}}")
        except GitFailed:
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

    def _about(self, revisions: Sequence[str], *arguments: str) -> str:
        """What git prints with these arguments; asked once where all its revisions are full ids."""
        if not all(map(_ID.fullmatch, revisions)):
            return self.run(*arguments)
        if arguments not in self._told:
            self._told[arguments] = self.run(*arguments)
        return self._told[arguments]

    def kind(self, sha: str) -> str | None:
        """``blob``, ``tree``, ``commit``, ``tag``; None when there is no such object."""
        try:
            return self._about([sha], "cat-file", "-t", sha)
        except GitFailed:
            return None

    def commit(self, sha: str) -> Commit:
        shape = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B"
        out = self._about([sha], "log", "-1", f"--format={shape}", sha, "--")
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
        asked = ("rev-list", f"--max-count={limit}", revision, "--", *([path] if path else []))
        return self._about([revision], *asked).split()

    def entries(self, tree: str, *, recursive: bool = False) -> list[Entry]:
        asked = ("ls-tree", "-l", "-z", *(["-r", "-t"] if recursive else []), tree)
        out = self._about([tree.partition(":")[0]], *asked)
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

    def empty_tree(self) -> str:
        """The id of the tree without anything, which is there then."""
        return self._about([], "hash-object", "-t", "tree", "-w", "--stdin")

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
            return self._about([one, other], "merge-base", one, other)
        except GitFailed:
            return None

    def merge(self, base: str, head: str) -> str | None:
        """The tree of both merged; None when they conflict."""
        try:
            return self._about([base, head], "merge-tree", "--write-tree", base, head).splitlines()[0]
        except GitFailed:
            return None

    def between(self, base: str, head: str) -> list[str]:
        """The commits of head that base does not have, oldest first."""
        return self._about([base, head], "rev-list", "--reverse", f"{base}..{head}").split()

    def files(self, base: str, head: str) -> list[File]:
        """What differs between two commits or trees, sorted by path."""
        raw = self._about([base, head], "diff-tree", "-r", "-M", "-z", "--raw", base, head).split("\0")
        found = []
        place = 0
        while place < len(raw) and raw[place]:
            _, _, _, after, kind = raw[place].split()
            renamed = kind[0] in "RC"
            before = raw[place + 1] if renamed else None
            path = raw[place + 2] if renamed else raw[place + 1]
            place += 3 if renamed else 2
            asked = ("diff-tree", "-r", "-M", "-p", "--no-color", base, head, "--", path)
            patch = self._about([base, head], *asked)
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


_KEPT = tempfile.TemporaryDirectory(prefix="gitops-bot-tests-")
"""Removed when the run ends."""


@cache
def _template() -> Path:
    """What git copies into a new repository: settings and hook."""
    hook = Path(_KEPT.name) / "template" / "hooks" / "update"
    hook.parent.mkdir(parents=True)
    hook.write_text(_UPDATE_HOOK)
    hook.chmod(0o755)
    (hook.parent.parent / "config").write_text(_CONFIG)
    return hook.parent.parent
