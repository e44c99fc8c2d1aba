"""``gitops-bot apps``: what is deployed from a repository."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import click

from gitops_bot.cli import options

if TYPE_CHECKING:
    from gitops_bot.model.listing import ListedSource, Listing
    from gitops_bot.render.discover import Discovery
    from gitops_bot.render.workshop import Preparation


@click.command("apps")
@options.repository
@click.option("--rev", metavar="REV", help="Where to look.  [default: the working tree]")
@options.selection
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@options.cache
def command(
    *,
    repo: str,
    repo_urls: tuple[str, ...],
    rev: str | None,
    apps: tuple[str, ...],
    format_: Literal["text", "json"],
    cache_dir: str | None,
    no_cache: bool,
    offline: bool,
) -> int:
    """List what is deployed from this repository: Applications, charts, overlays and directories.

    Says of each where it is defined, what it is rendered from and why it cannot be rendered, if so.
    """
    from gitops_bot.cli.workspace import Wanted, open_workspace, refuse_unmatched
    from gitops_bot.doors.git import Repository
    from gitops_bot.text.listing import to_json, to_text

    wanted = Wanted(repo_urls=repo_urls, cache_dir=cache_dir, no_cache=no_cache, offline=offline)
    with Repository(repo) as repository:
        commit = repository.commit(rev) if rev is not None else ""
        tree = repository.tree(commit) if commit else repository.working_tree()
        with open_workspace(repository, tree, wanted) as workspace:
            found = workspace.discover(tree, commit)
            refuse_unmatched(apps, [one.target for one in found.preparations.values()])
            listing = _listing(found, apps)
    sys.stdout.buffer.write(to_json(listing) if format_ == "json" else to_text(listing).encode())
    return 0


def _listing(found: Discovery, globs: tuple[str, ...]) -> Listing:
    """What was found, as a value to be shown."""
    from gitops_bot.model.listing import Listed, Listing
    from gitops_bot.render.select import is_selected

    return Listing(
        targets=tuple(
            Listed(
                id=one.target.id,
                name=one.target.name,
                kind=one.target.kind,
                file=one.target.file,
                path=one.target.path,
                namespace=one.target.namespace,
                parent=one.target.parent,
                sources=_sources(one),
                reason=one.error.told if one.error else "",
                warnings=one.warnings,
            )
            for one in found.preparations.values()
            if is_selected([one.target], globs)
        ),
        problems=found.problems,
    )


def _sources(one: Preparation) -> tuple[ListedSource, ...]:
    from gitops_bot.model.listing import ListedSource
    from gitops_bot.model.url import shown

    rendered = [source for source in one.target.sources if source.path is not None or source.chart]
    renderers: list[str] = [source.renderer for source in one.sources] or [""] * len(rendered)
    return tuple(
        ListedSource(
            renderer=renderer,
            repository=shown(source.repo_url),
            path=source.path or "",
            chart=source.chart or "",
            revision=source.target_revision if one.target.application else "",
        )
        for source, renderer in zip(rendered, renderers, strict=True)
    )
