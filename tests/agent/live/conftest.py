"""An agent that runs, and namespaces for its Applications."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.agent.live.harness import LiveAgent, live_agent
from tests.controlplane.plane import ControlPlane
from tests.controlplane.plugin import Installed
from tests.controlplane.programs import OWN_CLUSTER
from tests.servers import Server, git_http, running

MakeAgent = Callable[[], AbstractContextManager[LiveAgent]]


class GitHost(NamedTuple):
    """Where repositories are served from."""

    served: Path
    url: str


@pytest.fixture(scope="session")
def git_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHost]:
    """Git over smart HTTP, for all tests of a worker."""
    served = tmp_path_factory.mktemp("git") / "served"
    served.mkdir()
    server = Server()
    server.routes["/git/"] = git_http(served)
    with running(server):
        yield GitHost(served, f"{server.url}/git")


@pytest.fixture(scope="session")
def make_agent(
    installed: Installed, git_host: GitHost, helm: str, tmp_path_factory: pytest.TempPathFactory
) -> MakeAgent:
    """Makes agents that are not started yet; their account's denied calls must be none at the end."""
    if not installed.plane.audit_log.exists():
        pytest.skip(f"it counts requests in an audit log, and kwok makes its pods: not in the cluster of {OWN_CLUSTER}")
    folder = tmp_path_factory.mktemp("agents")
    return lambda: live_agent(installed.plane, folder, git_host.served, git_host.url)


@pytest.fixture
def own_agent(make_agent: MakeAgent) -> Iterator[LiveAgent]:
    """An agent of the test's own, not started yet."""
    with make_agent() as agent:
        yield agent


@pytest.fixture(scope="session")
def shared_agent(make_agent: MakeAgent) -> Iterator[LiveAgent]:
    with make_agent() as agent:
        agent.start()
        yield agent


@pytest.fixture
def agent(shared_agent: LiveAgent) -> Iterator[LiveAgent]:
    """An agent that runs and that many tests use, each with Applications and namespaces of its own."""
    before = set(shared_agent.names("Application", shared_agent.namespace))
    yield shared_agent
    for name in set(shared_agent.names("Application", shared_agent.namespace)) - before:
        shared_agent.forget(name)


@pytest.fixture
def alone(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For tests that use namespaces by the names that the example gives them: one at a time, over all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with (shared / "by-name.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
