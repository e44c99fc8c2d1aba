"""What a renderer says when it fails, without the secrets that it quotes from what it read."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import msgspec

from gitops_bot.manifests import yaml
from gitops_bot.manifests.hidden import secrets, veil_any
from gitops_bot.manifests.redact import SECRET, mask_text
from gitops_bot.manifests.secret_text import spans

_SHORTEST = 4
"""Characters from which on a value is looked for; shorter ones are switches and counts."""
_ALONE = 8
"""Characters below which a value is replaced only where it stands alone: it may be part of an ordinary word."""
_LINE = 6
"""Characters from which on a line of a longer value is looked for by itself."""
_READ = 4 << 20
"""Bytes up to which a file is read for its secrets."""
_LITERAL = re.compile(r"(?:an? )?(?:invalid )?literal sources? (?:\[.*\]|[^\n]*?(?=, expected|\n|$))")
"""kustomize's complaint about ``secretGenerator`` literals repeats them."""
_CONFIGURATION = re.compile(r"(trouble configuring builtin \w+ with config): `.*?(?:\n`: ([A-Za-z ]*).*|\Z)", re.DOTALL)
"""kustomize's complaint about an inline patch repeats all of it, which names no secret where it cannot be read."""


def without_secrets(told: str, contents: Mapping[str, bytes], arguments: Iterable[str]) -> str:
    """A tool's words without the values of its inputs that are secret, in whatever form it quotes them.

    ``contents`` are the files that it could read, by path; ``arguments`` those it was called with, whose parameters
    are hidden whatever they are called.
    """
    told = _LITERAL.sub("a literal source (not shown)", told)
    told = _CONFIGURATION.sub(lambda found: f"{found[1]} (not shown): {(found[2] or '').strip()}".rstrip(": "), told)
    for value in sorted(_parameters(arguments), key=lambda value: (-len(value), value)):
        told = told.replace(value, "<value>")
    known = set(_known(contents))
    forms = {form for value in known for form in _forms(value)}
    for form in sorted(forms, key=lambda form: (-len(form), form)):
        if len(form) >= _ALONE:
            told = told.replace(form, SECRET)
        elif form in told:
            told = re.sub(rf"(?<![\w<]){re.escape(form)}(?![\w>])", SECRET, told)
    return mask_text(told)


def _parameters(arguments: Iterable[str]) -> Iterator[str]:
    for flag, setting in pairwise(arguments):
        value = setting.partition("=")[2] if flag in ("--set", "--set-string") else ""
        if len(value) >= _SHORTEST:
            yield from (value, value.replace("\\,", ","), base64.b64encode(value.encode()).decode())


def _known(contents: Mapping[str, bytes]) -> Iterator[str]:
    """The secret values of all files."""
    generated: set[str] = set()
    for content in contents.values():
        for value in _secrets(content, generated):
            yield from _texts(value)
    for path, content in contents.items():
        if posixpath.basename(path) in generated and len(content) <= _READ:
            text = content.decode("utf-8", "replace")
            yield from (text.strip(), *(line.partition("=")[2].strip() or line for line in text.splitlines()))


def _secrets(content: bytes, generated: set[str]) -> Iterator[Any]:
    """The secrets of a file; names of files that become a Secret's values are added to ``generated``."""
    if len(content) > _READ:
        return
    text = content.decode("utf-8", "replace")
    yield from (text[span.start : span.end] for span in spans(text))
    try:
        values = yaml.load_all(content)
    except yaml.YamlError:
        return
    for value in values:
        yield from secrets(veil_any(value))
        if isinstance(value, dict):
            yield from _generators(value, generated)


def _generators(value: dict[str, Any], generated: set[str]) -> Iterator[str]:
    """The literals of a kustomization's ``secretGenerator``."""
    found = value.get("secretGenerator")
    for entry in found if isinstance(found, list) else ():
        if not isinstance(entry, dict):
            continue
        for literal in entry.get("literals") or ():
            if isinstance(literal, str):
                yield from (literal.partition("=")[2], literal)
        for source in (*(entry.get("files") or ()), *(entry.get("envs") or ()), entry.get("env")):
            if isinstance(source, str):
                generated.add(posixpath.basename(source.rpartition("=")[2]))


def _texts(value: Any) -> Iterator[str]:
    """A secret as texts: as written, what it is base64 of, and each of its lines."""
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
        return
    text = str(value)
    yield text
    with contextlib.suppress(binascii.Error, ValueError):
        yield base64.b64decode(text, validate=True).decode()
    if "\n" in text:
        yield from (line.strip() for line in text.splitlines() if len(line.strip()) >= _LINE)


def _forms(value: str) -> Iterator[str]:
    """How a tool or a template function may write a value: quoted, encoded, hashed."""
    value = value.strip("\"'\n ")
    if len(value) < _SHORTEST:
        return
    data = value.encode("utf-8", "surrogatepass")
    quoted = msgspec.json.encode(data.decode("utf-8", "replace")).decode()[1:-1]
    for whole in (data, data + b"\n"):
        yield base64.b64encode(whole).decode().rstrip("=")
        yield base64.urlsafe_b64encode(whole).decode().rstrip("=")
        yield whole.hex()
        for name in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(name, whole, usedforsecurity=False)
            yield digest.hexdigest()
            yield base64.b64encode(digest.digest()).decode().rstrip("=")
    yield from (value, quoted, quote(value, safe=""), value.replace("'", "''"), value.replace("\n", "\n  "))
