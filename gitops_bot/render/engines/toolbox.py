"""The renderers of one run, each looked for when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from gitops_bot.render.engines.run import Program


class Toolbox:
    """Finds helm and kustomize once; safe under many threads."""

    def __init__(self, find: Callable[[str], Program]) -> None:
        """Take what finds a program by name; it raises ToolError for one that is missing or too old."""
        self._find = find
        self._found: dict[str, Program] = {}
        self._lock = threading.Lock()

    def need(self, name: str) -> Program:
        """The program of this name. Raises ToolError, with what was found instead and what to do."""
        with self._lock:
            if name not in self._found:
                self._found[name] = self._find(name)
            return self._found[name]

    def used(self) -> dict[str, str]:
        """Versions of what was needed so far, by name."""
        with self._lock:
            return {name: program.version for name, program in sorted(self._found.items())}
