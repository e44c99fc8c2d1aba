"""The door to a cluster as the agent's own account has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.requests import Requests
from tests.controlplane.plugin import Installed


@pytest.fixture
def objects(installed: Installed) -> Iterator[Objects]:
    """The objects of the cluster, asked as the agent's account."""
    connection = connect(str(installed.kubeconfig))
    yield Objects(Requests(connection))
    connection.close()
