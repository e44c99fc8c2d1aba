"""The generators of ApplicationSets: from a generator's fields to the params of each Application.

A generator is a function in one table; another kind is another function and one entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from gitops_bot.errors import RenderError
from gitops_bot.manifests import yaml
from gitops_bot.model.applicationset import Params
from gitops_bot.model.tree import Tree
from gitops_bot.render.applicationsets import leaves, merging
from gitops_bot.render.applicationsets.fasttemplate import flatten
from gitops_bot.render.applicationsets.gitparams import (
    directory_params,
    file_params,
    matching_directories,
    matching_files,
)
from gitops_bot.render.applicationsets.selectors import matches
from gitops_bot.render.prepared import Fetcher

MAX_APPLICATIONS = 10_000
"""Sets of params one generator may yield: a matrix of two long lists must not eat the machine."""

MAX_NESTING = 5
"""How deep ``matrix`` and ``merge`` may contain each other; Argo CD's schema allows two."""


class GeneratorError(RenderError):
    """A generator cannot say what it yields."""


class Context(NamedTuple):
    """What generators may look at."""

    tree: Tree
    """This repository at the compared commit."""
    is_own: Callable[[str], bool]
    """Whether a repoURL is this repository's."""
    fetcher: Fetcher
    render: leaves.Renderer
    """Renders templates in the ApplicationSet's own language."""
    nested: bool
    """Whether params may nest (Go templates), or are texts by dotted name."""
    depth: int = 0


class Generator(Protocol):
    """One kind of generator."""

    def __call__(self, fields: Mapping[str, Any], context: Context) -> list[Params]:
        """The params of each Application, in order. Raises GeneratorError or another RenderError."""
        ...


class Generated(NamedTuple):
    """What one entry of ``spec.generators`` yields."""

    kind: str
    template: Mapping[str, Any]
    """The generator's own ``template``, merged over the ApplicationSet's; empty when it has none."""
    params: list[Params]


def generate(entry: Mapping[str, Any], context: Context) -> list[Generated]:
    """Run every generator that an entry of ``generators`` names, filtered by the entry's ``selector``.

    Raises RenderError that names the generator.
    """
    if context.depth > MAX_NESTING:
        raise GeneratorError(f"generators nest deeper than {MAX_NESTING} levels")
    found = [(kind, fields) for kind, fields in entry.items() if kind != "selector" and fields is not None]
    if not found:
        raise GeneratorError("an entry of generators names no generator")
    results = []
    for kind, fields in found:
        if kind in _LATER:
            raise GeneratorError(f"the {kind} generator {_LATER[kind]}")
        if kind not in GENERATORS:
            raise GeneratorError(f"unknown generator {kind}; known are {', '.join(sorted(GENERATORS))}")
        if not isinstance(fields, Mapping):
            raise GeneratorError(f"the {kind} generator's fields are not a mapping")
        params = [each for each in GENERATORS[kind](fields, context) if matches(entry.get("selector"), flatten(each))]
        _limit(kind, len(params))
        results.append(Generated(kind, _mapping(fields, "template", kind), params))
    return results


def _limit(kind: str, count: int) -> None:
    if count > MAX_APPLICATIONS:
        raise GeneratorError(f"the {kind} generator yields more than {MAX_APPLICATIONS:,} Applications")


def _mapping(fields: Mapping[str, Any], name: str, kind: str) -> Mapping[str, Any]:
    value = fields.get(name) or {}
    if not isinstance(value, Mapping):
        raise GeneratorError(f"the {kind} generator's {name} is not a mapping")
    return value


def _mappings(fields: Mapping[str, Any], name: str, kind: str) -> Sequence[Mapping[str, Any]]:
    value = fields.get(name) or []
    if not isinstance(value, list) or not all(isinstance(entry, Mapping) for entry in value):
        raise GeneratorError(f"the {kind} generator's {name} is not a list of mappings")
    return value


# -- list -------------------------------------------------------------------------------------------------------------


def _list(fields: Mapping[str, Any], context: Context) -> list[Params]:
    """``elements``, then those of the YAML text ``elementsYaml``."""
    elements = [*_mappings(fields, "elements", "list")]
    if not context.nested:
        elements = [_flat_element(element) for element in elements]
    text = fields.get("elementsYaml") or ""
    if text:
        more = _read_yaml(str(text).encode(), "the list generator's elementsYaml")
        elements += _mappings({"elementsYaml": more}, "elementsYaml", "list")
    return elements


def _flat_element(element: Mapping[str, Any]) -> dict[str, Any]:
    """An element without Go templates: texts only, ``values`` as ``values.x`` (Argo CD refuses anything else)."""
    values = _mapping(element, "values", "list")
    flat = {key: value for key, value in element.items() if key != "values"}
    flat |= {f"values.{key}": value for key, value in values.items()}
    for key, value in flat.items():
        if not isinstance(value, str):
            raise GeneratorError(
                f"the list generator's element {key} is not a string; quote it, or set goTemplate: true"
            )
    return flat


def _read_yaml(data: bytes, what: str) -> Any:
    try:
        documents = yaml.load_all(data)
    except yaml.YamlError as error:
        raise GeneratorError(f"{what} is not YAML: {error}") from None
    return documents[0] if documents else None


# -- git --------------------------------------------------------------------------------------------------------------


def _git(fields: Mapping[str, Any], context: Context) -> list[Params]:
    """Directories or files of a Git repository."""
    url = str(fields.get("repoURL") or "")
    if not url:
        raise GeneratorError("the git generator has no repoURL")
    revision = str(fields.get("revision") or "HEAD")
    tree = context.tree if context.is_own(url) else context.fetcher.git(url, revision)
    prefix = str(fields.get("pathParamPrefix") or "")
    found: list[dict[str, Any]]
    if directories := _mappings(fields, "directories", "git"):
        found = [
            directory_params(path, prefix, nested=context.nested) for path in matching_directories(tree, directories)
        ]
    elif files := _mappings(fields, "files", "git"):
        paths = matching_files(tree, files)
        _limit("git", len(paths))
        found = [params for path in paths for params in _file(tree, path, prefix, nested=context.nested)]
    else:
        raise GeneratorError("the git generator has neither directories nor files")
    _limit("git", len(found))
    return _with_values(found, _mapping(fields, "values", "git"), context)


def _file(tree: Tree, path: str, prefix: str, *, nested: bool) -> list[dict[str, Any]]:
    """A file holds one mapping or a list of them; an empty one is one empty mapping."""
    try:
        data = tree.read(path)
    except (FileNotFoundError, ValueError) as error:
        raise GeneratorError(f"the git generator's file {path} cannot be read: {error}") from None
    content = _read_yaml(data, f"the git generator's file {path}")
    objects = [{}] if content is None else content if isinstance(content, list) else [content]
    if not all(isinstance(each, Mapping) for each in objects):
        raise GeneratorError(f"the git generator's file {path} holds neither a mapping nor a list of mappings")
    return [file_params(path, each, prefix, nested=nested) for each in objects]


def _with_values(found: list[dict[str, Any]], values: Mapping[str, Any], context: Context) -> list[Params]:
    """Params and the generator's ``values``, each templated with the params it joins (not with other values)."""
    if not values:
        return list(found)
    rendered = iter(context.render([(str(value), params) for params in found for value in values.values()]))
    results: list[Params] = []
    for params in found:
        own = {key: next(rendered) for key in values}
        results.append(
            {**params, "values": own} if context.nested else {**params, **{f"values.{k}": v for k, v in own.items()}}
        )
    return results


# -- combinations -----------------------------------------------------------------------------------------------------


def _child(entry: Mapping[str, Any], context: Context, kind: str) -> list[Params]:
    generated = generate(entry, context._replace(depth=context.depth + 1))
    if len(generated) != 1:
        raise GeneratorError(f"an entry of the {kind} generator names more than one generator")
    return generated[0].params


def _matrix(fields: Mapping[str, Any], context: Context) -> list[Params]:
    """Every combination of two generators; the second one's fields are templated with the first one's params."""
    children = _mappings(fields, "generators", "matrix")
    if len(children) != 2:
        raise GeneratorError(f"the matrix generator takes exactly two generators, not {len(children)}")
    first = _child(children[0], context, "matrix")
    seconds = leaves.render_all([(children[1], params) for params in first], context.render)
    results: list[Params] = []
    for params, child in zip(first, seconds, strict=True):
        results += [_combined(params, other, nested=context.nested) for other in _child(child, context, "matrix")]
        _limit("matrix", len(results))
    return results


def _combined(first: Params, second: Params, *, nested: bool) -> Params:
    if nested:
        return merging.override(second, first)
    for key in sorted(first.keys() & second.keys()):
        if first[key] != second[key]:
            raise GeneratorError(f"the matrix generator's two generators both set {key}, to different values")
    return {**first, **second}


def _merge(fields: Mapping[str, Any], context: Context) -> list[Params]:
    """The first generator's params, each completed by those of the others that have the same ``mergeKeys``."""
    children = _mappings(fields, "generators", "merge")
    keys = fields.get("mergeKeys") or []
    if len(children) < 2:
        raise GeneratorError("the merge generator takes two or more generators")
    if not isinstance(keys, list) or not keys:
        raise GeneratorError("the merge generator has no mergeKeys")
    merged, *others = (_by_keys(_child(child, context, "merge"), keys) for child in children)
    for other in others:
        for identity, params in other.items():
            if identity in merged:
                base = merged[identity]
                merged[identity] = merging.override(base, params) if context.nested else {**base, **params}
    return list(merged.values())


def _by_keys(found: list[Params], keys: Sequence[str]) -> dict[str, Params]:
    by_keys: dict[str, Params] = {}
    for params in found:
        identity = repr([params.get(key) for key in keys])
        if identity in by_keys:
            raise GeneratorError(f"the merge generator has two sets of params with the same {', '.join(keys)}")
        by_keys[identity] = params
    return by_keys


GENERATORS: Mapping[str, Generator] = {"list": _list, "git": _git, "matrix": _matrix, "merge": _merge}
"""Every kind of generator that can be expanded here, by its field's name."""

_LATER = {
    "clusters": "needs a capability snapshot of every cluster it may select, and these are not read yet",
    "pullRequest": "asks a Git host for open pull requests, which a review does not do",
    "scmProvider": "asks a Git host for its repositories, which a review does not do",
    "clusterDecisionResource": "asks a cluster, which a review never does",
    "plugin": "asks a service in the cluster, which a review never does",
}
"""Argo CD's other generators, and why they yield nothing here."""
