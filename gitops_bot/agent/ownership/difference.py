"""How a live object differs from what applying Git would make of it, and what of it is ignored.

Both sides come from the API server, the second as its dry-run answer, so defaults, conversions and admission are on
both. Live values of ignored fields are always kept (ours; Argo CD with ``RespectIgnoreDifferences``).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from gitops_bot.agent.ownership.managed import (
    Path,
    drop,
    fields_v1,
    find,
    index_of,
    is_our_apply,
    leaves,
    ours,
    owned,
    paths,
)
from gitops_bot.agent.ownership.strangers import REPLICAS
from gitops_bot.agent.values import Live
from gitops_bot.manifests.fields import differences, same
from gitops_bot.manifests.ignore import DeleteJq, hide
from gitops_bot.manifests.lists import ABSENT
from gitops_bot.manifests.normalise import is_built_in
from gitops_bot.manifests.redact import hide_checksums, mask_pair
from gitops_bot.model.application import IgnoreDifference
from gitops_bot.model.change import FieldChange

Place = tuple[str | int, ...]
"""A field of one object's JSON: keys of mappings, indices of lists."""

_SERVER = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink",
           "deletionTimestamp", "deletionGracePeriodSeconds")  # fmt: skip

_IDENTITY: tuple[Path, ...] = (("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace"))
"""What an apply is nothing without."""


def drift(
    live: Mapping[str, Any],
    predicted: Mapping[str, Any],
    *,
    metadata: Live,
    rules: Sequence[IgnoreDifference] = (),
    delete_jq: DeleteJq | None = None,
    status: bool = False,
) -> tuple[FieldChange, ...]:
    """The fields in which a live object differs from what it would be, in path order; secrets and checksums masked.

    Args:
        live: The object as it is.
        predicted: The server's dry-run answer to its apply, without strangers.
        metadata: That of the live object.
        rules: The ignoreDifferences that apply to it (``ignore.applicable``).
        delete_jq: Evaluates their jq expressions; without it these hide nothing.
        status: Whether status counts.
    """
    bodies = [_compared(live, status=status), _compared(predicted, status=status)]
    if same(*bodies):
        return ()
    built_in = is_built_in(metadata.api_version)
    # Masked before anything is hidden: without its kind a Secret would be none.
    one, other = hide(mask_pair(*bodies, built_in=built_in), rules, delete_jq)
    for path in _managed_elsewhere(metadata, rules):
        drop(one, path)
        drop(other, path)
    before, after = hide_checksums(one), hide_checksums(other)
    return tuple(found.change for found in differences(before, after, built_in=built_in))


def _compared(body: Mapping[str, Any], *, status: bool) -> dict[str, Any]:
    metadata = {key: value for key, value in body.get("metadata", {}).items() if key not in _SERVER}
    return {key: value for key, value in body.items() if status or key != "status"} | {"metadata": metadata}


def _managed_elsewhere(live: Live, rules: Sequence[IgnoreDifference]) -> list[Path]:
    """What the managers of ``managedFieldsManagers`` own, field by field, without the keys of a list's items.

    Names are exact and any entry of a manager counts, of a subresource too (Argo CD's rule). Sorted backwards, so that
    removing one leaves the others where they are.
    """
    names = {name for rule in rules for name in rule.managed_fields_managers}
    found = leaves(owned(entry for entry in live.managed if entry.manager in names))
    return sorted((path for path in found if not _is_item_key(path)), reverse=True)


def _is_item_key(path: Path) -> bool:
    return len(path) > 1 and path[-2].startswith("k:") and f'"{path[-1][2:]}":' in path[-2]


# -- what is sent ------------------------------------------------------------------------------------------------------


def keep_ignored(
    desired: Mapping[str, Any],
    body: Mapping[str, Any] | None,
    *,
    live: Live | None,
    rules: Sequence[IgnoreDifference] = (),
    delete_jq: DeleteJq | None = None,
) -> dict[str, Any]:
    """The object as it is sent, a new value: without Git's values of ignored fields.

    An ignored field whose only owner is us is sent with its live value, because an apply without it would remove it;
    once somebody else owns it, it is left out and stays as it is. ``spec.replicas`` that Git does not say is ignored
    without a rule: leaving it out would make it 1 (tried). Of a list that is owned as a whole, and of a mapping too,
    all that is sent is live where a part is ignored.

    Args:
        desired: What Git says, before it is stamped: no rule takes our marks off.
        body: The live object; None where there is none, then ``desired`` is sent as it is.
        live: Its metadata; None exactly when ``body`` is.
        rules: The ignoreDifferences that apply to the object.
        delete_jq: Evaluates their jq expressions; without it these ignore nothing.
    """
    if body is None or live is None:
        return copy.deepcopy(dict(desired))
    given = copy.deepcopy(dict(desired))
    shown, sent = hide([dict(body), given], rules, delete_jq)
    for path in _managed_elsewhere(live, rules):
        drop(sent, path)
    for path in _IDENTITY:
        if (value := find(desired, path)) is not ABSENT:
            _put(sent, path, value)
    places = [*_removed(body, shown, ())]
    if find(desired, REPLICAS) is ABSENT and find(body, REPLICAS) is not ABSENT:
        places.append(tuple(element[2:] for element in REPLICAS))
    ownership = _ownership(live)
    for place in places:
        path, rest = _located(body, place, ownership.everyone)
        if not path or not all(find(desired, path[:length]) is not ABSENT for length in _items(path)):
            continue  # nobody owns it, or Git has removed the item that it is in
        if rest and find(desired, path) is not ABSENT:
            _put(sent, path, _with_part(find(sent, path), find(body, path), rest))
        else:
            for each in ownership.ours_alone(path):
                _put(sent, each, copy.deepcopy(find(body, each)))
    return sent


def _items(path: Path) -> list[int]:
    """How long the parts of a path are that name a list's item above its end."""
    return [length for length in range(1, len(path)) if not path[length - 1].startswith("f:")]


def _removed(before: Any, after: Any, place: Place) -> Iterator[Place]:
    """What of a value is not in its reduced form; a list of which items went and others changed, as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, item in before.items():
            if key in after:
                yield from _removed(item, after[key], (*place, key))
            else:
                yield (*place, key)
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) == len(after):
            for index, (item, other) in enumerate(zip(before, after, strict=True)):
                yield from _removed(item, other, (*place, index))
        else:
            kept = 0
            gone: list[Place] = []
            for index, item in enumerate(before):
                if kept < len(after) and same(item, after[kept]):
                    kept += 1
                else:
                    gone.append((*place, index))
            yield from gone if kept == len(after) else [place]


class _Ownership(NamedTuple):
    """Who owns the fields of an object."""

    ours: frozenset[Path]
    others: frozenset[Path]
    everyone: Mapping[str, Any]
    """FieldsV1 of all owners together."""

    def ours_alone(self, path: Path) -> list[Path]:
        """The fields at and below a path that nobody owns but us, without what holds others of ours."""
        below = leaves([each for each in self.ours if each[: len(path)] == path])
        elsewhere = leaves(self.others)
        return sorted(
            each
            for each in below
            if not any(each[: len(other)] == other or other[: len(each)] == each for other in elsewhere)
        )


def _ownership(live: Live) -> _Ownership:
    entry = ours(live.managed)
    mine = paths(entry.fields) if entry else frozenset()
    others = owned(each for each in live.managed if not is_our_apply(each))
    return _Ownership(mine, others, fields_v1(mine | others))


def _located(body: Any, place: Place, node: Mapping[str, Any]) -> tuple[Path, Place]:
    """The path of a place, or of what is owned as a whole around it and what of the place is below that.

    A place that nobody owns has no path: what is not ours to keep stays when it is left out.
    """
    path: Path = ()
    for done, part in enumerate(place):
        if path and node.keys() <= {"."}:
            return path, place[done:]
        if isinstance(part, str):
            element = f"f:{part}" if f"f:{part}" in node else None
        else:
            element = next((each for each in node if each[0] in "kvi" and index_of(body, each) == part), None)
        if element is None:
            return (), ()
        path, node, body = (*path, element), node[element], body[part]
    return path, ()


def _with_part(sent: Any, live: Any, part: Place) -> Any:
    """A value that is owned as a whole, with a part of the live one; all of that where a list is on the way."""
    key = part[0]
    if not isinstance(sent, dict) or not isinstance(live, dict) or not isinstance(key, str) or key not in live:
        return copy.deepcopy(live)
    return {**sent, key: _with_part(sent.get(key), live[key], part[1:]) if part[1:] else copy.deepcopy(live[key])}


def _put(body: Any, path: Path, value: Any) -> None:
    """Set what a path names in an object, in place; mappings, lists and items on the way are made where missing."""
    for element, following in pairwise(path):
        if element.startswith("f:"):
            made: Any = {} if following.startswith("f:") else []
            if not isinstance(body.get(element[2:]), type(made)):
                body[element[2:]] = made
            body = body[element[2:]]
        else:
            index = index_of(body, element)
            if index is None:
                body.append(json.loads(element[2:]))
            body = body[-1 if index is None else index]
    if path[-1].startswith("f:"):
        body[path[-1][2:]] = value
    elif (index := index_of(body, path[-1])) is None:
        body.append(value)
    else:
        body[index] = value


def at_version(body: Mapping[str, Any], version: str) -> dict[str, Any]:
    """A body that the API server takes only while the object has this resourceVersion."""
    return {**body, "metadata": {**body["metadata"], "resourceVersion": version}}


# -- where the API server's apply cannot do it -------------------------------------------------------------------------


def overlaid(live: Any, sent: Any) -> Any:
    """An object with every field that Git has as Git has it."""
    if isinstance(live, dict) and isinstance(sent, dict):
        return {**live, **{key: overlaid(live.get(key), value) for key, value in sent.items()}}
    return sent


def without_dropped(live: Any, then: Any, sent: Any) -> Any:
    """An object without the fields that Git had ``then`` (None: nothing) and has no more."""
    if not (isinstance(live, dict) and isinstance(then, dict) and isinstance(sent, dict)):
        return live
    kept = {key: value for key, value in live.items() if key not in then or key in sent}
    return {key: without_dropped(value, then.get(key), sent.get(key)) for key, value in kept.items()}
