"""What a source from elsewhere came to."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Fetched(NamedTuple):
    """One source that a run needed from elsewhere."""

    kind: Literal["chart", "git", "file"]
    url: str
    """Without credentials and query."""
    name: str
    """The chart's name, ``""`` for the other kinds."""
    wanted: str
    """Version, range or revision as asked for, ``""`` for files."""
    version: str
    """The version, branch or tag that it means; ``""`` for files and commit ids."""
    digest: str
    """``sha256:…`` of the archive or file, the commit id of a Git repository."""
    source: Literal["network", "cache"]
    """``cache``: the content was there already."""
