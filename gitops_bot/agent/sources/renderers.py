"""Asks renderers, as many at once as there are; one that breaks is replaced, and its question is asked again.

One that does not answer in time is killed, and its question with it: whoever asked it is answered so, and nobody else.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

import msgspec

from gitops_bot.agent.sources.rendering import Answer, Define, Defined, Render, Rendered, Request, decode_answer, encode
from gitops_bot.doors.lines import Line, LineBroken, LineSilent

_log = logging.getLogger(__name__)


Observe = Callable[[str, float], None]
"""Hears how a render ended (``success``, ``error``), and how many seconds it took."""


_PAUSES = (0.0, 0.5, 3.0)
"""Seconds before each attempt: a container that was ended starts again by itself."""


class Renderers:
    """Lines to renderers that are opened when they are needed; safe under many threads."""

    def __init__(
        self,
        open_line: Callable[[], Line],
        *,
        most: int = 2,
        seconds: float = 300.0,
        observe: Observe = lambda _result, _seconds: None,
    ) -> None:
        """Take what opens a line, how many at once, how long one answer may take, and who hears of renders."""
        self._open = open_line
        self._observe = observe
        self._stopping = threading.Event()
        self._asked: set[Line] = set()
        self._seconds = seconds
        self._idle: queue.LifoQueue[Line | None] = queue.LifoQueue()
        for _ in range(most):
            self._idle.put(None)
        self._most = most

    def render(self, request: Render) -> Rendered:
        """An Application's manifests, or why there are none; nothing is raised."""
        begun = time.monotonic()
        answer = self._ask(request)
        rendered = answer if isinstance(answer, Rendered) else Rendered(error=_strange(answer))
        self._observe("error" if rendered.error else "success", time.monotonic() - begun)
        return rendered

    def define(self, request: Define) -> Defined:
        """What a repository defines; nothing is raised."""
        answer = self._ask(request)
        return answer if isinstance(answer, Defined) else Defined(error=_strange(answer))

    def stop(self) -> None:
        """Break off what is being asked, and answer nothing more."""
        self._stopping.set()
        for line in list(self._asked):
            line.abort()

    def close(self) -> None:
        """Close every line, once nobody asks any more."""
        for _ in range(self._most):
            line = self._idle.get()
            if line is not None:
                line.close()

    def _ask(self, request: Request) -> Answer | str:
        line = self._idle.get()
        try:
            for attempt, pause in enumerate(_PAUSES, 1):
                if self._stopping.wait(pause):
                    return "the agent is stopping"
                try:
                    line = line or self._open()
                    return self._answer(line, request)
                except LineSilent as error:
                    # Asked once more it would take as long once more, and keep others waiting.
                    if line is not None:
                        line.close()
                    line = None
                    _log.warning("a renderer was killed: %s", error)
                    return f"the render was killed: {error} (look for what never ends in it)"
                except (LineBroken, msgspec.DecodeError) as error:
                    if not self._stopping.is_set():
                        _log.warning("the renderer broke off (attempt %d): %s", attempt, error)
                    if line is not None:
                        line.close()
                    line, reason = None, f"the renderer broke off: {error}"
            return reason
        finally:
            self._idle.put(line)

    def _answer(self, line: Line, request: Request) -> Answer:
        self._asked.add(line)
        try:
            if self._stopping.is_set():  # it may have come before the line was among those that are aborted
                raise LineBroken("the agent is stopping")
            return decode_answer(line.ask(encode(request), self._seconds))
        finally:
            self._asked.discard(line)


def _strange(answer: Answer | str) -> str:
    return answer if isinstance(answer, str) else "the renderer answered something else"
