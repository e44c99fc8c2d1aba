"""``gitops-bot agent history``: which commits an Application has had."""

from __future__ import annotations

from typing import Literal

import click

from gitops_bot.agent.application import state
from gitops_bot.cli.agent.asking import Where, as_json, cluster, format_option, opened, read_application, revisions
from gitops_bot.text.table import table


@click.command("history")
@click.argument("app")
@cluster
@format_option
def command(*, app: str, kubeconfig: str, context: str, namespace: str, format_: Literal["text", "json"]) -> int:
    """Show the syncs of an Application that succeeded, newest first.

    To go back to one, revert in Git: `gitops-bot rollback --environment E --to REVISION`.
    """
    with opened(Where(kubeconfig, context, namespace)) as objects:
        found = read_application(objects, namespace, app)
    if format_ == "json":
        click.echo(as_json(state.write(state.Status(history=found.status.history)).get("history", [])))
        return 0
    rows = [
        (
            str(entry.id),
            f"{entry.deployed_at:%Y-%m-%d %H:%M:%S} UTC",
            revisions(entry.revision, entry.revisions),
            _who(entry.initiated_by),
        )
        for entry in reversed(found.status.history)
    ]
    click.echo(table(("ID", "SYNCED", "REVISION", "ASKED FOR BY"), rows) or f"{app} was never synced.\n", nl=False)
    return 0


def _who(initiator: state.Initiator | None) -> str:
    if initiator is None:
        return ""
    return "Git" if initiator.automated else initiator.username
