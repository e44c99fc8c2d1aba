"""The fixture `github`: a fake GitHub for one test, judged at the test's end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.github.fake import FakeGitHub
from tests.github.judges.panel import Panel
from tests.github.server import GitHubServer
from tests.servers import running


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "hostile_github(why): what the outside judges refuse is what this test is about")


@pytest.fixture(scope="session")
def judges() -> Panel:
    """The outside judges; none sit when their material is missing (tests/tools/judges.sh brings it)."""
    return Panel()


@contextlib.contextmanager
def serving(folder: Path, judges: Panel) -> Iterator[FakeGitHub]:
    """A fake GitHub whose repositories lie in a folder, served until the block ends; see tests/github/fake.py."""
    server = GitHubServer()
    folder.mkdir(parents=True, exist_ok=True)
    server.github = FakeGitHub(server, folder, judges)
    with running(server):  # type: ignore[arg-type]  # any server that serves and shuts down
        yield server.github


def settle(github: FakeGitHub) -> None:
    """Fail the test if a judge refuses an exchange, or the fake itself broke."""
    assert not github.crashes, github.crashes
    complaints = github.judges.complaints(github.requests)
    if complaints:
        pytest.fail("\n".join(["the judges of the fake GitHub refuse:", *complaints]), pytrace=False)


@pytest.fixture
def github(tmp_path: Path, judges: Panel, request: pytest.FixtureRequest) -> Iterator[FakeGitHub]:
    """A fake GitHub for one test; no exchange may be refused by a judge, unless the test is marked hostile_github."""
    with serving(tmp_path / "github-repositories", judges) as made:
        yield made
    if request.node.get_closest_marker("hostile_github") is None:
        settle(made)
    assert not made.crashes, made.crashes
