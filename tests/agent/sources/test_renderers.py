"""Renderers as processes: two at once, killed when one hangs, bounded in memory, and none that takes others along."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_bot.agent.sources.renderers import Renderers
from gitops_bot.agent.sources.rendering import Render, Rendered
from gitops_bot.doors.lines import ChildLine, SocketLine, serve
from gitops_bot.render.prepared import Capabilities
from tests.agent.sources.test_reach import app, origin, source
from tests.conftest import Checkout
from tests.servers import Server

__all__ = ["origin"]

_SLOW = """\
#!/bin/sh
PATH={path}
if [ "$1" = template ] && find . -name hangs.yaml | grep -q .; then
  sleep 1000 &
  echo $! > {noted}
  wait
fi
exec {helm} "$@"
"""


@pytest.fixture
def noted(tmp_path: Path) -> Path:
    """The file with the process that hangs."""
    return tmp_path / "hanging"


@pytest.fixture
def child(helm: str, tmp_path: Path, noted: Path) -> Callable[..., ChildLine]:
    """Starts real renderers, whose helm hangs at a chart with ``templates/hangs.yaml``."""
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "helm"
    wrapper.write_text(_SLOW.format(noted=noted, helm=helm, path=os.environ["PATH"]))
    wrapper.chmod(0o755)

    def start(memory: int = 1536 << 20) -> ChildLine:
        argv = [sys.executable, "-m", "gitops_bot", "agent", "render", "--cache", str(tmp_path / "cache")]
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return ChildLine(argv, cwd=str(tmp_path), env={**os.environ, "PATH": path}, memory=memory)

    return start


@pytest.fixture(params=["pipe", "socket"])
def way(request: pytest.FixtureRequest, child: Callable[..., ChildLine], tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Opens a line in each of the two ways that an agent has."""
    if request.param == "pipe":
        yield child
        return
    path, stopped = tmp_path / "socket", threading.Event()
    thread = threading.Thread(target=serve, args=(path, child, stopped), kwargs={"most": 2})
    thread.start()
    end = time.monotonic() + 10
    while not path.exists() and time.monotonic() < end:
        stopped.wait(0.01)
    yield lambda: SocketLine(path)
    stopped.set()
    thread.join(20)


def chart(**templates: str) -> dict[str, str | bytes | None]:
    made: dict[str, str | bytes | None] = {"chart/Chart.yaml": "apiVersion: v2\nname: own\nversion: 1.0.0\n"}
    return made | {f"chart/templates/{name}.yaml": text for name, text in templates.items()}


def request(server: Server, commit: str, path: str = "chart") -> Render:
    return Render(application=app(source(server, path)), commits=(commit,), capabilities=Capabilities())


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def patience(way: Callable[[], Any], asked: Render) -> float:
    """Seconds in which four renderers and more start and answer one after the other, on a machine as busy as this."""
    begun = time.monotonic()
    renderers = Renderers(way)
    assert renderers.render(asked).error == ""
    renderers.close()
    return 2 + 4 * (time.monotonic() - begun)


def test_a_render_that_hangs_is_killed_with_all_it_runs_and_others_go_on(
    way, git_server: Server, origin: Checkout, noted: Path
) -> None:
    hangs = origin.commit(chart(hangs="a: {{ .Release.Name }}\n"))
    renderers = Renderers(way, seconds=patience(way, request(git_server, hangs, "app")))
    found: list[Rendered] = []
    thread = threading.Thread(target=lambda: found.append(renderers.render(request(git_server, hangs))))
    thread.start()
    end = time.monotonic() + 60
    while not (noted.exists() and noted.read_text().strip()) and time.monotonic() < end:
        threading.Event().wait(0.02)
    assert noted.exists()
    good = renderers.render(request(git_server, hangs, "app"))
    assert (good.error, "name: one" in good.manifests) == ("", True)
    assert found == []
    thread.join(60)
    assert "was killed" in found[0].error
    pid = int(noted.read_text())
    end = time.monotonic() + 20
    while alive(pid) and time.monotonic() < end:
        threading.Event().wait(0.02)
    assert not alive(pid)
    again = renderers.render(request(git_server, hangs, "app"))
    assert again.error == ""
    renderers.close()


def test_a_renderer_that_dies_is_replaced(child, git_server: Server, origin: Checkout) -> None:
    lines: list[ChildLine] = []

    def start() -> ChildLine:
        lines.append(child())
        return lines[-1]

    renderers = Renderers(start, most=1)
    asked = request(git_server, origin.git("rev-parse", "HEAD"), "app")
    assert renderers.render(asked).error == ""
    lines[0].abort()
    assert renderers.render(asked).error == ""
    assert len(lines) == 2
    renderers.close()


def test_a_render_that_takes_too_much_memory_fails_alone(child, git_server: Server, origin: Checkout) -> None:
    """A chart that makes forty megabytes of a line: the renderer ends, and the next question has a new one."""
    large = 'a:\n{{- range until 600 }}\n- "{{ repeat 60000 "x" }}"\n{{- end }}\n'
    commit = origin.commit(chart(large=large))
    renderers = Renderers(lambda: child(memory=128 << 20), most=1)
    assert renderers.render(request(git_server, commit, "app")).error == ""
    answer = renderers.render(request(git_server, commit))
    assert "the renderer broke off" in answer.error
    assert renderers.render(request(git_server, commit, "app")).error == ""
    renderers.close()
