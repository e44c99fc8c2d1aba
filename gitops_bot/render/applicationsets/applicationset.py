"""From an ApplicationSet to the Applications it stands for: run the generators, fill in the template.

Pure but for what is handed in: trees, a fetcher, and the engine of Go templates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from gitops_bot.errors import BotError
from gitops_bot.manifests import yaml
from gitops_bot.model.application import Application
from gitops_bot.model.applicationset import ApplicationSet, Params, RenderTemplates, Template
from gitops_bot.model.target import NotRendered
from gitops_bot.model.tree import Tree
from gitops_bot.render.applicationsets import fasttemplate, leaves, merging
from gitops_bot.render.applicationsets.fasttemplate import TemplateError
from gitops_bot.render.applicationsets.generators import Context, GeneratorError, generate
from gitops_bot.render.definitions import Definition, WrongShape, decode_application
from gitops_bot.render.prepared import Fetcher

_MISSING_KEY = {
    "missingkey=default": "invalid",
    "missingkey=invalid": "invalid",
    "missingkey=zero": "zero",
    "missingkey=error": "error",
}


class Expansion(msgspec.Struct, frozen=True, kw_only=True):
    """What an ApplicationSet stands for."""

    applications: tuple[Application, ...] = ()
    """In the generators' order; each name once. Their namespace is the ApplicationSet's."""
    documents: tuple[Mapping[str, Any], ...] = ()
    """The same Applications as plain mappings, in the same order."""
    problems: tuple[NotRendered, ...] = ()
    """What could not be generated; its ``id`` is the ApplicationSet's."""


class _Filled(NamedTuple):
    """One generated Application before it is decoded."""

    document: Any
    patch: str
    """The rendered ``templatePatch``, ``""`` when there is none."""


def expand(
    definition: Definition,
    *,
    tree: Tree,
    is_own: Callable[[str], bool],
    fetcher: Fetcher,
    render_templates: RenderTemplates,
    may_be_empty: bool = False,
) -> Expansion:
    """Generate the Applications of one ApplicationSet.

    ``is_own`` says whether a repoURL is this repository, which is then read from ``tree``, whatever revision the
    generator names. With ``may_be_empty`` a generator that yields nothing is no problem. Nothing is raised: what went
    wrong with a generator or template is a problem, and the other generators' Applications are still there.
    """
    appset = definition.application_set
    assert appset is not None, f"{definition.id} is not an ApplicationSet"
    problems: list[str] = []
    try:
        render = _renderer(appset, render_templates)
    except BotError as error:
        return Expansion(problems=(NotRendered(id=definition.id, reason=_sentence(error)),))
    context = Context(tree, is_own, fetcher, render, appset.spec.go_template)
    filled: list[_Filled] = []
    for entry in appset.spec.generators:
        try:
            filled += _filled(entry, appset, context, problems, may_be_empty=may_be_empty)
        except BotError as error:
            problems.append(_sentence(error))
        except RecursionError:
            problems.append("a generator or template nests too deeply")
    if not appset.spec.generators and not may_be_empty:
        problems.append("the ApplicationSet has no generators")
    applications: dict[str, tuple[Application, Mapping[str, Any]]] = {}
    for document in _documents(filled, appset, problems):
        try:
            application = decode_application(document)
        except WrongShape as error:
            problems.append(f"generated Application {_name(document)}: {error}")
            continue
        if application.name in applications:
            problems.append(f"two generated Applications have the name {application.name}; the first one is shown")
            continue
        applications[application.name] = (application, document)
    return Expansion(
        applications=tuple(application for application, _ in applications.values()),
        documents=tuple(document for _, document in applications.values()),
        problems=tuple(NotRendered(id=definition.id, reason=reason) for reason in dict.fromkeys(problems)),
    )


def _sentence(error: BotError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _name(document: Any) -> str:
    metadata = document.get("metadata") if isinstance(document, Mapping) else None
    return str(metadata.get("name", "")) if isinstance(metadata, Mapping) else ""


def _renderer(appset: ApplicationSet, render_templates: RenderTemplates) -> leaves.Renderer:
    """The ApplicationSet's template language. Raises TemplateError for an option that Go does not have."""
    if not appset.spec.go_template:
        return lambda batch: [fasttemplate.render(text, params) for text, params in batch]
    missing = "invalid"
    for option in appset.spec.go_template_options:
        if option not in _MISSING_KEY:
            raise TemplateError(f"unknown goTemplateOptions entry {option}; known are {', '.join(_MISSING_KEY)}")
        missing = _MISSING_KEY[option]

    def render(batch: Sequence[tuple[str, Params]]) -> list[str]:
        return render_templates([Template(text, params, missing) for text, params in batch]) if batch else []

    return render


def _filled(
    entry: Mapping[str, Any], appset: ApplicationSet, context: Context, problems: list[str], *, may_be_empty: bool
) -> list[_Filled]:
    """The template filled in for every set of params of one entry of ``generators``, all in one batch."""
    results: list[_Filled] = []
    for kind, own_template, found in generate(entry, context):
        if not found and not may_be_empty:
            problems.append(f"the {kind} generator yields nothing")
        template = merging.fill(own_template, appset.spec.template)
        both = [template, appset.spec.template_patch or ""]
        rendered = leaves.render_all([(both, params) for params in found], context.render)
        results += [_Filled(document, text) for document, text in rendered]
    return results


def _documents(filled: list[_Filled], appset: ApplicationSet, problems: list[str]) -> Iterator[Mapping[str, Any]]:
    """Each Application as Argo CD would create it: patched, and in the ApplicationSet's namespace."""
    for document, text in filled:
        if not isinstance(document, Mapping) or not isinstance(document.get("metadata"), Mapping):
            problems.append("the template has no metadata")
            continue
        name = _name(document)
        patched: Mapping[str, Any] = document
        if text.strip():
            try:
                patched = _patched(document, text)
            except GeneratorError as error:
                problems.append(f"generated Application {name}: {error.message}")
                continue
        if not _name(patched):
            problems.append("a generated Application has no name")
            continue
        metadata = {**patched["metadata"], "namespace": appset.metadata.namespace}
        yield {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            **patched,
            "metadata": {key: value for key, value in metadata.items() if value is not None},
        }


def _patched(document: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The Application with ``templatePatch`` merged in; its project stays (Argo CD: a patch must not move it)."""
    try:
        documents = yaml.load_all(text.encode())
    except yaml.YamlError as error:
        raise GeneratorError(f"the rendered templatePatch is not YAML: {error}") from None
    change = documents[0] if documents else None
    if change is None:
        return dict(document)
    if not isinstance(change, Mapping):
        raise GeneratorError("the rendered templatePatch is not a mapping")
    patched = merging.patch(document, change)
    spec = patched.get("spec")
    before = document.get("spec")
    if isinstance(spec, Mapping) and isinstance(before, Mapping) and "project" in before:
        patched["spec"] = {**spec, "project": before["project"]}
    return patched
