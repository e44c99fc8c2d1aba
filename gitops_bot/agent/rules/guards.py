"""Which objects may be pruned, and what holds a prune until somebody approves it. Pure.

The candidates are those of DESIGN's inventory rules, the guards are ours (application-semantics "Ours, prune guards");
``Prune=`` and the approval are Argo CD's (2.9), and so is what a deletion of an Application leaves (2.13).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gitops_bot.agent.ownership.identity import App, claimant, is_ours
from gitops_bot.agent.rules.options import ApplicationOptions, Removal, effective, object_options
from gitops_bot.agent.values import Live
from gitops_bot.model import typed
from gitops_bot.model.resource import ResourceKey

APPROVED = "argocd.argoproj.io/deletion-approved"
GUARD_PERCENT = "gitops-bot/prune-guard-percent"
GUARD_OBJECTS = "gitops-bot/prune-guard-objects"
"""Annotations of an Application that replace the settings' thresholds for it."""

PRECIOUS = {
    ("", "Namespace"): "everything in it goes too",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "every object of its kind goes too",
    ("", "PersistentVolumeClaim"): "its data may go too",
    ("apps", "StatefulSet"): "its data may be left without an owner",
}
"""Kinds of which a commit deletes none without approval, and what a deletion means."""
_SKEW = timedelta(minutes=1)
"""How far ahead an approver's clock may be."""


# -- candidates -------------------------------------------------------------------------------------------------------

NotOurs = Literal["other-app", "owned", "unproven", "forbidden"]
"""Why an object is never pruned, whatever anybody approves: another application claims it, a controller makes it, its
marks do not name it (they are copied, or taken off), its project does not allow it."""

Heir = Callable[[ResourceKey], str]
"""The Application that has an object in its Git by now, ``""`` for none."""


class Candidates(msgspec.Struct, frozen=True, kw_only=True):
    """What left Git, told apart."""

    prunable: tuple[Live, ...] = ()
    """By identity, in order."""
    not_ours: tuple[tuple[Live, NotOurs], ...] = ()
    going: tuple[Live, ...] = ()
    """What is being deleted already: it is waited for, not deleted twice."""
    moving: tuple[tuple[Live, str], ...] = ()
    """What another Application has in its Git by now, with its name: it stays as it is until that one takes it."""

    @property
    def forbidden(self) -> tuple[Live, ...]:
        """What is the Application's own, and stays because its project does not allow it."""
        return tuple(live for live, reason in self.not_ours if reason == "forbidden")


def candidates(
    found: Iterable[Live],
    desired: AbstractSet[ResourceKey],
    app: App,
    permitted: Callable[[ResourceKey], bool],
    heir: Heir = lambda _key: "",
) -> Candidates:
    """What of the objects in the cluster is the Application's and not desired any more.

    ``found`` are the objects that carry the label, and those of ``status.resources`` as they are now; an object may be
    in both. Every one has to prove by label and tracking id that it is ours: labels and annotations get copied.
    ``permitted`` says whether the project allows an object.
    """
    prunable, going, not_ours, moving = [], [], [], []
    for live in sorted({each.key: each for each in found}.values(), key=lambda each: each.key):
        if live.key in desired:
            continue
        reason = _not_ours(live, app, permitted)
        if reason is not None:
            not_ours.append((live, reason))
        elif live.deleting:
            going.append(live)
        elif to := heir(live.key):
            moving.append((live, to))
        else:
            prunable.append(live)
    return Candidates(
        prunable=tuple(prunable), going=tuple(going), not_ours=tuple(not_ours), moving=tuple(moving)
    )  # fmt: skip


def _not_ours(live: Live, app: App, permitted: Callable[[ResourceKey], bool]) -> NotOurs | None:
    if live.owned:
        return "owned"
    if claimant(live, app) is not None:
        return "other-app"
    if not is_ours(live, app):
        return "unproven"
    return None if permitted(live.key) else "forbidden"


# -- guards -----------------------------------------------------------------------------------------------------------

Guard = Literal["render-failed", "empty", "too-many", "precious", "confirm", "loosened", "inherited"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit may delete unasked; as the last synced revision says, so that none disarms its own guard."""

    percent: Annotated[int, Meta(ge=0, le=100)] = 50
    objects: Annotated[int, Meta(ge=0)] = 10
    """More than both of these are held."""
    allow_empty: bool = False
    prune: Removal = "true"
    """The Application's own option ``Prune``."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """Why nothing is pruned."""

    guard: Guard
    message: str
    """What would go and what to do about it."""
    approvable: bool = True
    """False where an approval changes nothing."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync may prune."""

    prune: tuple[Live, ...] = ()
    kept: tuple[Live, ...] = ()
    """What ``Prune=false`` keeps: ``PruneSkipped`` (2.9)."""
    holds: tuple[Hold, ...] = ()
    """Empty where ``prune`` may go; while there is one, ``prune`` is empty."""
    approved: tuple[Hold, ...] = ()
    """Guards that would have held it, and were approved."""
    inherited: frozenset[ResourceKey] = frozenset()
    """What an earlier Application of the same name left."""


def limits_of(
    annotations: Mapping[str, str], *, percent: int, objects: int, allow_empty: bool, prune: Removal = "true"
) -> Limits:
    """The thresholds of an Application, from its annotations or else from the settings, both of the last sync.

    An annotation that is no number in its range does not count.
    """
    return Limits(
        percent=_number(annotations.get(GUARD_PERCENT), percent, 100),
        objects=_number(annotations.get(GUARD_OBJECTS), objects, 1_000_000),
        allow_empty=allow_empty,
        prune=prune,
    )


def in_force(recorded: str | None, now: Limits) -> Limits:
    """The thresholds that hold: the stricter of now and of when the Application was last Synced.

    So no commit loosens its own, and one that tightens them means it. ``recorded`` is what ``record`` gave; without it,
    and where it cannot be read, the defaults count.
    """
    try:
        synced = typed.decode(recorded or "", Limits)
    except msgspec.DecodeError:
        synced = Limits()
    order: tuple[Removal, ...] = ("false", "confirm", "true")
    return Limits(
        percent=min(now.percent, synced.percent),
        objects=min(now.objects, synced.objects),
        allow_empty=now.allow_empty and synced.allow_empty,
        prune=min(now.prune, synced.prune, key=order.index),
    )


def record(limits: Limits) -> str:
    """Thresholds as an annotation keeps them."""
    return msgspec.json.encode(limits).decode()


def _number(text: str | None, otherwise: int, most: int) -> int:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 9:
        return otherwise
    return int(text) if int(text) <= most else otherwise


def judge(
    prunable: Iterable[Live],
    *,
    managed: int,
    desired: int,
    rendered: bool,
    options: ApplicationOptions,
    limits: Limits,
    approved: bool,
    inherited: AbstractSet[ResourceKey] = frozenset(),
) -> Verdict:
    """What of the candidates may be pruned.

    ``managed`` counts the Application's objects in the cluster, the candidates included; ``desired`` those in Git;
    ``rendered`` is False when any source failed to render; ``approved`` comes from ``is_approved``; ``inherited`` are
    candidates that an earlier Application of the name left. One guard holds all prunes of a sync: half of a deletion
    that nobody meant is no better.
    """
    going: list[Live] = []
    kept: list[Live] = []
    asked: list[Live] = []
    loosened: list[Live] = []
    for live in prunable:
        word = effective(options, None, live.annotations).prune
        (kept if word == "false" else going).append(live)
        if word == "confirm":
            asked.append(live)
        elif word == "true" and limits.prune != "true" and object_options(live.annotations).prune is None:
            loosened.append(live)
    if not going:
        return Verdict(kept=tuple(kept), inherited=frozenset(inherited))
    left = [live for live in going if live.key in inherited]
    if not rendered:
        holds = [
            Hold(
                guard="render-failed",
                message=f"{_counted(going)} would go, but not every source was rendered: "
                "what is missing may be in the one that failed; repair it first",
                approvable=False,
            )
        ]
    else:
        holds = [*_holds(going, managed, desired, limits), *_questions(asked, loosened, left)]
    open_holds = tuple(hold for hold in holds if not (approved and hold.approvable))
    return Verdict(
        prune=() if open_holds else tuple(going),
        kept=tuple(kept),
        holds=open_holds,
        approved=tuple(hold for hold in holds if hold not in open_holds),
        inherited=frozenset(inherited),
    )


_HOW = f"if that is meant, annotate the Application in the cluster with {APPROVED}: the time of now, as RFC 3339"


def _holds(going: list[Live], managed: int, desired: int, limits: Limits) -> Iterable[Hold]:
    """What is too much for one commit."""
    if desired == 0 and not limits.allow_empty:
        yield Hold(guard="empty", message=f"Git has no object any more: {_counted(going)} would go; {_HOW}")
    whole = max(managed, len(going))
    if len(going) > limits.objects and len(going) * 100 > limits.percent * whole:
        yield Hold(guard="too-many", message=f"{len(going):,} of {whole:,} objects would go; {_HOW}")
    for (group, kind), meaning in PRECIOUS.items():
        some = [live for live in going if (live.key.group, live.key.kind) == (group, kind)]
        if some:
            yield Hold(guard="precious", message=f"{_counted(some)} would go, and {meaning}; {_HOW}")


def _questions(asked: list[Live], loosened: list[Live], left: list[Live]) -> Iterable[Hold]:
    """What somebody has to say of single objects."""
    if asked:
        yield Hold(guard="confirm", message=f"{_counted(asked)} asks for a confirmation (Prune=confirm); {_HOW}")
    if loosened:
        yield Hold(
            guard="loosened",
            message=f"{_counted(loosened)} would go, which the last synced revision kept by its option Prune; {_HOW}",
        )
    if left:
        yield Hold(
            guard="inherited",
            message=f"{_counted(left)} would go, which an earlier Application of this name left; {_HOW}",
        )


def _counted(lives: list[Live]) -> str:
    """The first object, and how many more."""
    more = len(lives) - 1
    return f"{lives[0].key}{f' and {more:,} more' if more else ''}"


def is_approved(annotations: Mapping[str, str], since: datetime, now: datetime) -> bool:
    """Whether the Application, as it is in the cluster, approves a deletion that is held since ``since``.

    Argo CD's ``deletion-approved`` (2.9): a time from the operation's start on, so that an approval is used up with
    what it was given for; ``since`` is that start, or the time of the condition that told why no operation starts. A
    time in the future is none (ours): it would approve what nobody has seen yet.
    """
    try:
        approved = datetime.fromisoformat(annotations.get(APPROVED, ""))
    except ValueError:
        return False
    if approved.tzinfo is None:
        return False
    # The annotation has whole seconds, the operation's start may have more.
    return since.replace(microsecond=0) <= approved <= now + _SKEW


# -- the end of an Application ----------------------------------------------------------------------------------------

Left = Literal["definition", "itself", "moving", "Delete=false", "keep", "forbidden", "not-approved"]


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What goes with an Application that is deleted, and what stays."""

    delete: tuple[Live, ...] = ()
    """Nothing, while objects with ``Delete=confirm`` wait for an approval."""
    left: tuple[tuple[Live, Left], ...] = ()
    approved: tuple[Live, ...] = ()
    """What of it goes only because that was approved."""

    @property
    def asks(self) -> str:
        """What is asked before anything goes, ``""`` for nothing."""
        lives = [live for live, reason in self.left if reason == "not-approved"]
        return f"{_counted(lives)} asks for a confirmation (Delete=confirm); {_HOW}" if lives else ""

    @property
    def moving(self) -> tuple[Live, ...]:
        """What is not taken yet by the Application that has it by now."""
        return tuple(live for live, reason in self.left if reason == "moving")


def ending(
    owned: Iterable[Live],
    *,
    itself: ResourceKey,
    options: ApplicationOptions,
    permitted: Callable[[ResourceKey], bool],
    approved: bool,
    heir: Heir = lambda _key: "",
) -> Ending:
    """What goes with an Application whose finalizer asks for it (2.13); ``owned`` are objects proven to be its own."""
    delete: list[Live] = []
    left: list[tuple[Live, Left]] = []
    for live in owned:
        moves = live.key != itself and bool(heir(live.key))
        reason: Left | None = "moving" if moves else _left(live, itself, options, permitted, approved)
        if reason is None:
            delete.append(live)
        else:
            left.append((live, reason))
    found = Ending(left=tuple(left))
    if found.asks:
        return found
    asked = [live for live in delete if effective(options, None, live.annotations).delete == "confirm"]
    return msgspec.structs.replace(found, delete=tuple(delete), approved=tuple(asked))


def _left(
    live: Live,
    itself: ResourceKey,
    options: ApplicationOptions,
    permitted: Callable[[ResourceKey], bool],
    approved: bool,
) -> Left | None:
    held = effective(options, None, live.annotations)
    if (live.key.group, live.key.kind) == ("apiextensions.k8s.io", "CustomResourceDefinition"):
        return "definition"
    if live.key == itself:
        return "itself"
    if held.delete == "false":
        return "Delete=false"
    if held.keep:
        return "keep"
    if not permitted(live.key):
        return "forbidden"
    return "not-approved" if held.delete == "confirm" and not approved else None
