"""What a proposal does to what is rendered, looked at once for each state and change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gitops_bot.errors import ToolError
from gitops_bot.model.tree import Tree
from gitops_bot.model.writeback import FileChange
from gitops_bot.writeback.holds import FILE
from gitops_bot.writeback.shadow import Effect, Renderer, Shadows


class Effects:
    """Renders what proposals change, before and after."""

    def __init__(self, renderer: Callable[[Tree], Renderer], *, hint: str) -> None:
        """Take what renders a tree, and what to do where something cannot be rendered any more."""
        self._renderer = renderer
        self._hint = hint
        self._shadows: dict[str, Shadows] = {}
        self._kept: dict[tuple[str, tuple[FileChange, ...]], Effect] = {}

    def of(self, tree: Tree, files: Sequence[FileChange]) -> Effect:
        """The targets that render differently, and what there is to know.

        Raises Refused for targets that rendered and cannot be rendered any more. Where the programs that render are
        missing, that is a note: what stops an outage must not wait for them.
        """
        wanted = tuple(file for file in files if file.path != FILE)
        key = (tree.oid, wanted)
        if key not in self._kept:
            try:
                shadows = self._shadows.get(tree.oid) or Shadows(tree, self._renderer(tree))
                self._shadows[tree.oid] = shadows
                self._kept[key] = shadows.whole({file.path: file.content for file in wanted}, hint=self._hint)
            except ToolError as error:
                self._kept[key] = Effect(notes=(f"what it does to what is rendered was not checked: {error.told}",))
        return self._kept[key]
