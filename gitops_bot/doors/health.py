"""What ``doctor`` asks of the machine: git's version, the state of a clone, which limits the platform can set."""

from __future__ import annotations

import os
import re
import resource
import tempfile
from pathlib import Path

from gitops_bot.doors import process

MERGE_TREE = (2, 38)
"""The first git whose ``merge-tree --write-tree`` makes merge results without a checkout."""


def git_version() -> str:
    """``2.39.5``; ``""`` when git is not on PATH or says nothing that can be read."""
    try:
        ended = process.run(["git", "version"], cwd=os.sep, env={"PATH": os.environ.get("PATH", os.defpath)})
    except FileNotFoundError:
        return ""
    found = re.search(rb"\d+\.\d+(\.\d+)*", ended.stdout)
    return found[0].decode() if found else ""


def merges(version: str) -> bool:
    """Whether a git of this version can make merge results."""
    major, minor = (int(part) for part in version.split(".")[:2])
    return (major, minor) >= MERGE_TREE


def is_shallow(directory: str) -> bool:
    """Whether the repository there is a shallow clone; False where there is none."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    argv = ["git", "rev-parse", "--is-shallow-repository"]
    return process.run(argv, cwd=directory, env=kept).stdout.strip() == b"true"


def limits_memory() -> bool:
    """Whether a program's memory can be limited from outside on this platform."""
    return hasattr(resource, "prlimit")


def why_not_writable(directory: Path) -> str:
    """Why files cannot be made below a directory (made when it is not there), ``""`` when they can."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return ""
    except OSError as error:
        return error.strerror or str(error)
