"""``gitops-bot fetch``: bring what rendering needs from elsewhere into the cache."""

from __future__ import annotations

import sys

import click

from gitops_bot.cli import options


@click.command("fetch")
@options.repository
@click.option("--rev", metavar="REV", help="What to fetch for.  [default: the working tree]")
@click.option("--base", metavar="REV", help="Whose settings say what may be fetched.  [default: as --rev]")
@click.option("--cache", "cache_dir", metavar="DIR", envvar="GITOPS_BOT_CACHE",
              help="Where fetched sources are kept.  [default: your cache directory]")  # fmt: skip
def command(*, repo: str, repo_urls: tuple[str, ...], rev: str | None, base: str | None, cache_dir: str | None) -> int:
    """Bring charts, other repositories and files that are needed from elsewhere into the cache.

    `diff` and `render` do it by themselves; this is for doing it beforehand, so that they can run with --offline.
    """
    from gitops_bot.cli.workspace import Wanted, open_workspace
    from gitops_bot.doors.git import Repository
    from gitops_bot.errors import FetchError
    from gitops_bot.text.fetched import to_text

    with Repository(repo) as repository:
        commit = repository.commit(rev) if rev is not None else ""
        tree = repository.tree(commit) if commit else repository.working_tree()
        policy = repository.tree(repository.commit(base)) if base is not None else tree
        with open_workspace(repository, policy, Wanted(repo_urls=repo_urls, cache_dir=cache_dir)) as workspace:
            found = workspace.discover(tree, commit)
            fetched = workspace.fetched
    errors = [one.error for one in found.preparations.values()]
    failures = sorted({error.told for error in errors if isinstance(error, FetchError)})
    sys.stdout.write(to_text(fetched, failures))
    return FetchError.exit_code if failures else 0
