"""The input ``fetch_credentials``: what it binds to which place, and what in it has to be masked.

It is the content of a credentials file, as JSON or YAML. Nothing of it is quoted by anything here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from gitops_bot.doors.credentials import Credentials, bind

LARGEST = 64 << 10
"""Characters; GitHub's own limit for one secret is 48 KB."""
_OPEN = ("url", "username")
"""Keys whose values are no secrets."""
_USERINFO = re.compile(r"://(\S*)@")
_WORD = re.compile(r"""[^\s"',\[\]{}]{6,}""")


def read(text: str) -> tuple[Credentials | None, tuple[str, ...]]:
    """The credentials in a text, None for an empty one, and every problem of it; no problem quotes any of it."""
    if not text.strip():
        return None, ()
    if len(text) > LARGEST:
        return None, (f"is longer than {LARGEST >> 10} Ki characters",)
    try:
        value = _plain(text)
    except ValueError as error:
        return None, (str(error),)
    credentials, problems = bind(value)
    return (None if problems else credentials), problems


def secrets_in(text: str) -> tuple[str, ...]:
    """What to mask of the input before anything is said: passwords, tokens, and what they are sent as; each once.

    It is found whatever else is wrong with the text: all values but those of ``url`` and ``username`` count. Where the
    text cannot even be read, it is the whole, and each of its longer words.
    """
    try:
        value = _plain(text)
    except ValueError:
        return tuple(dict.fromkeys((text, *_WORD.findall(text)))) if text.strip() else ()
    return tuple(dict.fromkeys(each for each in _secrets(value) if each.strip()))


def _plain(text: str) -> Any:
    """The text as lists, mappings and scalars. Raises ValueError that says the line at most."""
    data = text.encode("utf-8", "surrogateescape")
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        pass
    from gitops_bot.manifests import yaml

    try:
        return yaml.load(data, strict=True)
    except yaml.YamlError as error:
        where = f" (line {error.line})" if error.line else ""
        raise ValueError(f"is neither JSON nor YAML{where}") from None


def _secrets(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _secrets(item, str(name))
        if isinstance(value.get("password"), str):
            pair = f"{value.get('username') or ''}:{value['password'].strip()}"
            yield base64.b64encode(pair.encode("utf-8", "surrogateescape")).decode()
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item, key)
    elif value is not None and not isinstance(value, bool):
        text = str(value)
        if key not in _OPEN:
            yield text
        else:
            yield from (part for found in _USERINFO.findall(text) for part in (found, found.partition(":")[2]))
