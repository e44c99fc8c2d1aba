"""What commands that write need, opened in one place: the repository that is written to, and GitHub where it is."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from gitops_bot.cli.workspace import Wanted, open_workspace
from gitops_bot.doors.git import Repository
from gitops_bot.doors.history import Origin, ancestry
from gitops_bot.doors.push import Clone
from gitops_bot.errors import GitError, UsageError
from gitops_bot.model.tree import Tree
from gitops_bot.render.settings import read_settings
from gitops_bot.writeback.environments import branch_of as branch_of_environment
from gitops_bot.writeback.landing.land import LandingDoors
from gitops_bot.writeback.shadow import Renderer

if TYPE_CHECKING:
    from gitops_bot.doors.github.writing import Writing

_REMOTE = re.compile(
    r"(?:https?://(?:[^@/]*@)?|ssh://[^@/]*@|[^@/:]+@)(?P<host>[^/:]+)[/:](?P<name>[^/]+/[^/]+?)(?:\.git)?/?"
)
_HINT = "set GITHUB_TOKEN, or GITOPS_BOT_DEPLOY_KEY and GITOPS_BOT_KNOWN_HOSTS; --no-commit only edits the working tree"
_CREDENTIALS = ("GITHUB_TOKEN", "GH_TOKEN", "GITOPS_BOT_DEPLOY_KEY")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The repository that is written to."""

    server: str
    """``https://github.com``."""
    api: str
    name: str
    """``owner/name``."""
    own: bool
    """Whether it is the one of the checkout."""


class Place(NamedTuple):
    """A repository that can be written to."""

    target: Target
    clone: Clone
    github: Writing | None
    """None with a deploy key: there is only ``git push``."""
    checkout: str
    """Directory of a checkout whose history may tell which commit is older."""
    wanted: Wanted
    stack: ExitStack
    origin: Origin
    """Where ``clone`` reads from, with its credential."""
    scratch: Path
    """Directory of the run's own, for what has to be fetched beside the clone."""

    @property
    def landing(self) -> LandingDoors:
        """The doors that a proposal lands through."""
        return LandingDoors(clone=self.clone, github=self.github)

    def renderer(self, tree: Tree, commit: str) -> Renderer:
        """What renders a tree of this repository, with its own settings in force."""
        return open_renderer(self.stack, self.clone.repository, tree, commit, self.wanted)

    def ancestor(self, old: str, new: str) -> bool | None:
        """Whether a commit of the code is an ancestor of another; None where the checkout does not know."""
        return ancestry(self.checkout, old, new)


def only_here(environ: Mapping[str, str], *elsewhere: str, dry_run: bool) -> bool:
    """Whether a dry run looks at the working tree: it has no credential, and nothing names a place ``elsewhere``.

    Where it does, that is said.
    """
    here = dry_run and not any(elsewhere) and not any(environ.get(name) for name in _CREDENTIALS)
    if here:
        click.echo("note: without GITHUB_TOKEN this is what would change in the working tree, not at GitHub", err=True)
    return here


def open_renderer(stack: ExitStack, repository: Repository, tree: Tree, commit: str, wanted: Wanted) -> Renderer:
    """What renders trees of a repository; ``stack`` closes it. Raises UsageError for settings that are wrong."""
    workspace = stack.enter_context(open_workspace(repository, tree, wanted))
    return Renderer(lambda each: workspace.discover(each, commit), workspace.workshop.key, workspace.workshop.render)


def find_target(repo: str, repository: str, environ: Mapping[str, str]) -> Target:
    """Where is written to: ``repository`` (``owner/name``) where it is given, else the workflow's, else the remote's.

    Raises UsageError when nothing says it.
    """
    server = (environ.get("GITHUB_SERVER_URL") or "https://github.com").rstrip("/")
    own = environ.get("GITHUB_REPOSITORY", "")
    if not own:
        host, own = _remote_of(repo)
        if host and not environ.get("GITHUB_SERVER_URL"):
            if host != "github.com" and not host.endswith(".ghe.com"):
                raise UsageError(
                    f"the remote's host {host} is not known to be a GitHub, so no token is sent there",
                    hint="set GITHUB_SERVER_URL where it is your Enterprise Server",
                )
            server = f"https://{host}"
    name = repository or own
    if not re.fullmatch(r"[A-Za-z0-9_-]+/[A-Za-z0-9._-]+", name):
        raise UsageError("nothing says which repository is written to", hint="name it with --repository OWNER/NAME")
    derived = "https://api.github.com" if server == "https://github.com" else f"{server}/api/v3"
    api = (environ.get("GITHUB_API_URL") or derived).rstrip("/")
    return Target(server=server, api=api, name=name, own=name.lower() == own.lower())


def _remote_of(repo: str) -> tuple[str, str]:
    """Host and ``owner/name`` of a checkout's first remote, empty when it has none."""
    try:
        with Repository(repo) as repository:
            found = (_REMOTE.fullmatch(url) for url in repository.remotes())
            return next(((match["host"], match["name"]) for match in found if match), ("", ""))
    except GitError:
        return "", ""


@contextmanager
def open_place(target: Target, repo: str, environ: Mapping[str, str], wanted: Wanted) -> Iterator[Place]:
    """Open the repository that is written to. Raises UsageError without any credential, GitHubError."""
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or ""
    key = environ.get("GITOPS_BOT_DEPLOY_KEY", "")
    if not token and not key:
        raise UsageError(f"nothing allows to write to {target.name}", hint=_HINT)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-bot-write-")))
        url = f"{target.server}/{target.name}"
        if key:
            from gitops_bot.doors.deploy_key import with_deploy_key

            host = target.server.partition("://")[2]
            known = environ.get("GITOPS_BOT_KNOWN_HOSTS", "")
            origin = with_deploy_key(f"git@{host}:{target.name}.git", key, known, scratch=scratch)
        else:
            origin = Origin(url, token)
        clone = stack.enter_context(
            Clone(origin, scratch / "clone", checkout=repo if target.own else "", secrets=(token, key))
        )
        github = _github(stack, target, token) if token else None
        yield Place(target, clone, github, repo, wanted, stack, origin, scratch)


def _github(stack: ExitStack, target: Target, token: str) -> Writing:
    from gitops_bot.doors.github.api import GitHub
    from gitops_bot.doors.github.auth import Token
    from gitops_bot.doors.github.commits import WRITING
    from gitops_bot.doors.github.writing import writing

    door = GitHub(api_url=target.api, repository=target.name, auth=Token(token), patience=WRITING)
    stack.callback(door.close)
    return writing(door)


def branch_of(place: Place, environment: str | None) -> str:
    """The branch that is written to: the environment's, else the workflow's own, else the default one.

    Raises UsageError for an environment that is unknown.
    """
    default = place.clone.default_branch()
    if environment is not None:
        return branch_of_environment(read_settings(place.clone.head(default).tree), environment)
    ref = os.environ.get("GITHUB_REF", "")  # for a pull request it is its merge, which is no branch
    return ref.removeprefix("refs/heads/") if place.target.own and ref.startswith("refs/heads/") else default
