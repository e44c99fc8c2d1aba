"""One review with everything it needs, opened and closed again: what ``diff`` and the Action share."""

from __future__ import annotations

import time

import click
import msgspec

from gitops_bot.cli.progress import Progress
from gitops_bot.cli.workspace import (
    Wanted,
    changed_paths,
    missing_snapshots,
    open_workspace,
    refuse_unmatched,
    settings_problems,
)
from gitops_bot.doors.git import Repository, text_diff
from gitops_bot.doors.jq import JqWorker
from gitops_bot.model.report import Compared
from gitops_bot.model.reviewed import Reviewed
from gitops_bot.model.settings import Settings
from gitops_bot.model.tree import Tree
from gitops_bot.review.flow import Doors, Request, review
from gitops_bot.review.signals.context import Versions


class Revisions(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared with what."""

    repo: str
    """Directory of the repository."""
    base: str
    """What is merged into."""
    head: str | None
    """What is merged, None for the working tree."""
    branch: str = ""
    """Name of the base branch where ``base`` is a commit id; ``""``: what ``base`` itself names."""
    direct: bool = False
    """Compare the two as they are instead of the base with what a merge would give."""


class Clock:
    """Where the time of a run went, told on standard error when asked for."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._last = time.perf_counter()

    def mark(self, what: str) -> None:
        """What was done since the last mark."""
        now = time.perf_counter()
        if self._wanted:
            click.echo(f"{now - self._last:8.3f} s  {what}", err=True)
        self._last = now

    def count(self, what: str, number: int) -> None:
        """A number worth knowing beside the times."""
        if self._wanted:
            click.echo(f"{number:8}    {what}", err=True)


def run_review(
    revisions: Revisions, wanted: Wanted, *, apps: tuple[str, ...] = (), plans: bool = True, clock: Clock | None = None
) -> Reviewed:
    """Render both sides and compare them; ``apps`` selects, ``plans`` asks for plan hashes.

    Raises UsageError for unknown revisions, wrong settings and globs that match nothing; GitError and ToolError.
    """
    clock = clock or Clock(wanted=False)
    clock.mark("start")
    with Repository(revisions.repo) as repository, Progress() as progress, JqWorker() as jq:
        progress.say("reading both sides")
        compared = repository.compare(revisions.base, revisions.head, direct=revisions.direct)
        branch = revisions.branch or repository.branch_of(revisions.base)
        clock.mark("read the trees")
        with open_workspace(repository, compared.policy, wanted) as workspace:
            progress.say("finding what is deployed, and fetching what lies elsewhere")
            before = workspace.discover(compared.base, compared.base_commit)
            same = compared.base.oid == compared.head.oid
            after = before if same else workspace.discover(compared.head, compared.head_commit)
            found = [one.target for side in (before, after) for one in side.preparations.values()]
            refuse_unmatched(apps, found)
            if compared.tip is not None:  # what judges is the base as it is, not the older state that is compared
                judge = workspace.discover(compared.tip, "")
                before = msgspec.structs.replace(before, projects=judge.projects, clusters=judge.clusters)
            clock.mark("find what is deployed")
            request = Request(
                compared=Compared(
                    base=compared.base_commit,
                    head=compared.head_commit,
                    base_branch=branch,
                    how=compared.how,
                    conflicts=compared.conflicts,
                ),
                selected=apps,
                plans=plans,
                problems=settings_problems(compared.head),
                changed=changed_paths(compared.base, compared.head),
                reaches=workspace.reaches(branch),
                policy=workspace.policy,
                versions=Versions(workspace.kube_versions(compared.policy), workspace.kube_versions(compared.head)),
            )
            doors = Doors(
                workshop=workspace.workshop, delete_jq=jq.delete, text_diff=text_diff, progress=progress.update
            )
            report = review(before, after, request, doors)
            notes = (*report.notes, *missing_snapshots(compared.head), *workspace.warnings)
            clock.mark("render and compare")
            clock.count("renderer runs", workspace.workshop.runs)
            return Reviewed(
                report=msgspec.structs.replace(report, notes=notes),
                policy=workspace.policy,
                templates=_templates(compared.policy, workspace.policy),
            )


def _templates(tree: Tree, policy: Settings) -> dict[str, str]:
    """The repository's own templates; bytes that are no UTF-8 are replaced, the sandbox limits the rest."""
    found = {}
    for path in tree.children(policy.review.templates):
        if path.endswith(".j2"):
            found[path.rpartition("/")[2]] = tree.read(path).decode("utf-8", "replace")
    return found
