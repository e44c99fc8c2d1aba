"""The Action on this machine instead of in a container: the same runner, inputs and files, our own Python."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.image.runner import Job

_IMAGE = "this-python"


class _Python:
    """What stands where an engine would: it takes the same command line and runs what stands behind the image."""

    socket = ""

    def run(self, *arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "gitops_bot", *arguments[arguments.index(_IMAGE) + 1 :]]
        kept = {name: os.environ[name] for name in ("PATH", "GITOPS_BOT_TOOLS", "NO_PROXY") if name in os.environ}
        given = {**kept, "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", **env}
        return subprocess.run(command, env=given, cwd=env["GITHUB_WORKSPACE"], capture_output=True, check=False)


class Here(Job):
    """A job whose steps see this machine's paths."""

    def __init__(self, place: Path, **about: str) -> None:
        super().__init__(_Python(), _IMAGE, place, **about)  # type: ignore[arg-type]

    def _inside(self, value: str) -> str:
        return value


def job_on(make: Any, github: Any, repository: Any) -> Job:
    """A job of a workflow in a repository of the fake GitHub."""
    return make(repository=repository.full_name, server_url=github.server_url, api_url=github.url)
