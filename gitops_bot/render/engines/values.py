"""Value files of a Helm source: which, in which order, found as Argo CD finds them (application-semantics §2.15)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from gitops_bot.errors import RenderError
from gitops_bot.model.globs import glob_expression
from gitops_bot.model.tree import LINK_DEPTH
from gitops_bot.render.engines.inputs import Mount, follow, join
from gitops_bot.render.engines.substitute import substitute

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Place(NamedTuple):
    """Where a value file was found: a path of a mounted tree, or a URL."""

    mount: Mount | None
    """None for a URL."""
    path: str
    """The path without ``.`` and ``..``, links not followed; or the URL."""


class Finder(NamedTuple):
    """Where the value files of one source may lie."""

    mount: Mount
    """The source's own repository (or the chart from afar)."""
    directory: str
    """The chart's directory in it."""
    refs: Mapping[str, Mount]
    """Other sources' repositories, by ref name without ``$``."""
    environment: Mapping[str, str]
    """The build environment, for substitution."""

    def find(self, value_files: Sequence[str], *, ignore_missing: bool) -> tuple[Place, ...]:
        """The files in the order Helm reads them, later ones winning.

        A path is listed once, at its first place; a file that is named explicitly is left out of every glob, so that
        it stays where it is named. Raises RenderError for what is missing (unless ignored), leads out of its
        repository, or has a scheme other than http and https.
        """
        places = [self.place(raw) for raw in value_files]
        explicit = {place for place in places if not _is_glob(place)}
        found: dict[Place, None] = {}
        for raw, place in zip(value_files, places, strict=True):
            if _is_glob(place):
                matches = [match for match in expand(place) if self._exists(match)]
                if not matches and not ignore_missing:
                    raise RenderError(
                        f"no value file matches {raw}",
                        hint="correct it, or set spec.source.helm.ignoreMissingValueFiles",
                    )
                found.update(dict.fromkeys(match for match in matches if match not in explicit))
            elif place.mount is None or self._exists(place):
                found[place] = None
            elif not ignore_missing:
                raise RenderError(
                    f"the value file {raw} is not in {place.mount.label} (looked for {place.path})",
                    hint="correct it, or set spec.source.helm.ignoreMissingValueFiles",
                )
        return tuple(found)

    def place(self, raw: str) -> Place:
        """Where one entry points: relative to the chart, from the root with ``/``, into another source with ``$ref/``.

        Raises RenderError when it leads out of its repository, or is a URL that is neither http nor https.
        """
        name, _, rest = raw.partition("/")
        if name.startswith("$") and name[1:] in self.refs:
            mount = self.refs[name[1:]]
            return Place(mount, _clean(mount, substitute(rest, self.environment), raw))
        text = substitute(raw, self.environment)
        if _URL.match(text):
            if not text.lower().startswith(("https://", "http://")):
                raise RenderError(f"the value file {raw} has a scheme that is not allowed", hint="use https, or a path")
            return Place(None, text)
        rooted = text.lstrip("/") if text.startswith("/") else join(self.directory, text)
        return Place(self.mount, _clean(self.mount, rooted, raw))

    @staticmethod
    def _exists(place: Place) -> bool:
        assert place.mount is not None
        real, _ = follow(place.mount, place.path)
        entry = place.mount.tree.entry(real) if real is not None else None
        if entry is not None and entry.is_directory:
            raise RenderError(f"the value file {place.path} is a directory", hint="name a file in it, or use a glob")
        return entry is not None


def _clean(mount: Mount, path: str, raw: str) -> str:
    clean = posixpath.normpath(path)
    if clean == ".." or clean.startswith(("../", "/")):
        raise RenderError(f"the value file {raw} leads out of {mount.label}", hint="keep value files inside it")
    return clean


def _is_glob(place: Place) -> bool:
    return place.mount is not None and any(mark in place.path for mark in "*?[")


def expand(place: Place) -> list[Place]:
    """The files a glob matches: a directory's own files by name, then those of its subdirectories.

    ``**`` stands for any number of directories, ``*`` and ``?`` stay inside a name, ``{a,b}`` is either.
    """
    assert place.mount is not None
    mount = place.mount
    parts = place.path.split("/")
    fixed = next(index for index, part in enumerate(parts) if any(mark in part for mark in "*?[{"))
    start = "/".join(parts[:fixed])
    pattern = _pattern(place.path)
    matches = [path for path in _files(mount, start, 0) if pattern.fullmatch(path)]
    whole = parts[-1] == "**"
    return [Place(mount, path) for path in sorted(matches, key=lambda path: _order(path, whole=whole))]


def _order(path: str, *, whole: bool) -> tuple[list[str], str]:
    """Parents before children; under a final ``**`` files and directories of one parent are in one order by name."""
    *above, name = path.split("/")
    return ([*above, name], "") if whole else (above, name)


def _files(mount: Mount, directory: str, depth: int) -> Iterator[str]:
    """Every file below a directory, through links too, by the path that leads there."""
    real, _ = follow(mount, directory)
    if real is None or depth > LINK_DEPTH:
        return
    skip = len(real) + 1 if real else 0
    for below in list(mount.tree.below(real)):
        entry = mount.tree.entry(below)
        assert entry is not None
        path = posixpath.join(directory, below[skip:])
        if entry.is_file:
            yield path
        elif entry.is_link:
            target, _ = follow(mount, below)
            end = mount.tree.entry(target) if target is not None else None
            if end is not None and end.is_directory:
                yield from _files(mount, path, depth + 1)
            elif end is not None:
                yield path


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    """A doublestar glob as an expression over whole paths."""
    parts = glob.split("/")
    last = len(parts) - 1
    text = ""
    for index, part in enumerate(parts):
        if part == "**":
            text += ".*" if index == last else "(?:[^/]+/)*"
        else:
            text += glob_expression(part, anything="[^/]") + ("" if index == last else "/")
    return re.compile(text, re.DOTALL)
