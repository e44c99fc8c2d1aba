"""The door to jq: path expressions deleted from objects, in a child process that can be killed.

jq's C binding cannot be interrupted, and a filter from a repository may never end. The child speaks JSON lines on its
pipes; when its answer is late it is killed, and the next call starts another one.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from typing import Any, Self

import msgspec

from gitops_bot.doors.process import Conversation
from gitops_bot.errors import RenderError

SECONDS = 1.0
"""How long one call may take (Argo CD's limit for a jqPathExpression)."""
_START_SECONDS = 20.0
"""How long the child may take to start: imports on a busy machine."""
_READY = b"ready"
_MEMORY = 1 << 30
"""Bytes of address space of the child: a filter can grow without end in less than a second."""


class JqError(RenderError):
    """An expression that is not valid jq, that does not leave exactly one object, or that takes too long."""


class JqWorker:
    """Deletes jq paths from objects. A context manager; the child starts with the first call; safe under threads."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """Take the time limit of one call, in seconds."""
        self._seconds = seconds
        self._child: Conversation | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def delete(self, expressions: Sequence[str], objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The objects without what ``del(expression)`` removes, for each expression in turn.

        An object that the path does not fit stays as it is. Raises JqError that names the expression: not valid jq,
        more or less than one object left, or not done in time.
        """
        result = list(objects)
        with self._lock:
            for expression in expressions:
                result = self._ask(expression, result)
        return result

    __call__ = delete

    def _ask(self, expression: str, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
        shown = expression if len(expression) <= 120 else expression[:119] + "…"
        try:
            child = self._child or self._start()
            child.write(msgspec.json.encode([expression, objects]) + b"\n")
            if not child.poll_readable(self._seconds):
                self.close()
                raise JqError(
                    f"the jq path expression {shown} did not end within {self._seconds:g} s",
                    hint="correct jqPathExpressions in the Application's ignoreDifferences",
                )
            answer = msgspec.json.decode(child.read_line())
        except (EOFError, BrokenPipeError, msgspec.DecodeError):
            self.close()
            raise JqError(
                f"jq broke off at the path expression {shown}",
                hint="correct jqPathExpressions in the Application's ignoreDifferences",
            ) from None
        if isinstance(answer, str):
            raise JqError(
                f"the jq path expression {shown} {answer}",
                hint="correct jqPathExpressions in the Application's ignoreDifferences",
            )
        return list(answer)

    def _start(self) -> Conversation:
        package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        child = Conversation(
            [sys.executable, "-P", "-m", "gitops_bot.doors.jq"],
            cwd="/",
            env={"PYTHONPATH": os.pathsep.join([package, *(path for path in sys.path if path)]), "LC_ALL": "C.UTF-8"},
        )
        if not child.poll_readable(_START_SECONDS) or child.read_line() != _READY:
            child.close()
            raise EOFError
        self._child = child
        return child


# -- the child ----------------------------------------------------------------------------------------------------


def _serve() -> None:
    """Answer requests on standard input until it ends; an answer is the list of objects, or what went wrong."""
    import resource

    import jq

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    out = sys.stdout.buffer
    out.write(_READY + b"\n")
    out.flush()
    for line in sys.stdin.buffer:
        expression, objects = msgspec.json.decode(line)
        answer = _delete(jq, expression, objects)
        out.write(msgspec.json.encode(answer) + b"\n")
        out.flush()


def _delete(jq: Any, expression: str, objects: list[Any]) -> list[Any] | str:
    """The objects without the path, or the sentence that says why not; never with a value in it."""
    try:
        program = jq.compile(f"del({expression})")
    except ValueError:
        return "is not valid"
    result = []
    for each in objects:
        try:
            found: list[Any] = []
            for value in program.input_value(each):
                found.append(value)
                if len(found) > 1:
                    break
        except ValueError:
            found = [each]  # nothing there that the path fits: Argo CD leaves such an object as it is, too
        if len(found) != 1 or not isinstance(found[0], dict):
            return "does not leave exactly one object"
        result.append(found[0])
    return result


if __name__ == "__main__":
    _serve()
