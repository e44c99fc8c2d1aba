"""Which change a rollback undoes: the last one, one that is named, or all since an environment was healthy. Pure.

An environment's history is that of its own files, along the first parents of its branch or over its releases. A state
whose versions are on hold is never gone back to, so that a second rollback goes further back and not forth again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.model.github import CommitInfo, DeploymentState
from gitops_bot.model.tree import Tree
from gitops_bot.writeback.editor.leaves import leaves
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.moves.gates import ours, succeeded
from gitops_bot.writeback.moves.versions import Release

_SHORT = 7


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be undone, by the two states it lies between."""

    before: Tree
    """The state to go back to."""
    after: Tree
    """The state with the change; the branch may have moved on since."""
    label: str
    """What it is, for a title: ``v1.0.0``, ``before 4f2a9c1``."""
    story: str
    """The same as a sentence with foreign text: ``undoes 4f2a9c1 (chore: update image tag)``."""
    url: str = ""


class Point(NamedTuple):
    """One commit of a branch with what it holds."""

    commit: CommitInfo
    tree: Tree


class State(NamedTuple):
    """A release or deployment with what it holds."""

    name: str
    tree: Tree


Belongs = Callable[[str], bool]
"""Whether a path is a file of the environment."""
Allowed = Callable[[Tree], bool]
"""Whether an environment may be brought to a state: none of its versions is on hold."""


def differ(one: Tree, other: Tree, belongs: Belongs) -> tuple[str, ...]:
    """The environment's files that deploy something else in two trees, in order.

    Comments and layout of a YAML file make no difference, and neither does another name for the same content.
    """
    everything = {*one.entries, *other.entries}
    paths = sorted(path for path in everything if belongs(path) and one.entries.get(path) != other.entries.get(path))
    said = {path: (_says(one, path), _says(other, path)) for path in paths}
    found = [path for path in paths if said[path][0] != said[path][1]]
    new = [path for path in found if said[path][0] is None]
    for path in [path for path in found if said[path][1] is None]:
        twin = next((each for each in new if said[each][1] == said[path][0]), None)
        if twin is not None:
            found = [each for each in found if each not in (path, twin)]
            new.remove(twin)
    return tuple(found)


def _says(tree: Tree, path: str) -> object:
    """What a file says: its values, or its object id where they cannot be read."""
    entry = tree.entry(path)
    if entry is None or not entry.is_file:
        return entry.oid if entry else None
    try:
        return leaves(tree.read(path)) if path.endswith((".yaml", ".yml")) else entry.oid
    except EditRefused:
        return entry.oid


def previous(line: Iterable[Point], belongs: Belongs, allowed: Allowed) -> Change:
    """The newest change of the environment that still stands and whose state before it is allowed.

    ``line`` is the branch from its tip along first parents, as far as it is worth looking. Raises UsageError when
    there is none.
    """
    points = iter(line)
    tip = after = next(points, None)
    looked = 0
    for before in points:
        assert tip is not None
        assert after is not None
        looked += 1
        touched = () if before.tree.oid == after.tree.oid else differ(before.tree, after.tree, belongs)
        if touched and _stands(tip.tree, before.tree, after.tree, touched) and allowed(before.tree):
            return _of_commit(after, before)
        after = before
    raise UsageError(
        f"no change of the environment was found that could be undone ({looked} commits were looked at)",
        hint="name the revision to go back to with --to",
    )


def _stands(tip: Tree, before: Tree, after: Tree, touched: Sequence[str]) -> bool:
    """Whether anything that the change brought is still there; a file that is gone or renamed may have it."""
    for path in touched:
        if path not in tip:
            return True
        now, was = _says(tip, path), _says(after, path)
        if now == was:
            return True
        old = _says(before, path)
        if isinstance(now, dict) and isinstance(was, dict) and isinstance(old, dict):
            changed = [at for at in {*was, *old} if was.get(at) != old.get(at)]
            if any(now.get(at) == was.get(at) for at in changed):
                return True
    return False


def _of_commit(after: Point, before: Point) -> Change:
    commit = after.commit
    short = commit.sha[:_SHORT]
    return Change(
        before=before.tree,
        after=after.tree,
        label=f"before {short}",
        story=f"undoes {short} ({commit.subject})" + (f" by {commit.author}" if commit.author else ""),
        url=commit.url,
    )


def of_commit(commit: CommitInfo, after: Tree, before: Tree) -> Change:
    """The change of one commit that is named, given with its tree and that of its first parent."""
    return _of_commit(Point(commit, after), Point(commit, before))


def to_revision(name: str, wanted: Tree, now: Tree, url: str = "") -> Change:
    """Everything that is different since a revision. ``name`` is how it was asked for: a tag, branch or commit."""
    short = name[:_SHORT] if len(name) >= 40 else name
    return Change(before=wanted, after=now, label=short, story=f"goes back to what {short} has", url=url)


def previous_release(
    releases: Sequence[Release], read: Callable[[str], Tree], belongs: Belongs, allowed: Allowed
) -> Change:
    """The newest release's change against the newest one before it that is different and allowed.

    ``releases`` oldest version first, as ``versions.releases`` gives them; ``read`` gives the tree of a commit. Raises
    UsageError when there is none.
    """
    if not releases:
        raise UsageError("there is no release yet, so there is none to go back from", hint="promote one first")
    newest = releases[-1]
    after = read(newest.commit)
    for release in reversed(releases[:-1]):
        before = read(release.commit)
        if differ(before, after, belongs) and allowed(before):
            story = f"undoes what {newest.name} changed against {release.name}"
            return Change(before=before, after=after, label=release.name, story=story)
    raise UsageError(
        f"no release before {newest.name} has other values for the environment that are not on hold",
        hint="name the revision to go back to with --to",
    )


def last_healthy(
    deployments: Sequence[DeploymentState],
    environment: str,
    now: Tree,
    read: Callable[[str], Tree | None],
    belongs: Belongs,
    allowed: Allowed,
) -> Change:
    """Everything since the newest deployment that was healthy to its end and had something else than there is now.

    ``read`` gives the tree of a commit, None when it cannot be had. Raises UsageError when there is none.
    """
    unknown = 0
    for deployment in ours(deployments, environment):
        if not succeeded(deployment):
            continue
        tree = read(deployment.commit)
        if tree is None:
            unknown += 1
        elif differ(tree, now, belongs) and allowed(tree):
            name = deployment.ref if deployment.ref and not deployment.commit.startswith(deployment.ref) else ""
            name = name if _is_tag_like(name) else deployment.commit
            found = to_revision(name, tree, now, deployment.url)
            when = f"{deployment.created_at:%Y-%m-%d %H:%M} UTC"
            story = f"goes back to {found.label}, deployed {when}, the last that was healthy"
            return msgspec.structs.replace(found, story=story)
    more = f" ({unknown} could not be read any more)" if unknown else ""
    raise UsageError(
        f"no deployment of {environment} is known that was healthy, has other values and is not on hold{more}",
        hint="name the revision to go back to with --to",
    )


def _is_tag_like(name: str) -> bool:
    """Whether a ref says more than a commit's id: a branch moves on, a tag with digits in it does not."""
    return any(sign.isdigit() for sign in name) and not name.startswith("refs/heads/")
