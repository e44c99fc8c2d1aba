"""Every way in which a document departs from a type, each with its path; msgspec itself stops at the first."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from gitops_bot.model import typed


class Problem(NamedTuple):
    """One thing that is wrong."""

    path: str
    """``environments.staging.branch``, ``images[0].write[1].file``; ``""`` for the document itself."""
    text: str
    """What is wrong, without the value."""


def problems(value: Any, kind: Any, path: str = "") -> Iterator[Problem]:
    """Every problem of a plain value (dicts, lists, scalars) as a ``kind``, in the value's order.

    ``kind`` is a Struct, or a type made of Structs, dicts, tuples, unions with None and what msgspec can convert.
    No problem at all means that ``typed.convert`` will do.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType) and type(None) in arguments:
        if value is not None:
            (other,) = (each for each in arguments if each is not type(None))
            yield from problems(value, other, path)
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _struct(value, kind, path)
    elif origin is dict:
        yield from _mapping(value, arguments[1], path)
    elif origin is tuple:
        yield from _list(value, arguments[0], path)
    else:
        yield from _leaf(value, kind, path)


def _struct(value: Any, kind: type[msgspec.Struct], path: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(path, f"is {_named(value)} where a mapping is expected")
        return
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key, item in value.items():
        here = f"{path}.{key}" if path else str(key)
        if key in fields:
            yield from problems(item, hints[fields[key].name], here)
        else:
            yield Problem(here, f"unknown key{_suggestion(str(key), fields)}")
    for name, field in fields.items():
        if field.required and name not in value:
            yield Problem(path, f"has no {name}")


def _mapping(value: Any, kind: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield Problem(path, f"is {_named(value)} where a mapping is expected")
        return
    for key, item in value.items():
        yield from problems(item, kind, f"{path}.{key}" if path else str(key))


def _list(value: Any, kind: Any, path: str) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(path, f"is {_named(value)} where a list is expected")
        return
    for index, item in enumerate(value):
        yield from problems(item, kind, f"{path}[{index}]")


def _leaf(value: Any, kind: Any, path: str) -> Iterator[Problem]:
    try:
        typed.convert(value, kind)
    except msgspec.ValidationError as error:
        allowed = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
        if allowed:
            choices = ", ".join(map(str, allowed))
            yield Problem(path, f"must be {choices}" if len(allowed) == 1 else f"must be one of {choices}")
        else:
            yield Problem(path, _plain(str(error)))


def _plain(message: str) -> str:
    """The message of msgspec as the end of a sentence about the path, with the hint that helps most often."""
    text = message.partition(" - at `")[0]
    text = text[:1].lower() + text[1:]
    if text.startswith("expected `str`, got `") and ("`int`" in text or "`float`" in text or "`bool`" in text):
        text += " (write it in quotes)"
    return text


def _named(value: Any) -> str:
    names: Mapping[type, str] = {
        dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number",
    }  # fmt: skip
    return "empty" if value is None else names.get(type(value), "something else")


def _suggestion(key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else f" (there are {', '.join(known)})"
