"""The door to a repository's history: whether one commit follows another. Nothing but commits is fetched for that."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from gitops_bot.doors.blobs import locked
from gitops_bot.doors.credentials import Keyring
from gitops_bot.doors.sealed_git import SealedGit
from gitops_bot.errors import FetchError
from gitops_bot.model import url as urls
from gitops_bot.model.url import Url

_STEPS = (30, 1000, 20_000)
"""How many commits back are asked for, one after another: what is pushed between two polls is among the first."""
_MOST = 32 * 1024 * 1024
"""Bytes of one answer: twenty thousand commits are some megabytes."""
_REMOTE = ("-c", "remote.origin.url=URL", "-c", "remote.origin.promisor=true", "-c",
           "remote.origin.partialclonefilter=tree:0")  # fmt: skip


class Lineage:
    """Asks where commits come from; kept in a directory, one small repository for each."""

    def __init__(
        self,
        directory: Path,
        keyring: Keyring,
        *,
        seconds: float = 60.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Take the directory, what may be sent where, and the time limit of one git command in seconds."""
        self._directory = directory / "lineage"
        self._git = SealedGit(
            keyring, seconds=seconds, environment=os.environ if environment is None else environment, largest=_MOST
        )

    def follows(self, url: Url, old: str, new: str) -> bool | None:
        """Whether ``old`` is an ancestor of ``new``; None where nobody can tell, or the history is very long."""
        directory = self._directory / hashlib.sha256(urls.normalise_git(str(url)).encode()).hexdigest()
        try:
            with locked(directory.with_name(f"{directory.name}.lock")):
                return self._follows(url, directory, old, new)
        except FetchError:
            shutil.rmtree(directory, ignore_errors=True)
            return None

    def _follows(self, url: Url, directory: Path, old: str, new: str) -> bool | None:
        if not (directory / "HEAD").exists():
            directory.mkdir(parents=True, exist_ok=True)
            self._git.run(("init", "--quiet", "--bare", "--template=", "."), str(directory))
        for step in _STEPS:
            argv = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=tree:0", f"--depth={step}")
            self._git.ask(url, (*_REMOTE, *argv, "origin", f"+{new}:refs/heads/it"), directory)
            if self._git.run(("merge-base", "--is-ancestor", old, "refs/heads/it"), str(directory)).code == 0:
                return True
            if not (directory / "shallow").exists():
                return False
        return None
