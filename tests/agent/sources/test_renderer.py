"""The renderer's side: how much work many Applications of one commit are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.agent.sources.renderer import Renderer
from gitops_bot.agent.sources.rendering import Render, Rendered
from gitops_bot.doors.process import Limits
from gitops_bot.render.engines.toolbox import Toolbox
from gitops_bot.render.prepared import Capabilities
from tests.conftest import Checkout
from tests.servers import Server, git_http, running

_started: list[str] = []
"""Every process that this one starts, by its program."""


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        _started.append(str(arguments[0]))


@pytest.fixture(scope="module", autouse=True)
def heard() -> None:
    """A hook of the interpreter stays for its life; this one only keeps a name."""
    sys.addaudithook(_hear)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The URL and commit of a repository with an Application in each of some directories."""
    served, work = tmp_path / "served", tmp_path / "work"
    served.mkdir()
    work.mkdir()
    server = Server()
    server.routes["/git/"] = git_http(served)
    with running(server):
        checkout = Checkout(work)
        checkout.git("init", "--quiet", "--initial-branch=main")
        name = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {}}}\n"
        commit = checkout.commit({f"apps/{app}/all.yaml": name.format(app) for app in "abcdefgh"}, "first")
        checkout.git("clone", "--quiet", "--bare", str(work), str(served / "fleet"))
        yield f"{server.url}/git/fleet", commit


def ask(renderer: Renderer, url: str, commit: str, app: str) -> Rendered:
    source = {"repoURL": url, "path": f"apps/{app}", "targetRevision": "main"}
    spec = {"source": source, "destination": {"namespace": "shop"}, "project": "default"}
    application = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": app}, "spec": spec}
    answer = renderer.answer(
        Render(application=application, commits=(commit,), capabilities=Capabilities(kube_version="1.36.3"))
    )
    assert isinstance(answer, Rendered)
    return answer


def test_a_commit_is_opened_once_for_all_its_applications(tmp_path: Path, fleet: tuple[str, str]) -> None:
    url, commit = fleet

    def no_tool(name: str) -> Any:
        raise AssertionError(f"a directory needs no {name}")

    renderer = Renderer(tmp_path / "cache", lambda: Toolbox(no_tool), ("helm",), Limits(seconds=60))
    assert "name: a" in ask(renderer, url, commit, "a").manifests
    begun = len(_started)

    answers = [ask(renderer, url, commit, app) for app in "bcdefgh"]

    assert [f"name: {app}" in answer.manifests for app, answer in zip("bcdefgh", answers, strict=True)] == [True] * 7
    assert _started[begun:] == []
    renderer.close()


def test_a_file_that_cannot_be_read_is_named_with_its_line(tmp_path: Path, fleet: tuple[str, str]) -> None:
    work = Checkout(tmp_path / "work")
    broken = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {password: hunter2hunter2\n"
    commit = work.commit({"apps/a/more.yaml": f"# one\n{broken}"}, "broken")
    work.git("push", "--quiet", str(tmp_path / "served" / "fleet"), "main")
    renderer = Renderer(tmp_path / "cache", lambda: Toolbox(NotImplemented), ("helm",), Limits(seconds=60))
    answer = ask(renderer, fleet[0], commit, "a")
    renderer.close()
    assert answer.error.startswith("apps/a/more.yaml cannot be read: line 5: did not find expected ',' or '}'")
    assert "hunter2" not in answer.error
