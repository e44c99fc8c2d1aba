"""One object brought to what Git says: taken over, applied, or where the API server's apply cannot, replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from gitops_bot.agent.live.comparison import Compared
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.live.owning import own
from gitops_bot.agent.ownership.difference import at_version
from gitops_bot.agent.ownership.fingerprint import baseline
from gitops_bot.agent.ownership.identity import PART_OF, App, is_ours
from gitops_bot.agent.ownership.managed import PEOPLE
from gitops_bot.agent.ownership.memory import Known, Memory
from gitops_bot.agent.ownership.strangers import strangers, survivors
from gitops_bot.agent.rules.options import Effective, object_options
from gitops_bot.agent.values import MANAGER, Live, live_of
from gitops_bot.doors.cluster.errors import Conflict, Invalid, NoKind, NotTyped
from gitops_bot.doors.cluster.objects import Applied, Body, Objects, Propagation
from gitops_bot.errors import ClusterError
from gitops_bot.model.resource import ResourceKey

_LOOKS = 5
"""How often an object that keeps changing is looked at again before it is deleted."""

_TRIES = 5
"""How often ownership is taken over from an object that changes meanwhile."""

_WAITS, _BETWEEN = 150, 0.2
"""How often, and after how many seconds, is looked whether what was deleted is gone."""


class Done(NamedTuple):
    """What became of one object."""

    verb: str
    """``created``, ``configured``, ``unchanged``, ``replaced``, ``recreated``; in a dry run what it would be."""
    notes: tuple[str, ...] = ()
    """What the API server warned of, and what could not be removed."""

    @property
    def told(self) -> str:
        """One line."""
        return "; ".join((self.verb, *self.notes))


class Applier:
    """Applies objects of one Application; safe under many threads."""

    def __init__(
        self,
        objects: Objects,
        memory: Memory,
        inventory: Inventory,
        now: Callable[[], datetime],
        people: Sequence[str] = PEOPLE,
    ) -> None:
        """Take the door, what is remembered of what was applied, and which managers are people."""
        self._objects = objects
        self._memory = memory
        self._inventory = inventory
        self._now = now
        self._people = people

    def try_out(self, compared: Compared, options: Effective) -> None:
        """Ask whether a new object would be taken. Raises ClusterError."""
        try:
            if not options.replace:
                self._objects.apply(
                    compared.sent, compared.key, MANAGER, dry_run=True, validate=options.validate
                )  # fmt: skip
                return
        except NotTyped:
            pass
        self._created(compared, options, dry_run=True)

    def apply(self, compared: Compared, options: Effective) -> Done:
        """Bring an object to what Git says. Raises ClusterError, also when another Application has taken it."""
        before = compared.live.labels.get(PART_OF, "") if compared.live is not None else ""
        with self._inventory.turn(compared.key, compared.stamped["metadata"]["labels"][PART_OF], before) as free:
            if not free:
                raise ClusterError(f"{compared.key} was taken by another Application just now, and is left alone")
            return self._brought(compared, options)

    def _brought(self, compared: Compared, options: Effective) -> Done:
        try:
            if compared.live is None:
                return self._made(compared, options)
            if options.replace or compared.put is not None:
                return self._replaced(compared, options)
            return self._applied(compared, options)
        except NotTyped:
            raise
        except Invalid:
            if not options.force or compared.live is None:
                raise
            return self._recreated(compared, options)

    def _made(self, compared: Compared, options: Effective) -> Done:
        """A new object."""
        told: tuple[str, ...] = ()
        try:
            if not options.replace:
                answer = self._sent(compared.stamped, compared.key, options)
                self._remember(compared, answer.body)
                return Done("created", answer.warnings)
        except NotTyped as error:
            told = (f"not by server-side apply: {error.message}",)
        self._remember(compared, self._created(compared, options))
        return Done("created", told)

    def _created(self, compared: Compared, options: Effective, *, dry_run: bool = False) -> Body:
        kind = self._objects.kinds.of(compared.key, compared.desired.api_version)
        return self._objects.create(
            kind, compared.key.namespace, compared.stamped, MANAGER, dry_run=dry_run, validate=options.validate
        )

    def _applied(self, compared: Compared, options: Effective) -> Done:
        assert compared.live is not None
        key = compared.key
        if compared.take is not None:
            answer = self._taken_and_applied(compared, options)
        else:
            answer = self._sent(compared.sent, key, options)
        after = live_of(answer.body, key)
        self._remember(compared, answer.body)
        left = survivors(compared.live, after)
        notes = [f"taken over from {compared.former}"] if compared.former else []
        notes += [*answer.warnings, *(f"{each} stays, because others own it too" for each in left)]
        same = after.resource_version == compared.live.resource_version
        return Done("unchanged" if same else "configured", tuple(notes))

    def _sent(self, body: Body, key: ResourceKey, options: Effective) -> Applied:
        return self._objects.apply(body, key, MANAGER, validate=options.validate)

    def _taken_and_applied(self, compared: Compared, options: Effective) -> Applied:
        """Applied, once what others own is ours.

        The apply removes what was taken over, so it may meet only the object that was looked at; one whose controller
        writes its status meanwhile is looked at again.
        """
        key, sent, take = compared.key, compared.sent, compared.take
        for left in range(_TRIES, 0, -1):
            try:
                if take is None:
                    break
                taken = self._objects.patch(key, [*take.patch], compared.desired.api_version)
                version = taken["metadata"]["resourceVersion"]
                return self._sent(at_version(sent, version), key, options)
            except Conflict:
                if left == 1:
                    raise
                live = live_of(self._objects.get(key, compared.desired.api_version), key)
                take = own(
                    self._objects, live, sent, compared.earlier, people=self._people, migrate=options.migrate
                ).take  # fmt: skip
        return self._sent(sent, key, options)

    def _replaced(self, compared: Compared, options: Effective) -> Done:
        """Written as a whole, where the API server's apply is not wanted or cannot do it."""
        body = compared.sent if options.replace or compared.put is None else compared.put
        self._remember(
            compared, self._objects.replace(compared.key, body, MANAGER, validate=options.validate)
        )  # fmt: skip
        return Done("replaced")

    def _recreated(self, compared: Compared, options: Effective) -> Done:
        """``Force=true``: what cannot be changed is deleted and made anew."""
        assert compared.live is not None
        self._objects.delete(compared.key, compared.live.uid, "Foreground")
        for left in range(_WAITS, -1, -1):
            if self._is_away(compared):
                break
            if not left:
                raise ClusterError(f"{compared.key} was deleted to be made anew, and is not gone yet")
            self._objects.requests.pause(_BETWEEN)
        return Done("recreated", self._made(compared, options).notes)

    def _is_away(self, compared: Compared) -> bool:
        """Whether an object is known not to be there. Raises ClusterError."""
        try:
            return self._objects.find(compared.key, compared.desired.api_version) is None
        except NoKind:
            return False

    def _remember(self, compared: Compared, body: Body) -> None:
        # The watch will say the same a moment later; nobody has to wait for it.
        self._inventory.wrote((compared.key.group, compared.key.kind), body)
        if compared.live is not None and not compared.live.managed:
            return  # the API server has just told whose everything was: it is looked at again
        live = live_of(body, compared.key)
        if strangers(live, compared.sent, people=self._people):
            self._memory.forget((compared.key,))
            return  # somebody has added to it since it was judged: it is looked at again
        known = baseline(live, people=self._people, written=self._now())
        self._memory.put(compared.key, Known(compared.digest, known))

    def prune(self, live: Live, app: App, propagation: Propagation) -> str:
        """Delete one object; why it was left alone, ``""`` when it was not. Raises ClusterError.

        It goes in the version in which it was judged. One that has changed since then is looked at again: whoever took
        our label off, or made it anew, keeps it.
        """
        looks = _LOOKS
        while True:
            try:
                self._objects.delete(live.key, live.uid, propagation, version=live.resource_version)
                break
            except Conflict:
                if not looks:
                    raise
            looks -= 1
            body = self._objects.find(live.key)
            if body is None:
                break
            now = live_of(body, live.key)
            reason = _spared(live, now, app)
            if reason:
                return reason
            if now.deleting:
                break
            live = now
        self._memory.forget((live.key,))
        return ""


def _spared(before: Live, now: Live, app: App) -> str:
    """Why an object that was to be deleted is not, as it is now; ``""`` when it is."""
    if now.uid != before.uid:
        return "left alone: somebody has made it anew meanwhile"
    if not is_ours(now, app):
        return "left alone: it is not this Application's any more"
    if object_options(now.annotations) != object_options(before.annotations):
        return "left alone: its own options have changed meanwhile"
    return ""
