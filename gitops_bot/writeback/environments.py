"""Which branch an environment's files live on, which files and targets are its own, and whence it is promoted. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from gitops_bot.errors import UsageError
from gitops_bot.model.settings import Promotion, Settings
from gitops_bot.model.target import Target
from gitops_bot.model.tree import PathEscape, Tree

ENVIRONMENT = "{environment}"
"""What stands for an environment's name in a rule's file."""
_YAML = (".yaml", ".yml")
_NOT_VALUES = (".github/", ".gitops-bot/")


class Pair(NamedTuple):
    """The same file of two environments."""

    source: str
    target: str


def known(settings: Settings, name: str) -> str:
    """The name, if it is an environment's. Raises UsageError that lists those there are."""
    if name not in settings.environments:
        raise UsageError(
            f"{name} is no environment (there are {', '.join(settings.environments)})",
            hint="name one of these, or list yours in .gitops-bot.yaml, which `gitops-bot init` writes",
        )
    return name


def source_of(settings: Settings, target: str) -> str:
    """The environment that another is promoted from: its ``from``, else the one before it in the settings.

    Raises UsageError where there is none.
    """
    if target in settings.promotion:
        return settings.promotion[target].source
    names = list(settings.environments)
    at = names.index(known(settings, target))
    if at == 0:
        raise UsageError(
            f"{target} is the first environment: there is none that it could be promoted from",
            hint=f"name it with --from, or set promotion.{target}.from",
        )
    return names[at - 1]


def branch_of(settings: Settings, name: str) -> str:
    """The branch that an environment's files are edited on: its own, or for one that follows tags its source's.

    Raises UsageError where environments that follow tags are promoted from each other in a circle.
    """
    seen = [known(settings, name)]
    while (branch := settings.environments[seen[-1]].branch) is None:
        source = source_of(settings, seen[-1])
        if source in seen:
            raise UsageError(
                f"{' → '.join([*seen, source])}: no environment among them follows a branch",
                hint="give one of them a branch to follow",
            )
        seen.append(source)
    return branch


def tag_pattern(settings: Settings, name: str) -> str | None:
    """The glob of the tags that this program makes for an environment.

    None for one that follows a branch, and for one whose promotion does not say ``then: tag``.
    """
    policy = settings.promotion.get(name)
    return settings.environments[name].tag if policy is None or policy.then == "tag" else None


def templates(settings: Settings) -> list[str]:
    """The files that images and models are written to, with ``{environment}`` in them, each once, in order."""
    files = [write.file for image in settings.images for write in image.write]
    files += [write.file for model in settings.models for write in model.write]
    return [each for each in dict.fromkeys(files) if ENVIRONMENT in each]


def shared_files(settings: Settings) -> tuple[str, ...]:
    """The files that images and models are written to for every environment alike, each once, in order."""
    files = [write.file for image in settings.images for write in image.write]
    files += [write.file for model in settings.models for write in model.write]
    return tuple(each for each in dict.fromkeys(files) if ENVIRONMENT not in each)


def mapped_paths(settings: Settings) -> tuple[str, ...]:
    """Every path that a rule writes into an environment's own file, each once, in order."""
    found: list[str | None] = []
    for image in settings.images:
        for place in image.write:
            found += [place.path, place.digest] if ENVIRONMENT in place.file else []
    for model in settings.models:
        for write in model.write:
            found += [write.version, write.path, write.data] if ENVIRONMENT in write.file else []
    return tuple(dict.fromkeys(path for path in found if path))


def policy_of(settings: Settings, source: str, target: str) -> Promotion:
    """How an environment gets what another has: its settings, else every path that a rule writes, without gates.

    Raises UsageError when the settings name another source: its gates would not be asked.
    """
    policy = settings.promotion.get(target)
    if policy is None:
        then: Literal["tag"] | None = "tag" if settings.environments[target].tag else None
        return Promotion(source=source, copy=mapped_paths(settings), then=then)
    if policy.source != source:
        raise UsageError(
            f"{target} is promoted from {policy.source}, not from {source}",
            hint=f"leave out --from, or change promotion.{target}.from",
        )
    return policy


def own_files(settings: Settings, name: str, paths: Iterable[str]) -> tuple[str, ...]:
    """The YAML files that belong to this environment alone, in order of path.

    With rules these are the files that they write; without, those that have the environment's name as a word of their
    path and lie neither in its directory of Applications nor among a chart's templates.
    """
    named = templates(settings)
    if named:
        wanted = {each.replace(ENVIRONMENT, name) for each in named}
        return tuple(sorted(path for path in paths if path in wanted))
    applications = settings.environments[name].applications
    word = _word(name)
    return tuple(
        sorted(
            path
            for path in paths
            if path.endswith(_YAML)
            and word.search(path)
            and not path.startswith(_NOT_VALUES)
            and "templates" not in path.split("/")
            and not (applications and path.startswith(applications.rstrip("/") + "/"))
        )
    )


def owners_of(settings: Settings, tree: Tree, file: str) -> frozenset[str]:
    """The environments that a file (symbolic links followed) is an own file of, by its name or that of a link to it.

    None: it is nobody's alone.
    """
    names = [file]
    for path, entry in tree.entries.items():
        leads_to = _leads_to(tree, path) if entry.is_link else None
        if leads_to == file or (leads_to is not None and file.startswith(f"{leads_to}/")):
            names.append(path + file.removeprefix(leads_to))
    return frozenset(name for name in settings.environments if own_files(settings, name, names))


def _leads_to(tree: Tree, path: str) -> str | None:
    try:
        return tree.resolve(path)
    except PathEscape:
        return None


def is_of(settings: Settings, name: str, target: Target) -> bool:
    """Whether a target belongs to an environment: by its directory of Applications, else by what it follows."""
    about = settings.environments[name]
    place = (about.applications or "").strip("/")
    if place:
        return target.file == place or target.file.startswith(f"{place}/")
    return target.application is not None and target.follows in (about.branch, about.tag)


def environments_of(settings: Settings, targets: Iterable[Target]) -> frozenset[str]:
    """The environments that some targets belong to.

    Where that does not tell (several follow the same branch, or a target has no Application), those whose name is a
    word of the paths that it is made from, if any.
    """
    found: set[str] = set()
    for target in targets:
        own = [name for name in settings.environments if is_of(settings, name, target)]
        if len(own) != 1:
            paths = "\n".join([target.file, target.name, *_paths(target)])
            own = [name for name in own or settings.environments if _word(name).search(paths)] or own
        found.update(own)
    return frozenset(found)


def _paths(target: Target) -> Iterator[str]:
    for source in target.sources:
        yield source.path or ""
        yield from source.helm.value_files if source.helm else ()


def pairs(settings: Settings, source: str, target: str, paths: Iterable[str]) -> tuple[Pair, ...]:
    """The files of the source environment and where the same lies for the target, in order of path.

    ``paths`` are all paths of the source's tree. With rules the files that they write, else all of ``own_files``.
    """
    named = templates(settings)
    if named:
        found = [Pair(each.replace(ENVIRONMENT, source), each.replace(ENVIRONMENT, target)) for each in named]
        there = set(paths)
        return tuple(sorted(pair for pair in found if pair.source in there))
    word = _word(source)
    return tuple(Pair(path, word.sub(target, path)) for path in own_files(settings, source, paths))


def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])")
