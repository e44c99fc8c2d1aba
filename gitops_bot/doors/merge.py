"""The door to Git's three-way merge of single texts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from gitops_bot.doors import process
from gitops_bot.errors import GitError


def merge_text(ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
    """What ``ours`` becomes with the changes that lead from ``base`` to ``theirs``; None where they conflict.

    Raises GitError when git cannot run.
    """
    with tempfile.TemporaryDirectory(prefix="gitops-bot-merge-") as scratch:
        for name, content in (("ours", ours), ("base", base), ("theirs", theirs)):
            Path(scratch, name).write_bytes(content)
        env = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": scratch, "GIT_CONFIG_NOSYSTEM": "1"}
        argv = ["git", "merge-file", "-p", "--quiet", "ours", "base", "theirs"]
        try:
            ended = process.run(argv, cwd=scratch, env=env, limits=process.Limits(memory=0), network=True)
        except FileNotFoundError as error:
            raise GitError("git was not found on PATH", hint="install git 2.38 or newer") from error
    # The exit code counts the conflicts, up to 127; 255 is an error, also for what is no text.
    if ended.stopped:
        raise GitError(f"git merge-file was stopped after {ended.stopped}")
    return ended.stdout if ended.code == 0 else None
