"""Edits over several files: all of them, or none; in a tree of Git, or on disk."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gitops_bot.model.tree import PathEscape, Tree
from gitops_bot.model.writeback import Proposal
from gitops_bot.writeback.editor.edit import Edit, Outcome, edit
from gitops_bot.writeback.editor.problems import EditRefused, Problem


class FileEdits(msgspec.Struct, frozen=True):
    """What is to be written into one file."""

    path: str
    """POSIX, relative to the root; a symbolic link stands for what it points at."""
    edits: Sequence[Edit]


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """One file before and after."""

    path: str
    """The file itself, with links followed."""
    mode: str
    """Git's mode: 100644 or 100755; it stays."""
    old: bytes
    new: bytes
    """Equal to ``old`` when every value was there already."""
    outcomes: tuple[tuple[str, Outcome], ...]
    """Each edit's outcome, with the path it was asked under, in the order of the edits."""

    @property
    def changed(self) -> bool:
        return self.old != self.new


def edit_files(tree: Tree, wanted: Iterable[FileEdits], *, create: bool = False) -> tuple[FileChange, ...]:
    """The files of a tree after all edits, in the order of their paths; nothing is written.

    Paths that lead to one file are edited together. Raises EditRefused with the problems of every file.
    """
    problems: list[Problem] = []
    asked: dict[str, list[tuple[str, Edit]]] = {}
    for each in wanted:
        try:
            real = _file(tree, each.path)
        except (PathEscape, FileNotFoundError) as error:
            problems.append(Problem(str(error), file=each.path))
            continue
        asked.setdefault(real, []).extend((each.path, one) for one in each.edits)
    changes: list[FileChange] = []
    for path in sorted(asked):
        entry = tree.entries[path]
        old = tree.blobs([entry.oid])[entry.oid]
        try:
            edited = edit(old, [one for _path, one in asked[path]], create=create)
        except EditRefused as error:
            problems += [problem._replace(file=path) for problem in error.problems]
            continue
        outcomes = zip((under for under, _one in asked[path]), edited.outcomes, strict=True)
        changes.append(FileChange(path=path, mode=entry.mode, old=old, new=edited.data, outcomes=tuple(outcomes)))
    if problems:
        raise EditRefused(problems)
    return tuple(changes)


def _file(tree: Tree, path: str) -> str:
    """The file a path leads to. Raises PathEscape, and FileNotFoundError with a sentence."""
    real = tree.resolve(path)
    entry = tree.entry(real) if real is not None else None
    if real is None or entry is None:
        raise FileNotFoundError("there is no such file")
    if not entry.is_file:
        raise FileNotFoundError("it is a submodule" if entry.is_submodule else "it is a directory")
    return real


def changes_of(tree: Tree, proposal: Proposal) -> tuple[FileChange, ...]:
    """A proposal's files before and after, to be written on disk. Raises EditRefused for what the disk cannot take."""
    problems = [
        Problem("only files that are there are edited on disk", file=file.path)
        for file in proposal.files
        if file.content is None or file.path not in tree
    ]
    if problems:
        raise EditRefused(problems)
    return tuple(
        FileChange(path=file.path, mode=file.mode, old=tree.read(file.path), new=file.content or b"", outcomes=())
        for file in proposal.files
    )


# -- on disk ------------------------------------------------------------------------------------------------------


def write_files(root: str, changes: Iterable[FileChange]) -> None:
    """Write every changed file below a directory, or none.

    Each new content is written and synced beside its file first, with its mode and owner; then all are renamed into
    place. When one cannot be, those that were are put back. Only a kill between two renames leaves some old and some
    new; no file is ever half written. Raises EditRefused when a file is not as it was read, or cannot be written.
    """
    todo = [change for change in changes if change.changed]
    problems = [problem for change in todo if (problem := _against(root, change))]
    if problems:
        raise EditRefused(problems)
    new: dict[str, str] = {}
    backups: dict[str, str] = {}
    done: list[str] = []
    path = root
    try:
        for change in todo:
            path = os.path.join(root, change.path)
            new[path] = _beside(path, change.new)
            backups[path] = _backup(path)
        for path, name in new.items():
            os.replace(name, path)
            done.append(path)
        _sync_directories(new)
    except BaseException as error:
        for each in done:
            os.replace(backups[each], each)
        if isinstance(error, OSError):
            file = os.path.relpath(path, root)
            raise EditRefused([Problem(error.strerror or "it could not be written", file=file)]) from error
        raise
    finally:
        for left in (*new.values(), *backups.values()):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(left)


def _against(root: str, change: FileChange) -> Problem | None:
    """What stands against writing a file: it is gone, a link, or not what was read."""
    path = os.path.join(root, change.path)
    if os.path.realpath(path) != os.path.join(os.path.realpath(root), *change.path.split("/")):
        return Problem("it is reached through a symbolic link that was not there when it was read", file=change.path)
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return Problem("it is not a file", file=change.path)
        with open(path, "rb") as file:
            same = file.read(len(change.old) + 1) == change.old
    except OSError as error:
        return Problem(error.strerror or "it cannot be read", file=change.path)
    return None if same else Problem("it is not what was read; somebody else has changed it", file=change.path)


def _beside(path: str, data: bytes) -> str:
    """The name of a new file beside this one, with its mode and owner, and the data safely in it."""
    there = os.stat(path)
    handle, name = tempfile.mkstemp(prefix=".gitops-bot-", dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(there.st_mode))
            with contextlib.suppress(PermissionError):  # only root may give files away
                os.fchown(file.fileno(), there.st_uid, there.st_gid)
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(name)
        raise
    return name


def _backup(path: str) -> str:
    """The name of a second link to a file as it is, so that putting it back needs no space; a copy where links fail."""
    with tempfile.NamedTemporaryFile(prefix=".gitops-bot-", dir=os.path.dirname(path)) as taken:
        name = taken.name + ".old"
    try:
        os.link(path, name)
    except OSError:
        with open(path, "rb") as file:
            os.replace(_beside(path, file.read()), name)
    return name


def _sync_directories(paths: Mapping[str, str]) -> None:
    for directory in sorted({os.path.dirname(path) for path in paths}):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
