"""The files of one render, gathered from trees: links followed inside their tree, everything else refused by name."""

from __future__ import annotations

from typing import NamedTuple

from gitops_bot.errors import NotRenderable, RenderError
from gitops_bot.model.tree import LINK_DEPTH, Tree
from gitops_bot.render.prepared import InputFile

_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_SIZES = range(100, 400)
"""Bytes of an LFS pointer: a version line, a SHA-256 and a size, rarely an extension line."""

_CLEAN: set[str] = set()
"""Object ids already seen not to be LFS pointers, so that each is read once in a run."""


class Mount(NamedTuple):
    """A tree that lies somewhere in the scratch directory."""

    prefix: str
    """Directory in the scratch, ``repo`` or ``refs/values``."""
    tree: Tree
    label: str = "this repository"
    """What the tree is, for messages."""

    def at(self, path: str) -> str:
        """Where a path of the tree lies in the scratch."""
        return f"{self.prefix}/{path}" if path else self.prefix


def join(directory: str, reference: str) -> str:
    """A reference as written in a file of ``directory``, as a path from the tree's root; ``..`` kept for ``follow``."""
    return f"{directory}/{reference}" if directory else reference


class Inputs:
    """Gathers the input files of one render, each scratch path once."""

    def __init__(self) -> None:
        self._files: dict[str, InputFile] = {}
        self._suspects: dict[int, tuple[Tree, dict[str, str]]] = {}

    def files(self) -> tuple[InputFile, ...]:
        """Everything gathered, in path order.

        Raises NotRenderable when one of them is a Git LFS pointer instead of content.
        """
        self._refuse_lfs()
        return tuple(self._files[path] for path in sorted(self._files))

    def own(self, path: str, content: bytes) -> None:
        """Put content of our own making at a scratch path, instead of whatever was gathered for it."""
        self._files[path] = InputFile(path=path, content=content)

    def file(self, mount: Mount, path: str, *, place: str | None = None) -> str | None:
        """Gather one file, links followed; None when there is none, else its real path in the tree.

        Without ``place`` the file lies where the tree has it and links stay links; with ``place`` its content lies
        at that scratch path. Raises RenderError for links and paths that lead out of the tree.
        """
        real, links = follow(mount, path)
        entry = mount.tree.entry(real) if real is not None else None
        if real is None or entry is None:
            return None
        if entry.is_submodule:
            raise NotRenderable(f"{real} is a Git submodule, whose content is not in {mount.label}")
        if not entry.is_file:
            return None
        if place is None:
            self.links(mount, links)
        if (entry.size in _LFS_SIZES or entry.size < 0) and entry.oid not in _CLEAN:
            self._suspects.setdefault(id(mount.tree), (mount.tree, {}))[1][entry.oid] = real
        where = place if place is not None else mount.at(real)
        self._files.setdefault(
            where, InputFile(path=where, executable=entry.mode == "100755", oid=entry.oid, tree=mount.tree)
        )
        return real

    def links(self, mount: Mount, links: tuple[tuple[str, str], ...]) -> None:
        """Keep symbolic links, as ``follow`` gives them, as links in the scratch."""
        for path, target in links:
            where = mount.at(path)
            self._files.setdefault(where, InputFile(path=where, link=target))

    def directory(self, mount: Mount, path: str, *, place: str) -> None:
        """Gather everything below a directory as plain files below a scratch path; links become what they point to.

        Raises RenderError for links that lead out of the tree, to nothing, or in a circle.
        """
        self._directory(mount, path, place, ())

    def _directory(self, mount: Mount, path: str, place: str, above: tuple[str, ...]) -> None:
        skip = len(path) + 1 if path else 0
        for below in list(mount.tree.below(path)):
            entry = mount.tree.entry(below)
            assert entry is not None
            if entry.is_directory:
                continue
            if not entry.is_link:
                self.file(mount, below, place=f"{place}/{below[skip:]}")
                continue
            real, _ = follow(mount, below)
            target = mount.tree.entry(real) if real is not None else None
            if real is None or target is None:
                raise RenderError(f"{below} is a symbolic link to nothing", hint="remove it, or add what it points to")
            if not target.is_directory:
                self.file(mount, real, place=f"{place}/{below[skip:]}")
            elif len(above) >= LINK_DEPTH or below.startswith(f"{real}/") or real in above or not real:
                raise RenderError(f"{below} is a symbolic link in a circle", hint="remove it")
            else:
                self._directory(mount, real, f"{place}/{below[skip:]}", (*above, real))

    def _refuse_lfs(self) -> None:
        for tree, path_of in self._suspects.values():
            for oid, content in tree.blobs(sorted(path_of)).items():
                if content.startswith(_LFS):
                    raise NotRenderable(
                        f"{path_of[oid]} is a Git LFS pointer, and its content is not in Git",
                        hint="keep manifests, charts and value files in Git itself",
                    )
                _CLEAN.add(oid)
        self._suspects.clear()


def follow(mount: Mount, path: str) -> tuple[str | None, tuple[tuple[str, str], ...]]:
    """The real path behind a path of a tree, and every link on the way as (its path, its target).

    The real path is None when nothing is there. Raises RenderError when the path or a link leads out of the tree, is
    absolute, or never ends.
    """
    done: list[str] = []
    links: list[tuple[str, str]] = []
    todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    while todo:
        part = todo.pop()
        if part == "..":
            if not done:
                raise RenderError(f"{path} leads out of {mount.label}", hint="keep what is rendered inside it")
            done.pop()
            continue
        here = "/".join((*done, part))
        entry = mount.tree.entry(here)
        if entry is None:
            _refuse_escape(mount, path, len(done) + 1, todo)
            return None, tuple(links)
        if not entry.is_link:
            done.append(part)
            continue
        target = mount.tree.blobs([entry.oid])[entry.oid].decode("utf-8", "surrogateescape")
        links.append((here, target))
        if target.startswith("/"):
            raise RenderError(f"{here} is a symbolic link to the absolute path {target}", hint="make it relative")
        if len(links) > LINK_DEPTH:
            raise RenderError(f"{path} follows more than {LINK_DEPTH} symbolic links, or a circle of them")
        todo.extend(part for part in reversed(target.split("/")) if part not in ("", "."))
    return "/".join(done), tuple(links)


def _refuse_escape(mount: Mount, path: str, depth: int, todo: list[str]) -> None:
    """Nothing is there; still say so when the rest of the path would have led out."""
    for part in reversed(todo):
        depth += -1 if part == ".." else 1
        if depth < 0:
            raise RenderError(f"{path} leads out of {mount.label}", hint="keep what is rendered inside it")
