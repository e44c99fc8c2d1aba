"""``gitops-bot agent sync``: ask the agent for a sync, and see what becomes of it."""

from __future__ import annotations

import getpass
import time

import click

from gitops_bot.agent.application.applications import key_of
from gitops_bot.agent.application.record import API, SKIP, AppObject
from gitops_bot.agent.application.state import OperationState
from gitops_bot.cli.agent.asking import Where, cluster, opened, read_application, revisions, tell_agent
from gitops_bot.doors.cluster.errors import Invalid
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.errors import ClusterError, NotSynced, UsageError
from gitops_bot.text.escape import visible

_LOOK = 0.5
"""Seconds between two looks."""


@click.command("sync")
@click.argument("app")
@click.option("--prune", is_flag=True, help="Also delete what Git does not have any more.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--wait/--no-wait", default=True, help="See it through.  [default: wait]")
@click.option("--timeout", type=float, default=600.0, show_default=True, help="Seconds to wait.")
@cluster
def command(
    *, app: str, prune: bool, dry_run: bool, wait: bool, timeout: float, kubeconfig: str, context: str, namespace: str
) -> int:
    """Ask the agent to sync an Application now.

    The agent does it, with its rights and its guards; this only writes the wish (`operation`) into the Application.
    It exits with 10 when the sync failed, was refused, or has not ended in time.
    """
    with opened(Where(kubeconfig, context, namespace)) as objects:
        found = read_application(objects, namespace, app)
        _refuse_skipped(found)
        tell_agent(objects, namespace)
        before = found.status.operation_state
        _ask(objects, found, prune=prune, dry_run=dry_run)
        if not wait:
            click.echo(f"asked for a sync of {app}; `gitops-bot agent status {app}` tells what becomes of it")
            return 0
        done = _ended(objects, namespace, app, before, time.monotonic() + timeout)
    for each in done.sync_result.resources if done.sync_result is not None else ():
        click.echo(f"  {each.status or '':<12}{each.key}  {visible(each.message)}")
    result = done.sync_result
    at = revisions(result.revision, result.revisions) if result is not None else ""
    click.echo(f"{done.phase}{f' at {at}' if at else ''}: {visible(done.message)}")
    if done.phase != "Succeeded":
        raise NotSynced(f"the sync of {app} has failed: {done.message}", hint=f"gitops-bot agent status {app}")
    return 0


def _refuse_skipped(app: AppObject) -> None:
    name, namespace = app.key
    if app.is_skipped:
        raise UsageError(
            f"{name} is left alone while it is annotated with {SKIP}",
            hint=f"kubectl annotate application {name} -n {namespace} {SKIP}-",
        )


def _ask(objects: Objects, app: AppObject, *, prune: bool, dry_run: bool) -> None:
    """Write the wish, unless there is one already. Raises UsageError, ClusterError."""
    if "operation" in app.body:
        raise UsageError(
            f"somebody has asked for an operation of {app.key.name} already", hint="wait until the agent has taken it"
        )
    wish = {
        "initiatedBy": {"username": getpass.getuser()},
        "sync": {"prune": prune, **({"dryRun": True} if dry_run else {})},
    }
    version = {"op": "test", "path": "/metadata/resourceVersion", "value": app.body["metadata"]["resourceVersion"]}
    try:
        objects.patch(key_of(*app.key), [version, {"op": "add", "path": "/operation", "value": wish}], API)
    except Invalid as error:
        raise ClusterError(f"{app.key.name} was changed just now", hint="run it again") from error


def _ended(objects: Objects, namespace: str, name: str, before: OperationState | None, end: float) -> OperationState:
    """The operation once it has ended. Raises NotSynced when that takes too long, ClusterError."""
    said = ""
    while time.monotonic() < end:
        now = read_application(objects, namespace, name)
        state = now.status.operation_state
        if state is not None and (before is None or state.started_at != before.started_at or state != before):
            if state.is_finished and "operation" not in now.body:
                return state
            if state.message != said:
                said = state.message
                click.echo(visible(said), err=True)
        time.sleep(_LOOK)
    raise NotSynced(
        f"the sync of {name} has not ended in time, and goes on",
        hint=f"`gitops-bot agent status {name}` tells what it waits for, and whether an agent is there",
    )
