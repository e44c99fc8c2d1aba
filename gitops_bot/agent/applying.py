"""One object brought to what Git says: taken over, applied, or where the API server's apply cannot, replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from gitops_bot.agent.comparison import Compared
from gitops_bot.agent.fingerprint import baseline
from gitops_bot.agent.inventory import Inventory
from gitops_bot.agent.managed import PEOPLE
from gitops_bot.agent.memory import Known, Memory
from gitops_bot.agent.options import Effective
from gitops_bot.agent.strangers import survivors
from gitops_bot.agent.values import MANAGER, live_of
from gitops_bot.doors.cluster.errors import Conflict, Invalid, NotTyped
from gitops_bot.doors.cluster.objects import Body, Objects, Propagation
from gitops_bot.model.resource import ResourceKey


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
        if options.replace:
            return
        try:
            self._objects.apply(compared.sent, compared.key, MANAGER, dry_run=True)
        except NotTyped:
            return  # it is created another way, and that has no dry run worth asking for

    def apply(self, compared: Compared, options: Effective) -> Done:
        """Bring an object to what Git says. Raises ClusterError."""
        if options.replace:
            return self._replaced(compared, compared.live is not None)
        try:
            return self._applied(compared)
        except NotTyped as error:
            done = self._replaced(compared, compared.live is not None)
            return Done(done.verb, (*done.notes, f"not by server-side apply: {error.message}"))
        except Invalid:
            if not options.force or compared.live is None:
                raise
            return self._recreated(compared)

    def _applied(self, compared: Compared) -> Done:
        sent, key = compared.sent, compared.key
        if compared.take is not None and compared.live is not None:
            # The apply that follows removes what was taken over, so it may meet only the object that was looked at.
            taken = self._objects.patch(key, [*compared.take.patch], compared.desired.api_version)
            version = taken["metadata"]["resourceVersion"]
            sent = {**sent, "metadata": {**sent["metadata"], "resourceVersion": version}}
        answer = self._objects.apply(sent, key, MANAGER)
        after = live_of(answer.body, key)
        self._remember(compared, answer.body)
        left = survivors(compared.live, after) if compared.live is not None else ()
        notes = [*answer.warnings, *(f"{each} stays, because others own it too" for each in left)]
        if compared.live is None:
            return Done("created", tuple(notes))
        same = after.resource_version == compared.live.resource_version
        return Done("unchanged" if same else "configured", tuple(notes))

    def _replaced(self, compared: Compared, there: bool) -> Done:
        key = compared.key
        kind = self._objects.kinds.of(key, compared.desired.api_version)
        if there:
            body = self._objects.replace(key, compared.sent)
        else:
            body = self._objects.create(kind, key.namespace, compared.sent)
        self._remember(compared, body)
        return Done("replaced" if there else "created")

    def _recreated(self, compared: Compared) -> Done:
        """``Force=true``: what cannot be changed is deleted and made anew."""
        assert compared.live is not None
        self._objects.delete(compared.key, compared.live.uid, "Foreground")
        end = 100
        while self._objects.find(compared.key, compared.desired.api_version) is not None and end:
            self._objects.requests.pause(0.1)
            end -= 1
        answer = self._objects.apply(compared.stamped, compared.key, MANAGER)
        self._remember(compared, answer.body)
        return Done("recreated", answer.warnings)

    def _remember(self, compared: Compared, body: Body) -> None:
        # The watch will say the same a moment later; nobody has to wait for it.
        self._inventory.put((compared.key.group, compared.key.kind), body)
        known = baseline(live_of(body, compared.key), people=self._people, written=self._now())
        self._memory.put(compared.key, Known(compared.digest, known))

    def prune(self, key: ResourceKey, uid: str, propagation: Propagation) -> None:
        """Delete one object. Raises ClusterError; one that is another by now is left alone."""
        try:
            self._objects.delete(key, uid, propagation)
        except Conflict:
            return
        self._memory.forget((key,))
