"""What an environment's Applications are made of, tree by tree, and which of them read a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitops_bot.errors import BotError, ToolError
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.render.discover import Discovery
from gitops_bot.render.workshop import Preparation
from gitops_bot.writeback.environments import is_of, own_files
from gitops_bot.writeback.shadow import Renderer

_NOT_DEPLOYED = (".github/", ".gitops-bot/")


class Deployed:
    """Looks into trees; each is looked into once, and rendered only where its inputs do not tell already."""

    def __init__(self, renderer: Renderer) -> None:
        """Take what finds targets."""
        self._renderer = renderer
        self._found: dict[str, Discovery] = {}

    def same(
        self, settings: Settings, environment: str, tree: Tree, read: Callable[[str], Tree | None]
    ) -> Callable[[str], bool]:
        """Tells whether a commit (full id) deploys in an environment what ``tree`` does.

        By what its Applications render to; where none is known to be of the environment, by every file but the other
        environments' own. ``read`` gives a commit's tree, None when it is gone: then it is not the same.
        """

        def told(commit: str) -> bool:
            other = read(commit)
            if other is None:
                return False
            return other.oid == tree.oid or self._alike(settings, environment, other, tree)

        return told

    def readers(self, settings: Settings, environment: str, tree: Tree) -> dict[str, tuple[str, ...]]:
        """File → names of the environment's apps that are rendered from it, in order.

        Where no app is known to be of the environment, of any; nothing where they cannot be found.
        """
        found: dict[str, set[str]] = {}
        try:
            preparations = list(self._discovery(tree).preparations.values())
        except BotError:
            return {}
        own = [each for each in preparations if is_of(settings, environment, each.target)]
        for each in own or preparations:
            for source in each.sources:
                for file in source.files:
                    path = file.path.removeprefix("repo/")
                    entry = tree.entry(path)
                    if entry is not None and entry.oid == file.oid:
                        found.setdefault(path, set()).add(each.target.name)
        return {path: tuple(sorted(names)) for path, names in sorted(found.items())}

    def _alike(self, settings: Settings, environment: str, one: Tree, other: Tree) -> bool:
        """Whether two trees deploy the same: every target from the same inputs, or at least to the same manifests.

        A chart's directory is an input as a whole, so the values file of another environment changes it, too.
        """
        try:
            sides = [
                {
                    identity: each
                    for identity, each in self._discovery(tree).preparations.items()
                    if is_of(settings, environment, each.target)
                }
                for tree in (one, other)
            ]
            if any(sides):
                before, after = sides
                return set(before) == set(after) and all(
                    self._renders_alike(before[each], after[each]) for each in sorted(before)
                )
        except ToolError:
            pass  # without helm the files tell, if not as well
        return _files(settings, environment, one) == _files(settings, environment, other)

    def _renders_alike(self, one: Preparation, other: Preparation) -> bool:
        """False, too, where either cannot be rendered."""
        keys = [self._renderer.key(each) for each in (one, other)]
        if keys[0] == keys[1] != "":
            return True
        if not all(keys):
            return False
        sides = [self._renderer.render(each) for each in (one, other)]
        return all(side.error is None for side in sides) and sides[0].manifests == sides[1].manifests

    def _discovery(self, tree: Tree) -> Discovery:
        if tree.oid not in self._found:
            self._found[tree.oid] = self._renderer.discover(tree)
        return self._found[tree.oid]


def _files(settings: Settings, environment: str, tree: Tree) -> Mapping[str, str]:
    """Every file that may matter to an environment, with its object id."""
    paths = sorted(tree.entries)
    others = {
        path for name in settings.environments if name != environment for path in own_files(settings, name, paths)
    }
    return {
        path: tree.entries[path].oid
        for path in paths
        if not tree.entries[path].is_directory and path not in others and not path.startswith(_NOT_DEPLOYED)
    }
