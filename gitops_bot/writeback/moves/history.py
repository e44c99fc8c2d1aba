"""Which change a rollback undoes: the last one, all since a state that is named, or since one was healthy. Pure.

An environment's history is that of its own files, along the first parents of its branch or over its releases. Where the
newest change in it is a rollback itself there is nothing to undo, so that two who roll back at once, or a job that runs
again, do it once. A state whose versions are on hold is never gone back to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.model.github import CommitInfo, DeploymentState
from gitops_bot.model.tree import Tree
from gitops_bot.writeback.editor.address import Address
from gitops_bot.writeback.editor.leaves import leaves
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.moves.gates import ours, succeeded

_SHORT = 7


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What shall be undone, by the two states it lies between."""

    before: Tree
    """The state to go back to."""
    after: Tree
    """The state with the change; the branch may have moved on since."""
    label: str
    """What it is, for a title: ``v1.0.0``, ``the state before 4f2a9c1``."""
    story: str
    """The same as a sentence with foreign text: ``undoes 4f2a9c1 (chore: update image tag)``."""
    url: str = ""


class State(NamedTuple):
    """What an environment had for a while."""

    commit: CommitInfo
    tree: Tree
    release: str = ""
    """Name of its tag; ``""`` for a commit of the branch."""

    @property
    def told(self) -> str:
        """``v1.0.2``, or ``4f2a9c1 (fix: …)`` with foreign text."""
        return self.release or f"{self.commit.sha[:_SHORT]} ({self.commit.subject})"


Belongs = Callable[[str], bool]
"""Whether a path is a file of the environment."""
Allowed = Callable[[Tree], bool]
"""Whether an environment may be brought to a state: none of its versions is on hold."""
Claims = Callable[[State], bool]
"""Whether a rollback of this program made a state; what a commit's message says of itself proves nothing."""


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


def rolled_back(states: Sequence[State], belongs: Belongs, claims: Claims = lambda _state: False) -> State | None:
    """What the newest change among states (newest first) has made, if it is itself a rollback; None if it is none.

    It is one when all that it wrote had been there before what it replaced: so a ``git revert`` and a rollback by hand
    are known too, and writing once more what was rolled back is none. Where the states do not reach back far enough to
    tell, ``claims`` is asked.
    """
    changes = (at for at in range(len(states) - 1) if differ(states[at + 1].tree, states[at].tree, belongs))
    newest = next(changes, None)
    if newest is None:
        return None
    after, before = states[newest], states[newest + 1]
    said = _Said()
    places = [place for path in differ(before.tree, after.tree, belongs) for place in said.touched(path, before, after)]
    had = [[said.at(state, place) for place in places] for state in states]
    # A state without any file of the environment is none of it: what it has not says nothing.
    ages = [age for age, state in enumerate(states) if any(map(belongs, state.tree.entries))]
    wrote, replaced = (max((age for age in ages if had[age] == had[at]), default=at) for at in (newest, newest + 1))
    return after if wrote > replaced or claims(after) else None


Place = tuple[str, Address | None]
"""A value by its file and address; None: the file as a whole."""


class _Said:
    """What files say, each content read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], object] = {}

    def of(self, state: State, path: str) -> object:
        entry = state.tree.entry(path)
        key = (path, entry.oid if entry else "")
        if key not in self._known:
            self._known[key] = _says(state.tree, path)
        return self._known[key]

    def touched(self, path: str, before: State, after: State) -> list[Place]:
        """What differs in one file."""
        old, new = self.of(before, path), self.of(after, path)
        if isinstance(old, dict) and isinstance(new, dict):
            return [(path, at) for at in dict.fromkeys([*old, *new]) if old.get(at) != new.get(at)]
        return [(path, None)]

    def at(self, state: State, place: Place) -> object:
        """What stands at a place; None for nothing."""
        said = self.of(state, place[0])
        return said.get(place[1]) if isinstance(said, dict) and place[1] is not None else said


def previous(states: Sequence[State], belongs: Belongs, allowed: Allowed) -> Change:
    """The newest change of the environment that still stands and whose state before it is allowed.

    ``states`` are those of the branch from its tip along first parents, as far as it is worth looking. Raises
    UsageError when there is none.
    """
    for after, before in pairwise(states):
        touched = () if before.tree.oid == after.tree.oid else differ(before.tree, after.tree, belongs)
        if touched and _stands(states[0].tree, before.tree, after.tree, touched) and allowed(before.tree):
            return _of_commit(after, before)
    raise UsageError(
        f"no change of the environment was found that could be undone ({max(len(states) - 1, 0)} were looked at)",
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


def _of_commit(after: State, before: State) -> Change:
    commit = after.commit
    return Change(
        before=before.tree,
        after=after.tree,
        label=f"the state before {commit.sha[:_SHORT]}",
        story=f"undoes {after.told}" + (f" by {commit.author}" if commit.author else ""),
        url=commit.url,
    )


def to_revision(name: str, wanted: Tree, now: Tree, url: str = "") -> Change:
    """Everything that is different since a revision. ``name`` is how it was asked for: a tag, branch or commit."""
    short = name[:_SHORT] if len(name) >= 40 else name
    return Change(before=wanted, after=now, label=short, story=f"goes back to what {short} has", url=url)


def previous_release(states: Sequence[State], belongs: Belongs, allowed: Allowed) -> Change:
    """The newest release's change against the newest one before it that is different and allowed.

    ``states`` are those of the releases, newest version first. Raises UsageError when there is none.
    """
    if not states:
        raise UsageError("there is no release yet, so there is none to go back from", hint="promote one first")
    newest = states[0]
    for older in states[1:]:
        if differ(older.tree, newest.tree, belongs) and allowed(older.tree):
            story = f"undoes what {newest.release} changed against {older.release}"
            return Change(before=older.tree, after=newest.tree, label=older.release, story=story)
    raise UsageError(
        f"no release before {newest.release} has other values for the environment that are not on hold",
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
