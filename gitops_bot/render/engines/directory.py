"""A directory of manifests: which files count, and their documents one after another (application-semantics §2.17)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from gitops_bot.errors import NotRenderable, RenderError
from gitops_bot.manifests.documents import decode, placed, split
from gitops_bot.manifests.recognise import is_configuration, may_hold_configuration
from gitops_bot.manifests.yaml import YamlError, dump, load, load_all
from gitops_bot.model.application import DirectoryOptions, FoundDirectory, Source
from gitops_bot.model.globs import glob_expression
from gitops_bot.render.engines.inputs import Inputs, Mount, follow
from gitops_bot.render.prepared import Prepared

_SUFFIXES = (".yaml", ".yml", ".json", ".jsonnet")
SKIP = b"+argocd:skip-file-rendering"
"""A file with these bytes is passed over, as Argo CD does."""
_FOUND = "without configurations"
"""An argument of ours: the directory has no Application, so what only tools read is left out of it."""
_MEND = "correct it, move it away, or exclude it in spec.source.directory"
_WORDS = (b"apiVersion", b"kind", b"metadata")
_PLAIN = tuple(re.compile(rb"^%s:[ \t]*%s" % (word, more), re.M) for word, more in zip(
    _WORDS, (rb"[A-Za-z]", rb"[A-Za-z]", rb""), strict=True))  # fmt: skip
_LIST = re.compile(rb"^kind:[ \t]*[\"']?[A-Za-z]*List\b|^items:", re.M)


def prepare(source: Source, mount: Mount, directory: str) -> Prepared:
    """The files of a directory that count, by extension, ``recurse``, ``exclude`` and ``include``.

    Links to files are followed inside the tree, links to directories are not. Raises NotRenderable for Jsonnet.
    """
    options = source.directory or DirectoryOptions()
    inputs = Inputs()
    names = mount.tree.below(directory) if options.recurse else mount.tree.children(directory)
    skip = len(directory) + 1 if directory else 0
    for path in list(names):
        if not path.endswith(_SUFFIXES) or not _counts(path[skip:], options):
            continue
        entry = mount.tree.entry(path)
        assert entry is not None
        if entry.is_link:
            real, _ = follow(mount, path)
            entry = mount.tree.entry(real) if real is not None else None
            if entry is None:
                raise RenderError(f"{path} is a symbolic link to nothing", hint="remove it, or add what it points to")
        if not entry.is_file:
            continue
        if path.endswith(".jsonnet"):
            raise NotRenderable(f"{path} is Jsonnet, which is not rendered here")
        inputs.file(mount, path, place=mount.at(path))
    arguments = (_FOUND,) if isinstance(options, FoundDirectory) else ()
    return Prepared(renderer="directory", files=inputs.files(), directory=mount.at(directory), arguments=arguments)


def _counts(path: str, options: DirectoryOptions) -> bool:
    if options.exclude and _glob(options.exclude).fullmatch(path):
        return False
    return not options.include or bool(_glob(options.include).fullmatch(path))


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    """Argo CD's glob over a relative path: ``*`` and ``?`` match the slash too, ``{a,b}`` is either."""
    return re.compile(glob_expression(pattern, anything="."), re.DOTALL)


def render(prepared: Prepared, contents: Mapping[int, bytes]) -> bytes:
    """The manifests of every file, in path order, as one stream; ``contents`` by position in ``prepared.files``.

    Files without any manifest are left out, and documents that configure a tool where no Application names the
    directory; a file that mixes manifests and other things, or that cannot be read though it looks like manifests,
    raises RenderError.
    """
    found: list[bytes] = []
    drop = _FOUND in prepared.arguments
    for position, file in enumerate(prepared.files):
        path = file.path.partition("/")[2]
        try:
            data = decode(contents[position])
        except YamlError as error:
            raise RenderError(f"{path}: {error}") from error
        if SKIP not in data:
            found += _json(path, data, drop) if path.endswith(".json") else _yaml(path, data, drop)
    return b"".join(b"---\n" + text.rstrip(b"\n") + b"\n" for text in found)


def broken(prepared: Prepared, contents: Mapping[int, bytes]) -> RenderError | None:
    """The first file whose manifests ``render`` takes as they are, and that no parser reads; None when all can be read.

    Reads everything, so it is for what needs it: text that is to be printed, and the reason of an error.
    """
    for position, file in enumerate(prepared.files):
        path = file.path.partition("/")[2]
        data = decode(contents[position])
        if SKIP in data or path.endswith(".json"):
            continue
        for document in split(data):
            if not _is_plain(document.text):
                continue
            try:
                load_all(document.text)
            except YamlError as error:
                return RenderError(f"{path} cannot be read: {placed(error, data, document)}", hint=_MEND)
    return None


def _json(path: str, data: bytes, drop: bool) -> list[bytes]:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RenderError(f"{path} is not JSON: {error}", hint="correct it, or exclude it") from error
    values = value if isinstance(value, list) else [value]
    if drop:
        values = [item for item in values if not is_configuration(item)]
    if not all(_is_manifest(item) for item in values):
        raise RenderError(f"{path} holds JSON that is no manifest", hint="exclude it in spec.source.directory")
    return [text for item in values for text in _written(item)]


def _yaml(path: str, data: bytes, drop: bool) -> list[bytes]:
    drop = drop and may_hold_configuration(data)
    good: list[bytes] = []
    problem = ""
    for document in split(data):
        text = document.text
        if _is_plain(text) and not (drop and may_hold_configuration(text)):
            good.append(text)
            continue
        try:
            value = load(text, strict=False)
        except YamlError as error:
            problem = problem or f"cannot be read: {placed(error, data, document)}"
            continue
        if value is None or (drop and is_configuration(value)):
            continue
        if _is_manifest(value):
            good += _written(value)
        else:
            problem = problem or "holds a document without apiVersion, kind and metadata"
    if problem and (good or all(word + b":" in data for word in _WORDS)):
        raise RenderError(f"{path} {problem}", hint=_MEND)
    return good


def _is_plain(text: bytes) -> bool:
    """Whether a document is one manifest by its first columns, which is then taken as it is, unread."""
    plain = not text.startswith((b"---", b"%")) and all(word.search(text) for word in _PLAIN)
    return plain and not _LIST.search(text)


def _is_manifest(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(key), str) and value[key] for key in ("apiVersion", "kind"))
        and (isinstance(value.get("metadata"), dict) or "items" in value)
    )


def _written(value: dict[str, Any]) -> list[bytes]:
    """A manifest as text; a list as its items."""
    if str(value["kind"]).endswith("List") and ("items" in value):
        items = value["items"] or []
        if not all(_is_manifest(item) for item in items):
            return [dump(value).encode()]  # items of a typed list need not repeat their kind: it is expanded later
        return [text for item in items for text in _written(item)]
    return [dump(value).encode()]
