"""Desired against live: what is equal without asking, and what the API server's own dry run says of the rest.

An object is looked at only where its metadata says that somebody may have touched it, or where Git says something else
than when it was judged last. What is equal costs no request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.live.owning import own
from gitops_bot.agent.ownership.adoption import TakeOver
from gitops_bot.agent.ownership.difference import at_version, drift, keep_ignored, overlaid, without_dropped
from gitops_bot.agent.ownership.fingerprint import baseline, is_settled, judge
from gitops_bot.agent.ownership.fingerprint import due as due_at
from gitops_bot.agent.ownership.identity import App, claimant, stamp
from gitops_bot.agent.ownership.managed import PEOPLE, covers, ours
from gitops_bot.agent.ownership.memory import Known, Memory, digest
from gitops_bot.agent.ownership.strangers import Stranger, without
from gitops_bot.agent.rules.options import ApplicationOptions, Effective, effective
from gitops_bot.agent.sources.desired import Desired
from gitops_bot.agent.values import MANAGER, Live, live_of
from gitops_bot.doors.cluster.errors import Conflict, Invalid, NotFound, NotTyped
from gitops_bot.doors.cluster.kinds import Kind
from gitops_bot.doors.cluster.objects import Body, Objects
from gitops_bot.errors import ClusterError
from gitops_bot.manifests.ignore import DeleteJq, applicable
from gitops_bot.model.application import IgnoreDifference
from gitops_bot.model.change import FieldChange
from gitops_bot.model.resource import ResourceKey

_TRIES = 5
"""How often an object is looked at that changes meanwhile."""
_FEW = 5
"""Unknown objects of one kind and namespace that are asked for one by one; more are listed."""

Status = Literal["Synced", "OutOfSync", "Unknown"]


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One object that Git wants."""

    desired: Desired
    stamped: Body
    """What Git says, with what says whose it is."""
    sent: Body
    """What is applied: the same, with live values of ignored fields."""
    live: Live | None
    """None: it is not there."""
    status: Status
    drift: tuple[FieldChange, ...] = ()
    """The fields that an apply would change, secrets masked."""
    take: TakeOver | None = None
    """What has to be done before it is applied."""
    earlier: Body | None = None
    """What Git said of it when it was last synced, stamped; None unless our own entry is lost."""
    put: Body | None = None
    """What takes the place of the live object, where the API server's apply cannot take it."""
    silent: bool = False
    """True when only ownership was lost and nothing differs: it is taken back without a word."""
    error: str = ""
    """Why the API server would not take it, ``""`` when it would."""
    shared: str = ""
    """Who else says that it is theirs."""
    former: str = ""
    """Who had it until now, and lets it go as it is."""
    until: datetime | None = None
    """When it has to be looked at although nothing else happens; None for never."""
    digest: bytes = b""
    """Of what was judged: what Git says of the object, and what of it is ignored."""

    @property
    def key(self) -> ResourceKey:
        return self.desired.key

    @property
    def is_drifted(self) -> bool:
        """Whether the cluster has something else than Git says of an object that is ours."""
        return self.status == "OutOfSync" and not self.error and not self.shared


Earlier = Callable[[Live], Body | None]
"""What was applied, stamped, when the Application was last synced, of an object that has our marks.

None for one that was not in Git then; asked by many threads.
"""


class Rules(NamedTuple):
    """What of an Application decides about differences."""

    ignore: Sequence[IgnoreDifference] = ()
    delete_jq: DeleteJq | None = None
    people: Sequence[str] = PEOPLE
    options: ApplicationOptions = ApplicationOptions()
    earlier: Earlier = lambda _live: None
    let_go: Callable[[Live], bool] = lambda _live: False
    """Whether another Application whose marks an object carries lets it go as it is; asked by many threads."""

    def of(self, key: ResourceKey) -> tuple[IgnoreDifference, ...]:
        """What of one object is ignored."""
        return applicable(self.ignore, key)


class Settled(NamedTuple):
    """What the Application's status says was synced last, and is wanted still; for the first look after a restart."""

    ended: datetime


class _Begun(NamedTuple):
    """An object that somebody has to be asked about."""

    so_far: Compared
    known: Live | Literal["ask"] | None


class Comparer:
    """Compares the objects of one Application; one comparison at a time."""

    def __init__(
        self, objects: Objects, inventory: Inventory, memory: Memory, pool: Executor, now: Callable[[], datetime]
    ) -> None:
        """Take the doors, what is remembered, and what runs requests side by side."""
        self._objects = objects
        self._inventory = inventory
        self._memory = memory
        self._pool = pool
        self._now = now
        self.looked = 0
        """How many objects were asked for so far."""

    def compare(
        self, wanted: Sequence[Desired], app: App, destination: str, rules: Rules, settled: Settled | None
    ) -> tuple[Compared, ...]:
        """Every object that Git wants, in its order. Raises ClusterError when the API server cannot be asked at all."""
        there = self._known_or_present([each.key for each in wanted], {each.key: each.api_version for each in wanted})
        begun = [self._begun(each, there[each.key], app, destination, rules, settled) for each in wanted]
        asked = self._pool.map(
            lambda each: self._asked(each.so_far, each.known, app, rules, settled),
            [each for each in begun if isinstance(each, _Begun)],
        )
        return tuple(next(asked) if isinstance(each, _Begun) else each for each in begun)

    # -- which are there ----------------------------------------------------------------------------------------------

    def _known_or_present(
        self, keys: Sequence[ResourceKey], versions: Mapping[ResourceKey, str]
    ) -> dict[ResourceKey, Live | Literal["ask"] | None]:
        """What is known of each: its metadata, that it is not there, or that it has to be asked for."""
        found: dict[ResourceKey, Live | Literal["ask"] | None] = {key: self._inventory.find(key) for key in keys}
        groups: dict[tuple[str, str, str], list[ResourceKey]] = {}
        for key in keys:
            if found[key] is None:
                groups.setdefault((key.group, key.kind, key.namespace), []).append(key)
        for (group, name, _), members in groups.items():
            kinds, version = self._objects.kinds, versions[members[0]]
            kind = kinds.find(version, name)
            if kinds.lacks(group, name, version):
                continue  # nothing of it can be there
            if kind is None or len(members) <= _FEW:
                found.update(dict.fromkeys(members, "ask"))
            else:
                found |= self._listed(members, kind)
        return found

    def _listed(self, keys: Sequence[ResourceKey], kind: Kind) -> dict[ResourceKey, Live | Literal["ask"] | None]:
        listed = self._objects.list(kind, keys[0].namespace)
        there = {item["metadata"]["name"]: item for item in listed.items}
        return {key: live_of(there[key.name], key) if key.name in there else None for key in keys}

    # -- one object ---------------------------------------------------------------------------------------------------

    def _begun(
        self,
        desired: Desired,
        known: Live | Literal["ask"] | None,
        app: App,
        destination: str,
        rules: Rules,
        settled: Settled | None,
    ) -> Compared | _Begun:
        """One object compared, or what is known of it where somebody has to be asked: most need no request."""
        stamped = stamp(desired.body, app, desired.key, destination=destination)
        asked = Compared(
            desired=desired, stamped=stamped, sent=stamped, live=known if isinstance(known, Live) else None,
            status="OutOfSync", digest=digest({"object": stamped, "ignored": rules.of(desired.key)}),
        )  # fmt: skip
        if known == "ask":
            return _Begun(asked, known)
        return self._without_asking(asked, app, rules, settled) or _Begun(asked, known)

    def _without_asking(self, asked: Compared, app: App, rules: Rules, settled: Settled | None) -> Compared | None:
        """What needs no request to be compared; None for the rest."""
        if asked.live is None:
            return asked
        other = claimant(asked.live, app)
        if other is not None:
            return None if rules.let_go(asked.live) else replace(asked, shared=other)
        return self._remembered(asked, asked.live, rules, settled)

    def _asked(
        self, asked: Compared, known: Live | Literal["ask"] | None, app: App, rules: Rules, settled: Settled | None
    ) -> Compared:
        """One object compared by requests."""
        body: Body | None = None
        try:
            if known == "ask":
                body = self._objects.find(asked.key, asked.desired.api_version)
                asked = replace(asked, live=live_of(body, asked.key) if body is not None else None)
                found = self._without_asking(asked, app, rules, settled)
                if found is not None:
                    return found
            former = claimant(asked.live, app) if asked.live is not None else None
            return self._look(replace(asked, former=former or ""), body, rules)
        except ClusterError as error:
            return replace(asked, status="OutOfSync" if asked.live else "Unknown", error=error.message)

    def _remembered(self, asked: Compared, live: Live, rules: Rules, settled: Settled | None) -> Compared | None:
        """The object as Synced, where nobody has touched what was judged; None where it has to be asked for."""
        now, known = self._now(), self._memory.find(live.key)
        if known is not None and known.digest == asked.digest:
            verdict = judge(known.baseline, live, now=now, people=rules.people)
            due = due_at(known.baseline, now=now)
            if verdict == "look" or (verdict == "later" and due <= now):
                return None
            return replace(asked, status="Synced", until=due if verdict == "later" else None)
        if known is not None or settled is None or rules.of(live.key):
            return None
        if not is_settled(live, asked.stamped, ended=settled.ended, people=rules.people):
            return None
        self._memory.put(live.key, Known(asked.digest, baseline(live, people=rules.people)))
        return replace(asked, status="Synced")

    def _look(self, asked: Compared, body: Body | None, rules: Rules) -> Compared:
        """Ask the API server what an apply would change. Raises ClusterError."""
        self.looked += 1
        for left in range(_TRIES, 0, -1):
            try:
                body = body if body is not None else self._objects.find(asked.key, asked.desired.api_version)
                return self._predicted(asked, body, rules) if body is not None else replace(asked, live=None)
            except Conflict:
                if left == 1:
                    raise
                body = None  # somebody has written meanwhile
        raise AssertionError("unreachable")

    def _predicted(self, asked: Compared, body: Body, rules: Rules) -> Compared:
        """What an apply would change of an object as it was read. Raises ClusterError: Conflict when it has changed."""
        key, stamped = asked.key, asked.stamped
        live = live_of(body, key)
        ignore, options = rules.of(key), effective(rules.options, asked.desired.annotations, live.annotations)
        sent = keep_ignored(stamped, body, live=live, rules=ignore, delete_jq=rules.delete_jq)
        earlier = self._earlier(body, live, rules)
        strange, take = own(self._objects, live, sent, earlier, people=rules.people, migrate=options.migrate)
        put, silent = None, False
        try:
            if options.replace:
                put = overlaid(without(body, strange), sent)
                predicted = self._objects.replace(key, put, MANAGER, dry_run=True, validate=options.validate)
            else:
                predicted = self._applied(sent, body, live, strange, options)
        except NotTyped:
            put = overlaid(without_dropped(without(body, strange), rules.earlier(live), sent), sent)
            predicted = self._objects.replace(key, put, MANAGER, dry_run=True, validate=options.validate)
        except NotFound:
            return replace(asked, live=None)
        if predicted["metadata"]["uid"] != live.uid:
            # It has gone meanwhile: an apply makes another one then, whatever version it asks for.
            raise Conflict(f"{key} is another one by now", status=409)
        predicted = without(predicted, strange) if put is None else predicted
        changes = drift(body, predicted, metadata=live, rules=ignore, delete_jq=rules.delete_jq)
        if put is None:
            entry = ours(live.managed)
            silent = not changes and (take is not None or entry is None or not covers(entry.fields, sent))
        if not changes and not silent:
            looked = self._now() if self._is_generation_only(live, rules) else None
            self._memory.put(key, Known(asked.digest, baseline(live, people=rules.people, looked=looked)))
        return replace(
            asked, sent=sent, live=live, status="OutOfSync" if changes else "Synced", drift=changes,
            take=take if put is None else None, earlier=earlier, put=put, silent=silent,
        )  # fmt: skip

    def _applied(self, sent: Body, body: Body, live: Live, strange: Sequence[Stranger], options: Effective) -> Body:
        """The object after an apply, by a dry run. Raises ClusterError: Conflict when it has changed."""
        try:
            judged = at_version(sent, live.resource_version)
            return self._objects.apply(judged, live.key, MANAGER, dry_run=True, validate=options.validate).body
        except NotTyped:
            raise
        except Invalid:
            # What goes with the apply is still there in its dry run, as a port that somebody gave another number and
            # left its name. Without it the object may be right.
            if not strange:
                raise
            return self._objects.replace(
                live.key, overlaid(without(body, strange), sent), MANAGER, dry_run=True, validate=options.validate
            )

    def _earlier(self, body: Body, live: Live, rules: Rules) -> Body | None:
        """What was applied last of an object that came back without our entry."""
        then = rules.earlier(live) if ours(live.managed) is None else None
        if then is None:
            return None
        return keep_ignored(then, body, live=live, rules=rules.of(live.key), delete_jq=rules.delete_jq)

    def _is_generation_only(self, live: Live, rules: Rules) -> bool:
        known = self._memory.find(live.key)
        return known is not None and judge(known.baseline, live, now=self._now(), people=rules.people) == "later"


def keys_of(compared: Iterable[Compared]) -> frozenset[ResourceKey]:
    """The identities of objects."""
    return frozenset(each.key for each in compared)
