"""``gitops-bot agent render``: the renderer of an agent, a process that has no rights in the cluster."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

import click
import msgspec

from gitops_bot.agent.sources.renderer import Renderer
from gitops_bot.agent.sources.rendering import Rendered, decode_request, encode
from gitops_bot.doors import tools as tool_door
from gitops_bot.doors.lines import ChildLine, serve
from gitops_bot.doors.process import Limits
from gitops_bot.errors import ToolError
from gitops_bot.render.engines.run import Program
from gitops_bot.render.engines.toolbox import Toolbox

_AT_ONCE = 2


@click.command("render", context_settings={"show_default": True})
@click.option("--socket", "socket_path", type=click.Path(path_type=Path), help="Answer here; without it, on the pipes.")
@click.option("--cache", type=click.Path(path_type=Path), help="Directory of what is fetched and rendered.")
@click.option("--timeout", type=float, default=600.0, help="Seconds that one render may take, whatever settings say.")
@click.option("--memory", type=int, default=1536, help="MiB of address space that one renderer may have, tools aside.")
def command(*, socket_path: Path | None, cache: Path | None, timeout: float, memory: int) -> None:
    """Answer an agent's requests to render, until it hangs up or this is stopped.

    At a socket, each of two connections is answered by a process of its own: one that hangs, or takes too much memory,
    is killed and replaced, and nothing else suffers.
    """
    directory = cache or tool_door.user_cache()
    if socket_path is not None:
        argv = [sys.executable, "-m", "gitops_bot", "agent", "render", "--cache", str(directory), "--timeout",
                str(timeout)]  # fmt: skip
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())  # who is told to end has not failed
        serve(
            socket_path,
            lambda: ChildLine(argv, cwd=os.getcwd(), env=os.environ, memory=memory << 20),
            stopped,
            most=_AT_ONCE,
        )
        return
    renderer = Renderer(directory, _tools, _helm(), Limits(seconds=timeout))

    def answer(line: bytes) -> bytes:
        try:
            return encode(renderer.answer(decode_request(line)))
        except msgspec.DecodeError as error:
            return encode(Rendered(error=f"the request cannot be read: {error}"))

    with contextlib.closing(renderer):
        while line := sys.stdin.buffer.readline():
            sys.stdout.buffer.write(answer(line.rstrip(b"\n")))
            sys.stdout.buffer.flush()


def _tools() -> Toolbox:
    return Toolbox(_program)


def _program(name: str) -> Program:
    tool = tool_door.find("helm" if name == "helm" else "kustomize")
    return Program(tool.prefix, tool.label.removeprefix(f"{tool.name} "))


def _helm() -> tuple[str, ...]:
    try:
        return tool_door.find("helm").prefix
    except ToolError:
        return ("helm",)
