"""How two environments differ beyond what a promotion copies: what a reader of its pull request should know. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gitops_bot.model.tree import Tree
from gitops_bot.text.escape import html_text, md_cell_code
from gitops_bot.writeback.editor.address import Address
from gitops_bot.writeback.editor.leaves import Leaf, leaves, shown
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.environments import Pair

_MOST = 40
"""Rows of the table."""


class Difference(NamedTuple):
    """One value that two environments do not have in common."""

    file: str
    """Of the target."""
    address: Address
    source: Leaf | None
    """None: the source does not set it."""
    target: Leaf | None


def drift(pairs: Sequence[Pair], source: Tree, target: Tree, copied: Sequence[tuple[str, Address]]) -> list[Difference]:
    """Every value that differs, in order of file and key, but for those that are copied (file of the target, address).

    Files that are missing or cannot be read are passed over: what is written there is refused elsewhere.
    """
    left_out = set(copied)
    found: list[Difference] = []
    for pair in pairs:
        ours, theirs = _leaves(source, pair.source), _leaves(target, pair.target)
        for address in sorted({*ours, *theirs}, key=str):
            before, after = ours.get(address), theirs.get(address)
            if before != after and (pair.target, address) not in left_out:
                found.append(Difference(pair.target, address, before, after))
    return found


def drift_table(found: Sequence[Difference], source: str, target: str) -> str:
    """The differences as folded Markdown; ``""`` when there are none. Secrets are masked, foreign text is harmless."""
    if not found:
        return ""
    files = len({difference.file for difference in found})
    count = f"{len(found)} value{'s' if len(found) != 1 else ''}"
    lines = [
        "<details>",
        f"<summary>{html_text(source)} and {html_text(target)} differ in {count} that stay as they are</summary>",
        "",
        f"| value | {html_text(source)} | {html_text(target)} |",
        "|---|---|---|",
    ]
    for each in found[:_MOST]:
        name = f"{each.file}: {each.address}" if files > 1 else str(each.address)
        sides = (_cell(each.address, leaf) for leaf in (each.source, each.target))
        lines.append(f"| {md_cell_code(name)} | {' | '.join(sides)} |")
    if len(found) > _MOST:
        lines.append(f"\n{len(found) - _MOST} more are not shown.")
    return "\n".join([*lines, "", "</details>", ""])


def _cell(address: Address, leaf: Leaf | None) -> str:
    return "not set" if leaf is None else md_cell_code(shown(address, leaf)) or "empty"


def _leaves(tree: Tree, path: str) -> dict[Address, Leaf]:
    try:
        return leaves(tree.read(path))
    except (EditRefused, FileNotFoundError, ValueError):
        return {}
