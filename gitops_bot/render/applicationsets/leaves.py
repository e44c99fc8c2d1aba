"""Templating every string of nested values, keys too, many values in one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gitops_bot.model.applicationset import Params
from gitops_bot.render.applicationsets.fasttemplate import TemplateError

Renderer = Callable[[Sequence[tuple[str, Params]]], list[str]]
"""Renders (template, params) pairs, in order."""


MAX_STRINGS = 1_000_000
"""Templated strings one call may render: params times strings of the template, a hostile product."""


def render_all(pairs: Sequence[tuple[Any, Params]], render: Renderer) -> list[Any]:
    """Each value with every string in it rendered with its own params.

    As in Argo CD: with no params at all a value stays as it is; else a mapping loses its null entries. A value without
    any template is built once and shared. Raises TemplateError for too many strings, and what ``render`` raises.
    """
    templated: dict[int, list[str]] = {}
    plain: dict[int, Any] = {}
    for value, _ in pairs:
        if id(value) not in templated:
            templated[id(value)] = [text for text in _strings(value) if "{{" in text]
            if not templated[id(value)]:
                plain[id(value)] = _rebuild(value, iter(()))
    if sum(len(templated[id(value)]) for value, params in pairs if params) > MAX_STRINGS:
        raise TemplateError(f"more than {MAX_STRINGS:,} strings to render", hint="generate fewer Applications")
    rendered = iter(render([(text, params) for value, params in pairs if params for text in templated[id(value)]]))
    return [
        value if not params else plain[id(value)] if id(value) in plain else _rebuild(value, rendered)
        for value, params in pairs
    ]


def _strings(value: Any) -> Iterator[str]:
    """The strings of a value, in the order in which ``_rebuild`` takes their renderings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            if entry is not None:
                yield key
                yield from _strings(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from _strings(entry)


def _rebuild(value: Any, rendered: Iterator[str]) -> Any:
    if isinstance(value, str):
        return next(rendered) if "{{" in value else value
    if isinstance(value, Mapping):
        entries = ((key, entry) for key, entry in value.items() if entry is not None)
        return {_rebuild(key, rendered): _rebuild(entry, rendered) for key, entry in entries}
    if isinstance(value, (list, tuple)):
        return [_rebuild(entry, rendered) for entry in value]
    return value
