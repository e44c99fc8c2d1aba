"""``gitops-bot agent``: what runs in the cluster, and what people ask of it with their own kubeconfig."""

from __future__ import annotations

import importlib

import click

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


class _Group(click.Group):
    """A group whose commands are imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group("agent", cls=_Group)
def command() -> None:
    """Keep a cluster equal to Git, from inside it: apply, wait, heal, prune, tell.

    The agent makes outgoing connections only. `run` is what its Deployment runs; the other commands are for people.
    """
