"""From Applications to targets: where an Application lies, what it follows, where its objects go."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gitops_bot.model.application import Application
from gitops_bot.model.target import Target


def application_target(
    application: Application,
    *,
    file: str,
    own: Callable[[str], bool],
    parent: str | None = None,
) -> Target:
    """The target of one Application.

    ``file`` is where it is defined (a rendered child: where its parent is); ``own`` tells whether a repository URL
    means the repository at hand; ``parent`` is the parent's id for a rendered child.
    """
    here = [source for source in application.sources if source.path is not None and own(source.repo_url)]
    placed = [source for source in application.sources if source.path is not None]
    return Target(
        id=f"{parent}/{application.name}" if parent else f"{file}#{application.name}",
        name=application.name,
        file=file,
        parent=parent,
        kind="Application",
        path=(placed[0].path or "").strip("/") if placed else "",
        namespace=application.spec.destination.namespace,
        sources=application.sources,
        homes=tuple((source.path or "").strip("/").removeprefix("./") for source in here),
        ignore=application.spec.ignore_differences,
        follows=here[0].target_revision if here else "",
        application=application,
    )


def unique(targets: Iterable[Target]) -> dict[str, Target]:
    """Targets by id, in order; a second one with the same id gets ``~2`` behind it, a third ``~3``."""
    found: dict[str, Target] = {}
    for target in targets:
        identity, count = target.id, 1
        while identity in found:
            count += 1
            identity = f"{target.id}~{count}"
        found[identity] = target if identity == target.id else _renamed(target, identity)
    return found


def _renamed(target: Target, identity: str) -> Target:
    import msgspec

    return msgspec.structs.replace(target, id=identity)
