"""Which items of two lists belong together: by key where Kubernetes has one, by order where order matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec


class Absent:
    """The missing side of a pair."""


ABSENT = Absent()


class Pair(NamedTuple):
    """Two items that belong together, or one without a counterpart (ABSENT)."""

    before: Any
    after: Any
    label: str
    """How a path names the item: ``[name=api]``, ``[2]``."""


class Alignment(NamedTuple):
    """Two lists, item by item."""

    pairs: tuple[Pair, ...]
    """In the order of the head side, removed items where they were."""
    order: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    """The keys on both sides where their order differs and matters, else None."""


_MERGE_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "containers": (("name",),),
    "ephemeralContainers": (("name",),),
    "volumes": (("name",),),
    "imagePullSecrets": (("name",),),
    "secrets": (("name",),),
    "ports": (("name",), ("containerPort", "protocol"), ("port", "protocol"), ("containerPort",), ("port",)),
    "volumeMounts": (("mountPath",),),
    "volumeDevices": (("devicePath",),),
    "volumeClaimTemplates": (("metadata.name",),),
    "hostAliases": (("ip",),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "ownerReferences": (("uid",),),
    "webhooks": (("name",),),
    "subjects": (("kind", "namespace", "name"),),
}
"""Lists that Kubernetes keys (``patchMergeKey``, ``listMapKeys``), by field: the keys in the order they are tried."""

_SETS = frozenset(("finalizers",))
"""Lists of plain values without an order."""

_ORDERED_BY_NAME = "name"
MATCHED_BY_LIKENESS = frozenset(("ports",))
"""Lists whose keys are themselves edited: what no key matches is paired by likeness."""


def has_other_keys(field: str) -> bool:
    """Whether the list under this field is keyed by something else than ``name`` alone."""
    return field in _MERGE_KEYS and _MERGE_KEYS[field] != ((_ORDERED_BY_NAME,),)


def align(before: Sequence[Any], after: Sequence[Any], field: str, *, built_in: bool) -> Alignment:
    """Pair the items of two lists that hang on the key ``field``.

    ``built_in`` says that the object is of the API server's own types: only there is the order of keyed lists known to
    be without meaning. Elsewhere, and in ``env``, ``initContainers`` and the like, items with unique names are paired
    by name and a different order is reported; all other lists are compared in order.
    """
    if built_in:
        for keys in _MERGE_KEYS.get(field, ()):
            labels = _labels(before, keys), _labels(after, keys)
            if labels[0] is not None and labels[1] is not None:
                return Alignment(tuple(_keyed(before, after, labels[0], labels[1], field)))
        if field in _SETS and all(isinstance(item, str) for item in (*before, *after)):
            return Alignment(tuple(_keyed(before, after, [f"[{x}]" for x in before], [f"[{x}]" for x in after], field)))
    names = _labels(before, (_ORDERED_BY_NAME,)), _labels(after, (_ORDERED_BY_NAME,))
    if names[0] is not None and names[1] is not None:
        pairs = tuple(_keyed(before, after, names[0], names[1], field))
        both = set(names[0]) & set(names[1])
        kept = [[label for label in side if label in both] for side in names if side is not None]
        order = (_bare(names[0]), _bare(names[1])) if kept[0] != kept[1] else None
        return Alignment(pairs, order)
    return Alignment(tuple(_in_order(before, after)))


def _bare(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(label[len("[name=") : -1] for label in labels)


def _labels(items: Sequence[Any], keys: tuple[str, ...]) -> list[str] | None:
    """The label of each item by its keys; None unless every item has them and no two are alike."""
    labels = []
    for item in items:
        values = [_scalar_at(item, key) for key in keys]
        if values[0] is None or not isinstance(item, dict):
            return None
        labels.append("[" + ",".join(f"{key}={value}" for key, value in zip(keys, values, strict=True) if value) + "]")
    return labels if len(set(labels)) == len(labels) else None


def _scalar_at(item: Any, key: str) -> str | None:
    for part in key.split("."):
        item = item.get(part) if isinstance(item, dict) else None
    return str(item) if isinstance(item, (str, int)) and not isinstance(item, bool) else None


def _keyed(
    before: Sequence[Any], after: Sequence[Any], left: Sequence[str], right: Sequence[str], field: str
) -> list[Pair]:
    """Pairs by label in the head's order; what is only in the base follows the item it followed there."""
    old, new = dict(zip(left, before, strict=True)), dict(zip(right, after, strict=True))
    alike = _alike(old, new) if field in MATCHED_BY_LIKENESS else {}
    names = {alike.get(label, label) for label in new}
    gone: dict[str | None, list[Pair]] = {}
    follows: str | None = None
    for label, item in old.items():
        if label in names:
            follows = label
        else:
            gone.setdefault(follows, []).append(Pair(item, ABSENT, label))
    pairs = gone.get(None, [])
    for label, item in new.items():
        name = alike.get(label, label)
        pairs.append(Pair(old.get(name, ABSENT), item, name))
        pairs += gone.get(name, ())
    return pairs


def _alike(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    """Head label → base label for items that no key matches but that share fields; the most alike first."""
    gone = [label for label in old if label not in new]
    come = [label for label in new if label not in old]
    if len(gone) * len(come) > 10_000:
        return {}
    scores = sorted(
        (-_shared(old[left], new[right]), one, other)
        for one, left in enumerate(gone)
        for other, right in enumerate(come)
    )
    found: dict[str, str] = {}
    taken: set[int] = set()
    for score, one, other in scores:
        if score < 0 and come[other] not in found and one not in taken:
            found[come[other]] = gone[one]
            taken.add(one)
    return found


def _shared(before: dict[str, Any], after: dict[str, Any]) -> int:
    """How many fields are equal, not counting those that nearly every port shares."""
    return sum(1 for key in before if key != "protocol" and key in after and before[key] == after[key]) or int(
        len(before) == len(after) and set(before) == set(after) and len(before) <= 2
    )


def token(value: Any) -> bytes:
    """What is equal exactly where two values are: their JSON with sorted keys."""
    return msgspec.json.encode(value, order="deterministic", enc_hook=repr)


def _in_order(before: Sequence[Any], after: Sequence[Any]) -> list[Pair]:
    """Pairs in order: equal ends first, the middle by deepdiff where it is not one run against nothing."""
    old, new = [token(item) for item in before], [token(item) for item in after]
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    left, right = list(range(head, len(old) - tail)), list(range(head, len(new) - tail))
    if len(left) == len(right) == 1:
        middle: list[tuple[int | None, int | None]] = [(left[0], right[0])]
    elif not left or not right:
        middle = [(index, None) for index in left] + [(None, index) for index in right]
    else:
        middle = _by_deepdiff(old, new, left, right)
    ends: list[tuple[int | None, int | None]] = [(index, index) for index in range(head)]
    behind = [(len(old) - tail + index, len(new) - tail + index) for index in range(tail)]
    return [
        Pair(
            ABSENT if one is None else before[one],
            ABSENT if other is None else after[other],
            f"[{other if other is not None else one}]",
        )
        for one, other in [*ends, *middle, *behind]
    ]


_TOO_LONG = 2_000


def _by_deepdiff(
    old: Sequence[bytes], new: Sequence[bytes], left: Sequence[int], right: Sequence[int]
) -> list[tuple[int | None, int | None]]:
    """Align the middles of two lists; items that differ at the same place of the alignment belong together."""
    if len(left) * len(right) > _TOO_LONG**2:
        return _by_position(left, right)
    from deepdiff import DeepDiff

    ids: dict[bytes, int] = {}
    one = [ids.setdefault(old[index], len(ids)) for index in left]
    other = [ids.setdefault(new[index], len(ids)) for index in right]
    found = DeepDiff(one, other, view="tree", verbose_level=2)
    gone = {level.path(output_format="list")[0] for level in found.get("iterable_item_removed", ())}
    come = {level.path(output_format="list", force="t2")[0] for level in found.get("iterable_item_added", ())}
    rest = [index for index in range(len(one)) if index not in gone]
    kept = [index for index in range(len(other)) if index not in come]
    if len(rest) != len(kept):
        return _by_position(left, right)
    pairs: list[tuple[int | None, int | None]] = []
    at = 0
    for one_index, other_index in zip(rest, kept, strict=True):
        pairs += [(left[index], None) for index in range(at, one_index)]
        pairs.append((left[one_index], right[other_index]))
        at = one_index + 1
    pairs += [(left[index], None) for index in range(at, len(one))]
    return _with_added(pairs, right)


def _with_added(
    pairs: Sequence[tuple[int | None, int | None]], right: Sequence[int]
) -> list[tuple[int | None, int | None]]:
    """Put the head's items that have no partner where they stand on the head side."""
    used = {other for _, other in pairs if other is not None}
    missing = [index for index in right if index not in used]
    result: list[tuple[int | None, int | None]] = []
    for pair in pairs:
        while missing and pair[1] is not None and missing[0] < pair[1]:
            result.append((None, missing.pop(0)))
        result.append(pair)
    return [*result, *((None, index) for index in missing)]


def _by_position(left: Sequence[int], right: Sequence[int]) -> list[tuple[int | None, int | None]]:
    both = min(len(left), len(right))
    pairs: list[tuple[int | None, int | None]] = [(left[index], right[index]) for index in range(both)]
    return [*pairs, *((index, None) for index in left[both:]), *((None, index) for index in right[both:])]
