"""Which fields of two objects differ: own descent through mappings, lists item by item."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from msgspec import UNSET

from gitops_bot.manifests.lists import ABSENT, align
from gitops_bot.manifests.redact import CHECKSUM, CHECKSUM_CHANGED, Checksum, shown
from gitops_bot.model.change import FieldChange

_SIMPLE = re.compile(r"[A-Za-z0-9_-]+")
_CHART_LABELS = frozenset(("helm.sh/chart", "app.kubernetes.io/version", "chart"))
"""Labels that name a chart's version: noise on an object itself; on a pod template they restart pods."""
_NO_PODS = frozenset(("metadata", "data", "binaryData", "stringData", "status"))
_POD_LISTS = frozenset(("containers", "initContainers", "ephemeralContainers"))


class Difference(NamedTuple):
    """One field that differs."""

    change: FieldChange
    noise: bool
    """Whether it is folded: a chart version label of the object itself, or a checksum annotation."""


def same(before: Any, after: Any) -> bool:
    """Whether two values are equal as JSON is: ``1`` is not ``true``."""
    if before is after:
        return True
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(same(item, after[key]) for key, item in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(same, before, after))
    return type(before) is type(after) and bool(before == after)


def differences(before: dict[str, Any], after: dict[str, Any], *, built_in: bool) -> list[Difference]:
    """Every field that differs between two masked objects, in path order.

    A field, mapping or list item that only one side has is one difference with its whole value.
    ``built_in``: see ``lists.align``.
    """
    return list(_mapping(before, after, (), "", built_in))


def step(path: str, key: str) -> str:
    """The path of a mapping's key: dotted where it is simple, else in brackets and quotes."""
    if not _SIMPLE.fullmatch(key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def _mapping(
    before: dict[str, Any], after: dict[str, Any], keys: tuple[str, ...], path: str, built_in: bool
) -> Iterator[Difference]:
    for key in sorted({*before, *after}):
        here, place = step(path, key), (*keys, key)
        if key in before and key in after:
            yield from _value(before[key], after[key], place, here, built_in)
        else:
            yield from _one_sided(before.get(key, ABSENT), after.get(key, ABSENT), place, here)


def _value(before: Any, after: Any, keys: tuple[str, ...], path: str, built_in: bool) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _mapping(before, after, keys, path, built_in)
    elif isinstance(before, list) and isinstance(after, list):
        if not same(before, after):
            yield from _list(before, after, keys, path, built_in)
    elif not same(before, after):
        yield from _one_sided(before, after, keys, path)


def _list(
    before: list[Any], after: list[Any], keys: tuple[str, ...], path: str, built_in: bool
) -> Iterator[Difference]:
    aligned = align(before, after, keys[-1], built_in=built_in)
    if aligned.order is not None:
        yield Difference(FieldChange(path=path, before=list(aligned.order[0]), after=list(aligned.order[1])), False)
    for pair in aligned.pairs:
        here, place = path + pair.label, (*keys, "[]")
        if pair.before is ABSENT or pair.after is ABSENT:
            yield Difference(_change(here, pair.before, pair.after), False)
        else:
            yield from _value(pair.before, pair.after, place, here, built_in)


def _one_sided(before: Any, after: Any, keys: tuple[str, ...], path: str) -> Iterator[Difference]:
    """A leaf that differs, or a value that only one side has; folded parts of such a value are told apart."""
    folded = _folded_keys(keys)
    if folded is not None:
        mapping = after if isinstance(after, dict) else before
        if isinstance(mapping, dict) and (before is ABSENT or after is ABSENT):
            for key in sorted(mapping):
                one = mapping[key] if before is not ABSENT else ABSENT
                other = mapping[key] if after is not ABSENT else ABSENT
                yield Difference(_change(step(path, key), one, other), folded(key, one, other))
            return
    yield Difference(_change(path, before, after), is_folded(keys, before, after))


def _folded_keys(keys: tuple[str, ...]) -> Callable[[str, Any, Any], bool] | None:
    """For the keys of a map of labels or annotations: the test which of its entries are folded; else None."""
    if keys == ("metadata", "labels"):
        return _is_chart_label
    if keys[-2:] == ("metadata", "annotations"):
        return _are_checksums
    return None


def _is_chart_label(key: str, _before: Any, _after: Any) -> bool:
    return key in _CHART_LABELS


def _are_checksums(_key: str, *sides: Any) -> bool:
    return all(isinstance(side, Checksum) or side is ABSENT for side in sides)


def is_folded(keys: tuple[str, ...], before: Any, after: Any) -> bool:
    """Whether the field at these keys (list items are ``[]``) is folded as noise; ABSENT for a side without it."""
    test = _folded_keys(keys[:-1])
    return test is not None and test(keys[-1], before, after)


def _change(path: str, before: Any, after: Any) -> FieldChange:
    if isinstance(before, Checksum) and isinstance(after, Checksum):
        return FieldChange(path=path, before=CHECKSUM, after=CHECKSUM_CHANGED)
    return FieldChange(
        path=path,
        before=UNSET if before is ABSENT else shown(before),
        after=UNSET if after is ABSENT else shown(after),
    )


# -- images -------------------------------------------------------------------------------------------------------


def images(before: Any, after: Any) -> tuple[tuple[str, str | None, str | None], ...]:
    """Container images that differ: path, before, after; None where the container, or the object, is absent."""
    if any(isinstance(each, dict) and each["kind"] == "CustomResourceDefinition" for each in (before, after)):
        return ()
    old, new = _images(before), _images(after)
    return tuple(
        (path, old.get(path), new.get(path)) for path in sorted({*old, *new}) if old.get(path) != new.get(path)
    )


def _images(body: Any, path: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    if not isinstance(body, dict):
        return found
    for key, value in body.items():
        here = step(path, key)
        if isinstance(value, dict):
            found.update(_images(value, here))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if key in _POD_LISTS and isinstance(item, dict) and isinstance(item.get("image"), str):
                    label = f"[name={item['name']}]" if "name" in item else f"[{index}]"
                    found[f"{here}{label}.image"] = item["image"]
                else:
                    found.update(_images(item, f"{here}[{index}]"))
    return found


def images_in(body: Any) -> Iterator[str]:
    """The container images of one object; one may come more than once."""
    if isinstance(body, dict) and body.get("kind") != "CustomResourceDefinition":
        yield from _every_image({name: value for name, value in body.items() if name not in _NO_PODS})


def _every_image(body: Mapping[str, Any]) -> Iterator[str]:
    for key, value in body.items():
        if isinstance(value, dict):
            yield from _every_image(value)
        elif isinstance(value, list):
            for item in value:
                if not isinstance(item, dict):
                    continue
                if key in _POD_LISTS and isinstance(item.get("image"), str):
                    yield item["image"]
                else:
                    yield from _every_image(item)
