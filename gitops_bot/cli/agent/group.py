"""``gitops-bot agent``: what runs in the cluster, and what people ask of it with their own kubeconfig."""

from __future__ import annotations

import click

from gitops_bot.cli.lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("gitops_bot.cli.agent.run", "Keep this cluster equal to Git."),
    "status": ("gitops_bot.cli.agent.status", "Show how the Applications of a cluster are."),
    "diff": ("gitops_bot.cli.agent.diff", "Show how the cluster differs from Git, as the agent sees it."),
    "sync": ("gitops_bot.cli.agent.sync", "Ask the agent for a sync, and see it through."),
    "history": ("gitops_bot.cli.agent.history", "Show the commits that an Application has had."),
    "capabilities": ("gitops_bot.cli.agent.capabilities", "Print what this cluster can do, for reviews."),
    "render": ("gitops_bot.cli.agent.render", "Render for an agent, in a process without its rights."),
}
"""Name → (module that exports ``command``, one line of help)."""


class _Commands(LazyGroup):
    table = COMMANDS


@click.group("agent", cls=_Commands)
def command() -> None:
    """Keep a cluster equal to Git, from inside it: apply, wait, heal, prune, tell.

    The agent makes outgoing connections only. `run` is what its Deployment runs; the other commands are for people.
    """
