"""Groups of commands that are imported when they are run, so that ``--help`` needs none of them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.formatting import HelpFormatter

Table = Mapping[str, tuple[str, str]]
"""Name → (module that exports ``command``, one line of help); the order is that of ``--help``."""


def import_command(table: Table, name: str) -> click.Command:
    """The command of a name in the table."""
    command = importlib.import_module(table[name][0]).command
    assert isinstance(command, click.Command)
    return command


class LazyGroup(click.Group):
    """A group whose commands stand in a table, ``table`` of its subclass."""

    table: Table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command's name, in the table's order."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now; None when there is none."""
        return import_command(self.table, cmd_name) if cmd_name in self.table else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion for a name that is nearly right. Raises click.UsageError."""
        if args[0] not in self.table and not args[0].startswith("-"):
            from difflib import get_close_matches  # only where a name was mistyped

            near = get_close_matches(args[0], self.table, n=1)
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: HelpFormatter) -> None:
        """The list of commands, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.table.items()])
