"""``gitops-bot doctor``: what is here, what is missing, and what to do about it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import click
import msgspec

if TYPE_CHECKING:
    from gitops_bot.doors.git import Repository

State = Literal["ok", "warning", "problem"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    subject: str
    state: State = "ok"
    """``warning``: less is shown or protected, ``problem``: something will fail."""
    found: str
    next_step: str = ""
    """What to do about it, ``""`` when nothing needs doing."""
    exit_code: int = 0
    """That commands would end with because of it; 0 unless it is a problem."""


@click.command("doctor")
@click.option("--repo", default=".", show_default="here", metavar="DIR", help="The Git repository.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(*, repo: str, format_: Literal["text", "json"]) -> int:
    """Say what is missing here and what to do about it.

    Exits with 0 when nothing will fail, else with the highest code that commands would end with.
    """
    checks = list(examine(repo))
    code = max(check.exit_code for check in checks)
    if format_ == "json":
        report = {"schemaVersion": "1", "checks": checks, "exitCode": code}
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        click.echo(to_text(checks))
    return code


def examine(repo: str) -> Iterator[Check]:
    """Every check, in the order in which they are shown; ``repo`` is a directory."""
    yield _python()
    yield _git()
    yield from _tools()
    yield from _isolation()
    yield _cache()
    yield from _repository(repo)


def to_text(checks: list[Check]) -> str:
    """The checks as a table, and what to do."""
    marks: dict[State, str] = {"ok": "ok", "warning": "warn", "problem": "FAIL"}
    width = max(len(check.subject) for check in checks)
    lines = []
    for check in checks:
        first, *rest = check.found.splitlines()
        lines.append(f"{marks[check.state]:<4}  {check.subject:<{width}}  {first}")
        indent = " " * (width + 8)
        lines += [indent + line for line in rest]
        if check.next_step:
            lines.append(f"{indent}→ {check.next_step}")
    problems = sum(check.state == "problem" for check in checks)
    warnings = sum(check.state == "warning" for check in checks)
    lines.append("")
    lines.append(f"{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}")
    return "\n".join(lines)


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


# -- the machine ------------------------------------------------------------------------------------------------------


def _python() -> Check:
    from gitops_bot import __version__

    version = platform.python_version()
    found = f"gitops-bot {__version__} on Python {version} ({sys.executable})"
    return Check(subject="program", found=found)


def _git() -> Check:
    from gitops_bot.doors import health
    from gitops_bot.errors import GitError

    version = health.git_version()
    if not version:
        return Check(subject="git", state="problem", found="not on PATH", next_step="install git 2.38 or newer",
                     exit_code=GitError.exit_code)  # fmt: skip
    if not health.merges(version):
        return Check(subject="git", state="warning", found=f"{version} compares base and head directly, unmerged",
                     next_step="install git 2.38 or newer to see what merging would change")  # fmt: skip
    return Check(subject="git", found=version)


def _tools() -> Iterator[Check]:
    from gitops_bot.doors import tools
    from gitops_bot.errors import ToolError

    for name in tools.NAMES:
        try:
            tool = tools.find(name)
        except ToolError as error:
            yield Check(subject=name, state="problem", found=error.message, next_step=error.hint,
                        exit_code=error.exit_code)  # fmt: skip
        else:
            yield Check(subject=name, found=f"{tool.label.removeprefix(name).strip()} ({tool.path})")


def _isolation() -> Iterator[Check]:
    from gitops_bot.doors import health, process

    yield Check(subject="isolation", found="renderers run with a home of their own and none of your variables")
    if process.network_guard():
        yield Check(subject="network", found="renderers run in an empty network namespace")
    else:
        yield Check(subject="network", state="warning",
                    found="no network namespace for renderers; only a dead proxy keeps them offline",
                    next_step="allow unprivileged user namespaces where untrusted charts are rendered")  # fmt: skip
    if not health.limits_memory():
        yield Check(subject="memory", state="warning", found="renderers have no memory limit on this platform")


def _cache() -> Check:
    from gitops_bot.doors import health, tools

    directory = tools.user_cache()
    why = health.why_not_writable(directory)
    if why:
        return Check(subject="cache", state="warning", found=f"{directory}: {why}; everything is made anew each time",
                     next_step="name another directory with --cache or XDG_CACHE_HOME")  # fmt: skip
    return Check(subject="cache", found=str(directory))


# -- the repository ---------------------------------------------------------------------------------------------------


def _repository(directory: str) -> Iterator[Check]:
    from gitops_bot.doors import health
    from gitops_bot.doors.git import Repository
    from gitops_bot.errors import GitError

    try:
        with Repository(directory) as repository:
            yield Check(subject="repository", found=repository.directory)
            if health.is_shallow(repository.directory):
                yield Check(subject="history", state="warning", found="this clone is shallow",
                            next_step="git fetch --unshallow (in a workflow: fetch-depth: 0)")  # fmt: skip
            yield _default_branch(repository.commit)
            yield _settings(repository)
    except GitError as error:
        yield Check(subject="repository", state="problem", found=error.message, next_step=error.hint,
                    exit_code=error.exit_code)  # fmt: skip


def _default_branch(commit: Callable[[str], str]) -> Check:
    from gitops_bot.errors import UsageError

    try:
        commit("origin/HEAD")
    except UsageError as error:
        return Check(subject="base", state="warning", found="origin/HEAD is not known", next_step=error.hint)
    return Check(subject="base", found="origin/HEAD")


def _settings(repository: Repository) -> Check:
    from gitops_bot.errors import UsageError
    from gitops_bot.render.settings import FILE, read_clusters, read_settings

    tree = repository.tree("HEAD") if repository.root is None else repository.working_tree()
    try:
        read_settings(tree)
        clusters = read_clusters(tree)
    except UsageError as error:
        return Check(subject="settings", state="problem", found=error.message, next_step=error.hint,
                     exit_code=error.exit_code)  # fmt: skip
    found = f"{FILE} is valid" if FILE in tree else f"no {FILE}; the defaults hold"
    snapshots = f"; capability snapshots: {', '.join(clusters)}" if clusters else ""
    return Check(subject="settings", found=found + snapshots)
