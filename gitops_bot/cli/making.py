"""Making new files in a working tree: all of them may be made, or none is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click

from gitops_bot.doors.files import write_whole
from gitops_bot.errors import UsageError


def make_files(root: str, files: Mapping[str, bytes], *, force: bool) -> None:
    """Write files into the working tree at ``root`` and say which; one with the same content stays untouched.

    ``force`` replaces files that are there. Raises UsageError, with everything that stands in the way, before anything
    is written; and for a file that cannot be written.
    """
    obstacles, changed = [], []
    for path, content in files.items():
        there = Path(root, path)
        elsewhere = Path(os.path.realpath(there)) != Path(os.path.realpath(root), path)
        if elsewhere or (there.exists() and not there.is_file()):
            obstacles.append(f"{path} is no file of its own: a link or a directory is in its place")
        elif there.exists():
            if there.read_bytes() == content:
                click.echo(f"unchanged {path}")
                continue
            if not force:
                obstacles.append(f"{path} is there already")
        changed.append(path)
    if obstacles:
        hint = "`--dry-run` prints what would be written, `--force` replaces files that are there"
        raise UsageError("nothing is written: " + "; ".join(obstacles), hint=hint)
    for path in changed:
        try:
            Path(root, path).parent.mkdir(parents=True, exist_ok=True)
            write_whole(os.path.join(root, path), files[path])
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}", hint="check its directory") from error
        click.echo(f"wrote {path}")
