"""What the git generator finds in a tree, and the params of each find."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from gitops_bot.errors import RenderError
from gitops_bot.model.tree import Tree
from gitops_bot.render.applicationsets.fasttemplate import flatten


def normalize_name(name: str) -> str:
    """A name made fit for DNS, as Argo CD's ``normalize``: lower case, other characters to ``-``, at most 253."""
    return re.sub(r"[^-a-z0-9.]", "-", name.lower())[:253].strip("-.")


def matching_directories(tree: Tree, patterns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Directories that a pattern includes and no pattern excludes, in order; ``*`` does not cross a ``/``.

    Directories whose name starts with a dot are never found, nor is anything below them (Argo CD's rule).
    """
    included, excluded = _split(patterns)
    found = [path for path in _directories(tree) if any(pattern.fullmatch(path) for pattern in included)]
    return [path for path in found if not any(pattern.fullmatch(path) for pattern in excluded)]


def _split(patterns: Sequence[Mapping[str, Any]]) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
    compiled = [(_glob(str(each.get("path") or ""), "[^/]"), bool(each.get("exclude"))) for each in patterns]
    return [each for each, exclude in compiled if not exclude], [each for each, exclude in compiled if exclude]


def _directories(tree: Tree) -> Iterator[str]:
    for path in tree.below(""):
        entry = tree.entry(path)
        if entry is not None and entry.is_directory and not path.startswith(".") and "/." not in path:
            yield path


def matching_files(tree: Tree, patterns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Files that a pattern includes and no pattern excludes, in order.

    Patterns are Git's pathspecs, as in Argo CD's default: ``*`` crosses ``/``, and a plain directory means all below.
    """
    included: set[str] = set()
    excluded: set[str] = set()
    for each in patterns:
        path = str(each.get("path") or "")
        (excluded if each.get("exclude") else included).update(_files(tree, path))
    return sorted(included - excluded)


def _files(tree: Tree, pattern: str) -> Iterator[str]:
    plain = posixpath.normpath(pattern) if pattern else ""
    matcher = _glob(pattern, "(?s:.)") if re.search(r"[*?\[\\]", pattern) else None
    for path in tree.below(""):
        entry = tree.entry(path)
        if entry is None or entry.is_directory or entry.is_submodule:
            continue
        if matcher.fullmatch(path) if matcher else path == plain or path.startswith(f"{plain}/"):
            yield path


@lru_cache(maxsize=1024)
def _glob(pattern: str, any_character: str) -> re.Pattern[str]:
    """A glob as a regular expression; ``any_character`` is what ``?`` means, and ``*`` any number of it.

    Raises RenderError for a class without end.
    """
    pieces: list[str] = [""]
    rest = pattern
    while rest:
        char, rest = rest[0], rest[1:]
        if char == "*":
            pieces += [] if len(pieces) > 1 and not pieces[-1] else [""]
        elif char == "?":
            pieces[-1] += any_character
        elif char == "\\" and rest:
            pieces[-1] += re.escape(rest[0])
            rest = rest[1:]
        elif char == "[":
            found = re.match(r"([!^]?)(\]?(?:\\.|[^\]\\])*)\]", rest)
            if found is None:
                raise RenderError(f"the pattern {pattern} has a [ without ]")
            negated, body = found.groups()
            pieces[-1] += f"[{'^' if negated else ''}" + re.sub(r"([\[&|~])", r"\\\1", body) + "]"
            rest = rest[found.end() :]
        else:
            pieces[-1] += re.escape(char)
    # The first place where a piece fits is always good enough, so nothing is ever tried twice: hostile patterns with
    # many stars stay cheap.
    first, *middle = pieces
    last = middle.pop() if middle else None
    text = first + "".join(f"(?>{any_character}*?{piece})" for piece in middle)
    try:
        return re.compile(text if last is None else f"{text}{any_character}*{last}")
    except re.error as error:
        raise RenderError(f"the pattern {pattern} cannot be read: {error}") from None


def directory_params(path: str, prefix: str, *, nested: bool) -> dict[str, Any]:
    """The params of one directory: ``path`` and its parts, below ``prefix`` when there is one."""
    return _placed(_parts(path), prefix, nested=nested)


def file_params(path: str, content: Mapping[str, Any], prefix: str, *, nested: bool) -> dict[str, Any]:
    """The params of one object in a file: its content, and ``path`` (its directory) with the parts and file name."""
    filename = posixpath.basename(path)
    parts = _parts(posixpath.dirname(path) or ".") | {
        "filename": filename,
        "filenameNormalized": normalize_name(filename),
    }
    return {**(content if nested else flatten(content)), **_placed(parts, prefix, nested=nested)}


def _parts(path: str) -> dict[str, Any]:
    basename = posixpath.basename(path)
    return {
        "path": path,
        "basename": basename,
        "basenameNormalized": normalize_name(basename),
        "segments": path.split("/"),
    }


def _placed(parts: dict[str, Any], prefix: str, *, nested: bool) -> dict[str, Any]:
    if nested:
        return {prefix: {"path": parts}} if prefix else {"path": parts}
    name = f"{prefix}.path" if prefix else "path"
    flat: dict[str, Any] = {name: parts["path"]}
    flat |= {f"{name}.{key}": value for key, value in parts.items() if key not in ("path", "segments")}
    flat |= {f"{name}[{index}]": segment for index, segment in enumerate(parts["segments"])}
    return flat
