"""``gitops-bot agent status``: how the Applications of a cluster are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import click

from gitops_bot.agent.application import state
from gitops_bot.agent.application.operation import unsolved
from gitops_bot.agent.application.record import SKIP, AppObject
from gitops_bot.cli.agent.advice import advice
from gitops_bot.cli.agent.asking import (
    Where,
    ago,
    as_json,
    cluster,
    format_option,
    opened,
    read_application,
    read_applications,
    revisions,
    tell_agent,
)
from gitops_bot.text.escape import visible
from gitops_bot.text.table import pairs, table

_MOST = 20
"""Refusals that are listed; their rest is counted."""


@click.command("status")
@click.argument("app", required=False)
@cluster
@format_option
def command(*, app: str | None, kubeconfig: str, context: str, namespace: str, format_: Literal["text", "json"]) -> int:
    """Show how all Applications are, or one of them with its objects.

    The exit code is 0 whatever their state; with --format json a program finds it in `status`.
    """
    with opened(Where(kubeconfig, context, namespace)) as objects:
        if app is not None:
            found = read_application(objects, namespace, app)
            click.echo(as_json(_json(found)) if format_ == "json" else _one(found), nl=format_ == "json")
            tell_agent(objects, namespace)
            return 0
        applications = read_applications(objects, namespace)
        tell_agent(objects, namespace)
    if format_ == "json":
        click.echo(as_json([_json(each) for each in applications]))
    elif applications:
        click.echo(_all(applications), nl=False)
    else:
        click.echo(f"There are no Applications in the namespace {namespace}.")
    return 0


def _json(app: AppObject) -> dict[str, object]:
    return {"name": app.key.name, "namespace": app.key.namespace, "status": state.write(app.status)}


def _all(applications: tuple[AppObject, ...]) -> str:
    return table(("NAME", "SYNC", "HEALTH", "REVISION", "SYNCED", "WHAT TO KNOW"), [_row(app) for app in applications])


def _row(app: AppObject) -> tuple[str, ...]:
    status = app.status
    sync, health = status.sync, status.health
    newest = status.history[-1] if status.history else None
    return (
        app.key.name,
        sync.status if sync else "",
        health.status if health else "",
        revisions(sync.revision, sync.revisions) if sync else "",
        f"{ago(newest.deployed_at)} ago" if newest else "",
        _news(app),
    )


def _news(app: AppObject) -> str:
    """The one thing that somebody should know."""
    status = app.status
    if app.deleting:
        return ": ".join(["is being deleted", *(each.message for each in status.conditions)][:2])
    if app.is_skipped:
        return f"left alone while it is annotated with {SKIP}"
    operation = unsolved(status)
    if operation is not None and not operation.is_finished:
        return f"syncing: {operation.message}".rstrip(": ")
    errors = [each.message for each in status.conditions if each.type.endswith("Error")]
    if errors:
        return errors[0] + (f" (and {len(errors) - 1} more)" if errors[1:] else "")
    if operation is not None:
        return f"last sync failed: {operation.message}"
    if status.health is not None and status.health.status not in ("Healthy", "Unknown"):
        return status.health.message
    return next((each.message for each in status.conditions), "")


def _one(app: AppObject) -> str:
    status = app.status
    sync, health, operation = status.sync, status.health, status.operation_state
    text = pairs([
        ("Name", app.key.name),
        ("Project", app.application.spec.project),
        ("Destination", app.application.spec.destination.namespace),
        ("Left alone", f"while it is annotated with {SKIP}; the rest is as it was then" if app.is_skipped else ""),
        ("Sync", _synced(sync) if sync else "not looked at yet"),
        ("Health", f"{health.status} {health.message}".strip() if health else ""),
        ("Last sync", f"{operation.phase}, {ago(operation.finished_at or operation.started_at)} ago: "
                      f"{operation.message}" if operation else "never"),
        ("Images", ", ".join(status.summary.images) if status.summary else ""),
    ])  # fmt: skip
    for condition in status.conditions:
        text += f"{condition.type}: {visible(condition.message)}\n"
    text += _refusals(unsolved(status)) + advice(app.key, _messages(status))
    rows = [
        (
            f"{each.kind}.{each.group}".rstrip("."),
            each.namespace,
            each.name,
            "to be pruned" if each.requires_pruning else each.status or "",
            f"{each.health.status} {each.health.message}".strip() if each.health else "",
        )
        for each in status.resources
    ]
    return text + ("\n" if rows else "") + table(("KIND", "NAMESPACE", "NAME", "SYNC", "HEALTH"), rows)


def _messages(status: state.Status) -> Iterator[str]:
    """What stands against it now."""
    yield from (each.message for each in status.conditions)
    operation = unsolved(status)
    if operation is not None:
        yield operation.message
        yield from (each.message for each in operation.sync_result.resources) if operation.sync_result else ()


def _synced(sync: state.Sync) -> str:
    at = revisions(sync.revision, sync.revisions)
    return f"{sync.status} at {at}" if at else sync.status


def _refusals(operation: state.OperationState | None) -> str:
    """What the last operation could not apply, and why: a line each."""
    results = operation.sync_result.resources if operation is not None and operation.sync_result is not None else ()
    failed = [each for each in results if each.status == "SyncFailed"]
    more = f"! and {len(failed) - _MOST:,} more\n" if len(failed) > _MOST else ""
    return "".join(f"! {each.key}: {visible(each.message)}\n" for each in failed[:_MOST]) + more
