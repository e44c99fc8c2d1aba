"""A job on GitHub's runner, as far as a container action can see it.

    job = Job(engine, image, tmp_path / "runner", repository="acme/shop", api_url="http://127.0.0.1:8080")
    job.workspace                      # an empty directory: put a checkout there (`git clone … job.workspace`)
    step = job.step({"comment": "auto"}, event_name="pull_request", event={"number": 7, …}, token="…",
                    env={"GITHUB_BASE_REF": "main"})
    step.code, step.stdout, step.stderr, step.seconds
    step.outputs["changed"]            # GITHUB_OUTPUT as the runner reads it
    step.summary                       # GITHUB_STEP_SUMMARY
    step.environment                   # GITHUB_ENV as the runner reads it
    job.own()                          # after changing the workspace between steps: it is the runner's again

The fixtures `engine`, `image` and `job` are in tests/image/conftest.py; `job(repository=…)` makes a Job and gives the
files it left behind back at the end. A server on this machine's loopback is reached from inside, since containers use
the host's network.

What is copied from the runner (actions/runner: ContainerActionHandler.cs, DockerCommandManager.cs,
FileCommandManager.cs): the options of `docker run` and their order, variables by name only, host paths in values
translated to the container's, the five mounts and the engine's socket, the environment's names, files for outputs made
empty by the runner's user with its usual mode, a workspace that belongs to that user and not to root. Inputs come from
`action.yml`: defaults, `runs.env` and `runs.args` are evaluated as the runner evaluates them, so the file is tested too.
Not copied: masking, the problem matchers, what becomes of workflow commands (they stand in stdout).
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.image.engine import ROOT, Engine

UID, GID = 1001, 127
"""The user `runner` of GitHub's own machines, and the group `docker`."""
_EXPRESSION = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")
_FILES = {"GITHUB_OUTPUT": "set_output", "GITHUB_ENV": "set_env", "GITHUB_STEP_SUMMARY": "step_summary",
          "GITHUB_STATE": "save_state", "GITHUB_PATH": "add_path"}  # fmt: skip


class Step(NamedTuple):
    """What a step left behind."""

    code: int
    stdout: str
    stderr: str
    outputs: dict[str, str]
    environment: dict[str, str]
    summary: str
    seconds: float
    """Wall-clock time of `docker run`, so with starting and removing the container."""


class Job:
    """One job of a workflow run: its directories stay from step to step, its files for outputs are new for each."""

    def __init__(
        self,
        engine: Engine,
        image: str,
        place: Path,
        *,
        repository: str = "acme/shop",
        server_url: str = "https://github.com",
        api_url: str = "https://api.github.com",
    ) -> None:
        self._engine = engine
        self._image = image
        self._about = {"repository": repository, "server_url": server_url, "api_url": api_url}
        name = repository.rpartition("/")[2]
        self.workspace = place / "_work" / name / name
        """Where a checkout goes; `/github/workspace` inside."""
        self.temp = place / "_work" / "_temp"
        """`RUNNER_TEMP` of the job; `/github/runner_temp` inside."""
        self._owned = False
        self._mounts = {
            self.temp / "_github_home": "/github/home",
            self.temp / "_github_workflow": "/github/workflow",
            self.temp / "_runner_file_commands": "/github/file_commands",
            self.temp: "/github/runner_temp",
            self.workspace: "/github/workspace",
        }
        for directory in self._mounts:
            directory.mkdir(parents=True, exist_ok=True)

    def step(
        self,
        inputs: Mapping[str, str] | None = None,
        *,
        event_name: str = "pull_request",
        event: Mapping[str, Any] | None = None,
        token: str = "",
        env: Mapping[str, str] | None = None,
        args: list[str] | None = None,
    ) -> Step:
        """Run the Action as one step of this job.

        ``inputs`` is the step's ``with:``, ``env`` its ``env:`` and what else of ``GITHUB_…`` shall not have its usual
        value, ``token`` what ``${{ github.token }}`` is. ``args`` replaces ``runs.args`` and leaves ``action.yml``
        unread: for what the image does by itself.
        """
        event_file = self.temp / "_github_workflow" / "event.json"
        event_file.write_text(json.dumps(event or {}))
        _give(event_file)
        files = self._files()
        action = yaml.safe_load((ROOT / "action.yml").read_text()) if args is None else None
        given = (
            evaluate(action, dict(inputs or {}), {"token": token, **self._about}) if action else _Given({}, args or [])
        )
        environ = {
            **given.environment,
            **{name: str(path) for name, path in files.items()},
            **self._context(event_name, event or {}),
            **(env or {}),
            "HOME": str(self.temp / "_github_home"),
        }
        environ = {name: self._inside(value) for name, value in environ.items()}
        if not self._owned:
            self.own()
        started = time.monotonic()
        ended = self._engine.run(*self._docker_run(environ, given.arguments), env=environ)
        seconds = time.monotonic() - started
        return Step(
            code=ended.returncode,
            stdout=ended.stdout.decode(),
            stderr=ended.stderr.decode(),
            outputs=read_pairs(files["GITHUB_OUTPUT"]),
            environment=read_pairs(files["GITHUB_ENV"]),
            summary=files["GITHUB_STEP_SUMMARY"].read_text(),
            seconds=seconds,
        )

    def own(self) -> None:
        """Give workspace and temporary files to the runner's user; what later containers write stays root's.

        Where the tests do not run as root, their own user is as good: the container's root is another one.
        """
        self._owned = True
        for directory in (self.workspace, self.temp):
            for parent, directories, names in os.walk(directory):
                for name in (".", *directories, *names):
                    _give(Path(parent, name))

    def give_back(self) -> None:
        """Make what root wrote inside removable for whoever runs the tests."""
        if os.getuid() == 0:
            return
        mounts = [part for path, inside in self._mounts.items() for part in ("-v", f"{path}:{inside}")]
        owner = f"{os.getuid()}:{os.getgid()}"
        self._engine.ask("run", "--rm", "--network", "none", "--entrypoint", "chown", *mounts, self._image,
                         "-R", owner, *self._mounts.values())  # fmt: skip

    def _docker_run(self, environ: Mapping[str, str], arguments: list[str]) -> list[str]:
        """As the runner calls it: variables by name, so that no value is in an argument list."""
        options = ["run", "--name", f"gitops_bot_{uuid.uuid4().hex}", "--label", "gitops-bot-test",
                   "--workdir", "/github/workspace", "--rm"]  # fmt: skip
        for name in environ:
            options += ["-e", name]
        options += ["-e", "GITHUB_ACTIONS=true"]
        if "CI" not in environ:
            options += ["-e", "CI=true"]
        options += ["--network", "host"]  # the one difference: an engine inside a container may have no bridge
        if self._engine.socket:
            options += ["-v", f"{self._engine.socket}:/var/run/docker.sock"]
        for path, inside in self._mounts.items():
            options += ["-v", f"{path}:{inside}"]
        return [*options, self._image, *arguments]

    def _files(self) -> dict[str, Path]:
        """Empty files for what the step says, with names of their own as the runner gives them."""
        folder = self.temp / "_runner_file_commands"
        files = {name: folder / f"{kind}_{uuid.uuid4()}" for name, kind in _FILES.items()}
        for path in files.values():
            path.touch(mode=0o644)
            _give(path)
        return files

    def _context(self, event_name: str, event: Mapping[str, Any]) -> dict[str, str]:
        """The variables of the contexts `github` and `runner`; what a run of this event has in them."""
        pull = event.get("pull_request") or {}
        number = event.get("number") or pull.get("number")
        repository = self._about["repository"]
        on_pull = event_name == "pull_request" and number
        api_url = self._about["api_url"]
        return {
            "GITHUB_ACTION": "__run",
            "GITHUB_ACTOR": (event.get("sender") or {}).get("login", "ada"),
            "GITHUB_API_URL": api_url,
            "GITHUB_BASE_REF": (pull.get("base") or {}).get("ref", "") if event_name.startswith("pull_request") else "",
            "GITHUB_EVENT_NAME": event_name,
            "GITHUB_EVENT_PATH": str(self.temp / "_github_workflow" / "event.json"),
            "GITHUB_GRAPHQL_URL": f"{api_url.removesuffix('/v3')}/graphql",
            "GITHUB_HEAD_REF": (pull.get("head") or {}).get("ref", "") if event_name.startswith("pull_request") else "",
            "GITHUB_JOB": "diff",
            "GITHUB_REF": f"refs/pull/{number}/merge" if on_pull else event.get("ref", "refs/heads/main"),
            "GITHUB_REF_NAME": f"{number}/merge" if on_pull else event.get("ref", "refs/heads/main").split("/", 2)[-1],
            "GITHUB_REF_TYPE": "tag" if event.get("ref", "").startswith("refs/tags/") else "branch",
            "GITHUB_REPOSITORY": repository,
            "GITHUB_REPOSITORY_OWNER": repository.partition("/")[0],
            "GITHUB_RETENTION_DAYS": "90",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "4711",
            "GITHUB_RUN_NUMBER": "12",
            "GITHUB_SERVER_URL": self._about["server_url"],
            "GITHUB_SHA": event.get("after") or pull.get("merge_commit_sha") or "0" * 40,
            "GITHUB_WORKFLOW": "ci",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_ARCH": "X64",
            "RUNNER_ENVIRONMENT": "github-hosted",
            "RUNNER_NAME": "GitHub Actions 1",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(self.temp),
            "RUNNER_WORKSPACE": str(self.workspace.parent),
        }

    def _inside(self, value: str) -> str:
        """A value with this machine's paths said as the container knows them, longest first."""
        for path, inside in sorted(self._mounts.items(), key=lambda pair: -len(str(pair[0]))):
            if value == str(path) or value.startswith(f"{path}/"):
                return inside + value[len(str(path)) :]
        return value


def _give(path: Path) -> None:
    if os.getuid() == 0:
        os.chown(path, UID, GID, follow_symlinks=False)


class _Given(NamedTuple):
    """What `action.yml` makes of a step's inputs."""

    environment: dict[str, str]
    arguments: list[str]


def evaluate(action: Mapping[str, Any], inputs: dict[str, str], github: Mapping[str, str]) -> _Given:
    """Inputs with their defaults as ``INPUT_…``, then ``runs.env`` and ``runs.args`` with expressions replaced.

    Knows ``${{ inputs.NAME }}`` and ``${{ github.NAME }}``; anything else in `action.yml` is a KeyError.
    """
    unknown = sorted(set(inputs) - set(action["inputs"]))
    assert not unknown, f"action.yml has no input {', '.join(unknown)}"
    contexts: dict[str, Mapping[str, str]] = {"github": github}

    def filled(text: object) -> str:
        def value(found: re.Match[str]) -> str:
            context, _, name = found[1].partition(".")
            return contexts[context][name]

        return _EXPRESSION.sub(value, str(text))

    every = {name: inputs.get(name, filled(about.get("default", ""))) for name, about in action["inputs"].items()}
    contexts["inputs"] = every
    runs = action["runs"]
    environment = {f"INPUT_{name.replace(' ', '_').upper()}": value for name, value in every.items()}
    for name, text in (runs.get("env") or {}).items():
        environment.setdefault(name, filled(text))
    return _Given(environment, [filled(text) for text in runs.get("args") or []])


def read_pairs(path: Path) -> dict[str, str]:
    """``name=value`` and ``name<<DELIMITER`` lines as the runner reads them; the last of a name counts."""
    pairs: dict[str, str] = {}
    lines = iter(path.read_text().split("\n"))
    for line in lines:
        plain, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (plain < 0 or heredoc < plain):
            name, delimiter = line[:heredoc], line[heredoc + 2 :]
            value = []
            for each in lines:
                if each == delimiter:
                    break
                value.append(each)
            else:
                raise AssertionError(f"the value of {name} has no end")
            pairs[name] = "\n".join(value)
        elif plain > 0:
            pairs[line[:plain]] = line[plain + 1 :]
        else:
            assert not line, f"the runner refuses the line {line!r}"
    return pairs
