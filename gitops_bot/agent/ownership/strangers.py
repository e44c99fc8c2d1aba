"""Fields that people added to an object and Git does not have: what is taken out again, and what never is.

A field is a stranger when a manager that is a person owns it, the desired object does not have it, and nobody else
owns it or anything in it. What is never taken out: status; metadata other than labels and annotations; the number of
replicas, which is whoever scales' when Git does not say it; and what asks a controller to act instead of describing
the object (a restart, a refresh). All of this is ours; Argo CD leaves such fields alone.

How they are taken out is ``adoption``'s part.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from gitops_bot.agent.ownership.managed import (
    PEOPLE,
    SNAPSHOT,
    Path,
    beyond,
    drop,
    find,
    is_our_apply,
    matches,
    ours,
    owned,
    paths,
    readable,
    topmost,
    with_ancestors,
)
from gitops_bot.agent.values import Live, ManagedFields
from gitops_bot.manifests.lists import ABSENT
from gitops_bot.model.resource import ResourceKey

REPLICAS: Path = ("f:spec", "f:replicas")
"""Left to whoever scales when Git does not say it: without an owner the API server makes it 1 (tried)."""
REQUESTS = frozenset(
    f"f:{annotation}"
    for annotation in ("kubectl.kubernetes.io/restartedAt", "argocd.argoproj.io/refresh",
                       "argocd.argoproj.io/hydrate", "argocd.argoproj.io/deletion-approved",
                       "argocd.argoproj.io/skip-reconcile")
)  # fmt: skip
"""Annotations by which people ask for something: taking the first out would restart the pods once more."""

_CONTENT: Mapping[tuple[str, str], tuple[Path, ...]] = {
    ("", "ConfigMap"): (("f:data",), ("f:binaryData",)),
    ("", "Secret"): (("f:data",),),
    **{("apps", kind): (("f:spec", "f:template", "f:spec"),) for kind in ("Deployment", "StatefulSet", "DaemonSet")},
    ("batch", "CronJob"): (("f:spec", "f:jobTemplate", "f:spec", "f:template", "f:spec"),),
}
"""Parts of an object that hardly anybody but Git and people writes."""


class Stranger(NamedTuple):
    """One field that people added, with everything in it."""

    path: Path
    managers: tuple[str, ...]
    """Who owns it, sorted."""

    def __str__(self) -> str:
        """``spec.template.spec.containers[name=debug] (kubectl-edit)``."""
        return f"{readable(self.path)} ({', '.join(self.managers)})"


def strangers(live: Live, desired: Mapping[str, Any], *, people: Sequence[str] = PEOPLE) -> tuple[Stranger, ...]:
    """The topmost strangers in an object, in order; ``desired`` is it as it is applied.

    An object that is being deleted has none.
    """
    entries = [entry for entry in live.managed if matches(entry, people)]
    if live.deleting or not entries:
        return ()
    others = controlled(live, people)
    found: dict[Path, set[str]] = {}
    for entry in entries:
        for path in strays(entry, live.key, desired, others=others):
            found.setdefault(path, set()).add(entry.manager)
    return tuple(Stranger(path, tuple(sorted(found[path]))) for path in topmost(found))


def controlled(live: Live, mine: Sequence[str]) -> frozenset[Path]:
    """What may not be taken from an object: fields of others than us and the managers that match, and all above them.

    Above them, because a list's item goes with all that is in it, whoever owns that (tried). What is never taken out
    counts as others', whoever owns it.
    """
    theirs = owned(each for each in live.managed if not is_our_apply(each) and not matches(each, mine))
    kept = (path for path in owned(live.managed) if not is_removable(path, live.key))
    return with_ancestors((*theirs, *kept))


def strays(
    entry: ManagedFields,
    key: ResourceKey,
    desired: Mapping[str, Any],
    *,
    others: Collection[Path],
    declared: Sequence[Any] = (),
) -> frozenset[Path]:
    """The fields of an entry that Git does not have and that may be taken out of the object.

    ``others`` is what ``controlled`` gives. The entry ``before-first-apply`` holds whatever stood in an object whose
    managedFields were cleared, also what controllers wrote: of it only fields count that somebody has said to want
    (``declared``: objects), and content that hardly anybody but people writes.
    """
    found = [
        path
        for path in beyond(entry.fields, desired)
        if path not in others and is_removable(path, key) and not _is_in_shared_item(path, desired, others)
    ]
    if entry.manager != SNAPSHOT:
        return frozenset(found)
    content = _CONTENT.get((key.group, key.kind), ())
    return frozenset(
        path
        for path in found
        if any(path[: len(part)] == part for part in content)
        or any(find(each, path) is not ABSENT for each in declared)
    )


def _is_in_shared_item(path: Path, desired: Mapping[str, Any], others: Collection[Path]) -> bool:
    """Whether a field is in a list's item that Git does not have and that stays, because others own a part of it.

    Half an item is refused by the API server (tried with a container).
    """
    items = (path[:length] for length in range(1, len(path)) if not path[length - 1].startswith("f:"))
    return any(item in others and find(desired, item) is ABSENT for item in items)


def is_removable(path: Path, key: ResourceKey) -> bool:
    """Whether a field may ever be taken out of an object of this kind."""
    if path[0] == "f:metadata":
        allowed = path[1:2] in (("f:labels",), ("f:annotations",))
    elif path[0] == "f:operation":
        allowed = (key.group, key.kind) != ("argoproj.io", "Application")
    else:
        allowed = path[0] != "f:status" and path != REPLICAS
    return allowed and not (path[-2:-1] == ("f:annotations",) and path[-1] in REQUESTS)


def without(body: Mapping[str, Any], found: Sequence[Stranger]) -> dict[str, Any]:
    """The object without the strangers, a new value: what taking them out of it will give."""
    result = copy.deepcopy(dict(body))
    for stranger in reversed(found):
        drop(result, stranger.path)
    return result


class Survivor(NamedTuple):
    """A field that Git no longer has and that is still there, because somebody else owns it too."""

    path: Path
    managers: tuple[str, ...]
    """Who owns it, sorted."""


def survivors(before: Live, after: Live) -> tuple[Survivor, ...]:
    """The topmost fields that our apply gave up and that are still owned, by the object before and after it."""
    one, other = ours(before.managed), ours(after.managed)
    given_up = (paths(one.fields) if one else frozenset()) - (paths(other.fields) if other else frozenset())
    kept: dict[Path, set[str]] = {}
    for entry in after.managed:
        for path in () if is_our_apply(entry) else paths(entry.fields) & given_up:
            kept.setdefault(path, set()).add(f"{entry.manager}/{entry.subresource}".rstrip("/"))
    return tuple(Survivor(path, tuple(sorted(kept[path]))) for path in topmost(kept))
