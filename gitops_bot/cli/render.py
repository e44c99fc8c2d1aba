"""``gitops-bot render``: the manifests that would be applied."""

from __future__ import annotations

import sys

import click

from gitops_bot.cli import options
from gitops_bot.errors import RenderError


@click.command("render")
@options.repository
@click.option("--rev", metavar="REV", help="What to render.  [default: the working tree]")
@options.selection
@click.option("--show-secrets", is_flag=True, help="Print the values of Secrets instead of masks.")
@options.cache
def command(
    *,
    repo: str,
    repo_urls: tuple[str, ...],
    rev: str | None,
    apps: tuple[str, ...],
    show_secrets: bool,
    cache_dir: str | None,
    no_cache: bool,
    offline: bool,
) -> int:
    """Print the manifests that would be applied, target after target.

    Each target begins with a comment that names it. The values of Secrets are masked. Exits with 3 when something
    selected could not be rendered; the rest is printed all the same.
    """
    from gitops_bot.cli.workspace import Wanted, open_workspace, refuse_unmatched
    from gitops_bot.doors.git import Repository
    from gitops_bot.manifests.order import mask_stream
    from gitops_bot.manifests.yaml import YamlError
    from gitops_bot.render.select import is_selected
    from gitops_bot.render.unread import broken_source, unread, untold
    from gitops_bot.text.escape import visible, visible_lines

    wanted = Wanted(repo_urls=repo_urls, cache_dir=cache_dir, no_cache=no_cache, offline=offline)
    with Repository(repo) as repository:
        commit = repository.commit(rev) if rev is not None else ""
        tree = repository.tree(commit) if commit else repository.working_tree()
        with open_workspace(repository, tree, wanted) as workspace:
            found = workspace.discover(tree, commit)
            refuse_unmatched(apps, [one.target for one in found.preparations.values()])
            chosen = [one for one in found.preparations.values() if is_selected([one.target], apps)]
            failures = [] if apps else [(problem.id, problem.reason) for problem in found.problems]
            out = sys.stdout.buffer
            for preparation, rendering in workspace.workshop.render_in_order(chosen):
                error = rendering.error or broken_source(preparation)
                try:
                    manifests = rendering.manifests if show_secrets or error else mask_stream(rendering.manifests)
                except YamlError as unreadable:
                    error = unread(preparation, rendering.manifests) or untold(unreadable)
                if error is not None:
                    failures.append((preparation.target.id, error.told))
                    continue
                out.write(f"---\n# {visible(preparation.target.id)}\n".encode() + manifests)
            out.flush()
    for identity, reason in failures:
        click.echo(f"not rendered: {visible(identity)}", err=True)
        for line in visible_lines(reason):
            click.echo(f"      {line}", err=True)
    return RenderError.exit_code if failures else 0
