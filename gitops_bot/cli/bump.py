"""``gitops-bot bump``: write a new image tag or model version into Git."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from gitops_bot.cli import options
from gitops_bot.errors import UsageError

if TYPE_CHECKING:
    from gitops_bot.cli.workspace import Wanted
    from gitops_bot.writeback.bumps.bump import Nothing
    from gitops_bot.writeback.bumps.request import BumpRequest, Item, Source

Mode = Literal["auto", "api", "push", "pull-request"]


@click.command("bump")
@options.repository
@click.option("--image", "images", multiple=True, metavar="REPO:TAG[@DIGEST]", help="An image; may be repeated.")
@click.option("--digest", "digests", multiple=True, metavar="sha256:…", help="Digest of the --image in the same place.")
@click.option("--file", "files", multiple=True, metavar="FILE", help="A YAML file, for --path and --value.")
@click.option("--path", "paths", multiple=True, metavar="ADDRESS", help="Where in --file: image.tag, list[name=a].b.")
@click.option("--value", "values", multiple=True, metavar="TEXT",
              help="What is written at --path; over a number, a number stays one.")  # fmt: skip
@click.option("--model", metavar="NAME", help="A model; with the next four, all or nothing.")
@click.option("--model-version", metavar="VERSION")
@click.option("--model-path", metavar="URI")
@click.option("--data-version", metavar="DIGEST")
@click.option("--run-url", metavar="URL", help="The training run.")
@click.option("--metrics", metavar="FILE", type=click.Path(exists=True, dir_okay=False), help="Its metrics, JSON.")
@click.option("--from-mlflow", metavar="URL", help="Ask this MLflow server what --alias of --model means now.")
@click.option("--alias", metavar="NAME", help="With --from-mlflow: champion.")
@click.option("--input", "input_", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True),
              help="All of it as JSON (- reads it), or the payload of a Weights & Biases automation.")  # fmt: skip
@click.option("--environment", metavar="NAME", help="Where to; its branch is the one that is written to.")
@click.option("--repository", default="", metavar="OWNER/NAME", help="Where the configuration lives, if not here.")
@click.option("--branch", default="", metavar="NAME", help="What is written to.  [default: the environment's]")
@click.option("--mode", type=click.Choice(["auto", "api", "push", "pull-request"]), help="[default: commit.mode]")
@click.option("--source-commit", default="", metavar="SHA", help="The commit that was built.")
@click.option("--build-url", default="", metavar="URL", help="The build.")
@click.option("--allow-downgrade", is_flag=True, help="Also write something older than what is there.")
@click.option("--create", is_flag=True, help="Add keys that are not there.")
@click.option("--dry-run", is_flag=True, help="Print the change and write nothing.")
@click.option("--no-commit", is_flag=True, help="Only edit the working tree.")
@click.option("--offline", is_flag=True, help="Fetch no charts for looking at the effect.")
def command(
    *,
    repo: str,
    repo_urls: tuple[str, ...],
    images: tuple[str, ...],
    digests: tuple[str, ...],
    files: tuple[str, ...],
    paths: tuple[str, ...],
    values: tuple[str, ...],
    model: str | None,
    model_version: str | None,
    model_path: str | None,
    data_version: str | None,
    run_url: str | None,
    metrics: str | None,
    from_mlflow: str | None,
    alias: str | None,
    input_: str | None,
    environment: str | None,
    repository: str,
    branch: str,
    mode: Mode | None,
    source_commit: str,
    build_url: str,
    allow_downgrade: bool,
    create: bool,
    dry_run: bool,
    no_commit: bool,
    offline: bool,
) -> int:
    """Write a new image tag or model version into Git.

    One commit that explains itself, or a pull request, byte-exact, never over what others have pushed. Exits with 0
    when it is written or there already, 2 for wrong options, 6 when GitHub refuses, 8 when a hold, a protected
    environment, a threshold or the file itself stands against it.
    """
    from gitops_bot.cli.workspace import Wanted
    from gitops_bot.cli.writing import only_here
    from gitops_bot.writeback.bumps.request import ModelOptions, request_from_options

    asked = None
    told = any((model_version, model_path, data_version, run_url, metrics))
    if from_mlflow is not None or alias is not None:
        if not (from_mlflow and alias and model) or told:
            raise UsageError(
                "--from-mlflow goes with --model and --alias, and the server tells the rest of the model",
                hint="leave out --model-version and the other options of a model",
            )
    elif model or told:
        asked = ModelOptions(
            name=model or "",
            version=model_version or "",
            path=model_path or "",
            data=data_version or "",
            run_url=run_url or "",
            metrics=Path(metrics).read_bytes() if metrics else b"",
        )
    source = _source(source_commit, build_url)
    if input_ is not None:
        request = _from_file(input_, environment, allow_downgrade, create)
    else:
        from gitops_bot.writeback.bumps.request import BumpRequest

        items: tuple[Item, ...] = ()
        if from_mlflow and alias and model:
            from gitops_bot.cli.bumping import registered
            from gitops_bot.doors.credentials import load

            items = (registered(from_mlflow, model, alias, load(os.environ)),)
        if not items or any((images, digests, files, paths, values)):
            items += request_from_options(
                images=images, digests=digests, files=files, paths=paths, values=values, model=asked
            )
        request = BumpRequest(
            items=items, environment=environment, source=source, allow_downgrade=allow_downgrade, create=create
        )
    wanted = Wanted(repo_urls=repo_urls, offline=offline)
    if no_commit or only_here(os.environ, repository, branch, dry_run=dry_run):
        _edit_here(repo, request, wanted, dry_run=dry_run)
    else:
        _commit(repo, repository, branch, mode, request, wanted, dry_run=dry_run)
    return 0


def _source(commit: str, build_url: str) -> Source:
    """Where the bump comes from: the options, else the workflow that runs us. Raises UsageError."""
    from gitops_bot.writeback.bumps.request import Source, source_problems

    env = os.environ
    repository, server = env.get("GITHUB_REPOSITORY", ""), env.get("GITHUB_SERVER_URL", "")
    commit = commit or env.get("GITHUB_SHA", "")
    run_id = env.get("GITHUB_RUN_ID", "")
    page = f"{server}/{repository}" if server and repository else ""
    found = Source(
        repository=repository,
        commit=commit,
        commit_url=f"{page}/commit/{commit}" if page and commit else "",
        run=int(run_id) if run_id.isdecimal() else 0,
        run_url=build_url or (f"{page}/actions/runs/{run_id}" if page and run_id else ""),
        actor=env.get("GITHUB_ACTOR", ""),
    )
    problems = source_problems(found)
    if problems:
        raise UsageError("; ".join(problems), hint="check --source-commit and --build-url")
    return found


def _from_file(path: str, environment: str | None, allow_downgrade: bool, create: bool) -> BumpRequest:
    import msgspec

    from gitops_bot.writeback.bumps.payloads import read_request

    data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    request = read_request(data)
    return msgspec.structs.replace(
        request,
        environment=environment or request.environment,
        allow_downgrade=allow_downgrade,
        create=create,
    )


def _edit_here(repo: str, request: BumpRequest, wanted: Wanted, *, dry_run: bool) -> None:
    """Edit the working tree, or print what would be edited."""
    from gitops_bot.cli.told import print_change, say_edited
    from gitops_bot.cli.writing import open_renderer
    from gitops_bot.doors.git import Repository
    from gitops_bot.doors.history import ancestry
    from gitops_bot.model.writeback import Head
    from gitops_bot.render.settings import read_settings
    from gitops_bot.writeback.bumps.bump import BumpDoors, Nothing, bump
    from gitops_bot.writeback.editor.files import changes_of, write_files

    with ExitStack() as stack:
        repository = stack.enter_context(Repository(repo))
        head = Head(branch="", commit="", tree=repository.working_tree())
        doors = BumpDoors(
            now=datetime.now(UTC),
            past=repository.messages,
            ancestor=lambda old, new: ancestry(repo, old, new),
            renderer=open_renderer(stack, repository, head.tree, "", wanted),
        )
        found = bump(head, request, read_settings(head.tree), doors)
        if isinstance(found, Nothing):
            _say_nothing(found)
        elif dry_run:
            print_change(head, found)
        else:
            assert repository.root is not None
            write_files(repository.root, changes_of(head.tree, found))
            say_edited(found)


def _commit(
    repo: str, name: str, branch: str, mode: Mode | None, request: BumpRequest, wanted: Wanted, *, dry_run: bool
) -> None:
    """Commit to the branch, or propose it; or print what would be committed."""
    from gitops_bot.cli.bumping import bump_there
    from gitops_bot.cli.told import say_landed, say_notes
    from gitops_bot.cli.writing import branch_of, find_target, open_place

    with open_place(find_target(repo, name, os.environ), repo, os.environ, wanted) as place:
        where = branch or branch_of(place, request.environment)
        done = bump_there(place, request, branch=where, mode=mode, dry_run=dry_run)
    if dry_run and done.proposal is not None:
        click.echo(f"{done.proposal.subject}\n{done.proposal.message}")
        say_notes(done.proposal.notes)
        click.echo(done.diff)
    if done.landed is not None:
        say_landed(done.landed, where)
    if done.nothing is not None:
        _say_nothing(done.nothing)


def _say_nothing(nothing: Nothing) -> None:
    click.echo(f"nothing to commit: {nothing.reason}")
    for note in nothing.notes:
        click.echo(f"  {note}")
