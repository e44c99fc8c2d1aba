"""The sandbox that templates run in: no code but theirs, no endless loop, no text without a limit.

Templates of a repository come from its base revision, so their authors may merge anyway; still, a mistake in one must
not hang or exhaust the runner. Python cannot stop a thread, so nothing may take long in one step: every loop, macro
and included file counts steps, text grows within a limit, and what could do much work at one stroke (powers, padding,
repetition, formatting) is refused or measured before it is done. Steps are counted, not timed: the same template ends
the same way on every machine; the clock only catches what is slow beyond reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, nodes
from jinja2.exceptions import SecurityError, TemplateNotFound
from jinja2.runtime import BlockReference, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from gitops_bot.text.escape import Safe, escaped

MOST_STEPS = 300_000
"""Turns of loops and calls of macros in one rendering."""
MOST_SECONDS = 5.0
MOST_TEXT = 2_000_000
"""Characters of one rendering and of any text made on the way."""
MOST_SOURCE = 200_000
"""Characters of one template."""
_MOST_ITEMS = 100_000
_MOST_NUMBER = 10**15

_TEXT_METHODS = frozenset(
    """
    capitalize casefold count endswith find isalnum isalpha isdecimal isdigit islower isnumeric isspace istitle isupper
    lower lstrip partition removeprefix removesuffix rfind rpartition rsplit rstrip split splitlines startswith strip
    title upper
    """.split()  # noqa: SIM905 - read as a table
)
"""Methods of text that cannot make it longer than it was."""

_FILTERS = """
    abs attr capitalize count d default dictsort first float int items join last length list lower map max min reject
    rejectattr reverse round select selectattr sort string sum title trim unique upper
    """.split()  # noqa: SIM905 - read as a table
"""Filters of Jinja that are offered; none makes more than it gets, ``join`` and ``string`` are measured."""


_CAPTURED = "what a set block wrote"
"""Name of a filter that no template can write: the text of a ``{% set %}`` block has been escaped already."""


class TooMuch(SecurityError):
    """A template that goes beyond a limit."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with limits; what a template writes out is escaped unless a filter has made it ``Safe``."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(
        self, load: Callable[[str], str | None], filters: Mapping[str, Callable[..., Any]], *, limited: bool = True
    ) -> None:
        """Take what gives a template's source by its name (None: there is none) and our filters.

        ``limited`` turns the counting on; what each operation may do is the same without.
        """
        self._limited = limited
        super().__init__(
            loader=FunctionLoader(lambda name: _source(load, name)),
            undefined=StrictUndefined,
            finalize=self._written,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            autoescape=False,  # what comes out is Markdown: ``finalize`` escapes for it
        )
        offered = {name: self.filters[name] for name in _FILTERS}
        self.filters.clear()
        self.filters.update({**offered, "join": self._join, "string": self._string, _CAPTURED: Safe, **filters})
        self.globals.clear()
        self.globals.update(range=self._range)
        self._steps, self._room, self._end = 0, 0, 0.0

    def fill(self, name: str, values: Mapping[str, Any]) -> str:
        """Render one template.

        Raises jinja2's exceptions, TooMuch beyond a limit, and whatever an operation in the template raises.
        """
        template = self.get_template(name)
        self._steps, self._room, self._end = MOST_STEPS, MOST_TEXT, time.monotonic() + MOST_SECONDS
        return template.render(values)

    def step(self, literal: int) -> str:
        """Count one step and the literal text that it may write.

        Raises TooMuch when there have been too many, when they took too long or wrote too much.
        """
        if not self._limited:
            return ""
        self._steps -= 1
        self._write(literal)
        if self._steps < 0:
            raise TooMuch(f"more than {MOST_STEPS:,} turns of loops")
        if not self._steps & 0xFF and time.monotonic() > self._end:
            raise TooMuch(f"more than {MOST_SECONDS:.0f} seconds of work")
        return ""

    def join_all(self, *parts: Any) -> str:
        """Join what stands around ``~``: harmless as soon as one part is known to be, else plain text."""
        safe = any(isinstance(part, Safe) for part in parts)
        texts = [escaped(part) if safe else str(part) for part in parts]
        _measure(sum(map(len, texts)))
        return Safe("".join(texts)) if safe else "".join(texts)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Calculate with numbers within limits, join lists and texts; nothing else."""
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "+" and not numbers:
            if isinstance(left, str) and isinstance(right, str):
                return self.join_all(left, right)
            if isinstance(left, list | tuple) and isinstance(right, list | tuple):
                _measure(len(left) + len(right), _MOST_ITEMS, "items")
        elif not numbers:
            raise TooMuch(f"{operator} is for numbers")
        elif operator == "**" or max(abs(left), abs(right)) > _MOST_NUMBER:
            raise TooMuch("a calculation that is too large")
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, function: Any, /, *arguments: Any, **named: Any) -> Any:
        """Call; what a macro, a block or a recursive loop writes has been escaped already."""
        result = super().call(context, function, *arguments, **named)
        return Safe(result) if isinstance(function, Macro | BlockReference | LoopContext) else result

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow methods of text only where they cannot make it longer, and none of numbers and bytes."""
        if isinstance(obj, str):
            return attr in _TEXT_METHODS
        return not isinstance(obj, int | float | bytes) and super().is_safe_attribute(obj, attr, value)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Parse, and put counting into everything that can be repeated."""
        template = super()._parse(source, name, filename)
        repeated: list[Any] = [template, *template.find_all((nodes.For, nodes.Macro, nodes.CallBlock, nodes.Block))]
        for node in repeated:
            literal = sum(len(text.data) for text in node.find_all(nodes.TemplateData))
            node.body.insert(0, _step(literal, node.lineno or 1))
        for block in template.find_all(nodes.AssignBlock):
            block.filter = block.filter or nodes.Filter(None, _CAPTURED, [], [], None, None)
        _Concats().visit(template)
        return template

    def _written(self, value: object) -> str:
        """Escape what an expression gives, and count it."""
        text = escaped(value)
        self._write(len(text))
        return text

    def _write(self, characters: int) -> None:
        self._room -= characters
        if self._room < 0 and self._limited:
            raise TooMuch(f"more than {MOST_TEXT:,} characters of text")

    def _range(self, *numbers: int) -> range:
        found = range(*numbers)
        _measure(len(found), _MOST_ITEMS, "items")
        return found

    def _join(self, items: Any, separator: Any = "") -> str:
        """Join texts; harmless as soon as one of them is known to be, else plain text."""
        parts: list[Any] = []
        for item in items:
            parts += [separator, item] if parts else [item]
            _measure(len(parts), 2 * _MOST_ITEMS, "items")
        return self.join_all(*parts)

    def _string(self, value: Any) -> str:
        return self.join_all(value)


class _Concats(NodeTransformer):
    """Makes ``a ~ b`` a call of ours, so that its result is measured before there is too much of it."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - the visitor's name for it
        self.generic_visit(node)
        return _call("join_all", node.nodes, node.lineno)


def _step(literal: int, line: int) -> nodes.Node:
    return nodes.ExprStmt(_call("step", [nodes.Const(literal)], line)).set_lineno(line)


def _call(method: str, arguments: list[nodes.Expr], line: int) -> nodes.Call:
    """A call of the environment's own method, which no template can name."""
    called = nodes.Call(nodes.EnvironmentAttribute(method), arguments, [], None, None)
    called.set_lineno(line, override=True)
    return called


def _measure(size: int, most: int = MOST_TEXT, what: str = "characters") -> None:
    if size > most:
        raise TooMuch(f"more than {most:,} {what}")


def _source(load: Callable[[str], str | None], name: str) -> tuple[str, str, None]:
    source = load(name)
    if source is None:
        raise TemplateNotFound(name)
    if len(source) > MOST_SOURCE:
        raise TooMuch(f"{name} is longer than {MOST_SOURCE:,} characters")
    return source, name, None
