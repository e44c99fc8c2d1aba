"""gitops-bot's side of the comparison, through its Python interface: no cache, no network, no options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from gitops_bot.cli.workspace import Wanted, open_workspace
from gitops_bot.doors.git import Repository, text_diff
from gitops_bot.doors.jq import JqWorker
from gitops_bot.model.application import HelmOptions, KustomizeOptions, Source
from gitops_bot.model.report import Compared, Report
from gitops_bot.model.target import Kind, Target
from gitops_bot.model.tree import Tree
from gitops_bot.render.discover import Discovery
from gitops_bot.render.plain import KUSTOMIZATIONS
from gitops_bot.render.prepared import Capabilities
from gitops_bot.review.flow import Doors, Request, review


class Reviewed(NamedTuple):
    """One changed-only diff."""

    report: Report
    base: Mapping[str, Target]
    head: Mapping[str, Target]
    runs: int
    """How many times a renderer was run."""
    refused: Mapping[str, str]
    """Targets of the head that cannot be prepared, and why."""


def diff(repository: str, base: str, head: str, urls: tuple[str, ...] = ()) -> Reviewed:
    """Compare two commits as ``gitops-bot diff --no-cache --offline`` does."""
    wanted = Wanted(repo_urls=urls, no_cache=True, offline=True)
    with Repository(repository) as git, JqWorker() as jq:
        compared = git.compare(base, head)
        with open_workspace(git, compared.base, wanted) as workspace:
            before = workspace.discover(compared.base, compared.base_commit)
            after = workspace.discover(compared.head, compared.head_commit)
            request = Request(
                compared=Compared(base=compared.base_commit, head=compared.head_commit, how=compared.how),
                plans=False,
                reaches=workspace.reaches(""),
            )
            doors = Doors(workshop=workspace.workshop, delete_jq=jq.delete, text_diff=text_diff)
            report = review(before, after, request, doors)
            return Reviewed(report, _targets(before), _targets(after), workspace.workshop.runs, _refused(after))


def targets(repository: str, revision: str, urls: tuple[str, ...] = ()) -> tuple[dict[str, Target], dict[str, str]]:
    """What is deployed from a commit, and why some of it cannot be rendered (by id)."""
    with Repository(repository) as git:
        commit = git.commit(revision)
        tree = git.tree(commit)
        with open_workspace(git, tree, Wanted(repo_urls=urls, no_cache=True, offline=True)) as workspace:
            found = workspace.discover(tree, commit)
            return _targets(found), _refused(found)


def _targets(found: Discovery) -> dict[str, Target]:
    return {key: msgspec.structs.replace(one.target, id=key) for key, one in found.preparations.items()}


def _refused(found: Discovery) -> dict[str, str]:
    return {key: one.error.message for key, one in found.preparations.items() if one.error is not None}


def renders(
    repository: str, revision: str, urls: tuple[str, ...] = (), *, every_root: bool = False
) -> dict[str, tuple[Target, bytes, str]]:
    """What ``gitops-bot render --show-secrets --no-cache --offline`` makes of each target, by id.

    Each is the target, its manifests as rendered, and why there are none (``""`` when there are). ``every_root`` adds
    the charts and kustomizations that are no targets, because another one includes them.
    """
    wanted = Wanted(repo_urls=urls, no_cache=True, offline=True)
    with Repository(repository) as git:
        tree = git.tree(revision)
        with open_workspace(git, tree, wanted) as workspace:
            found = workspace.discover(tree, git.commit(revision))
            targets, prepared = _targets(found), list(found.preparations.values())
            for target in _other_roots(tree, targets) if every_root else ():
                targets[target.id] = target
                prepared.append(workspace.workshop.prepare(target, tree, Capabilities()))
            made = workspace.workshop.render_in_order(prepared)
            return {
                key: (target, rendering.manifests, rendering.error.message if rendering.error else "")
                for (key, target), (_, rendering) in zip(targets.items(), made, strict=True)
            }


def _other_roots(tree: Tree, known: Mapping[str, Target]) -> list[Target]:
    """Every directory with a chart or a kustomization that none of the targets starts from."""
    taken = {source.path for target in known.values() for source in target.sources}
    found: dict[str, Target] = {}
    for path in tree.below(""):
        home, _, name = path.rpartition("/")
        entry = tree.entry(path)
        if home in taken or home in found or entry is None or not entry.is_file:
            continue
        if name == "Chart.yaml":
            source, namespace = Source(path=home, helm=HelmOptions(release_name=home.rpartition("/")[2])), "default"
        elif name in KUSTOMIZATIONS:
            source, namespace = Source(path=home, kustomize=KustomizeOptions()), ""
        else:
            continue
        identity = f"root:{home}"
        kind: Kind = "Helm" if source.helm else "Kustomize"
        found[home] = Target(
            id=identity, name=home, file=home, kind=kind, path=home, namespace=namespace, sources=(source,)
        )
    return list(found.values())
