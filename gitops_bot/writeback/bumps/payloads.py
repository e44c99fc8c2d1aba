"""Requests that arrive as JSON: our own form, ``repository_dispatch``, and Weights & Biases' automations as they are.

Ours:

    {"environment": "staging",
     "images": ["ghcr.io/acme/churn-api:v1.2.3@sha256:…"],
     "values": [{"file": "values.yaml", "path": "replicaCount", "value": 3}],
     "models": [{"name": "churn-model", "version": "v1.2.3", "path": "s3://…", "data": "sha256:…", "metrics": {…}}],
     "source": {"repository": "acme/churn", "commit": "…", "run": 42, "run_url": "https://…"}}

Weights & Biases: the variables of its payload templates under their own names, above all
``artifact_collection_name`` and ``artifact_version_string``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gitops_bot.errors import UsageError
from gitops_bot.model import typed
from gitops_bot.model.check import problems
from gitops_bot.writeback.bumps.request import (
    BumpRequest,
    ImageRequest,
    Item,
    ModelRequest,
    Source,
    ValueRequest,
    checked,
    metrics_of,
    parse_image,
    source_problems,
)

_HINT = "docs/reference/bump.md shows the JSON that bump takes"
_LARGEST = 1_000_000
_OURS = ("images", "values", "models")
_WIDENING = ("allow_downgrade", "create")
"""What allows more than is written by default: whoever may send a payload need not be who set up the workflow."""


class _Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repository: str
    tag: str
    digest: str = ""


class _Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    file: str
    path: str
    value: str | int | float | bool


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    version: str
    path: str = ""
    data: str = ""
    run_url: str = ""
    page_url: str = ""
    metrics: dict[str, Any] | None = None


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    environment: str | None = None
    images: tuple[Any, ...] = ()
    values: tuple[Any, ...] = ()
    models: tuple[Any, ...] = ()
    source: Any = None


class _Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repository: str = ""
    commit: str = ""
    commit_url: str = ""
    run: int = 0
    run_url: str = ""
    actor: str = ""


def read_request(data: bytes) -> BumpRequest:
    """The request in a JSON text. Raises UsageError with every problem.

    A whole event of ``repository_dispatch``, or an object with ``client_payload``, stands for that payload. It says
    what is written and where; whether more is allowed than by default (an older version, new keys) it may not say.
    """
    if len(data) > _LARGEST:
        raise UsageError(f"the input is larger than {_LARGEST:,} bytes", hint=_HINT)
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the input is not JSON: {error}", hint=_HINT) from None
    if isinstance(document, dict) and isinstance(document.get("client_payload"), dict):
        document = document["client_payload"]
    if not isinstance(document, dict):
        raise UsageError("the input is no JSON object", hint=_HINT)
    asked = {key: value for key, value in document.items() if key.replace("-", "_") not in _WIDENING}
    wrong = [_may_not(key) for key in document if key not in asked]
    if "artifact_collection_name" in asked or "artifact_version_string" in asked:
        return _from_wandb(asked, wrong)
    if not any(key in asked for key in _OURS):
        wrong.append("the input names neither images, values nor models, and is no payload of Weights & Biases")
        raise UsageError("\n  ".join(wrong), hint=_HINT)
    return _from_ours(asked, wrong)


def _may_not(key: str) -> str:
    name = key.replace("-", "_")
    option = name.replace("_", "-")
    return f"{key}: only the command that reads this may say so: leave it out, and set the input {name} or --{option}"


def _from_ours(document: Mapping[str, Any], wrong: list[str]) -> BumpRequest:
    wrong += [f"{found.path or 'the input'}: {found.text}" for found in problems(document, _Document)]
    if wrong:
        raise UsageError("\n  ".join(wrong), hint=_HINT)
    read = typed.convert(document, _Document)
    items: list[Item] = []
    for key, kind in (("images", _Image), ("models", _Model), ("values", _Value)):
        for index, given in enumerate(getattr(read, key)):
            try:
                items.append(_item(given, kind, f"{key}[{index}]"))
            except UsageError as error:
                wrong.append(error.message)
    source = _source(read.source, wrong)
    return BumpRequest(items=checked(items, wrong), environment=read.environment, source=source)


def _item(given: Any, kind: Any, where: str) -> Item:
    if kind is _Image and isinstance(given, str):
        return parse_image(given)
    wrong = [f"{found.path}: {found.text}" for found in problems(given, kind, where)]
    if wrong:
        raise UsageError("\n  ".join(wrong))
    read = typed.convert(given, kind)
    if isinstance(read, _Image):
        return ImageRequest(repository=read.repository, tag=read.tag, digest=read.digest)
    if isinstance(read, _Value):
        is_bool = isinstance(read.value, bool)
        text = ("true" if read.value else "false") if is_bool else str(read.value)
        value_kind = "boolean" if is_bool else "string" if isinstance(read.value, str) else "number"
        return ValueRequest(file=read.file, path=read.path, value=text, kind=value_kind)  # type: ignore[arg-type] # one of three
    new, old = metrics_of(read.metrics) if read.metrics else ({}, {})
    return ModelRequest(
        name=read.name, version=read.version, path=read.path, data=read.data, run_url=read.run_url,
        page_url=read.page_url, metrics=new, previous=old,
    )  # fmt: skip


def _source(given: Any, wrong: list[str]) -> Source:
    if given is None:
        return Source()
    found = [f"{each.path}: {each.text}" for each in problems(given, _Source, "source")]
    if not found:
        source = typed.convert(given, Source)
        found = source_problems(source)
        if not found:
            return source
    wrong += found
    return Source()


# -- Weights & Biases -------------------------------------------------------------------------------------------------


def _from_wandb(document: Mapping[str, Any], wrong: list[str]) -> BumpRequest:
    """A payload with the variables of Weights & Biases' templates; what it has beside them is left aside.

    The version is what follows the last colon of ``artifact_version_string`` (``acme/churn/churn-model:v12``), which
    with ``wandb-artifact://`` before it is also the path, unless the template adds a ``path`` of its own.
    """
    texts = {key: str(value) for key, value in document.items() if isinstance(value, (str, int, float))}
    wrong += [
        f"{key} still has the variable {text[:60]} in it: the template or the event does not fill it"
        for key, text in sorted(texts.items())
        if "${" in text
    ]
    reference = texts.get("artifact_version_string", "").removeprefix("wandb-artifact://")
    collection, colon, version = reference.rpartition(":")
    version = version if colon else ""
    name = texts.get("artifact_collection_name") or collection.rpartition("/")[2]
    version = _first(texts, "model_version", "version") or version
    if not version:
        wrong.append("artifact_version_string names no version: it is entity/project/name:version")
    path = _first(texts, "model_path", "path", "storage_uri") or (f"wandb-artifact://{reference}" if reference else "")
    metrics = document.get("metrics")
    new, old = metrics_of(metrics) if isinstance(metrics, dict) and metrics else ({}, {})
    entity, project = texts.get("entity_name", ""), texts.get("project_name", "")
    page = f"https://wandb.ai/{entity}/{project}/artifacts" if entity and project else ""
    model = ModelRequest(
        name=_first(texts, "model", "model_name") or name,
        version=version,
        path=path,
        data=_first(texts, "data_version", "dataVersion", "data"),
        run_url=_first(texts, "run_url", "runUrl"),
        page_url=_first(texts, "page_url", "artifact_url") or page,
        metrics=new,
        previous=old,
    )
    source = Source(
        repository=texts.get("source_repository", ""),
        commit=_first(texts, "source_commit", "commit"),
        actor=texts.get("event_author", ""),
    )
    wrong += source_problems(source)
    environment = texts.get("environment") or None
    return BumpRequest(items=checked((model,), wrong), environment=environment, source=source)


def _first(texts: Mapping[str, str], *keys: str) -> str:
    """The first that is given; ``""`` for none."""
    found: Sequence[str] = [texts[key] for key in keys if texts.get(key)]
    return found[0] if found else ""
