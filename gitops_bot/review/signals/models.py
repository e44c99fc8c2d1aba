"""References to models that can move: an alias, a stage or ``latest`` where a protected environment needs a version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gitops_bot.manifests import yaml
from gitops_bot.model.moving import is_moving, moving_uris
from gitops_bot.model.resource import ResourceKey
from gitops_bot.model.settings import Settings
from gitops_bot.model.signal import Signal
from gitops_bot.model.tree import PathEscape, Tree


class Reference(NamedTuple):
    """A file of a protected environment that a change makes name a model by something that can move."""

    file: str
    signal: Signal


def changed_references(base: Tree, head: Tree, policy: Settings) -> Iterator[Reference]:
    """The places of the settings' model rules, in protected environments, where a change brings in what can move."""
    for environment, follows in policy.environments.items():
        if not follows.protected:
            continue
        for rule in policy.models:
            for write in rule.write:
                file = write.file.replace("{environment}", environment)
                old, new = base.entry(file), head.entry(file)
                if new is None or (old is not None and old.oid == new.oid):
                    continue
                before, after = _read(base, file), _read(head, file)
                for path, is_version in ((write.version, True), (write.path, False)):
                    if path is None:
                        continue
                    value = _text_at(after, path)
                    if value and value != _text_at(before, path) and is_moving(value, version=is_version):
                        yield Reference(file, _signal(environment, rule.name, f"{file} at {path}"))


def _signal(environment: str, model: str, where: str) -> Signal:
    message = f"{environment} is protected, and {where} names the model {model} by something that can move"
    return Signal(id="mutable-model", severity="error", message=message)


def _read(tree: Tree, path: str) -> Any:
    try:
        return yaml.load(tree.read(path))
    except (FileNotFoundError, PathEscape, yaml.YamlError):
        return None  # told where the file is rendered from


def _text_at(document: Any, path: str) -> str:
    """The text at ``model.version``, ``""`` where there is none."""
    for part in path.split("."):
        if not isinstance(document, Mapping):
            return ""
        document = document.get(part)
    return str(document) if isinstance(document, (str, int, float)) and not isinstance(document, bool) else ""


# -- in objects -------------------------------------------------------------------------------------------------------


def object_references(
    key: ResourceKey, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Iterator[Signal]:
    """The URIs of models that can move, which a change brings into an object's environment variables or arguments."""
    if after is None:
        return
    known = {uri for _, text in _texts(before, "") for uri in moving_uris(text)} if before is not None else set()
    seen = set()
    for path, text in _texts(after, ""):
        for uri in sorted(moving_uris(text) - known):
            if (path, uri) not in seen:
                seen.add((path, uri))
                yield Signal(
                    id="mutable-model",
                    severity="error",
                    message=f"in a protected environment, it names a model by what can move: {uri}",
                    group=key.group,
                    kind=key.kind,
                    namespace=key.namespace,
                    name=key.name,
                    path=path,
                )


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Path and text of every value of an environment variable, argument and command below ``containers``."""
    if isinstance(value, Mapping):
        for field in sorted(value):
            below = f"{path}.{field}" if path else field
            if field in ("containers", "initContainers") and isinstance(value[field], list):
                for item in value[field]:
                    if isinstance(item, Mapping):
                        yield from _container(item, f"{below}[name={item.get('name', '')}]")
            else:
                yield from _texts(value[field], below)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")


def _container(container: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for field in ("args", "command"):
        for index, item in enumerate(_items(container.get(field))):
            if isinstance(item, str):
                yield f"{path}.{field}[{index}]", item
    for item in _items(container.get("env")):
        if isinstance(item, Mapping) and isinstance(item.get("value"), str):
            yield f"{path}.env[name={item.get('name', '')}].value", item["value"]


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
