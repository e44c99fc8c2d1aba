"""``gitops-bot agent diff``: how the cluster differs from Git, as the agent sees it."""

from __future__ import annotations

from typing import Literal

import click
import msgspec

from gitops_bot.agent.ownership.identity import App
from gitops_bot.agent.ownership.managed import is_our_apply, matches, paths, readable, topmost
from gitops_bot.agent.reports.view import View
from gitops_bot.agent.values import Live
from gitops_bot.cli.agent.advice import advice
from gitops_bot.cli.agent.asking import Where, as_json, cluster, format_option, opened, read_application
from gitops_bot.errors import RenderError
from gitops_bot.model.change import FieldChange
from gitops_bot.model.settings import Agent
from gitops_bot.text.escape import visible

_MOST = 8
"""Fields of one other manager that are named."""


@click.command("diff")
@click.argument("app")
@click.option("--cluster-name", default="", help="What this cluster is called in Applications.")
@click.option("--others", is_flag=True, help="Also list what other controllers have added: that is no drift.")
@click.option("--exit-code", is_flag=True, help="End with 1 when something differs.")
@cluster
@format_option
def command(
    *, app: str, cluster_name: str, others: bool, exit_code: bool, kubeconfig: str, context: str, namespace: str,
    format_: Literal["text", "json"],
) -> int:  # fmt: skip
    """Show field by field how the cluster differs from Git.

    The API server is asked what applying Git would change (a dry run, with your own rights); secrets are masked.
    Where it cannot be known what Git says, the exit code is 3.
    """
    from gitops_bot.cli.agent.glance import glance

    with opened(Where(kubeconfig, context, namespace)) as objects:
        found = read_application(objects, namespace, app)
        view = glance(objects, found, cluster_name)
    click.echo(
        as_json(_json(view)) if format_ == "json" else _text(found.key, view, others=others), nl=format_ == "json"
    )
    if view.unknown:
        return RenderError.exit_code
    return 1 if exit_code and view.status != "Synced" else 0


def _text(app: App, view: View, *, others: bool) -> str:
    lines = [f"{kind}: {visible(message)}" for kind, message in view.conditions]
    for each in view.compared:
        if each.error:
            lines += [f"! {each.key}", f"    would not be taken: {visible(each.error)}"]
        elif each.shared:
            lines += [f"! {each.key}", f"    belongs to {each.shared}"]
        elif each.live is None:
            lines.append(f"+ {each.key}")
        elif each.drift:
            lines += [f"~ {each.key}", *map(_field, each.drift)]
        if others and each.live is not None:
            lines += _others(each.live)
    lines += [f"- {live.key}" for live in (*view.candidates.prunable, *view.candidates.going)]
    lines += [f"kept: {visible(hold.message)}" for hold in view.prune.holds]
    at = " ".join(each[:8] for each in view.commits)
    lines.append(f"{view.status} at {at}" if at else "not compared")
    said = [message for _, message in view.conditions] + [each.error for each in view.compared]
    said += [hold.message for hold in view.prune.holds]
    return "\n".join(lines) + "\n" + advice(app, said)


def _field(change: FieldChange) -> str:
    sides = (change.before, change.after)
    before, after = ("(nothing)" if each is msgspec.UNSET else visible(str(each)) for each in sides)
    return f"    {change.path}: {before} → {after}"


def _others(live: Live) -> list[str]:
    """What of an object belongs to others that are neither people nor us."""
    people = Agent().people_managers
    lines = []
    for entry in live.managed:
        if is_our_apply(entry) or matches(entry, people) or entry.subresource == "status":
            continue
        found = [readable(path) for path in topmost(paths(entry.fields))]
        more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
        lines.append(f"    ({visible(entry.manager)} has {', '.join(map(visible, found[:_MOST]))}{more})")
    return lines


def _json(view: View) -> dict[str, object]:
    return {
        "status": view.status,
        "commits": list(view.commits),
        "conditions": [{"type": kind, "message": message} for kind, message in view.conditions],
        "objects": [
            {
                "group": each.key.group,
                "kind": each.key.kind,
                "namespace": each.key.namespace,
                "name": each.key.name,
                "status": each.status,
                "missing": each.live is None,
                "error": each.error,
                # Encoded as they are: the side that does not have the field is left out.
                "fields": each.drift,
            }
            for each in view.compared
        ],
        "prune": [str(live.key) for live in view.candidates.prunable],
    }
