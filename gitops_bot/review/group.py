"""Grouping: the same change in many targets is told once, to programs and, one step further, to people."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from gitops_bot.model.change import Bucket, ResourceChange
from gitops_bot.model.report import Change, Report
from gitops_bot.model.resource import ResourceKey
from gitops_bot.review.headline import consequence
from gitops_bot.review.summary import field_summary
from gitops_bot.text.view import Block, Member

_RANK = {"removed": 0, "changed": 1, "added": 2, "noise": 3, "ignored": 4}
"""Reading order: what is lost comes first."""

_NAMING_KEY = re.compile(r"(?:[nN]ame|namespace|app|instance|release)$")
"""Keys whose line may say no more than which object this is: ``+  name: web``, ``-    app: web``."""


def merge_changes(found: Iterable[tuple[str, ResourceChange]]) -> tuple[Change, ...]:
    """Turn (target id, change) pairs into one ``Change`` per distinct change, with the ids of all its targets.

    Changes are the same when everything but the target is equal. Returns them in order of group, kind, namespace,
    name, first target, whatever the order of the input.
    """
    groups: dict[str, tuple[ResourceChange, list[str]]] = {}
    for target, change in found:
        groups.setdefault(canonical(change), (change, []))[1].append(target)
    merged = [(_change(change, sorted(targets)), identity) for identity, (change, targets) in groups.items()]
    merged.sort(key=lambda pair: (_position(pair[0]), pair[1]))
    return tuple(change for change, _ in merged)


def group_for_people(
    report: Report,
    *,
    targets: Collection[str] | None = None,
    buckets: Collection[Bucket] | None = None,
    labels: Mapping[str, str] | None = None,
) -> tuple[Block, ...]:
    """Make one block per distinct change, also across namespaces and names where everything else is equal.

    ``targets`` limits it to what happens in these target ids, ``buckets`` to these buckets (None: all); ``labels``
    gives the readable name of an id, the id itself where it has none. Returns blocks in reading order: removals first,
    and of these the ones that take other things along. Every pair of change and target lands in exactly one member.
    """
    wanted = None if targets is None else frozenset(targets)
    groups: dict[str, list[tuple[Change, tuple[str, ...]]]] = {}
    for change in report.changes:
        ids = tuple(id_ for id_ in change.targets if wanted is None or id_ in wanted)
        if ids and (buckets is None or change.bucket in buckets):
            groups.setdefault(_identity_for_people(change), []).append((change, ids))
    ordered = sorted(groups.values(), key=lambda found: _reading_position(found[0][0]))
    return tuple(_block(found, labels or {}) for found in ordered)


def canonical(value: Any) -> str:
    """Write a value so that two are equal exactly when their texts are: types count, the order of map keys does not."""
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(canonical, value))}]"
    if isinstance(value, msgspec.Struct):
        return f"[{','.join(canonical(getattr(value, name)) for name in value.__struct_fields__)}]"
    if isinstance(value, dict):
        items = sorted((canonical(key), canonical(item)) for key, item in value.items())
        return "{" + ",".join(f"{key}:{item}" for key, item in items) + "}"
    return repr(value)


def _change(change: ResourceChange, targets: list[str]) -> Change:
    """Take a target's change over into the report."""
    return Change(
        action=change.action,
        bucket=change.bucket,
        group=change.key.group,
        kind=change.key.kind,
        namespace=change.key.namespace,
        name=change.key.name,
        api_version=change.api_version,
        targets=tuple(targets),
        renamed_from=_former_name(change.key, change.renamed_from),
        hook=change.hook,
        fields=change.fields,
        noise=change.noise,
        hidden=change.hidden,
        diff=change.diff,
        images=change.images,
    )


def _former_name(key: ResourceKey, former: ResourceKey | None) -> str | None:
    """Say the former name: the bare name where only that differs, else the whole identity."""
    if former is None:
        return None
    return former.name if former[:3] == key[:3] else str(former)


def _position(change: Change) -> tuple[str, str, str, str, str]:
    """Order of changes in the report."""
    return (change.group, change.kind, change.namespace, change.name, change.targets[0])


def _reading_position(change: Change) -> tuple[int, bool]:
    """Order of blocks; those of one rank keep the report's order."""
    return (_RANK[change.bucket], not consequence(change.action, change.group, change.kind))


def _identity_for_people(change: Change) -> str:
    """Everything about a change but which object it happens to.

    Context lines of the diff do not count, because its changed lines and fields already say what changes. Lines and
    fields whose whole value is the object's own name or namespace count by their place only.
    """
    own = {change.name: "<name>", change.namespace: "<namespace>", change.renamed_from or "": "<former>"}
    own.pop("", None)
    endings = tuple(f": {value}" for value in own)
    lines = [
        _anonymous(line, own) if line.endswith(endings) else line
        for line in change.diff.split("\n")
        if line.startswith(("+", "-"))
    ]
    fields = [(field.path, _swap(field.before, own), _swap(field.after, own)) for field in change.fields]
    return canonical(
        (
            (change.action, change.bucket, change.group, change.kind, change.api_version, change.hook),
            (change.renamed_from is None, change.hidden, change.images),
            (fields, change.noise, "\n".join(lines)),
        )
    )


def _anonymous(line: str, own: Mapping[str, str]) -> str:
    """Replace the value of a line that only names the object itself."""
    lead, _, value = line.rpartition(": ")
    return f"{lead}: {own[value]}" if value in own and _NAMING_KEY.search(lead) else line


def _swap(value: Any, own: Mapping[str, str]) -> Any:
    """Replace a field's value that is the object's own name."""
    return own.get(value, value) if isinstance(value, str) else value


def _block(found: list[tuple[Change, tuple[str, ...]]], labels: Mapping[str, str]) -> Block:
    """Tell one distinct change; the first member's diff stands for all."""
    first = found[0][0]
    members = [
        Member(
            namespace=change.namespace,
            name=change.name,
            renamed_from=change.renamed_from,
            targets=tuple(labels.get(id_, id_) for id_ in ids),
        )
        for change, ids in found
    ]
    return Block(
        action=first.action,
        kind=first.kind,
        group=first.group,
        hook=first.hook,
        members=tuple(members),
        summary=field_summary(first.fields),
        fields=first.fields,
        diff=first.diff,
        folded=first.noise,
        hidden=first.hidden,
        consequence=consequence(first.action, first.group, first.kind),
    )
