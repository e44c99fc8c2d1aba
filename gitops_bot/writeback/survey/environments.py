"""Which environments a repository has, by its Applications, value files, overlays, branches and tags. Pure."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from gitops_bot.model.settings import Environment
from gitops_bot.model.tree import Tree
from gitops_bot.render.definitions import Definition
from gitops_bot.render.settings import CLUSTERS
from gitops_bot.writeback.survey.proposed import Facts, ProposedEnvironment
from gitops_bot.writeback.survey.stages import (
    PRODUCTION,
    counterpart,
    named_by_file,
    named_by_folder,
    order,
    stage,
)

_LEFT_OUT = re.compile(r"(?:^|/)(?:\.[^/]+|node_modules|templates|testdata|tests?|charts/[^/]+/ci)/")
"""Folders whose files speak of no environment: hidden ones, a chart's templates, tests."""
_RELEASE = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+")
_VERSION = re.compile(r"v?[0-9]+(?:\.[0-9x*]+){0,2}")
_RANGE = re.compile(r"[<>=~^| ,]")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MOST_SHOWN = 3


class _Followed(NamedTuple):
    """What one Application says of the revision of its own repository that it follows."""

    definition: Definition
    revision: str


def find_environments(
    tree: Tree, applications: Sequence[Definition], facts: Facts, own: Callable[[str], bool]
) -> tuple[ProposedEnvironment, ...]:
    """The environments in the order of promotion; ``own`` tells whether a repository URL means this repository.

    None where nothing speaks of any: then the defaults hold.
    """
    files = _files(tree)
    folders: dict[str, list[str]] = {}
    for definition in applications:
        found = named_by_folder(definition.file)
        if found is not None and found[1].isprintable() and found[1] not in folders.setdefault(found[0], []):
            folders[found[0]].append(found[1])
    names = [*files, *(name for name in folders if counterpart(name, list(files)) is None)]
    if not names:
        return _by_branches(facts)
    followed = [_Followed(each, revision) for each in applications for revision in _revisions(each, own)]
    snapshots = (path.removeprefix(f"{CLUSTERS}/") for path in tree.children(CLUSTERS) if path.isprintable())
    clusters = [name.removesuffix(".yaml") for name in snapshots if name.endswith(".yaml")]
    made = []
    for name in sorted(names, key=order):
        # A folder belongs to the environment of its name, or to the only one of its stage.
        theirs = [folder for key, each in folders.items() if counterpart(key, names) == name for folder in each]
        revision, why = _revision(name, theirs, followed, facts)
        cluster = counterpart(name, clusters)
        made.append(
            ProposedEnvironment(
                name=name,
                follows=Environment(
                    branch=revision.branch,
                    tag=revision.tag,
                    applications=theirs[0] if len(theirs) == 1 else None,
                    cluster=cluster,
                    protected=stage(name) == PRODUCTION,
                ),
                why=tuple(each for each in (why, _listed("its files", files.get(name, ()))) if each),
            )
        )
    return tuple(made)


def _files(tree: Tree) -> dict[str, list[str]]:
    """Environments that value files and overlays are called after, with those files."""
    found: dict[str, list[str]] = {}
    for path in tree.below(""):
        entry = tree.entry(path)
        if entry is None or not entry.is_file or not path.endswith((".yaml", ".yml")) or _LEFT_OUT.search(path):
            continue
        name = named_by_file(path)
        if name is not None:
            found.setdefault(name, []).append(path)
    return found


def _listed(what: str, paths: Sequence[str]) -> str:
    """Some paths in one sentence, many of one folder as that folder; empty for none."""
    if not paths:
        return ""
    folders = Counter(posixpath.dirname(path) for path in paths)
    many = {folder: count for folder, count in folders.items() if folder and count >= _MOST_SHOWN}
    told = list(
        dict.fromkeys(
            f"{folder}/ ({many[folder]} files)" if (folder := posixpath.dirname(path)) in many else path
            for path in paths
        )
    )
    more = f" and {len(told) - _MOST_SHOWN} more" if len(told) > _MOST_SHOWN else ""
    return f"{what}: {', '.join(told[:_MOST_SHOWN])}{more}"


# -- what it follows --------------------------------------------------------------------------------------------------


def _revisions(definition: Definition, own: Callable[[str], bool]) -> Iterable[str]:
    if definition.application is None:
        return ()
    sources = definition.application.sources
    return dict.fromkeys(source.target_revision for source in sources if not source.chart and own(source.repo_url))


def _revision(
    name: str, folders: Sequence[str], followed: Iterable[_Followed], facts: Facts
) -> tuple[Environment, str]:
    """What an environment follows, as an Environment without more, and why."""
    word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])")
    said = [
        each
        for each in followed
        if any(each.definition.file.startswith(f"{folder}/") for folder in folders)
        or word.search(each.definition.file)
        or word.search(each.definition.name)
    ]
    if said:
        ((revision, _count), *others) = Counter(each.revision for each in said).most_common()
        file = next(each.definition.file for each in said if each.revision == revision)
        several = " (others follow something else)" if others else ""
        return _read(revision, facts), f"{file} follows {revision}{several}"
    branch = counterpart(name, [each for each in sorted(facts.branches) if stage(each) is not None])
    if branch is not None:
        return Environment(branch=branch), f"by the name of the branch {branch}"
    if stage(name) == PRODUCTION and _releases(facts):
        return Environment(tag=_glob(facts)), f"a guess: there are tags such as {_releases(facts)[-1]}"
    return Environment(branch=facts.default_branch), "a guess: no Application and no branch says what it follows"


def _read(revision: str, facts: Facts) -> Environment:
    """What a ``targetRevision`` means: a branch, or tags."""
    if revision.startswith("refs/tags/") and "*" not in revision:
        return Environment(tag=_glob(facts))
    revision = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
    if revision in facts.branches:
        return Environment(branch=revision)
    if revision in ("", "HEAD") or _COMMIT.fullmatch(revision) or not revision.isprintable():
        return Environment(branch=facts.default_branch)
    if _RANGE.search(revision):
        return Environment(tag=_glob(facts))
    if "*" in revision:
        return Environment(tag=revision)
    if revision in facts.tags or _VERSION.fullmatch(revision):
        return Environment(tag=_glob(facts))
    return Environment(branch=revision)


def _releases(facts: Facts) -> list[str]:
    return sorted(tag for tag in facts.tags if _RELEASE.fullmatch(tag))


def _glob(facts: Facts) -> str:
    releases = _releases(facts)
    return "*.*.*" if releases and not any(tag.startswith("v") for tag in releases) else "v*.*.*"


def _by_branches(facts: Facts) -> tuple[ProposedEnvironment, ...]:
    """By branches alone: development where a branch is called so, then what is merged into, then release tags."""
    develop = [branch for branch in sorted(facts.branches) if stage(branch) == 0]
    if not develop or facts.default_branch == develop[0]:
        return ()
    made = [
        ProposedEnvironment(
            name="development",
            follows=Environment(branch=develop[0]),
            why=(f"by the name of the branch {develop[0]}",),
        ),
        ProposedEnvironment(
            name="staging",
            follows=Environment(branch=facts.default_branch),
            why=("a guess: what development is merged into",),
        ),
    ]
    if _releases(facts):
        made.append(
            ProposedEnvironment(
                name="production",
                follows=Environment(tag=_glob(facts), protected=True),
                why=(f"a guess: there are tags such as {_releases(facts)[-1]}",),
            )
        )
    return tuple(made)
