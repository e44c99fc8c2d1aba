"""Every single value of a YAML file by an address that stays right when its neighbours move."""

from __future__ import annotations

from typing import NamedTuple

from gitops_bot.manifests.secret_names import is_open_value, is_secret_name
from gitops_bot.manifests.secret_text import looks_secret
from gitops_bot.manifests.yaml import resolve_plain
from gitops_bot.writeback.editor.address import Address, Index, Key, Match, Step
from gitops_bot.writeback.editor.read import Value, scalars

MASK = "<secret>"
"""What stands for a value that is never shown."""
_MOST = 120


class Leaf(NamedTuple):
    """A value and what readers take it for; two are equal when every reader takes them for the same."""

    text: str
    was: str
    """string, number, boolean or null."""


def leaves(data: bytes) -> dict[Address, Leaf]:
    """Every scalar of a file, in the order of the file.

    Items of a list are addressed by their ``name`` where every item has one of its own, else by their place. Documents
    of a file with several are told apart by their place. Raises EditRefused for a file that cannot be read.
    """
    found = list(scalars(data))
    names = _names(found)
    return {_renamed(value.address, names): leaf_of(value) for value in found}


def leaf_of(value: Value) -> Leaf:
    """A value as a leaf: booleans in the one spelling that every reader takes for one (``yes`` is ``true``)."""
    if value.was == "boolean":
        return Leaf("true" if resolve_plain(value.text) else "false", value.was)
    return Leaf(value.text, value.was)


def by_place(address: Address) -> bool:
    """Whether some step of an address counts places, so that it means something else when items are moved."""
    counted = any(isinstance(step, Index) for path in address.paths for step in path)
    return counted or (address.document is not None and address.document.index is not None)


def shown(address: Address, leaf: Leaf | None) -> str:
    """A value for people: ``""`` for none, masked where its name or its looks say that it is a secret."""
    if leaf is None:
        return ""
    names = [step.name for path in address.paths for step in path if isinstance(step, Key)]
    secret = any(is_secret_name(name) and not is_open_value(name, leaf.text) for name in names[-2:])
    if secret or looks_secret(leaf.text):
        return MASK
    return leaf.text if len(leaf.text) <= _MOST else leaf.text[: _MOST - 1] + "…"


_List = tuple[Address, tuple[Step, ...]]
"""A list: the address of any of its values with the path cut off, and the steps that lead to the list."""


def _names(found: list[Value]) -> dict[_List, dict[int, str]]:
    """Place → name of the items of every list in which each item has a name of its own."""
    sizes: dict[_List, set[int]] = {}
    named: dict[_List, dict[int, str]] = {}
    for value in found:
        path = value.address.paths[-1]
        for at, step in enumerate(path):
            if isinstance(step, Index):
                key = (value.address._replace(paths=value.address.paths[:-1]), path[:at])
                sizes.setdefault(key, set()).add(step.number)
                if path[at + 1 :] == (Key("name"),) and value.was == "string":
                    named.setdefault(key, {})[step.number] = value.text
    return {
        key: names
        for key, names in named.items()
        if set(names) == sizes[key] and len(set(names.values())) == len(names) and all(names.values())
    }


def _renamed(address: Address, names: dict[_List, dict[int, str]]) -> Address:
    path = address.paths[-1]
    if not any(isinstance(step, Index) for step in path):
        return address
    outer = address._replace(paths=address.paths[:-1])
    steps: list[Step] = []
    for at, step in enumerate(path):
        items = names.get((outer, path[:at])) if isinstance(step, Index) else None
        steps.append(Match("name", items[step.number]) if items and isinstance(step, Index) else step)
    return address._replace(paths=(*address.paths[:-1], tuple(steps)))
