"""What a merge or a tag brings to an environment, beyond what this program writes itself, and what stands against it.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.writeback.against import held
from gitops_bot.writeback.editor.address import Address
from gitops_bot.writeback.editor.leaves import Leaf, leaves
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.environments import own_files, shared_files
from gitops_bot.writeback.holds import Hold, read_holds
from gitops_bot.writeback.subjects import Moved, Subject, subjects

_NOT_VALUES = (".github/", ".gitops-bot/")


def brought(settings: Settings, environment: str, before: Tree | None, after: Tree) -> tuple[Subject, ...]:
    """The values of an environment that are other ones in ``after``, by what they are about.

    ``before`` None: there was nothing. Files that cannot be read say nothing.
    """
    found: list[Moved] = []
    for path in _files(settings, environment, after):
        if before is not None and before.entries.get(path) == after.entries[path]:
            continue
        old, new = _leaves(before, path), _leaves(after, path)
        found += [Moved(path, at, old.get(at), leaf) for at, leaf in new.items() if old.get(at) != leaf]
    return subjects(settings, found, after)


def undone(settings: Settings, environment: str, before: Tree, after: Tree, now: Tree) -> tuple[str, ...]:
    """What ``after`` brought to an environment since ``before`` and is in ``now`` as it was before, by its place."""
    changes = [part.change for subject in brought(settings, environment, before, after) for part in subject.parts]
    said = {change.file: _leaves(now, change.file) for change in changes}
    back = [each for each in changes if each.old != each.new and said[each.file].get(each.address) == each.old]
    return tuple(dict.fromkeys(f"{each.address} of {each.file}" for each in back))


def held_back(
    settings: Settings, environment: str, before: Tree | None, after: Tree, *, holding: Tree, now: datetime
) -> tuple[Hold, ...]:
    """The holds of the tree ``holding`` that stand against what ``after`` brings. ``now`` is aware.

    Raises UsageError for holds that cannot be read.
    """
    found = brought(settings, environment, before, after)
    return held(found, read_holds(holding), after, where=lambda _file: (environment,), now=now)


def _files(settings: Settings, environment: str, tree: Tree) -> list[str]:
    """The environment's own files and those of rules for all; without any, all values that are not another's own."""
    paths = sorted(tree.entries)
    found = [*own_files(settings, environment, paths), *(path for path in shared_files(settings) if path in tree)]
    if found:
        return list(dict.fromkeys(found))
    others = {
        path for name in settings.environments if name != environment for path in own_files(settings, name, paths)
    }
    return [
        path
        for path in paths
        if path.endswith((".yaml", ".yml")) and path not in others and not path.startswith(_NOT_VALUES)
    ]


def _leaves(tree: Tree | None, path: str) -> Mapping[Address, Leaf]:
    try:
        return leaves(tree.read(path)) if tree is not None else {}
    except (EditRefused, FileNotFoundError, ValueError):
        return {}
