"""Which models a repository serves, by the ``model:`` blocks of its values, as rules for ``bump --model``. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gitops_bot.model.settings import ModelRule, ModelWrite
from gitops_bot.writeback.editor.address import Address, Key
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.editor.read import Value, scalars
from gitops_bot.writeback.editor.search import Found, Searched, above
from gitops_bot.writeback.survey.grouping import Grouped, grouped
from gitops_bot.writeback.survey.proposed import ProposedModel

_SPEAKS = re.compile(rb"""^\s*["']?model["']?\s*:""", re.MULTILINE)
_NAMES = {
    "version": ("version",),
    "path": ("path", "uri", "storageUri"),
    "data": ("dataVersion", "data"),
}
"""What a part of a model is called in a block, the most usual first."""
_LARGEST = 262_144


class _Block(NamedTuple):
    """One ``model:`` block of one file."""

    found: Found
    name: str
    """What its ``name`` says, ``""`` for nothing."""


def find_models(files: Searched, environments: Sequence[str]) -> tuple[ProposedModel, ...]:
    """A rule for each model; one without a name in its block is called after the directory of its files."""
    blocks = [
        block
        for path, data in files.contents.items()
        if len(data) <= _LARGEST and _SPEAKS.search(data)
        for block in _blocks(path, data)
    ]
    names = {posixpath.dirname(each.found.file): each.name for each in blocks if each.name}
    by_name: dict[str, list[Found]] = {}
    for block in blocks:
        home = posixpath.dirname(block.found.file)
        name = block.name or names.get(home) or posixpath.basename(home) or "model"
        by_name.setdefault(name, []).append(block.found)
    return tuple(
        _proposed(name, groups) for name, found in sorted(by_name.items()) if (groups := grouped(found, environments))
    )


def _blocks(path: str, data: bytes) -> list[_Block]:
    try:
        by_address = {value.address: value for value in scalars(data)}
    except EditRefused:
        return []
    parents = dict.fromkeys(above(address) for address in by_address)
    blocks = []
    for parent in parents:
        if not parent.paths[-1] or parent.paths[-1][-1] != Key("model"):
            continue
        places = _places(parent, by_address)
        if "version" in places and len(places) > 1:
            name = by_address.get(parent / "name")
            line = by_address[places["version"]].line
            usable = name is not None and name.text.isprintable()
            blocks.append(_Block(Found(path, line, places), name.text if name is not None and usable else ""))
    return blocks


def _places(parent: Address, by_address: Mapping[Address, Value]) -> dict[str, Address]:
    found = {}
    for part, keys in _NAMES.items():
        for key in keys:
            if parent / key in by_address:
                found[part] = parent / key
                break
    return found


def _proposed(name: str, groups: Sequence[Grouped]) -> ProposedModel:
    writes = tuple(
        ModelWrite(file=each.file, version=each.place("version"), path=each.place("path"), data=each.place("data"))
        for each in groups
    )
    return ProposedModel(
        rule=ModelRule(name=name, write=writes), why=tuple(one.told for each in groups for one in each.found)
    )
