"""Changed files that look like manifests and that no target reads: nothing else would tell that they are there."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence

from gitops_bot.errors import NotRenderable
from gitops_bot.manifests.recognise import may_be_manifest
from gitops_bot.model.project import DEFAULT_PROJECT
from gitops_bot.model.target import NotRendered
from gitops_bot.model.tree import PathEscape, Tree
from gitops_bot.render.discover import Discovery
from gitops_bot.render.plain import KUSTOMIZATIONS
from gitops_bot.review.report import UNREAD

_SUFFIXES = (".yaml", ".yml", ".json")
_LARGEST = 5 * 1024 * 1024
"""Bytes; a larger file is searched for the words, not read."""
_NAMED = 100
"""How many are named one by one."""


def unread_manifests(base: Discovery, head: Discovery, unread: Sequence[str]) -> list[NotRendered]:
    """An entry for each of the changed paths that may hold manifests; ``unread`` are those that no target reads.

    Not named are hidden directories and charts, whose files their tools read or nobody does, and the files of
    definitions, which stand for targets of their own or judge some. In order of path.
    """
    known = {place for side in (base, head) for place in _definition_files(side)}
    paths = [
        path
        for path in sorted(unread)
        if path.lower().endswith(_SUFFIXES) and path not in known and not any(_elsewhere(path, base, head))
    ]
    found = [path for path in paths if _looks(path, base, head)]
    entries = [NotRendered(id=path, reason=UNREAD, failed=False) for path in found[:_NAMED]]
    if len(found) > _NAMED:
        more = f"{UNREAD}; the same holds for {len(found) - _NAMED} more files"
        entries[-1] = NotRendered(id=found[_NAMED - 1], reason=more, failed=False)
    return entries


def missed_files(head: Discovery, unread: Sequence[str]) -> dict[str, list[str]]:
    """Which of some files, that nobody reads, may be included by a target that was not read to its end: by its id.

    That is a target below whose directory a file lies, else, for a file of some kustomization, the overlay nearest to
    it: overlays include each other over any distance, and nothing else does. In order of path.
    """
    cut_off = {
        key: one.target.homes
        for key, one in sorted(head.preparations.items())
        if one.error is not None and not isinstance(one.error, NotRenderable)
    }
    overlays = {key: homes for key, homes in cut_off.items() if any(_is_overlay(home, head.tree) for home in homes)}
    found: dict[str, list[str]] = {}
    for path in sorted(unread) if cut_off else ():
        owners = [key for key, homes in cut_off.items() if any(_below(path, home) for home in homes)]
        if not owners and overlays and _in_overlay(path, head.tree):
            owners = [max(overlays, key=lambda key: max(_shared(path, home) for home in overlays[key]))]
        if owners:
            found.setdefault(owners[0], []).append(path)
    return found


def _below(path: str, home: str) -> bool:
    return home in ("", ".") or path.startswith(f"{home}/")


def _is_overlay(home: str, tree: Tree | None) -> bool:
    return tree is not None and any(posixpath.join(home, name).removeprefix("./") in tree for name in KUSTOMIZATIONS)


def _in_overlay(path: str, tree: Tree | None) -> bool:
    """Whether a file lies in the directory of a kustomization, or below one."""
    parts = path.split("/")
    return any(_is_overlay("/".join(parts[:end]), tree) for end in range(len(parts)))


def _shared(path: str, home: str) -> int:
    """How many directories two paths have in common from the root on."""
    return len(posixpath.commonprefix([path.split("/"), home.split("/")]))


def _definition_files(side: Discovery) -> Iterable[str]:
    """Where Applications are defined, the projects that they are judged by, and what could not be read as either."""
    applications = [(one.target.file, one.target.application) for one in side.preparations.values()]
    yield from (file for file, application in applications if application is not None)
    used = {application.spec.project or DEFAULT_PROJECT for _, application in applications if application is not None}
    yield from (project.file for project in side.projects if project.name in used)
    yield from (problem.id.partition("#")[0] for problem in side.problems)


def _elsewhere(path: str, base: Discovery, head: Discovery) -> Iterable[bool]:
    """Whether a path lies where no manifests of its own are looked for."""
    parts = path.split("/")
    yield any(part.startswith(".") for part in parts)
    homes = ["/".join(parts[:end]) for end in range(len(parts))]
    for side in (base, head):
        tree = side.tree
        yield tree is not None and any(posixpath.join(home, "Chart.yaml") in tree for home in homes)


def _looks(path: str, base: Discovery, head: Discovery) -> bool:
    """Whether the file may hold manifests on either side; links count as what they lead to."""
    return any(_looks_on(side.tree, path) for side in (head, base) if side.tree is not None)


def _looks_on(tree: Tree, path: str) -> bool:
    try:
        real = tree.resolve(path)
    except PathEscape:
        return False
    entry = tree.entry(real) if real is not None else None
    if entry is None or not entry.is_file:
        return False
    content = tree.blobs([entry.oid])[entry.oid]
    if entry.size > _LARGEST:
        return b"apiVersion" in content and b"kind" in content
    return may_be_manifest(content, is_json=path.endswith(".json"))
