"""What the renderer tests share: sources on real repositories, prepared and run by the real tools."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.doors.git import Repository
from gitops_bot.errors import FetchError
from gitops_bot.model.application import Source
from gitops_bot.model.tree import Tree
from gitops_bot.render.engines.prepare import Context, prepare
from gitops_bot.render.engines.run import Program, Tools, run
from gitops_bot.render.prepared import Capabilities, Prepared

KUBE_VERSION = "1.33.1"


class Shelf:
    """A fetcher with what was put on it: charts by name, repositories and files by URL."""

    def __init__(self, **shelves: Mapping[str, Any]) -> None:
        self.charts = shelves.get("charts", {})
        self.repositories = shelves.get("repositories", {})
        self.files = shelves.get("files", {})
        self.asked: list[tuple[str, ...]] = []

    def _get(self, shelf: Mapping[str, Any], *asked: str) -> Any:
        self.asked.append(asked)
        if asked[0] not in shelf:
            raise FetchError(f"{asked[0]} is not allowed", hint="add it to fetch.allow")
        return shelf[asked[0]]

    def chart(self, repository: str, name: str, version: str) -> Tree:
        return self._get(self.charts, name, repository, version)

    def git(self, url: str, revision: str) -> Tree:
        return self._get(self.repositories, url, revision)

    def file(self, url: str) -> bytes:
        return self._get(self.files, url)


class Workplace:
    """One real repository as a tree, and the real tools."""

    def __init__(self, tree: Tree, checkout: Path, tools: Tools, scratch: Path) -> None:
        self.tree = tree
        self.checkout = checkout
        self.tools = tools
        self.scratch = scratch

    def prepare(self, source: Source, **context: Any) -> Prepared:
        """Prepare with the defaults of an Application ``web`` in namespace ``shop``."""
        defaults = {
            "app_name": "web",
            "namespace": "shop",
            "revision": "0123456789abcdef",
            "fetcher": Shelf(),
            "capabilities": Capabilities(kube_version=KUBE_VERSION),
        }
        return prepare(source, self.tree, Context(**{**defaults, **context}))

    def render(self, source: Source, **context: Any) -> bytes:
        """Prepare and run."""
        return self.run(self.prepare(source, **context))

    def run(self, prepared: Prepared) -> bytes:
        found = run(prepared, self.tools, scratch=self.scratch)
        assert list(self.scratch.iterdir()) == [], "nothing stays in the scratch directory"
        return found

    def bare(self, *argv: str) -> bytes:
        """What a tool prints in the full checkout; fails the test when the tool fails."""
        ended = subprocess.run(argv, cwd=self.checkout, capture_output=True, check=False)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout


@pytest.fixture
def workplace(
    repository: Callable[..., Any], tmp_path: Path
) -> Iterator[Callable[[Mapping[str, str | bytes | None]], Workplace]]:
    """Makes workplaces: ``workplace({path: content}, links={path: target})``."""
    opened: list[Repository] = []

    def make(
        files: Mapping[str, str | bytes | None], links: Mapping[str, str] | None = None, name: str = "repository"
    ) -> Workplace:
        checkout = repository(files, name=name)
        for path, target in (links or {}).items():
            (checkout.path / path).parent.mkdir(parents=True, exist_ok=True)
            (checkout.path / path).symlink_to(target)
        checkout.commit({}, "links")
        opened.append(Repository(str(checkout.path)))
        found = {name: shutil.which(name) for name in ("helm", "kustomize")}
        tools = Tools(
            helm=Program((found["helm"],), "3") if found["helm"] else None,
            kustomize=Program((found["kustomize"], "build"), "5") if found["kustomize"] else None,
        )
        scratch = tmp_path / f"{name}-scratch"
        scratch.mkdir()
        return Workplace(opened[-1].tree("HEAD"), checkout.path, tools, scratch)

    yield make
    for each in opened:
        each.close()
