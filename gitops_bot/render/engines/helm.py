"""A Helm source: the chart, its value files, and the flags of ``helm template`` (application-semantics §2.15)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

import msgspec

from gitops_bot.errors import RenderError
from gitops_bot.model.application import HelmOptions, HelmParameter, Source
from gitops_bot.render.engines import chart
from gitops_bot.render.engines.context import Context
from gitops_bot.render.engines.inputs import Inputs, Mount
from gitops_bot.render.engines.substitute import substitute
from gitops_bot.render.engines.values import Finder, Place
from gitops_bot.render.prepared import Prepared

_RELEASE_MAXIMUM = 53
"""Characters of a release name, Helm's own limit."""


def prepare(
    source: Source, mount: Mount, directory: str, refs: Mapping[str, Mount], environment: Mapping[str, str],
    context: Context,
) -> Prepared:  # fmt: skip
    """The files and arguments of ``helm template`` for the chart in ``directory``.

    Raises RenderError for what the chart or the options name and is not there or must not be read.
    """
    options = source.helm or HelmOptions()
    inputs = Inputs()
    place = mount.at(directory)
    warnings = chart.gather(inputs, mount, directory, place, context.fetcher)
    finder = Finder(mount, directory, refs, environment)
    values = [
        _placed(inputs, found, place, index, context)
        for index, found in enumerate(
            finder.find(options.value_files, ignore_missing=options.ignore_missing_value_files)
        )
    ]
    inline = _inline(options)
    if inline is not None:
        inputs.own("own/values.yaml", inline)
        values.append(posixpath.relpath("own/values.yaml", place))
    files = {
        item.name: _placed(inputs, finder.place(item.path), place, f"file-{index}", context)
        for index, item in enumerate(options.file_parameters)
    }
    return Prepared(
        renderer="helm",
        files=inputs.files(),
        directory=place,
        arguments=arguments(options, _release(source, options, context), values, files, environment, context),
        warnings=warnings,
    )


def arguments(
    options: HelmOptions, release: str, values: list[str], files: Mapping[str, str],
    environment: Mapping[str, str], context: Context,
) -> tuple[str, ...]:  # fmt: skip
    """The whole command line after ``helm``, always in the same order.

    ``values`` and ``files`` (parameter → file) are paths relative to the chart. Of parameters with the same name the
    last one wins, at the place of the first.
    """
    found = ["template", ".", "--name-template", release]
    if namespace := options.namespace or context.namespace:
        found += ["--namespace", namespace]
    if kube_version := options.kube_version or context.capabilities.kube_version:
        found += ["--kube-version", kube_version]
    for flag, force_string in (("--set", False), ("--set-string", True)):
        for name, value in _last(options.parameters, force_string=force_string).items():
            found += [flag, f"{name}={escape_commas(substitute(value, environment))}"]
    for name, path in files.items():
        found += ["--set-file", f"{name}={escape_commas(path)}"]
    for path in values:
        found += ["--values", path]
    for api_version in options.api_versions or context.capabilities.api_versions:
        found += ["--api-versions", api_version]
    flags = {
        "--include-crds": not options.skip_crds,
        "--skip-schema-validation": options.skip_schema_validation,
        "--skip-tests": options.skip_tests,
    }
    return (*found, *(flag for flag, given in flags.items() if given))


def escape_commas(value: str) -> str:
    """A value for ``--set``: commas escaped unless they already are, or the value is a list in braces."""
    if value.startswith("{") and value.endswith("}"):
        return value
    parts = value.split(",")
    return "".join(part + ("," if part.endswith("\\") else "\\,") for part in parts[:-1]) + parts[-1]


def _last(parameters: tuple[HelmParameter, ...], *, force_string: bool) -> dict[str, str]:
    return {item.name: item.value for item in parameters if item.force_string == force_string}


def _inline(options: HelmOptions) -> bytes | None:
    """The inline values as YAML text; None when there are none."""
    if options.values_object is not None:
        return msgspec.json.encode(options.values_object)
    return options.values.encode() if options.values else None


def _release(source: Source, options: HelmOptions, context: Context) -> str:
    name = (
        options.release_name or context.app_name or posixpath.basename(source.chart or source.path or "") or "release"
    )
    if "{{" in name:
        raise RenderError(f"the release name {name} is a template", hint="give a plain spec.source.helm.releaseName")
    if len(name) > _RELEASE_MAXIMUM:
        raise RenderError(
            f"the release name {name} has {len(name)} characters, and Helm takes {_RELEASE_MAXIMUM}",
            hint="give a shorter spec.source.helm.releaseName",
        )
    return name


def _placed(inputs: Inputs, found: Place, chart_place: str, index: int | str, context: Context) -> str:
    """Gather a value file; returns its path relative to the chart.

    A file whose path Helm would take apart (commas, quotes) or read as a stream (``-``) gets a name of ours.
    """
    if found.mount is None:
        where = f"own/remote-{index}.yaml"
        inputs.own(where, context.fetcher.file(found.path))
        return posixpath.relpath(where, chart_place)
    where = found.mount.at(found.path)
    plain = posixpath.relpath(where, chart_place)
    if plain.startswith("-") or any(mark in plain for mark in ',"\n\\:'):
        where = f"own/value-{index}.yaml"
    if inputs.file(found.mount, found.path, place=where) is None:
        raise RenderError(f"the file {found.path} is not in {found.mount.label}", hint="correct its path")
    return posixpath.relpath(where, chart_place)
