"""Argo CD's definitions in a tree: every Application, ApplicationSet and AppProject, wherever it lies.

Files are searched as bytes first; only documents that name Argo CD's API group and one of the three kinds are parsed,
and those in whose notation bytes cannot tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Any, Literal, NamedTuple, TypeVar, cast

import msgspec

from gitops_bot.manifests import yaml
from gitops_bot.manifests.documents import decode
from gitops_bot.manifests.recognise import header
from gitops_bot.model import typed
from gitops_bot.model.application import Application
from gitops_bot.model.applicationset import ApplicationSet
from gitops_bot.model.target import NotRendered
from gitops_bot.model.tree import Entry, Tree
from gitops_bot.render.strictjson import JsonError, load_json

_T = TypeVar("_T")

DefinitionKind = Literal["Application", "ApplicationSet", "AppProject"]

MAX_FILE = 5 * 1024 * 1024
"""Bytes; a larger file is named, never searched: an object of that size fits no cluster."""

_GROUP = "argoproj.io/"
_KINDS = ("Application", "ApplicationSet", "AppProject")
_LISTS = tuple(f"{kind}List" for kind in _KINDS)
_VALUE = rb"""["']?\s*:\s*(?:[&!|>]\S*\s+){0,3}["']?"""
"""From a key to its value, over anchors, tags and the signs of a block."""
_API_VERSION = re.compile(rb"apiVersion" + _VALUE + rb"argoproj\.io/")
_KIND = re.compile(rb"kind" + _VALUE + rb"(?:Application|ApplicationSet|AppProject)(?:List)?\b")
_SPELLED = re.compile(rb"App(?:lication|Project)")
_ESCAPED = re.compile(rb"\\(?:x[2-7]|u00[2-7]|U000000[2-7]|\r?\n|\r)")
_BINARY = re.compile(rb"!\S*(?:binary|%)")
"""What may spell a letter otherwise: an escape of it, a folded line; a tag for base64."""
_DOCUMENT = re.compile(rb"\n---(?=[ \t\r\n]|\Z)")
_CONTENT = re.compile(rb"^(?:---[ \t]+[^\s#]|(?!---)[ \t]*[^\s#])", re.MULTILINE)
"""A line that is more than a comment: what has none is no document."""
_MARK = re.compile(rb"\A((?:---[^\n]*\n)?)\xef\xbb\xbf")
"""A byte order mark that begins a document: every document may have one."""
_BATCH = 16 * 1024 * 1024
"""Bytes of blobs held at once."""
_TYPICAL = 4 * 1024
"""Bytes that a file is taken for whose size is not known before it is read."""
_REMEMBERED = 200_000
"""Blobs whose verdict is kept in a process."""


class WrongShape(ValueError):
    """A document that claims to be one of ours and has a field of the wrong type: ``path: what is wrong``."""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One Application, ApplicationSet or AppProject as a file has it."""

    file: str
    """Path in the tree."""
    index: int
    """Which object of the file, counted from 0 with ``List`` items one by one."""
    kind: DefinitionKind
    name: str
    document: Mapping[str, Any]
    """The whole object, unknown fields too."""
    application: Application | None = None
    """For an Application."""
    application_set: ApplicationSet | None = None
    """For an ApplicationSet."""

    @property
    def id(self) -> str:
        """``file#name``."""
        return f"{self.file}#{self.name}"


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found in a tree, each in order of file and index."""

    applications: tuple[Definition, ...] = ()
    application_sets: tuple[Definition, ...] = ()
    projects: tuple[Definition, ...] = ()
    problems: tuple[NotRendered, ...] = ()
    """Files that claim to hold a definition and cannot be read, and definitions of a wrong shape."""


class _Object(NamedTuple):
    """What one object of a blob turned out to be; kept by blob id, so without a file name."""

    position: int
    """``Definition.index``."""
    kind: DefinitionKind = "Application"
    name: str = ""
    document: Mapping[str, Any] = {}
    application: Application | None = None
    application_set: ApplicationSet | None = None
    problem: str = ""
    """``""`` when it can be used."""
    failed: bool = True
    """Whether the problem is an error."""


_TOO_LARGE = _Object(0, problem=f"not searched for Applications: larger than {MAX_FILE >> 20} MiB", failed=False)
_Key = tuple[str, bool]
"""Blob id, and whether it is read as JSON."""

_known: dict[_Key, tuple[_Object, ...]] = {}
"""What blobs hold: the same content is read once in a process, whatever tree it lies in."""


def find_definitions(tree: Tree, where: Callable[[str], bool] = lambda _: True) -> Definitions:
    """Find the definitions of a tree; ``where`` tells paths that are looked at.

    Files end in .yaml, .yml or .json; symbolic links are not followed (what they lead to is found where it lies), and
    a chart's ``templates`` are not definitions but what helm makes definitions from. Raises GitError when a blob cannot
    be read.
    """
    files = [(path, entry) for path, entry in _candidates(tree) if where(path)]
    objects = _read(tree, [(path, entry) for path, entry in files if entry.size <= MAX_FILE])
    return _sorted(
        (path, each)
        for path, entry in files
        for each in ((_TOO_LARGE,) if entry.size > MAX_FILE else objects[_key(path, entry)])
    )


def definitions_in(manifests: bytes, file: str) -> Definitions:
    """Find the definitions among rendered manifests; ``file`` is where what was rendered is defined."""
    return _sorted((file, each) for each in _objects(manifests, is_json=False))


def _sorted(objects: Iterable[tuple[str, _Object]]) -> Definitions:
    """Definitions by kind, and problems, in the order given."""
    found: dict[str, list[Definition]] = {kind: [] for kind in _KINDS}
    problems: list[NotRendered] = []
    for path, each in objects:
        if each.problem:
            where = f"{path}#{each.name}" if each.name else path
            problems.append(NotRendered(id=where, reason=each.problem, failed=each.failed))
        else:
            found[each.kind].append(_definition(path, each))
    return Definitions(
        applications=tuple(found["Application"]),
        application_sets=tuple(found["ApplicationSet"]),
        projects=tuple(found["AppProject"]),
        problems=tuple(problems),
    )


def _definition(path: str, each: _Object) -> Definition:
    return Definition(
        file=path,
        index=each.position,
        kind=each.kind,
        name=each.name,
        document=each.document,
        application=each.application,
        application_set=each.application_set,
    )


def _key(path: str, entry: Entry) -> _Key:
    return entry.oid, path.endswith(".json")


def _candidates(tree: Tree) -> Iterator[tuple[str, Entry]]:
    """The files that may hold definitions, in path order."""
    for path in tree.below(""):
        if path.endswith((".yaml", ".yml", ".json")):
            entry = tree.entry(path)
            if entry is not None and entry.is_file and not _is_template(tree, path):
                yield path, entry


def _is_template(tree: Tree, path: str) -> bool:
    """Whether a file is one of a chart's templates."""
    parts = path.split("/")
    return any(
        part == "templates" and "/".join([*parts[:index], "Chart.yaml"]) in tree
        for index, part in enumerate(parts[:-1])
    )


def _read(tree: Tree, files: list[tuple[str, Entry]]) -> dict[_Key, tuple[_Object, ...]]:
    """What each file holds; content that was never seen is read, some megabytes at a time, and remembered."""
    found: dict[_Key, tuple[_Object, ...]] = {}
    batch: set[_Key] = set()
    size = 0
    for path, entry in files:
        key = _key(path, entry)
        if key in found or key in batch:
            continue
        if (known := _known.get(key)) is not None:
            found[key] = known
            continue
        batch.add(key)
        size += entry.size if entry.size >= 0 else _TYPICAL
        if size > _BATCH:
            found |= _read_batch(tree, batch)
            batch, size = set(), 0
    found |= _read_batch(tree, batch)
    if len(_known) + len(found) > _REMEMBERED:
        _known.clear()
    _known.update(found)
    return found


def _read_batch(tree: Tree, batch: AbstractSet[_Key]) -> dict[_Key, tuple[_Object, ...]]:
    blobs = tree.blobs([oid for oid, _ in sorted(batch)]) if batch else {}
    return {
        (oid, is_json): tuple(_objects(blobs[oid], is_json=is_json)) if len(blobs[oid]) <= MAX_FILE else (_TOO_LARGE,)
        for oid, is_json in batch
    }


def _claims(data: bytes) -> bool:
    """Whether a text says that it holds a definition: what is wrong with it is then worth telling."""
    return b"argoproj.io/" in data and bool(_API_VERSION.search(data)) and bool(_KIND.search(data))


def _mentions(data: bytes) -> bool:
    """Whether a text may hold a definition in any notation: the words are in it, or escapes that may spell them."""
    if b"argoproj.io/" in data and _SPELLED.search(data):
        return True
    return bool((b"\\" in data and _ESCAPED.search(data)) or (b"!" in data and _BINARY.search(data)))


def _is_other(part: bytes) -> bool:
    """Whether the first columns of a YAML document tell that it is something else, and no list."""
    told = header(part)
    return told is not None and not told.items and (told.kind not in _KINDS or not told.api_version.startswith(_GROUP))


def _objects(data: bytes, *, is_json: bool) -> Iterator[_Object]:
    try:
        data = decode(data)
    except yaml.YamlError:
        return  # neither text nor YAML: nobody can make a definition of it
    if not _mentions(data):
        return
    index = 0
    for part, line in [(data, 0)] if is_json else _parts(data):
        if not _mentions(part) or (not is_json and _is_other(part)):
            index += bool(_CONTENT.search(part))
            continue
        documents = _read_part(b"\n" * line + part, is_json=is_json)
        if isinstance(documents, str):
            if documents:
                yield _broken(index, part, documents)
            index += 1
            continue
        for document in (item for each in documents for item in items_of(each)):
            read = _object(document, index)
            if read is not None:
                yield read
            index += 1


def _read_part(part: bytes, *, is_json: bool) -> list[Any] | str:
    """What a text holds, or what is wrong with it: ``""`` when nothing says that it would be ours."""
    try:
        return [load_json(part)] if is_json else yaml.load_all(part, strict=True)
    except (yaml.YamlError, JsonError) as error:
        if _claims(part):
            return str(error)
        found = _without_strictness(part, is_json=is_json)
        return str(error) if any(_object(item, 0) for each in found for item in items_of(each)) else ""


def _without_strictness(part: bytes, *, is_json: bool) -> list[Any]:
    """What a text holds where a key may be there twice; nothing when it cannot be read at all."""
    try:
        return [msgspec.json.decode(part)] if is_json else yaml.load_all(part)
    except (yaml.YamlError, msgspec.DecodeError, RecursionError):
        return []


def _parts(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The documents of a YAML stream, and how many lines stand before each."""
    starts = [0, *(match.start() + 1 for match in _DOCUMENT.finditer(data)), len(data)]
    line = 0
    for start, end in pairwise(starts):
        part = _MARK.sub(rb"\1", data[start:end])
        yield part, line
        line += part.count(b"\n")


def _broken(index: int, part: bytes, reason: str) -> _Object:
    """A text that claims to be a definition and is no YAML; with ``{{`` in it, it is a template of another tool's."""
    if b"{{" in part:
        return _Object(index, problem=f"a template, not a manifest ({reason})", failed=False)
    return _Object(index, problem=reason)


def items_of(document: Any) -> Iterator[Any]:
    """The objects of a document: those of a list, else the document itself.

    A list is, as in Argo CD, whatever has ``items``; those of a typed list need not repeat their kind.
    """
    if isinstance(document, Mapping) and isinstance(document.get("items"), list) and document.get("kind") not in _KINDS:
        kind = document.get("kind")
        typed = {"apiVersion": document.get("apiVersion"), "kind": str(kind)[:-4]} if kind in _LISTS else {}
        for item in document["items"]:
            yield from items_of({**typed, **item} if isinstance(item, Mapping) else item)
    elif isinstance(document, list):
        for item in document:
            yield from items_of(item)
    else:
        yield document


def _object(document: Any, index: int) -> _Object | None:
    """The verdict on one object; None when it is none of ours."""
    if not isinstance(document, Mapping) or document.get("kind") not in _KINDS:
        return None
    if not str(document.get("apiVersion", "")).startswith(_GROUP):
        return None
    kind = cast("DefinitionKind", document["kind"])
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    shown = name if isinstance(name, str) else ""
    application: Application | None = None
    application_set: ApplicationSet | None = None
    problem, failed = "", True
    try:
        if not shown:
            raise WrongShape("metadata.name: expected a name")
        if kind == "Application":
            problem = _unusable(document)
            failed = False
            application = None if problem else decode_application(document)
        elif kind == "ApplicationSet":
            application_set = decode_application_set(document)
    except WrongShape as error:
        problem, failed = str(error), True
    return _Object(index, kind, shown, document, application, application_set, problem, failed)


def _unusable(document: Mapping[str, Any]) -> str:
    """Why an Application, though of the right shape, names nothing to render; ``""`` when it does."""
    spec = document.get("spec")
    if isinstance(spec, Mapping) and spec.get("sourceHydrator"):
        return "its source is a sourceHydrator, which is not rendered"
    if not isinstance(spec, Mapping) or not (spec.get("source") or spec.get("sources")):
        return "an Application without a source: taken for a patch of another file"
    return ""


def decode_application(document: Any) -> Application:
    """An Application from plain values; unknown fields are let through, null is as good as absent.

    Raises WrongShape with the path: ``spec.sources[1].helm.parameters: expected array, got str``.
    """
    return _convert(document, Application)


def decode_application_set(document: Any) -> ApplicationSet:
    """An ApplicationSet from plain values, like ``decode_application``. Raises WrongShape."""
    return _convert(document, ApplicationSet)


def _convert(document: Any, kind: type[_T]) -> _T:
    try:
        return typed.convert(_without_nulls(document), kind)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        problem = problem[:1].lower() + problem[1:].replace("`", "").replace(" | null", "")
        raise WrongShape(f"{path.rstrip('`').lstrip('.')}: {problem}" if path else problem) from None


_OPAQUE = frozenset({"valuesObject", "template", "generators"})
"""Fields whose nulls mean something: helm values, and what is templated first."""


def _without_nulls(value: Any) -> Any:
    """Null fields left out, as Go reads them: the field's zero value."""
    if isinstance(value, Mapping):
        return {
            key: entry if key in _OPAQUE else _without_nulls(entry) for key, entry in value.items() if entry is not None
        }
    if isinstance(value, (list, tuple)):
        return [_without_nulls(entry) for entry in value]
    return value
