"""Which targets ``--app`` means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from gitops_bot.model.target import Target


def is_selected(targets: Iterable[Target], globs: Sequence[str]) -> bool:
    """True when any of these sides of one target is meant by globs on names and ids; ``!GLOB`` leaves out.

    No globs, or only ones that leave out, mean all the others.
    """
    names = {text for target in targets for text in (target.name, target.id)}

    def hit(glob: str) -> bool:
        return any(fnmatchcase(name, glob) for name in names)

    wanted = [glob for glob in globs if not glob.startswith("!")]
    return (not wanted or any(map(hit, wanted))) and not any(hit(glob[1:]) for glob in globs if glob.startswith("!"))


def unmatched(targets: Sequence[Target], globs: Sequence[str]) -> list[str]:
    """The globs that mean no target at all: most often a name that was mistyped."""
    return [glob for glob in globs if not is_selected(targets, [glob.removeprefix("!")])]
