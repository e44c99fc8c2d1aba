"""Which values of an object are secret, and their masks once both sides are known.

``veil`` looks at one side and puts a ``Veiled`` where a secret stands; ``resolve`` brings both sides together and
leaves plain texts: masks that say whether the value at this very place changed.
"""

from __future__ import annotations

import base64
import binascii
from collections import deque
from collections.abc import Iterator
from typing import Any, Literal

from gitops_bot.manifests.lists import ABSENT, align
from gitops_bot.manifests.secret_names import (
    REFERENCES,
    Where,
    is_checksum,
    is_checksum_annotation,
    is_open_value,
    is_reference_key,
    is_secret_name,
)
from gitops_bot.manifests.secret_text import spans
from gitops_bot.manifests.veiled import CHECKSUM, SECRET, SECRET_CHANGED, Veiled

__all__ = ["SECRET", "SECRET_CHANGED", "Veiled", "is_secret", "resolve", "secrets", "unveil", "veil", "veil_any"]

_SHOWN = frozenset(("apiVersion", "kind", "metadata", "type", "immutable", "sops"))
"""Fields of a Secret that hold no secret; everything else is masked, so a misplaced value does not show either."""
_DATA = frozenset(("data", "stringData", "binaryData"))
_COPIES = frozenset(
    ("kubectl.kubernetes.io/last-applied-configuration", "kapp.k14s.io/original", "kapp.k14s.io/original-diff",
     "objectset.rio.cattle.io/applied")
)  # fmt: skip
"""Annotations that repeat the whole object."""
_ZIPPED = "H4sI"
"""How gzip begins in base64: an annotation that holds it repeats the object in a form that nobody reads."""
_SELECTORS = frozenset(("labels", "matchLabels", "nodeSelector", "selector", "commonLabels"))
"""Maps of labels: short public values under names that mean something else."""
_SHORTEST = 6
"""Characters from which on a text can hold a secret that its place does not tell."""

_MAKES = frozenset(("ExternalSecret", "ClusterExternalSecret", "SealedSecret", "PushSecret"))
"""Kinds whose ``template`` holds the data of a Secret that is made from it."""
_PLAIN = frozenset(("value", "plain", "plainText", "plaintext", "literal", "stringValue", "inline"))
"""Keys under a secret's name that hold the secret itself."""

Place = Where | Literal["label", "schema", "making"]
"""Where a value stands; ``label`` and ``schema`` (a CustomResourceDefinition) take no names for secrets.

``making`` is a field of an object that makes a Secret.
"""


# -- one side -------------------------------------------------------------------------------------------------------


def is_secret(body: dict[str, Any]) -> bool:
    """Whether the object is a Secret, of whatever group and version."""
    return body.get("kind") == "Secret"


def veil(body: dict[str, Any]) -> dict[str, Any]:
    """The object with every secret ``Veiled``: a new value, or the argument itself where there is none."""
    if is_secret(body):
        return _secret(body)
    schema = body.get("kind") == "CustomResourceDefinition"
    return _mapping(body, "schema" if schema else "field")


def veil_any(value: Any) -> Any:
    """The same for any plain value."""
    if isinstance(value, dict):
        return veil(value)
    return _list(value, "", "field") if isinstance(value, list) else _text(value)


def _secret(body: dict[str, Any]) -> dict[str, Any]:
    """A Secret: everything but what names it, each key of a map for itself."""
    found = dict(body)
    for field, value in body.items():
        if field not in _SHOWN:
            found[field] = _whole(value, decode=field == "data")
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        found["metadata"] = _mapping(metadata, "field", copies=True)
    return found


def _whole(value: Any, *, decode: bool = False) -> Any:
    """A secret value; of a map each key."""
    if isinstance(value, dict):
        return {key: Veiled(item, decode=decode) for key, item in value.items()}
    return Veiled(value)


def _mapping(value: dict[str, Any], place: Place, *, copies: bool = False) -> dict[str, Any]:
    """A mapping with its secrets veiled, or itself; ``copies`` says that it is a Secret's metadata."""
    if value.get("kind") in ("Secret", "SecretList") and place != "schema" and _is_object(value):
        return _nested_secret(value, place)
    if place == "field" and value.get("kind") in _MAKES:
        place = "making"
    changed = _pair(value) if "value" in value and place != "label" else {}
    data = value.get("kind") == "ConfigMap"
    for key, item in value.items():
        if key in changed:
            continue
        if isinstance(item, dict):
            found: Any = _submapping(key, item, place, data=data, copies=copies)
        elif isinstance(item, list):
            found = _list(item, key, place)
        elif key == "secretKey" and "remoteRef" in value:
            found = item  # an ExternalSecret's: which key it fills
        else:
            found = _leaf(key, item, place)
        if found is not item:
            changed[key] = found
    return {**value, **changed} if changed else value


def _pair(value: dict[str, Any]) -> dict[str, Any]:
    """The ``value`` of a mapping that names it, where it is secret."""
    name = value.get("path" if "op" in value else "name", value.get("key"))
    found = _paired(name, value["value"]) if isinstance(name, str) else value["value"]
    return {"value": found} if found is not value["value"] else {}


def _paired(name: str, value: Any) -> Any:
    """The value of a pair that names it: an environment variable, a parameter, an operation of a JSON patch."""
    if name.startswith("/stringData/"):
        return Veiled(value)
    if isinstance(value, (dict, list)):
        # No variable can have such a value; the API server's refusal does not make it public.
        whole = value and name[:1] != "/" and is_secret_name(name, "variable") and not _names_a_place(value)
        return Veiled(value) if whole else value
    return _named(name, value, "variable")


def _names_a_place(value: Any) -> bool:
    """Whether a map, or one in a list, names where a value is instead of being one."""
    if isinstance(value, list):
        return any(_names_a_place(item) for item in value if isinstance(item, dict))
    return isinstance(value, dict) and any(isinstance(key, str) and is_reference_key(key) for key in value)


def _is_object(value: dict[str, Any]) -> bool:
    """Whether a mapping of kind Secret is one, not a reference to one."""
    return any(isinstance(value.get(field), dict) for field in ("metadata", "data", "stringData")) or "items" in value


def _nested_secret(value: dict[str, Any], place: Place) -> dict[str, Any]:
    """A Secret in another object; without metadata only its data are certain to be a Secret's."""
    if value["kind"] == "SecretList":
        items = value.get("items")
        if not isinstance(items, list):
            return _mapping({**value, "kind": ""}, place) | {"kind": "SecretList"}
        return {**value, "items": [_secret(item) if isinstance(item, dict) else item for item in items]}
    if isinstance(value.get("metadata"), dict):
        return _secret(value)
    data = {field: _whole(item, decode=field == "data") for field, item in value.items() if field in _DATA}
    rest = {field: item for field, item in value.items() if field not in _DATA and field != "kind"}
    return {**value, **_mapping(rest, place), **data}


def _submapping(key: str, item: dict[str, Any], place: Place, *, data: bool, copies: bool) -> dict[str, Any]:
    """A mapping below a key, which may say what its own keys are."""
    if key == "encryptedData":
        return item  # a SealedSecret's
    if place == "schema":
        return _mapping(item, "schema")
    if key == "annotations":
        return _annotations(item, copies=copies)
    if key in _SELECTORS:
        return _mapping(item, "label")
    if data and key in _DATA:
        return _binary(item) if key == "binaryData" else _mapping(item, "variable")
    if key.endswith(("asswords", "okens", "Keys")) and is_secret_name(key):
        return _all_under(key, item)
    if place == "making" and key == "template":
        return _made(item)
    found = _mapping(item, "field" if place == "note" else place)
    if place == "label" or _PLAIN.isdisjoint(item) or not is_secret_name(key):
        return found
    plain = {name: _named(key, item[name], "field") for name in item if name in _PLAIN}
    return {**found, **plain} if any(plain[name] is not item[name] for name in plain) else found


def _made(item: dict[str, Any]) -> dict[str, Any]:
    """The template of a Secret: what it does not fill in from elsewhere is the Secret's own value."""
    found = _mapping(item, "making")
    changed: dict[str, Any] = {}
    for field in _DATA & item.keys():
        given = item[field]
        if isinstance(given, dict):
            shown = found[field]
            held = {
                key: Veiled(each)
                for key, each in given.items()
                if each not in (None, "") and not isinstance(each, (dict, list)) and "{{" not in str(each)
            }
            changed |= {field: {**shown, **held}} if held else {}
    return {**found, **changed} if changed else found


def _all_under(key: str, item: dict[str, Any]) -> dict[str, Any]:
    """``passwords: {alice: …}``: every plain value is one."""
    return {
        name: Veiled(each)
        if isinstance(each, str) and not is_open_value(key, each) and name not in REFERENCES
        else each
        for name, each in _mapping(item, "field").items()
    }


def _annotations(item: dict[str, Any], *, copies: bool) -> dict[str, Any]:
    changed = {}
    for key, text in item.items():
        if is_checksum_annotation(key, text):
            continue
        copy = isinstance(text, str) and (text.startswith(_ZIPPED) or (copies and key in _COPIES))
        found = Veiled(text) if copy or (copies and key in _COPIES) else _leaf(key, text, "note")
        if found is not text:
            changed[key] = found
    return {**item, **changed} if changed else item


def _binary(item: dict[str, Any]) -> dict[str, Any]:
    """Base64 of a ConfigMap: hidden whole when what it says has a secret in it."""
    changed = {}
    for key, text in item.items():
        if isinstance(text, str) and _hides(key, text):
            changed[key] = Veiled(text, decode=True)
    return {**item, **changed} if changed else item


def _hides(key: str, text: str) -> bool:
    if is_secret_name(key, "variable"):
        return True
    try:
        return bool(spans(base64.b64decode(text).decode("utf-8", "replace")))
    except (binascii.Error, ValueError):
        return True


def _list(items: list[Any], key: str, place: Place) -> list[Any]:
    """A list with its secrets veiled, or itself; a text behind a flag named like a secret is one."""
    changed: dict[int, Any] = {}
    flag = ""
    for index, item in enumerate(items):
        if isinstance(item, dict):
            found: Any = _mapping(item, place)
        elif isinstance(item, list):
            found = _list(item, key, place)
        elif flag and isinstance(item, str) and not item.startswith("-"):
            found = _named(flag, item, "variable")
        else:
            found = _leaf(key, item, place)
        is_flag = isinstance(item, str) and item.startswith("-") and "=" not in item and " " not in item
        flag = item.lstrip("-") if is_flag else ""
        if found is not item:
            changed[index] = found
    return [changed.get(index, item) for index, item in enumerate(items)] if changed else items


def _leaf(key: str, value: Any, place: Place) -> Any:
    """A plain value under a key."""
    if place == "label":
        return Veiled(value, masks=CHECKSUM) if is_checksum(key, value) else _text(value)
    if place == "schema":
        return _text(value, names=False)
    return _named(key, value, "field" if place == "making" else place)


def _named(name: str, value: Any, where: Where) -> Any:
    """A value under a name: all of it where the name says so, else what its text shows."""
    if isinstance(value, (dict, list)):
        return value
    if is_secret_name(name, where) and not is_open_value(name, value, where):
        return Veiled(value)
    if where == "variable" and is_checksum(name, value):
        return Veiled(value, masks=CHECKSUM)
    return _text(value)


def _text(value: Any, *, names: bool = True) -> Any:
    if not isinstance(value, str) or len(value) < _SHORTEST:
        return value
    found = spans(value, names=names)
    return Veiled(value, found) if found else value


# -- both sides -----------------------------------------------------------------------------------------------------


def resolve(before: Any, after: Any, *, built_in: bool) -> tuple[Any, Any]:
    """Two veiled values as plain ones, each secret as a mask."""
    return _resolve(before, after, "", built_in)


def _resolve(before: Any, after: Any, field: str, built_in: bool) -> tuple[Any, Any]:
    if isinstance(before, dict) and isinstance(after, dict):
        return _mappings(before, after, built_in)
    if isinstance(before, list) and isinstance(after, list):
        return _lists(before, after, field, built_in)
    if isinstance(after, Veiled):
        return unveil(before), after.mask(before)
    return unveil(before), unveil(after)


def _mappings(before: dict[str, Any], after: dict[str, Any], built_in: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    left, right = {}, {}
    for key, item in before.items():
        if key in after:
            left[key], right[key] = _resolve(item, after[key], key, built_in)
        else:
            left[key] = unveil(item)
    return left, {key: right[key] if key in right else unveil(item) for key, item in after.items()}


def _lists(before: list[Any], after: list[Any], field: str, built_in: bool) -> tuple[list[Any], list[Any]]:
    places = _places(before), _places(after)
    left, right = list(before), list(after)
    for pair in align(before, after, field, built_in=built_in).pairs:
        if pair.before is ABSENT:
            right[places[1][id(pair.after)].popleft()] = unveil(pair.after)
        elif pair.after is ABSENT:
            left[places[0][id(pair.before)].popleft()] = unveil(pair.before)
        else:
            one, other = places[0][id(pair.before)].popleft(), places[1][id(pair.after)].popleft()
            left[one], right[other] = _resolve(pair.before, pair.after, field, built_in)
    return left, right


def _places(items: list[Any]) -> dict[int, deque[int]]:
    """Identity of each item → where it stands."""
    found: dict[int, deque[int]] = {}
    for index, item in enumerate(items):
        found.setdefault(id(item), deque()).append(index)
    return found


def unveil(value: Any) -> Any:
    """A veiled value that has no other side, with masks."""
    if isinstance(value, Veiled):
        return value.mask(None)
    if isinstance(value, dict):
        return {key: unveil(item) for key, item in value.items()}
    return [unveil(item) for item in value] if isinstance(value, list) else value


def secrets(value: Any) -> Iterator[Any]:
    """Every secret of a veiled value, as it was."""
    if isinstance(value, Veiled):
        yield from value.secrets()
    elif isinstance(value, dict):
        for item in value.values():
            yield from secrets(item)
    elif isinstance(value, list):
        for item in value:
            yield from secrets(item)
