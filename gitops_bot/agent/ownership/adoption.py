"""Fields that others applied before us, or people added, made ours, so that those that Git does not have really go.

The API server removes a field on our apply when our last apply had it, this one has not, and nobody else owns it. So
the ownership of older tools and of strangers is moved into our entry, and the very next apply, which leaves them
out, removes them: by the server's own knowledge of lists, sets and defaults, in one write together with whatever else
is healed. It cannot remove what it does not mean: the patch is refused (409) when the object has changed since it was
read, and so is the apply that follows when it is sent with the resourceVersion of the patch's answer.

Two other ways were considered and left. A JSON patch that removes the fields: a default that comes back stays its old
owner's and is found again for ever, and healing something else is a second write, so pods are rolled twice. An apply
that includes the fields and one that does not: the old owner stays an owner, so the field stays.
The rule is client-go's ``csaupgrade``; ours are what is moved, and that nothing of another version is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from gitops_bot.agent.ownership.managed import PEOPLE, Path, beyond, fields_v1, find, matches, ours, paths
from gitops_bot.agent.ownership.strangers import controlled, strays
from gitops_bot.agent.values import MANAGER, Live, ManagedFields
from gitops_bot.manifests.lists import ABSENT

TOOLS = ("kubectl-client-side-apply", "kubectl", "kubectl-last-applied", "argocd-controller",
         "argocd-application-controller", "helm", "Helm", "helm-controller", "kustomize-controller",
         "before-first-apply")  # fmt: skip
"""Managers that applied an object before us (globs, a setting): their ownership becomes ours."""
CLIENT_SIDE = "kubectl-client-side-apply"
"""The manager of ``kubectl apply`` without ``--server-side``."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Annotation in which client-side applies keep the whole object, Secrets included."""

_LAST_APPLIED_PATH: Path = ("f:metadata", "f:annotations", f"f:{LAST_APPLIED}")


def adopted(managers: Sequence[str], *, migrate: bool) -> Sequence[str]:
    """The managers without client-side applies, where ``ClientSideApplyMigration=false`` leaves those alone (2.11)."""
    return managers if migrate else (*managers, f"!{CLIENT_SIDE}")


class TakeOver(msgspec.Struct, frozen=True, kw_only=True):
    """What makes others' ownership of an object ours."""

    patch: list[dict[str, Any]]
    """A JSON patch (RFC 6902) of the object's metadata; 409 when the object has changed since it was read."""
    managers: tuple[str, ...] = ()
    """Whose ownership moves, sorted; empty where only the annotation of client-side applies goes."""
    left: tuple[str, ...] = ()
    """Whose ownership stays where it is, because it is written in another API version than ours; sorted."""


def reclaim(live: Live, told: Live, desired: Mapping[str, Any]) -> Live | None:
    """An object that came back without our entry (from a backup, say), with that entry as it was.

    ``told`` is what a dry run gives that applies what Git said when the object was last synced: the API server's own
    word for the fields of our entry. They are taken from every Update that has some of them, with all that is in what
    Git has dropped since then: whoever restored the object wrote for Git, and the server's defaults are in that entry
    too. So what Git has dropped goes with the next apply, and what it drops later as well. What may not be taken out
    (``strays``) stays its owner's. None where the API server tells of no entry of ours.
    """
    entry = ours(told.managed)
    if entry is None:
        return None
    had = paths(entry.fields)
    dropped = {_root(path, desired) for path in beyond(entry.fields, desired)}
    taken = [_restored(each, entry, had, dropped) for each in told.managed]
    mine = replace(entry, fields=fields_v1(had.union(*taken)))
    left = [
        replace(each, fields=fields_v1(paths(each.fields) - part)) if part else each
        for each, part in zip(told.managed, taken, strict=True)
        if each is not entry
    ]
    others = controlled(replace(told, managed=(mine, *left)), ())
    spared = beyond(mine.fields, desired) - strays(mine, live.key, desired, others=others)
    kept = [
        (paths(mine.fields) - spared) if each is entry else (paths(each.fields) - (part - spared))
        for each, part in zip(told.managed, taken, strict=True)
    ]
    managed = (replace(each, fields=fields_v1(rest)) for each, rest in zip(told.managed, kept, strict=True) if rest)
    return replace(live, managed=tuple(managed))


def _root(path: Path, desired: Mapping[str, Any]) -> Path:
    """The topmost node above a field that Git does not have, or the field itself."""
    return next(path[:length] for length in range(1, len(path) + 1) if find(desired, path[:length]) is ABSENT)


def _restored(
    each: ManagedFields, entry: ManagedFields, had: frozenset[Path], dropped: Collection[Path]
) -> frozenset[Path]:
    """What is ours of an entry; nothing of one that has none of our fields, such as a controller's."""
    found = paths(each.fields)
    if each.operation != "Update" or each.subresource or each.api_version != entry.api_version or not found & had:
        return frozenset()
    below = {path for path in found if any(path[:length] in dropped for length in range(1, len(path) + 1))}
    return (found & had) | below


class _Move(NamedTuple):
    entry: ManagedFields
    taken: frozenset[Path]


def take_over(
    live: Live,
    desired: Mapping[str, Any],
    *,
    tools: Sequence[str] = TOOLS,
    people: Sequence[str] = PEOPLE,
    migrate: bool = True,
    reclaimed: bool = False,
) -> TakeOver | None:
    """What to do before an object that exists is applied; None where everything is as it should be.

    Of a tool's entry everything moves that Git has, and all that may be taken out of the object (``strays``); of a
    person's entry the same, once it has a stranger. What may not be taken out stays its owner's. Entries of
    subresources and of controllers are never touched. ``desired`` is the object as it is going to be applied;
    ``migrate`` is false where client-side applies keep what they own, and their annotation (2.11); ``reclaimed`` says
    that ``live`` has ownership that the API server does not have yet (``reclaim``). When there is a patch, the apply
    has to follow also where its dry run changes nothing.
    """
    if live.deleting:
        return None
    tools = adopted(tools, migrate=migrate)
    managers = (*tools, *adopted(people, migrate=migrate))
    mine = [entry for entry in live.managed if matches(entry, managers)]
    version = _version(live, mine, str(desired["apiVersion"]))
    others = controlled(live, managers)
    declared = _last_applied(live)
    forget = migrate and LAST_APPLIED in live.annotations and find(desired, _LAST_APPLIED_PATH) is ABSENT
    gone = frozenset({_LAST_APPLIED_PATH}) if forget else frozenset()
    moves = []
    for entry in mine:
        strange = strays(entry, live.key, desired, others=others, declared=declared)
        taken = (paths(entry.fields) - beyond(entry.fields, desired) | strange) - gone
        if taken and entry.api_version == version and (strange or matches(entry, tools)):
            moves.append(_Move(entry, taken))
    if not moves and not forget and not reclaimed:
        return None
    return TakeOver(
        patch=[
            *(_moved(live, moves, version, gone) if moves or reclaimed else ()),
            *([{"op": "remove", "path": f"/metadata/annotations/{_pointer(LAST_APPLIED)}"}] if forget else ()),
            # Replaced, not tested: a stale one is then a conflict (409), not an invalid request.
            {"op": "replace", "path": "/metadata/resourceVersion", "value": live.resource_version},
        ],
        managers=tuple(sorted({move.entry.manager for move in moves})),
        left=tuple(sorted({entry.manager for entry in mine if entry.api_version != version})),
    )


def _version(live: Live, mine: Sequence[ManagedFields], wanted: str) -> str:
    """The API version of the fields that move: that of our entry, which can have only one."""
    entry = ours(live.managed)
    if entry is not None:
        return entry.api_version
    versions = [each.api_version for each in mine]
    return versions[-1] if versions and wanted not in versions else wanted


def _last_applied(live: Live) -> tuple[dict[str, Any], ...]:
    """The object that a client-side apply sent last, from its annotation."""
    try:
        found = json.loads(live.annotations.get(LAST_APPLIED, "null"))
    except ValueError:
        return ()
    return (found,) if isinstance(found, dict) else ()


def _moved(live: Live, moves: Sequence[_Move], version: str, gone: frozenset[Path]) -> list[dict[str, Any]]:
    """The operation that writes managedFields."""
    taken = frozenset().union(*(move.taken for move in moves))
    by_entry = {id(move.entry): move.taken for move in moves}
    entry = ours(live.managed)
    kept = [
        (
            each,
            (paths(each.fields) - gone) | taken
            if each is entry
            else paths(each.fields) - gone - by_entry.get(id(each), gone),
        )
        for each in live.managed
    ]
    if entry is None:
        time = max((move.entry.time for move in moves if move.entry.time), default=None)
        first = ManagedFields(manager=MANAGER, operation="Apply", api_version=version, fields={}, time=time)
        kept.insert(0, (first, taken))
    value = [_wire(each, members) for each, members in kept if members]
    return [{"op": "add", "path": "/metadata/managedFields", "value": value}]  # which replaces those that are there


def _wire(entry: ManagedFields, members: frozenset[Path]) -> dict[str, Any]:
    """An entry as the API server takes it, with other fields."""
    return {
        "manager": entry.manager,
        "operation": entry.operation,
        "apiVersion": entry.api_version,
        **({"time": entry.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")} if entry.time else {}),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields_v1(members),
        **({"subresource": entry.subresource} if entry.subresource else {}),
    }


def _pointer(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
