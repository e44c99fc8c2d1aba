"""Guards that no test can forget, and the real things that tests use: helm, kustomize, Git repositories.

What the guards refuse: the user's home and Git configuration, tokens, clusters, and any network but loopback.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from gitops_bot.doors import tools
from gitops_bot.errors import ToolError

pytest_plugins = ["tests.servers", "tests.github.plugin", "tests.mlflow", "tests.controlplane.plugin", "tests.sshd"]

# How long an example takes says how busy the machine is, and nothing about the program.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)  # fmt: skip
hypothesis.settings.load_profile("unhurried")

_OURS = tools.installed_directory()
"""Where `gitops-bot tools install` put its programs, looked up before the home is hidden."""
_SECRET_WORDS = ("TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "API_KEY")
_LEFT_OUT = ("KUBECONFIG", "SSH_AUTH_SOCK", "DOCKER_CONFIG", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "GITOPS_BOT_DEBUG")
_GIT_CONFIG = "[user]\n\tname = Ada Tester\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n"
INSTALL = {
    "helm": "make tools",
    "kustomize": "make test-tools (needs Go), or put kustomize 5 on PATH",
}


class NoTestMayReachTheNetworkOutsideThisMachine(BaseException):
    """Serve it on 127.0.0.1 instead. (No Exception, so that nothing under test can swallow it.)"""


@pytest.fixture(scope="session", autouse=True)
def _sealed_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home, a cache and a Git configuration of the tests' own; no tokens, no cluster, a proxy that is dead."""
    home = tmp_path_factory.mktemp("home-that-stands-in-for-yours-see-tests-conftest")
    (home / ".gitconfig").write_text(_GIT_CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name in _LEFT_OUT or name.startswith(("GIT_", "GITHUB_", "ACTIONS_", "RUNNER_")) or any(
                word in name.upper() for word in _SECRET_WORDS
            ):  # fmt: skip
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
        patch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("GIT_TERMINAL_PROMPT", "0")
        patch.setenv("GITOPS_BOT_TOOLS", str(_OURS))
        patch.setenv("PATH", os.pathsep.join([os.environ.get("PATH", os.defpath), str(_OURS)]))
        patch.setenv("NO_PROXY", "127.0.0.1,localhost,::1")
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        yield


@pytest.fixture(scope="session", autouse=True)
def _only_loopback(_sealed_environment: None) -> Iterator[None]:
    """Sockets of the test process connect to this machine only."""

    def guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
        def checked(self: socket.socket, address: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
                raise NoTestMayReachTheNetworkOutsideThisMachine(str(address[0]))
            return connect(self, address)

        return checked

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
        yield


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session")
def helm() -> str:
    """Path of the real Helm that the program would use."""
    try:
        return tools.find("helm").path
    except ToolError as error:
        return pytest.skip(f"helm: {error.message}; {INSTALL['helm']}")


@pytest.fixture(scope="session")
def helms() -> Mapping[int, str]:
    """Paths of a Helm 3 and a Helm 4, by major version: what they render must be equal."""
    found: dict[int, str] = {}
    for candidate in tools.candidates("helm"):
        found.setdefault(int(candidate.version.partition(".")[0] or 0), candidate.path)
    for major, install in ((3, "make test-tools (needs Go)"), (4, "make tools")):
        if major not in found:
            pytest.skip(f"there is no Helm {major}; {install}")
    return found


@pytest.fixture(scope="session")
def kustomize() -> str:
    """Path of a real standalone kustomize."""
    return shutil.which("kustomize") or pytest.skip(f"kustomize is not on PATH; {INSTALL['kustomize']}")


class Checkout:
    """A real Git repository with a working tree, whose commits have the same ids in every run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._clock = 1_700_000_000

    def git(self, *arguments: str) -> str:
        """What git prints, without the last newline; fails the test with git's message."""
        when = {f"GIT_{role}_DATE": f"{self._clock} +0000" for role in ("AUTHOR", "COMMITTER")}
        ended = subprocess.run(
            ["git", *arguments], cwd=self.path, env={**os.environ, **when}, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, f"git {' '.join(arguments)}: {ended.stderr}"
        return ended.stdout.removesuffix("\n")

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Write files of the working tree; None removes one."""
        for name, content in files.items():
            path = self.path / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "change") -> str:
        """Write files, commit everything, and return the commit id."""
        self.write(files)
        self._clock += 60
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., Checkout]:
    """Makes repositories: ``repository({path: content}, name="…")`` with one commit on branch main."""

    def make(files: Mapping[str, str | bytes | None], name: str = "repository") -> Checkout:
        path = tmp_path / name
        path.mkdir()
        checkout = Checkout(path)
        checkout.git("init", "--quiet", "--initial-branch=main")
        checkout.commit(files, "first")
        return checkout

    return make


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell once, at the end, what was not tested and what would let it be."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        reasons[reason] = reasons.get(reason, 0) + 1
    if reasons:
        terminalreporter.section("not tested here")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count} skipped: {reason}")
