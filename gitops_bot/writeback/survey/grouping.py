"""Places in the files of several environments as one place in a file with ``{environment}`` in its path. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gitops_bot.writeback.editor.address import Address, Index, Match, Step
from gitops_bot.writeback.editor.problems import EditRefused
from gitops_bot.writeback.editor.read import read
from gitops_bot.writeback.editor.search import Found
from gitops_bot.writeback.environments import ENVIRONMENT


class Grouped(NamedTuple):
    """The same place in the files of some environments, or one place in a file of all of them."""

    file: str
    """With ``{environment}`` where the files are the environments' own."""
    found: tuple[Found, ...]

    @property
    def is_own(self) -> bool:
        """Whether the files are the environments' own."""
        return ENVIRONMENT in self.file

    def place(self, role: str) -> str | None:
        """The address of ``tag``, ``digest`` or whatever else, None where no file has one."""
        return next((str(each.places[role]) for each in self.found if role in each.places), None)


def grouped(found: Iterable[Found], environments: Sequence[str]) -> tuple[Grouped, ...]:
    """Places by file and address, the environments' names taken out of the paths; in order of file and address.

    Where environments have files of their own, a default beside them is left out: it is not what is deployed there.
    """
    groups: dict[tuple[str, tuple[str, ...]], list[Found]] = {}
    for each in found:
        main = next(iter(each.places.values()))
        written = each.file.isprintable() and all(str(place).isprintable() for place in each.places.values())
        if ENVIRONMENT in each.file or not written:  # Git's paths may be any bytes, which no settings can name
            continue
        groups.setdefault((template(each.file, environments), (str(main),)), []).append(each)
    made = [Grouped(file, tuple(each)) for (file, _), each in sorted(groups.items())]
    own = [each for each in made if each.is_own]
    return tuple(own or made)


def by_names(found: Found, contents: Mapping[str, bytes]) -> Found:
    """The place with items of lists called by their names, so that another order of the list leads nowhere else."""
    data = contents[found.file]
    return found._replace(places={role: _by_names(data, address) for role, address in found.places.items()})


def _by_names(data: bytes, address: Address) -> Address:
    if len(address.paths) > 1:
        return address
    steps: list[Step] = []
    for step in address.paths[0]:
        steps.append(step)
        if isinstance(step, Index):
            try:
                name = read(data, address._replace(paths=(tuple(steps),)) / "name")
                if name is None:
                    continue
                called = address._replace(paths=((*steps[:-1], Match("name", name.text)),))
                if read(data, called / "name") == name._replace(address=called / "name"):
                    steps[-1] = Match("name", name.text)
            except EditRefused:
                continue  # two have this name
    return address._replace(paths=(tuple(steps),))


def template(path: str, environments: Iterable[str]) -> str:
    """The path with the name of the environment whose file it is as ``{environment}``; as it is for other files."""
    for name in sorted(environments, key=len, reverse=True):
        word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])")
        if word.search(path):
            return word.sub(ENVIRONMENT, path)
    return path
