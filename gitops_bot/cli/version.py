"""``gitops-bot version``."""

from __future__ import annotations

import click

import gitops_bot


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(f"gitops-bot {gitops_bot.__version__}")
