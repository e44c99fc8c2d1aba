"""Whether an object matches the schema of its cluster's Kubernetes version (the optional extra ``[schemas]``).

The schemas are those of the package kubernetes-validate, in their strict form: a field that the API does not know is
an error, as it is for ``kubectl apply`` and for server-side apply. Only built-in kinds have a schema. No message
quotes a value.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from gitops_bot.manifests.normalise import is_built_in
from gitops_bot.manifests.yaml import Unchanged
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.signal import Signal
from gitops_bot.review.signals.apis import minor_version

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

_MOST = 5
"""How many problems of one object are told."""
_DOMAIN = re.compile(r"^([^./]*)(?:\.[^/]*)?/")
_TYPES = {dict: "map", list: "list", str: "text", bool: "boolean", int: "number", float: "number", type(None): "null"}
_SHOWN = re.compile(r"[\w.$/-]{1,80}")


@cache
def installed() -> bool:
    """Whether the optional extra is there."""
    return importlib.util.find_spec("kubernetes_validate") is not None


@lru_cache(maxsize=16)
def supported(kube_version: str) -> bool:
    """Whether there are schemas of this very minor version; False when the extra is not installed."""
    return installed() and _directory(kube_version) is not None


def check(key: ResourceKey, after: Mapping[str, Any] | None, kube_version: str) -> tuple[Signal, ...]:
    """One signal for each place where an object does not match, in order of place.

    Empty for custom resources, unknown versions, removed objects, objects too large to be read whole, and without the
    optional extra.
    """
    if after is None or not kube_version or not is_built_in(after["apiVersion"]) or not supported(kube_version):
        return ()
    validator = _validator(minor_version(kube_version) or 0, str(after["kind"]), str(after["apiVersion"]))
    if validator is None or _is_partial(after):
        return ()
    found = {_place(error): _problem(error) for error in validator.iter_errors(after)}
    return tuple(
        Signal(
            id="schema",
            severity="error",
            message=f"does not match the schema of Kubernetes 1.{minor_version(kube_version)}: {found[path]}",
            group=key.group,
            kind=key.kind,
            namespace=key.namespace,
            name=key.name,
            path=path,
        )
        for path in sorted(found)[:_MOST]
    )


def _is_partial(value: Any) -> bool:
    if isinstance(value, Unchanged):
        return True
    if isinstance(value, Mapping):
        return any(map(_is_partial, value.values()))
    return isinstance(value, list) and any(map(_is_partial, value))


def _place(error: ValidationError) -> str:
    """The path as in ``FieldChange.path``."""
    text = ""
    for part in error.absolute_path:
        if isinstance(part, int) or "." in str(part) or "/" in str(part):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else str(part)
    return text


def _problem(error: ValidationError) -> str:
    """What is wrong, in words that come from the schema and the names of fields, never from a value."""
    instance: Any = error.instance
    wanted: Any = error.validator_value
    match error.validator:
        case "type":
            named = [wanted] if isinstance(wanted, str) else [each for each in wanted if each != "null"]
            return f"expected {' or '.join(named)}, found {_TYPES.get(type(instance), 'something else')}"
        case "required":
            absent = [str(each) for each in wanted if each not in instance]
            return f"{', '.join(absent)} is missing"
        case "additionalProperties":
            known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
            names = sorted(str(each) for each in instance if each not in known)
            told = [each for each in names if _SHOWN.fullmatch(each)]
            return f"unknown field {', '.join(told[:_MOST])}" if told else "unknown fields"
        case "enum":
            return "not one of the values that are allowed here"
        case "format" | "pattern":
            return "not of the form that is needed here"
        case _:
            return f"breaks the schema's rule {error.validator}"


# -- schemas ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _directory(kube_version: str) -> str | None:
    """Where the schemas of a minor version lie in the package, None when it has none of it."""
    from kubernetes_validate import utils

    minor = minor_version(kube_version)
    return next(
        (
            f"kubernetes-json-schema/v{version}-local-strict"
            for version in utils.all_versions()
            if minor_version(version) == minor
        ),
        None,
    )


@lru_cache(maxsize=8)
def _definitions(minor: int) -> Any:
    from kubernetes_validate import utils
    from referencing import Resource

    return Resource.from_contents(utils.schema_contents(f"{_directory(f'1.{minor}')}/_definitions.json", f"1.{minor}"))


@lru_cache(maxsize=512)
def _validator(minor: int, kind: str, api_version: str) -> Validator | None:
    """The validator of one kind, read once; None when there is no schema of it."""
    from jsonschema.validators import Draft202012Validator
    from kubernetes_validate import utils
    from referencing import Registry, Resource

    short_group = _DOMAIN.sub(r"\1-", api_version)
    name = f"{kind.lower()}-{short_group}.json"
    if not re.fullmatch(r"[a-z0-9.-]+", name):
        return None
    try:
        schema = utils.schema_contents(f"{_directory(f'1.{minor}')}/{name}", f"1.{minor}")
    except FileNotFoundError:
        return None
    registry: Any = _definitions(minor) @ (Resource.from_contents(schema) @ Registry())
    return Draft202012Validator(schema, registry=registry)
