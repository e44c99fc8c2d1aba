"""What the runner tells about itself, and where things lie in its workspace.

The variables are those of GitHub's "Variables reference"; in a container action paths are already the container's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from gitops_bot.actions import names
from gitops_bot.errors import UsageError

_NUMBER = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
_NEEDED = ("GITHUB_WORKSPACE", "GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_REPOSITORY")
_HINT = "`gitops-bot action` is what action.yml starts in a workflow; here, `gitops-bot diff` shows the same"


class Runner(msgspec.Struct, frozen=True, kw_only=True):
    """The run that we are a step of."""

    workspace: str
    """Directory, absolute."""
    event_name: str
    event_path: str
    """File with the event's payload."""
    repository: str
    """``owner/name`` of the repository whose workflow runs."""
    server_url: str
    """``https://github.com``, without a slash at its end."""
    api_url: str
    """``https://api.github.com``, ``https://ghes.example.org/api/v3``."""
    output: str = ""
    """File for outputs, ``""`` where the runner takes none."""
    step_summary: str = ""
    """File for the step's summary, ``""`` where the runner takes none."""
    temporary: str = ""
    """A directory that is emptied after the job, ``""`` where there is none."""
    sha: str = ""
    """The workflow's commit, ``""`` where there is none."""
    ref: str = ""
    """In full: ``refs/heads/main``, ``refs/pull/7/merge``; ``""`` where there is none."""
    actor: str = ""
    """Login of who caused the first run of this workflow run."""
    workflow: str = ""
    job: str = ""
    run_id: int = 0
    """0 where there is none."""
    run_attempt: int = 1
    debug: bool = False
    """Somebody runs the job again with debug logging."""

    @property
    def run_url(self) -> str:
        """Page of this run, where its summary and artifacts are; ``""`` where there is none."""
        return f"{self.server_url}/{self.repository}/actions/runs/{self.run_id}" if self.run_id else ""

    @property
    def repository_url(self) -> str:
        """Where Git finds the repository: ``https://github.com/owner/name``."""
        return f"{self.server_url}/{self.repository}"


def read_runner(environ: Mapping[str, str]) -> Runner:
    """The run, from the environment.

    Raises UsageError that lists what is missing (this is no workflow) or wrong.
    """
    missing = [name for name in _NEEDED if not environ.get(name)]
    if missing:
        raise UsageError(f"this is no step of a workflow: {', '.join(missing)} not set", hint=_HINT)
    wrong = [what for name, (is_right, what) in _FORMS.items() if environ.get(name) and not is_right(environ[name])]
    if wrong:
        raise UsageError("; ".join(wrong), hint=_HINT)
    server = environ.get("GITHUB_SERVER_URL") or "https://github.com"
    return Runner(
        workspace=os.path.normpath(environ["GITHUB_WORKSPACE"]),
        event_name=environ["GITHUB_EVENT_NAME"],
        event_path=environ["GITHUB_EVENT_PATH"],
        repository=environ["GITHUB_REPOSITORY"],
        server_url=server.rstrip("/"),
        api_url=(environ.get("GITHUB_API_URL") or _api_of(server)).rstrip("/"),
        output=environ.get("GITHUB_OUTPUT", ""),
        step_summary=environ.get("GITHUB_STEP_SUMMARY", ""),
        temporary=environ.get("RUNNER_TEMP", ""),
        sha=environ.get("GITHUB_SHA", ""),
        ref=environ.get("GITHUB_REF", ""),
        actor=environ.get("GITHUB_ACTOR", ""),
        workflow=environ.get("GITHUB_WORKFLOW", ""),
        job=environ.get("GITHUB_JOB", ""),
        run_id=_number(environ, "GITHUB_RUN_ID", 0),
        run_attempt=_number(environ, "GITHUB_RUN_ATTEMPT", 1),
        debug=environ.get("RUNNER_DEBUG") == "1",
    )


def place(workspace: str, path: str, *, name: str, outside: bool = False) -> str:
    """Where a path that an input names lies: an absolute path, symbolic links followed.

    ``path`` is relative to the workspace, or absolute and inside it; with ``outside`` an absolute one may be anywhere,
    as long as it is not written as one inside and leads out.
    ``name`` is the input's. Nothing has to exist there yet. Raises UsageError when it leads out of the workspace,
    also over a symbolic link: a checkout can bring one.
    """
    root = os.path.realpath(workspace)
    found = os.path.realpath(os.path.join(root, path))
    meant_outside = outside and os.path.isabs(path) and not _is_below(os.path.normpath(path), root, workspace)
    if not _is_below(found, root) and not meant_outside:
        raise UsageError(
            f"{name}: {path!r} leads out of the workspace", hint="name a directory or file below the workspace"
        )
    return found


def _is_below(path: str, *roots: str) -> bool:
    return any(path == root or path.startswith(os.path.join(root, "")) for root in roots)


def _is_url(value: str) -> bool:
    try:
        url = urlsplit(value)
        port_is_right = url.port is None or url.port > 0
    except ValueError:
        return False
    return (
        port_is_right
        and url.scheme in ("http", "https")
        and re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", url.netloc, re.ASCII) is not None
        and re.fullmatch(r"[A-Za-z0-9._/-]*", url.path, re.ASCII) is not None
        and not (url.query or url.fragment)
    )


_FORMS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "GITHUB_WORKSPACE": (os.path.isabs, "GITHUB_WORKSPACE is no absolute path"),
    "GITHUB_REPOSITORY": (names.is_repository, "GITHUB_REPOSITORY is not owner/name"),
    "GITHUB_SERVER_URL": (_is_url, "GITHUB_SERVER_URL is no plain URL"),
    "GITHUB_API_URL": (_is_url, "GITHUB_API_URL is no plain URL"),
    "GITHUB_SHA": (names.is_commit, "GITHUB_SHA is no commit id"),
}
"""What the variables must be like where they are set, and the sentence about those that are not."""


def _api_of(server: str) -> str:
    """The API of a server where the runner names none; GitHub Enterprise Server has it below its own address."""
    return "https://api.github.com" if server == "https://github.com" else f"{server.rstrip('/')}/api/v3"


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, "")
    return int(value) if _NUMBER.fullmatch(value) else default
