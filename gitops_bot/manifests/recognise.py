"""Telling manifests from other files: by bytes where bytes can tell, else by reading them.

A manifest is a document with ``apiVersion`` and ``kind`` at its top, in any notation of YAML. Nearly every file is
written in one plain notation, which a few searches decide; what they cannot decide is parsed.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from gitops_bot.manifests import yaml
from gitops_bot.manifests.documents import decode, split

_KEY = rb"""%s(?:(?<=^%s)|(?<=^["']%s))["']?:[ \t]*"""
"""A key in the first column. Written from its fixed text on, so that megabytes without it are passed over at once."""

_API_VERSION = re.compile(_KEY % ((b"apiVersion",) * 3) + rb"\S", re.M)
_KIND = re.compile(_KEY % ((b"kind",) * 3) + rb"\S", re.M)
_TEMPLATE = re.compile(rb"^[ \t]*(?:- )?\{\{", re.M)
_GROUPS = frozenset({"kustomize.config.k8s.io", "kind.x-k8s.io", "skaffold", "k3d.io", "ctlptl.dev"})
_CONFIGURATION = re.compile(
    rb"""apiVersion["']?\s*:\s*["']?(?:%s)/""" % b"|".join(re.escape(group.encode()) for group in sorted(_GROUPS))
)

_ODD = re.compile(
    rb"""\n(?![ \t\r\n\#]|\Z|---[ \t]*(?:\#.*)?\r?$|\.\.\.[ \t]*\r?$|-(?:[ \t\r]|$)"""
    rb"""|(?:[A-Za-z_][\w./$-]*|"[^"\\\n]*"|'[^'\n]*'):(?:[ \t\r]|$))""",
    re.M,
)
"""The end of a line before one whose first column holds no plain key, list item, marker or comment."""
_INDENTED = re.compile(rb"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]+[^\s#]")
"""The begin of a document that is not in the first column."""
_MARK = re.compile(rb"\n(?:---|\.\.\.)[^\n]*\n")
_OTHER_BREAKS = re.compile(rb"\r(?!\n)|\xc2\x85|\xe2\x80[\xa8\xa9]|\xef\xbb\xbf")
"""What YAML takes for the end of a line (and a mark that it passes over) where a search sees none."""
_TOP = re.compile(rb"""^(["']?)(apiVersion|kind|items)\1:(?=[ \t\r\n]|\Z)[ \t]*([^\r\n]*)""", re.M)
_SIMPLE = re.compile(rb"""(["']?)([A-Za-z][\w./-]*)\1[ \t]*(?:#.*)?""")
_NAMES = ("apiVersion", "kind")
_LOOSE = re.compile(rb"""apiVersion["']?\s*:""")
_LOOSE_KIND = re.compile(rb"""kind["']?\s*:""")


class Header(NamedTuple):
    """What the top of a document says; ``""`` for a key that is not there."""

    api_version: str
    kind: str
    items: bool
    """Whether there is a key ``items``: it may be a list of objects."""


def header(document: bytes) -> Header | None:
    """What bytes alone can tell of one document in UTF-8; None when it must be read to be known.

    Plain notation is a block mapping that begins in the first column, with plain or simply quoted keys, and one-line
    values of the two: nothing else can then be a key of its top.
    """
    if not _plain_notation(document):
        return None
    found = {"apiVersion": "", "kind": "", "items": ""}
    for match in _TOP.finditer(document):
        key, value = match.group(2).decode(), match.group(3)
        simple = _SIMPLE.fullmatch(value)
        if key != "items" and (simple is None or found[key]):
            return None
        found[key] = simple.group(2).decode() if simple and key != "items" else "there"
    return Header(found["apiVersion"], found["kind"], bool(found["items"]))


def is_manifest(content: bytes, *, is_json: bool = False) -> bool:
    """Whether a file holds at least one manifest, as kubectl and Argo CD read a file of a directory.

    Files that only tools on a workstation read (kustomizations, clusters of kind, skaffold) hold none, and neither do
    templates: what has ``{{`` and is no YAML. A file that merely breaks off below a manifest's top counts as one, so
    that whoever reads it tells of the break.
    """
    try:
        data = decode(content)
    except yaml.YamlError:
        return False
    template = b"{{" in data and _TEMPLATE.search(data) is not None
    claimed = bool(_API_VERSION.search(data) and _KIND.search(data)) and not is_json
    if claimed and not template and not _CONFIGURATION.search(data):
        return True
    if not claimed and _is_none(data):
        return False
    found, broken = _read(data, is_json=is_json)
    if template and broken:
        return False
    return (broken and claimed) or any(_is_object(value) and not is_configuration(value) for value in found)


def may_be_manifest(content: bytes, *, is_json: bool = False) -> bool:
    """Whether a file is a manifest, or cannot be read and looks like one: a template, text that breaks off."""
    if is_manifest(content, is_json=is_json):
        return True
    try:
        data = decode(content)
    except yaml.YamlError:
        return True
    return bool(_LOOSE.search(data) and _LOOSE_KIND.search(data)) and _read(data, is_json=is_json)[1]


def is_configuration(value: Any) -> bool:
    """Whether a document looks like a manifest and is read by a tool on a workstation only, never by a cluster."""
    return isinstance(value, dict) and str(value.get("apiVersion", "")).partition("/")[0] in _GROUPS


def may_hold_configuration(data: bytes) -> bool:
    """Whether a text names a tool of ``is_configuration``, so that it is worth reading for one."""
    return _CONFIGURATION.search(data) is not None


def _plain_notation(data: bytes) -> bool:
    if _ODD.match(b"\n" + data.partition(b"\n")[0]) or _ODD.search(data) or _INDENTED.match(data):
        return False
    if data.startswith((b"---", b"...")) and _INDENTED.match(data, data.find(b"\n") + 1):
        return False
    if (b"\n---" in data or b"\n..." in data) and any(
        _INDENTED.match(data, mark.end()) for mark in _MARK.finditer(data)
    ):
        return False
    return not ((b"\r" in data or not data.isascii()) and _OTHER_BREAKS.search(data))


def _is_none(data: bytes) -> bool:
    """Whether bytes tell that no document has both keys at its top."""
    spelled = b"apiVersion" in data and b"kind" in data
    if not spelled and b"\\" not in data and b"!" not in data:  # no escape, no tag: a key is spelled or not there
        return True
    if not _plain_notation(data):
        return False
    return not {b"apiVersion", b"kind"} <= {match.group(2) for match in _TOP.finditer(data)}


def _read(data: bytes, *, is_json: bool) -> tuple[list[Any], bool]:
    """The documents of a file that can be read, those of a JSON list one by one, and whether any cannot be."""
    if is_json:
        try:
            value = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            pass  # kubectl reads YAML in such a file, and Argo CD says that it is no JSON
        else:
            return (value if isinstance(value, list) else [value]), False
    found: list[Any] = []
    broken = False
    for document in split(data):  # one by one, as kubectl and Argo CD read them: each may begin with its own mark
        try:
            found += yaml.load_all(document.text)
        except yaml.YamlError:
            broken = True
    return found, broken


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) and value[key] for key in _NAMES)
