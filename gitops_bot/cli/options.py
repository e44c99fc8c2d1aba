"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def repository(command: _Command) -> _Command:
    """``--repo`` and ``--repo-url``."""
    for option in (
        click.option("--repo-url", "repo_urls", multiple=True, metavar="URL",
                     help="Another URL that means this repository in Applications; may be repeated."),
        click.option("--repo", default=".", show_default="here", metavar="DIR", help="The Git repository."),
    ):  # fmt: skip
        command = option(command)
    return command


def selection(command: _Command) -> _Command:
    """``--app``."""
    text = "Only targets whose name or id matches; !GLOB leaves out; may be repeated."
    return click.option("--app", "apps", multiple=True, metavar="GLOB", help=text)(command)


def cache(command: _Command) -> _Command:
    """``--cache``, ``--no-cache`` and ``--offline``."""
    for option in (
        click.option("--offline", is_flag=True, help="Fetch nothing; sources from elsewhere come from the cache."),
        click.option("--no-cache", is_flag=True, help="Keep and use no renders."),
        click.option("--cache", "cache_dir", metavar="DIR", envvar="GITOPS_BOT_CACHE",
                     help="Where renders and fetched sources are kept.  [default: your cache directory]"),
    ):  # fmt: skip
        command = option(command)
    return command
