"""The engine and the image, once for a test run; every test here has the marker ``docker``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.image import engine as engines
from tests.image.engine import Engine
from tests.image.runner import Job


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """A Docker engine that answers."""
    return engines.engine()


@pytest.fixture(scope="session")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of the built image of this checkout."""
    shared = tmp_path_factory.getbasetemp()
    if shared.name.startswith("popen-"):  # a worker of pytest-xdist: its parent is the run's
        shared = shared.parent
    return engines.build(engine, shared / "image.lock")


@pytest.fixture
def job(engine: Engine, image: str, tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Makes jobs on a runner: ``job(repository="acme/shop", …)``; see ``tests/image/runner.py``."""
    made: list[Job] = []

    def make(**about: str) -> Job:
        made.append(Job(engine, image, tmp_path / f"runner-{len(made)}", **about))
        return made[-1]

    yield make
    for each in made:
        each.give_back()
