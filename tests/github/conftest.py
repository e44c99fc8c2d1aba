"""A shop with a pull request."""

from __future__ import annotations

import pytest

from tests.github.fake import FakeGitHub
from tests.github.state import Pull, Repository


@pytest.fixture
def shop(github: FakeGitHub) -> Repository:
    return github.repository("shop/apps", {"apps/web.yaml": "replicas: 1\n", "README.md": "# shop\n"})


@pytest.fixture
def pull(github: FakeGitHub, shop: Repository) -> Pull:
    return github.open_pull(shop, "more", files={"apps/web.yaml": "replicas: 2\n"})
