"""``gitops-bot agent render``: the renderer of an agent, a process that has no rights in the cluster."""

from __future__ import annotations

import contextlib
import sys
import threading
from pathlib import Path

import click
import msgspec

from gitops_bot.agent.renderer import Renderer
from gitops_bot.agent.rendering import Rendered, decode_request, encode
from gitops_bot.doors import tools as tool_door
from gitops_bot.doors.lines import serve
from gitops_bot.doors.process import Limits
from gitops_bot.errors import ToolError
from gitops_bot.render.engines.run import Program
from gitops_bot.render.engines.toolbox import Toolbox


@click.command("render", context_settings={"show_default": True})
@click.option("--socket", "socket_path", type=click.Path(path_type=Path), help="Answer here; without it, on the pipes.")
@click.option("--cache", type=click.Path(path_type=Path), help="Directory of what is fetched and rendered.")
@click.option("--timeout", type=float, default=600.0, help="Seconds that one render may take, whatever settings say.")
def command(*, socket_path: Path | None, cache: Path | None, timeout: float) -> None:
    """Answer an agent's requests to render, until it hangs up or this is stopped."""
    renderer = Renderer(cache or tool_door.user_cache(), _tools, _helm(), Limits(seconds=timeout))

    def answer(line: bytes) -> bytes:
        try:
            return encode(renderer.answer(decode_request(line)))
        except msgspec.DecodeError as error:
            return encode(Rendered(error=f"the request cannot be read: {error}"))

    with contextlib.closing(renderer):
        if socket_path is not None:
            serve(socket_path, answer, threading.Event())
            return
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
