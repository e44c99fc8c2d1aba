"""The fixture `github`: a fake GitHub for one test, judged at the test's end."""

from __future__ import annotations

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


@pytest.fixture
def github(tmp_path: Path, judges: Panel, request: pytest.FixtureRequest) -> Iterator[FakeGitHub]:
    """A fake GitHub; see tests/github/fake.py. No exchange may be refused by a judge, unless marked hostile_github."""
    server = GitHubServer()
    folder = tmp_path / "github-repositories"
    folder.mkdir()
    server.github = FakeGitHub(server, folder, judges)
    with running(server):  # type: ignore[arg-type]  # any server that serves and shuts down
        yield server.github
    assert not server.github.crashes, server.github.crashes
    if request.node.get_closest_marker("hostile_github") is None:
        complaints = judges.complaints(server.github.requests)
        if complaints:
            pytest.fail("\n".join(["the judges of the fake GitHub refuse:", *complaints]), pytrace=False)
