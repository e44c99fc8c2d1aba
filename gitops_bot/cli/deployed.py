"""What an environment's Applications are made from, tree by tree, and which of them read a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gitops_bot.errors import BotError
from gitops_bot.model.settings import Settings
from gitops_bot.model.target import Target
from gitops_bot.model.tree import Tree
from gitops_bot.render.discover import Discovery
from gitops_bot.writeback.environments import own_files
from gitops_bot.writeback.shadow import Renderer

_NOT_DEPLOYED = (".github/", ".gitops-bot/")


class Deployed:
    """Looks into trees; each is looked into once, and nothing is rendered but what holds other Applications."""

    def __init__(self, renderer: Renderer) -> None:
        """Take what finds targets."""
        self._renderer = renderer
        self._found: dict[str, Discovery] = {}

    def same(
        self, settings: Settings, environment: str, tree: Tree, read: Callable[[str], Tree | None]
    ) -> Callable[[str], bool]:
        """Tells whether a commit (full id) deploys in an environment what ``tree`` does.

        By all that its Applications are rendered from; where none is known to be of the environment, by every file but
        the other environments' own. ``read`` gives a commit's tree, None when it is gone: then it is not the same.
        """

        def told(commit: str) -> bool:
            other = read(commit)
            if other is None:
                return False
            return other.oid == tree.oid or self._made_of(settings, environment, other) == self._made_of(
                settings, environment, tree
            )

        return told

    def readers(self, tree: Tree) -> dict[str, tuple[str, ...]]:
        """File → names of the apps that are rendered from it, in order; nothing where they cannot be found."""
        found: dict[str, set[str]] = {}
        try:
            preparations = self._discovery(tree).preparations.values()
        except BotError:
            return {}
        for each in preparations:
            for source in each.sources:
                for file in source.files:
                    path = file.path.removeprefix("repo/")
                    entry = tree.entry(path)
                    if entry is not None and entry.oid == file.oid:
                        found.setdefault(path, set()).add(each.target.name)
        return {path: tuple(sorted(names)) for path, names in sorted(found.items())}

    def _made_of(self, settings: Settings, environment: str, tree: Tree) -> Mapping[str, str]:
        """What an environment is made from: target → key of its render; else file → object id."""
        try:
            found = self._discovery(tree)
            keys = {
                identity: self._renderer.key(each) or f"not known of {tree.oid}"
                for identity, each in found.preparations.items()
                if _is_of(settings, environment, each.target)
            }
        except BotError:  # without helm, say: the files tell, too
            keys = {}
        return keys or _files(settings, environment, tree)

    def _discovery(self, tree: Tree) -> Discovery:
        if tree.oid not in self._found:
            self._found[tree.oid] = self._renderer.discover(tree)
        return self._found[tree.oid]


def _is_of(settings: Settings, environment: str, target: Target) -> bool:
    """Whether a target belongs to an environment: by its directory of Applications, else by what it follows."""
    about = settings.environments[environment]
    place = (about.applications or "").strip("/")
    if place:
        return target.file == place or target.file.startswith(f"{place}/")
    return target.application is not None and target.follows in (about.branch, about.tag)


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
