"""The ``index.yaml`` of a Helm repository: which versions of a chart there are, and where. Pure.

Indexes of ten megabytes are usual and a YAML parser reads three to six of them a second, so the lines about the one
chart are cut out first and only what matters of them is parsed. An index of another layout is parsed as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gitops_bot.errors import FetchError
from gitops_bot.manifests.yaml import YamlError, load
from gitops_bot.render.fetching import semver

_WANTED = frozenset({b"version", b"digest", b"urls", b"name"})
_KEY = re.compile(rb"[A-Za-z0-9_.-]+(?=:(?: |$))")
_ENTRIES = re.compile(rb"^entries:[ \t]*\r?$", re.MULTILINE)
_TOP = re.compile(rb"^[^\s#]", re.MULTILINE)


class ChartVersion(NamedTuple):
    """One version of a chart in an index."""

    version: str
    digest: str
    """SHA-256 of the archive in hexadecimal, ``""`` where the index names none."""
    urls: tuple[str, ...]
    """Where the archive is; absolute, or relative to the repository."""


def versions(index: bytes, name: str) -> tuple[ChartVersion, ...]:
    """Every version of a chart in an index, in the index's order; ``()`` when it has no such chart.

    Raises FetchError for an index that cannot be read.
    """
    found = _cut_versions(index, name)
    if found is None:
        try:
            document = load(index)
        except YamlError as error:
            raise FetchError(f"the index.yaml cannot be read: {error}", hint="is the URL a Helm repository?") from error
        entries = document.get("entries") if isinstance(document, dict) else None
        if not isinstance(entries, dict):
            raise FetchError("the index.yaml names no charts", hint="is the URL a Helm repository?")
        found = entries.get(name)
    return tuple(_entries(found))


def choose(known: Iterable[ChartVersion], wanted: str) -> ChartVersion | None:
    """The version that is meant: the one spelled like that, else the newest in the range; None when there is none.

    ``""`` means the newest release. Raises ValueError when ``wanted`` is neither a version there is nor a range.
    """
    by_name: dict[str, ChartVersion] = {}
    for each in known:
        by_name.setdefault(each.version, each)
    if wanted in by_name:
        return by_name[wanted]
    name = semver.newest(wanted or "*", by_name)
    return by_name[name] if name is not None else None


def _entries(found: Any) -> Iterator[ChartVersion]:
    for item in found if isinstance(found, list) else []:
        if not isinstance(item, dict) or not isinstance(item.get("version"), str):
            continue
        urls = item.get("urls")
        digest = item.get("digest")
        yield ChartVersion(
            item["version"],
            digest.removeprefix("sha256:").lower() if isinstance(digest, str) else "",
            tuple(url for url in urls if isinstance(url, str)) if isinstance(urls, list) else (),
        )


def _cut_versions(index: bytes, name: str) -> Any:
    """The entry of a chart, read from its own lines only; None when the text is not laid out as Helm writes it.

    That is: ``entries:`` at the margin, chart names two spaces in, list items at two and their keys at four.
    """
    text = _entry_lines(index, name)
    if text is None:
        return None
    kept = _keep_wanted(text)
    if kept is None:
        return None
    try:
        return load(b"\n".join(kept))
    except YamlError:
        return None


def _entry_lines(index: bytes, name: str) -> list[bytes] | None:
    heads = list(_ENTRIES.finditer(index))
    if len(heads) != 1:
        return None
    start = heads[0].end()
    end = _TOP.search(index, start + 1)
    stop = end.start() if end else len(index)
    mine = list(
        re.compile(rb"^  " + re.escape(name.encode()) + rb":[ \t]*\r?$", re.MULTILINE).finditer(index, start, stop)
    )
    if len(mine) != 1:
        return None
    following = re.compile(rb"^ {0,2}[^\s#-]|^ ?-|^\t", re.MULTILINE).search(index, mine[0].end() + 1, stop)
    return index[mine[0].end() + 1 : following.start() if following else stop].splitlines()


def _keep_wanted(lines: list[bytes]) -> list[bytes] | None:
    """The lines of the keys that matter; None for a layout other than Helm's.

    Below a key at four spaces everything that belongs to it is indented deeper, or is a list item at four spaces.
    """
    kept, keeping = [], False
    for line in lines:
        if line.startswith(b"  - "):
            kept.append(b"  -")
            line = b"    " + line[4:]
        elif not line.startswith(b"    "):
            if not line.strip():
                kept.extend([line] if keeping else [])
            elif not line.lstrip().startswith(b"#"):
                return None
            continue
        if line[4:5] not in (b" ", b"-", b"#", b""):
            key = _KEY.match(line, 4)
            if key is None:
                return None
            keeping = key[0] in _WANTED
        if keeping:
            kept.append(line)
    return kept
