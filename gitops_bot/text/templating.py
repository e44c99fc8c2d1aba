"""Filling templates: ours, or those that a repository puts in their place."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gitops_bot.errors import UsageError
from gitops_bot.text.balance import open_end
from gitops_bot.text.escape import Safe, html_text, md_cell_code, md_code, md_lines, md_text
from gitops_bot.text.shorten import clip, shorten_names
from gitops_bot.text.wording import apps

if TYPE_CHECKING:
    from gitops_bot.text.sandbox import Sandbox

NAMES = ("header", "alerts", "images", "later", "block", "line", "apps", "folded", "notice", "footer")
"""Our templates; each is a file ``NAME.md.j2``."""

_MOST = 4_000
"""Characters of one foreign text, wherever it is written."""
_MOST_NAME = 200
"""Characters of a name in a list of names."""


class Templates:
    """Fills templates by name. A user's template that breaks something is set aside, and a note says why."""

    def __init__(self, overrides: Mapping[str, str] = MappingProxyType({})) -> None:
        """Take the user's templates by file name; what is not among ours may be included by them.

        Raises UsageError for a template that cannot be read, naming file and line.
        """
        self._overrides = dict(overrides)
        self._aside: dict[str, str] = {}
        self._theirs: Sandbox | None = None
        if overrides:
            self._theirs = _sandbox(self._overrides.get)
            for name in sorted(overrides):
                self._guarded(name, lambda name=name: self._theirs.get_template(name))  # type: ignore[misc] # bound to this very name

    @property
    def notes(self) -> tuple[str, ...]:
        """What was set aside and why, in order of the names."""
        return tuple(
            f"the repository's template {name} is not used: {why}" for name, why in sorted(self._aside.items())
        )

    def set_aside(self, why: str, names: Sequence[str]) -> bool:
        """Use our own templates in place of these from now on; says whether that changes anything."""
        found = [f"{name}.md.j2" for name in names if self._used(f"{name}.md.j2")]
        self._aside.update(dict.fromkeys(found, why))
        return bool(found)

    def fill(self, name: str, **values: Any) -> str:
        """Fill one of ``NAMES``; what comes out is whole in itself.

        Raises UsageError when a user's template fails or goes beyond a limit, naming file and line.
        """
        file = f"{name}.md.j2"
        if self._theirs is not None and self._used(file):
            theirs = self._theirs
            text: str = self._guarded(file, lambda: theirs.fill(file, values))
            problem = open_end(text)
            if not problem:
                return text
            self._aside[file] = problem
        return _ours().fill(file, values)

    def _used(self, file: str) -> bool:
        return file in self._overrides and file not in self._aside

    def _guarded(self, file: str, work: Callable[[], Any]) -> Any:
        """Turn whatever a user's template raises into a UsageError with file and line."""
        from jinja2 import TemplateSyntaxError

        try:
            return work()
        except TemplateSyntaxError as error:
            where = f"{error.name or file}:{error.lineno}"
            raise _unusable(where, error.message or "syntax error") from error
        except RecursionError as error:
            raise _unusable(file, "it includes or calls itself without end") from error
        except MemoryError as error:
            raise _unusable(file, "it takes too much memory") from error
        except Exception as error:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in self._overrides]
            where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else file
            raise _unusable(where, f"{error}" or type(error).__name__) from error


def _unusable(where: str, why: str) -> UsageError:
    return UsageError(
        f"template {where}: {clip(why, 500)}",
        hint="correct it in the directory named by review.templates; it is read from the base revision",
    )


def where(targets: Sequence[str]) -> str:
    """Say where: ``churn-staging``, ``12 apps: a, b and 10 more``."""
    if len(targets) == 1:
        return clip(targets[0], _MOST_NAME)
    names, more = shorten_names(targets)
    listed = ", ".join(clip(name, _MOST_NAME) for name in names)
    return f"{apps(len(targets))}: {listed}" + (f" and {more} more" if more else "")


def _filter(make: Callable[[str], str], most: int = _MOST) -> Callable[[Any], Safe]:
    """Make a filter whose result is written out as it is."""
    return lambda value: value if isinstance(value, Safe) else Safe(make(clip(str(value), most)))


def _sandbox(load: Callable[[str], str | None], *, limited: bool = True) -> Sandbox:
    """Make the sandbox; filters are the only functions of ours that templates reach. Ours need no limits."""
    from gitops_bot.text.sandbox import Sandbox  # loaded only for a comment: Jinja takes a tenth of a second

    return Sandbox(
        load,
        {
            "code": _filter(md_code),
            "cell_code": _filter(md_cell_code),
            "prose": _filter(md_text),
            "message": _filter(md_lines),
            "summary": _filter(html_text),
            "where": where,
            "apps": apps,
            "clip": clip,
        },
        limited=limited,
    )


@functools.cache
def _ours() -> Sandbox:
    """The sandbox of our own templates, which are read once."""
    directory = resources.files("gitops_bot.text") / "templates"
    found = {name: (directory / f"{name}.md.j2").read_text("utf-8") for name in NAMES}
    return _sandbox({f"{name}.md.j2": text for name, text in found.items()}.get, limited=False)
