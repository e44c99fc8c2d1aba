"""Templating every string of nested values, keys too, many values in one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from gitops_bot.model.applicationset import Params

Renderer = Callable[[Sequence[tuple[str, Params]]], list[str]]
"""Renders (template, params) pairs, in order."""


def render_all(pairs: Sequence[tuple[Any, Params]], render: Renderer) -> list[Any]:
    """Each value with every string in it rendered with its own params.

    As in Argo CD: with no params at all a value stays as it is; else a mapping loses its null entries.
    Raises what ``render`` raises.
    """
    texts = ((text, params) for value, params in pairs if params for text in _strings(value))
    rendered = iter(render([(text, params) for text, params in texts if "{{" in text]))
    return [_rebuild(value, rendered) if params else value for value, params in pairs]


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
