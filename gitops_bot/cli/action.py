"""``gitops-bot action``: what action.yml starts in a workflow."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_bot.errors import BotError

if TYPE_CHECKING:
    from gitops_bot.actions.bump import Wish
    from gitops_bot.actions.commands import Console
    from gitops_bot.actions.comments import Questions, Sign
    from gitops_bot.actions.environment import Runner
    from gitops_bot.actions.flow import Doors
    from gitops_bot.actions.inputs import Inputs
    from gitops_bot.actions.move import Move
    from gitops_bot.actions.sides import Sides
    from gitops_bot.cli.writing import Place
    from gitops_bot.doors.github.api import GitHub
    from gitops_bot.doors.history import Origin
    from gitops_bot.model.reviewed import Reviewed
    from gitops_bot.writeback.bumps.request import ModelRequest
    from gitops_bot.writeback.outcome import Outcome


@click.command("action")
def command() -> int:
    """Run as the GitHub Action.

    Inputs, event and files come from the environment of a workflow's step; docs/reference/action.md explains them.
    The exit codes are those of the other commands.
    """
    from gitops_bot.actions.commands import Console

    console = Console(sys.stdout)
    try:
        _run(console, os.environ)
    except BotError as error:
        lines = [error.message, *([f"next: {error.hint}"] if error.hint else [])]
        console.error("\n".join(lines), title="gitops-bot")
        return error.exit_code
    return 0


def _run(console: Console, environ: Mapping[str, str]) -> None:
    import tempfile

    from gitops_bot import log
    from gitops_bot.actions.commands import ConsoleHandler
    from gitops_bot.actions.environment import place, read_runner
    from gitops_bot.actions.event import activity, read_event
    from gitops_bot.actions.flow import run
    from gitops_bot.actions.inputs import read_inputs, secret_values
    from gitops_bot.actions.work import Work
    from gitops_bot.doors.conceal import forms

    for secret in (*secret_values(environ), environ.get("GITOPS_BOT_DEPLOY_KEY", "")):
        console.mask(*forms(secret))
    runner, inputs = read_runner(environ), read_inputs(environ)
    log.attach(ConsoleHandler(console), debug=runner.debug)
    for empty in inputs.fetch_credentials.unset if inputs.fetch_credentials else ():
        console.say(
            f"fetch_credentials has an empty secret for {empty}: nothing is sent there (forks and Dependabot get none)"
        )
    found = activity(runner.event_name, read_event(runner.event_path, runner.event_name), runner.ref)
    checkout = place(runner.workspace, inputs.working_directory, name="working_directory")
    with tempfile.TemporaryDirectory(prefix="gitops-bot-action-") as scratch:
        outside = _Outside(console, runner, inputs, checkout, Path(scratch), environ)
        try:
            run(Work(runner=runner, inputs=inputs, activity=found, console=console), outside.doors())
        finally:
            outside.close()


class _Outside:
    """The doors of one run, opened when they are needed."""

    def __init__(
        self,
        console: Console,
        runner: Runner,
        inputs: Inputs,
        checkout: str,
        scratch: Path,
        environ: Mapping[str, str],
    ) -> None:
        self._console = console
        self._runner = runner
        self._inputs = inputs
        self._checkout = checkout
        self._scratch = scratch
        self._environ = environ

    def doors(self) -> Doors:
        from gitops_bot.actions.flow import Doors
        from gitops_bot.doors.history import checked_out

        return Doors(
            checked_out=lambda: checked_out(self._checkout, self._scratch),
            resolve=self._resolve,
            review=self._review,
            github=lambda: self._github,
            questions=self._questions,
            react=self._react,
            write=self._write,
            ask=self._ask,
            carry=self._carry,
        )

    def close(self) -> None:
        from gitops_bot.actions.written import hand_over

        if "_github" in self.__dict__:
            self._github.close()
        if self._inputs.cache:
            with contextlib.suppress(OSError):
                hand_over(self._runner.workspace, self._cache_directory())

    @cached_property
    def _github(self) -> GitHub:
        return self._open(self._runner.repository)

    def _open(self, repository: str) -> GitHub:
        """The API of a repository, with the App where there is one."""
        from gitops_bot.doors.github.api import GitHub
        from gitops_bot.doors.github.auth import App, Token

        given = self._inputs
        auth: Token | App = Token(given.token)
        if given.app_id:
            auth = App(given.app_id, given.app_private_key, given.app_installation_id)
        return GitHub(api_url=self._runner.api_url, repository=repository, auth=auth, mask=self._console.mask)

    def _token(self, repository: str) -> str:
        """The token that writes to a repository; an App's is made for that one alone."""
        if not self._inputs.app_id:
            return self._inputs.token
        github = self._open(repository)
        try:
            return github.token()
        finally:
            github.close()

    @contextlib.contextmanager
    def _place(self, repository: str) -> Iterator[Place]:
        """The repository that is written to, ``""`` for the workflow's own. Raises UsageError, GitHubError."""
        from gitops_bot.cli.workspace import Wanted
        from gitops_bot.cli.writing import find_target, open_place
        from gitops_bot.errors import UsageError

        inputs = self._inputs
        target = find_target(self._checkout, repository, self._environ)
        environ = {**self._environ, "GITHUB_TOKEN": self._token(target.name), "GH_TOKEN": ""}
        if not environ["GITHUB_TOKEN"] and not environ.get("GITOPS_BOT_DEPLOY_KEY"):
            raise UsageError(
                f"token: is missing; nothing allows to write to {target.name}",
                hint="its default is the workflow's own; or set app_id and app_private_key, or a deploy key",
            )
        wanted = Wanted(cache_dir=self._cache(""), offline=inputs.offline, credentials=inputs.fetch_credentials)
        with open_place(target, self._checkout, environ, wanted) as place:
            yield place

    def _write(self, wish: Wish) -> Outcome:
        from gitops_bot.cli.bumping import bump_there
        from gitops_bot.cli.writing import branch_of

        with self._place(wish.repository) as place:
            branch = wish.branch or branch_of(place, wish.request.environment)
            return bump_there(place, wish.request, branch=branch, mode=wish.mode or None, dry_run=wish.dry_run)

    def _ask(self, server: str, model: str, alias: str) -> ModelRequest:
        from gitops_bot.cli.bumping import registered
        from gitops_bot.doors.credentials import load

        given = self._inputs.fetch_credentials
        return registered(server, model, alias, load(self._environ) if given is None else given)

    def _carry(self, move: Move) -> Outcome:
        from gitops_bot.cli.moving import carry_there

        with self._place(move.repository) as place:
            return carry_there(place, move)

    def _questions(self) -> Questions:
        from gitops_bot.actions.comments import Questions
        from gitops_bot.doors.github.people import PeopleDoor
        from gitops_bot.doors.github.pushes import pushes

        github = self._github
        return Questions(
            may_write=PeopleDoor(github).may_write,
            pull=github.pull,
            pushes=lambda repository, branch: pushes(github, repository, branch),
        )

    def _react(self, comment: int, sign: Sign) -> None:
        from gitops_bot.doors.github.people import PeopleDoor

        PeopleDoor(self._github).react(comment, sign)

    def _origin(self) -> Origin:
        from gitops_bot.doors.history import Origin

        token = self._github.token() if self._inputs.app_id else self._inputs.token
        return Origin(self._runner.repository_url, token)

    def _resolve(self, revision: str) -> str:
        from gitops_bot.doors.history import resolve

        offline = self._inputs.offline
        return resolve(self._checkout, revision, origin=self._origin(), scratch=self._scratch, offline=offline)

    def _review(self, sides: Sides) -> Reviewed:
        from gitops_bot.cli.reviewer import Revisions, run_review
        from gitops_bot.cli.workspace import Wanted
        from gitops_bot.doors.history import bring

        inputs = self._inputs
        cache = self._cache(sides.scope)
        directory = bring(
            self._checkout,
            [sides.base, sides.head],
            origin=self._origin(),
            scratch=self._scratch,
            offline=inputs.offline,
        )
        wanted = Wanted(cache_dir=cache, offline=inputs.offline, credentials=inputs.fetch_credentials)
        revisions = Revisions(
            repo=directory, base=sides.base, head=sides.head, branch=sides.branch, direct=sides.direct
        )
        return run_review(revisions, wanted, apps=inputs.apps)

    def _cache(self, scope: str) -> str | None:
        """The cache's directory; a fork has one of its own, so that what its runs leave is read by no other."""
        import hashlib

        if not self._inputs.cache:
            return None
        from gitops_bot.actions.written import take_over

        with contextlib.suppress(OSError):
            take_over(self._cache_directory())
        part = f"fork-{hashlib.sha256(scope.encode()).hexdigest()[:16]}" if scope else "own"
        return os.path.join(self._cache_directory(), part)

    def _cache_directory(self) -> str:
        from gitops_bot.actions.environment import place

        return place(self._runner.workspace, self._inputs.cache, name="cache", outside=True)
