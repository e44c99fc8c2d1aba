"""A kustomization file as a value: what it refers to, and an Application's options written into it.

The options are written as ``kustomize edit`` and Argo CD write them (application-semantics §2.16); the tests judge
this against the real commands.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from gitops_bot.errors import RenderError
from gitops_bot.model.application import KustomizeOptions
from gitops_bot.render.engines.substitute import substitute

Kind = Literal["resource", "component", "file", "source", "patch", "plugin"]

_LISTS: Mapping[str, Kind] = {
    "resources": "resource",
    "bases": "resource",
    "components": "component",
    "crds": "file",
    "configurations": "file",
    "patchesstrategicmerge": "patch",
    "generators": "plugin",
    "transformers": "plugin",
    "validators": "plugin",
    "paths": "patch",
    "files": "source",
    "envs": "file",
}
"""Fields that are lists of references, in lower case: kustomize's decoder takes names in any case."""
_WITH_PATH = frozenset(("patches", "patchesjson6902", "replacements"))
_GENERATORS = frozenset(("configmapgenerator", "secretgenerator"))
_KEEP = "*"


class Reference(NamedTuple):
    """One reference in a kustomization, where it stands so that it can be rewritten."""

    kind: Kind
    """``resource`` a file or directory, ``component`` a directory, ``file`` a file, ``source`` a file with ``key=``
    before it, ``patch`` a file or the patch itself, ``plugin`` a file, a directory or the configuration itself."""
    holder: Any
    """The list or mapping it is in."""
    key: Any
    """Its index or key there."""

    @property
    def value(self) -> str:
        return str(self.holder[self.key])


def references(document: Mapping[str, Any]) -> Iterator[Reference]:
    """Every reference of a kustomization or of a builtin plugin's configuration, Helm charts left out, in order."""
    for name, value in document.items():
        field = name.lower()
        if field in _LISTS and isinstance(value, list):
            yield from (
                Reference(_LISTS[field], value, index) for index, item in enumerate(value) if isinstance(item, str)
            )
        elif field in _WITH_PATH and isinstance(value, list):
            for item in value:
                yield from _path(item)
        elif field in _GENERATORS and isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    yield from references({k: v for k, v in item.items() if k.lower() in ("files", "envs")})
                    yield from _named(item, "env")
        elif field == "openapi":
            yield from _path(value)
    if "env" in document or "path" in document:
        yield from _named(document, "env")
        yield from _named(document, "path")


def _path(holder: Any) -> Iterator[Reference]:
    if isinstance(holder, dict):
        yield from _named(holder, "path")


def _named(holder: Any, field: str) -> Iterator[Reference]:
    for name, value in holder.items():
        if name.lower() == field and isinstance(value, str) and value:
            yield Reference("file", holder, name)


def apply(
    document: Mapping[str, Any], options: KustomizeOptions, environment: Mapping[str, str],
    exists: Callable[[str], bool],
) -> dict[str, Any]:  # fmt: skip
    """The kustomization with an Application's options in it; the given one stays as it is.

    ``exists`` tells whether a component's directory is there. Raises RenderError for options that kustomize refuses.
    """
    found = dict(document)
    if options.name_prefix:
        found["namePrefix"] = options.name_prefix
    if options.name_suffix:
        found["nameSuffix"] = options.name_suffix
    if options.images:
        found["images"] = _images(found.get("images"), [substitute(image, environment) for image in options.images])
    if options.replicas:
        found["replicas"] = _replicas(found.get("replicas"), options)
    _mark(found, options, environment)
    if options.namespace:
        found["namespace"] = options.namespace
    if options.patches:
        patches = [msgspec.to_builtins(patch) for patch in options.patches]
        found["patches"] = [*(found.get("patches") or []), *patches]
    if options.components:
        found["components"] = _components(found.get("components"), options, exists)
    return found


def _mark(found: dict[str, Any], options: KustomizeOptions, environment: Mapping[str, str]) -> None:
    """Write labels and annotations."""
    if options.common_labels:
        labels = {key: substitute(value, environment) for key, value in options.common_labels.items()}
        _label(found, labels, options)
    if options.common_annotations:
        annotations = dict(options.common_annotations)
        if options.common_annotations_envsubst:
            annotations = {key: substitute(value, environment) for key, value in annotations.items()}
        force = options.force_common_annotations
        found["commonAnnotations"] = _merged(found.get("commonAnnotations"), annotations, "annotation", force=force)


def _components(present: Any, options: KustomizeOptions, exists: Callable[[str], bool]) -> list[str]:
    found = list(present or [])
    for component in options.components:
        if exists(component):
            if component not in found:
                found.append(component)
        elif not options.ignore_missing_components:
            raise RenderError(
                f"the component {component} is not there",
                hint="correct it, or set spec.source.kustomize.ignoreMissingComponents",
            )
    return found


def _images(present: Any, arguments: list[str]) -> list[dict[str, str]]:
    """``kustomize edit set image``: one entry a name, in order of the names; ``*`` keeps what the file says."""
    wanted = {image["name"]: image for image in map(parse_image, arguments)}
    kept: list[dict[str, Any]] = []
    for image in present or []:
        new = wanted.get(str(image.get("name"))) if isinstance(image, dict) else None
        if new is None:
            kept.append(image)
            continue
        for field in ("newName", "newTag", "digest"):
            if new.get(field) == _KEEP:
                new[field] = str(image.get(field) or "")
    found = [{field: value for field, value in image.items() if value not in ("", _KEEP)} for image in wanted.values()]
    return sorted([*kept, *found], key=lambda image: str(image.get("name", "")))


def parse_image(argument: str) -> dict[str, str]:
    """An image override (``name=new:tag``, ``name:tag``, ``name@digest``) as kustomize's ``images`` entry.

    Raises RenderError for anything else.
    """
    name, equals, value = argument.partition("=")
    rest, at, digest = (value if equals else argument).partition("@")
    folder, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if not (equals or at or colon):
        raise RenderError(
            f"the image {argument} has neither a new name, nor a tag, nor a digest",
            hint="write name=new:tag, name:tag or name@digest in spec.source.kustomize.images",
        )
    image = {"newTag": tag, "digest": digest}
    if equals:
        return {"name": name, "newName": f"{folder}{slash}{last}", **image}
    return {"name": f"{folder}{slash}{last}", **image}


def _replicas(present: Any, options: KustomizeOptions) -> list[dict[str, Any]]:
    wanted: dict[str, int] = {}
    for replica in options.replicas:
        try:
            wanted[replica.name] = int(replica.count)
        except ValueError:
            raise RenderError(
                f"the replicas of {replica.name} are no number", hint="correct spec.source.kustomize.replicas"
            ) from None
    kept = [item for item in present or [] if not (isinstance(item, dict) and item.get("name") in wanted)]
    found = [{"name": name, "count": count} for name, count in wanted.items()]
    return sorted([*kept, *found], key=lambda item: str(item.get("name", "")) if isinstance(item, dict) else "")


def _label(found: dict[str, Any], labels: Mapping[str, str], options: KustomizeOptions) -> None:
    if not options.label_without_selector:
        if options.label_include_templates:
            raise RenderError(
                "labelIncludeTemplates needs labelWithoutSelector", hint="set both in spec.source.kustomize, or neither"
            )
        found["commonLabels"] = _merged(found.get("commonLabels"), labels, "label", force=options.force_common_labels)
        return
    entries = list(found.get("labels") or [])
    for index, entry in enumerate(entries):
        same = bool(entry.get("includeTemplates")) == options.label_include_templates
        if not entry.get("includeSelectors") and same:
            merged = _merged(entry.get("pairs"), labels, "label", force=options.force_common_labels)
            entries[index] = {**entry, "pairs": merged}
            break
    else:
        templates = {"includeTemplates": True} if options.label_include_templates else {}
        entries.append({"pairs": dict(labels), **templates})
    found["labels"] = entries


def _merged(present: Any, wanted: Mapping[str, str], what: str, *, force: bool) -> dict[str, str]:
    found = dict(present or {})
    for key, value in wanted.items():
        if key in found and not force:
            which = "forceCommonLabels" if what == "label" else "forceCommonAnnotations"
            raise RenderError(
                f"the {what} {key} is in the kustomization already", hint=f"remove it, or set {which}: true"
            )
        found[key] = value
    return found


def split_source(value: str) -> tuple[str, str]:
    """A generator's file as (key, path): ``key=path``, or a path whose own name is the key."""
    key, equals, path = value.partition("=")
    return (key, path) if equals else (posixpath.basename(value), value)
