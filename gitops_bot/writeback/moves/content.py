"""Whether two states of a repository deploy the same to an environment, as far as files tell. Pure."""

from __future__ import annotations

import posixpath

from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.writeback.environments import known, own_files
from gitops_bot.writeback.moves.history import differ


def deploys_same(settings: Settings, environment: str, one: Tree, other: Tree) -> bool:
    """Whether nothing differs that the environment is made of: its own files, and what lies beside and below them.

    Of its own files the values count; of the rest (a chart's templates, shared values) every byte, but not the other
    environments' own files. Rather no than yes: a soak that begins anew costs less than one that was not served.
    Sources that lie elsewhere, such as a kustomize base, are not followed: where it matters, compare what is rendered.
    """
    if one.oid == other.oid:
        return True
    paths = sorted({*one.entries, *other.entries})
    own = frozenset(own_files(settings, known(settings, environment), paths))
    foreign = {
        path for name in settings.environments if name != environment for path in own_files(settings, name, paths)
    }
    folders = {posixpath.dirname(path) for path in own}
    for path in paths:
        sides = [tree.entries.get(path) for tree in (one, other)]
        if path in own or path in foreign or sides[0] == sides[1] or any(side and side.is_directory for side in sides):
            continue
        if any(folder == "" or path.startswith(f"{folder}/") for folder in folders):
            return False
    return not differ(one, other, own.__contains__)
