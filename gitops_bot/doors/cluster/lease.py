"""One leader by a Lease: who holds it may write, and everybody else waits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from gitops_bot.doors.cluster.errors import Conflict
from gitops_bot.doors.cluster.kinds import Kind, Kinds
from gitops_bot.doors.cluster.objects import Body, Objects
from gitops_bot.doors.cluster.requests import Requests
from gitops_bot.errors import ClusterError
from gitops_bot.model.resource import ResourceKey

API = "coordination.k8s.io/v1"
NOTE = "gitops-bot/definitions"
"""Annotation with what is wrong with what Git defines, for people who look."""
_KIND = Kind("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True, verbs=frozenset())


class LeaseTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds; those of client-go's leader election."""

    lasts: float = 15.0
    """How long others wait after the last sign of life."""
    renew_within: float = 10.0
    """How long a holder tries to renew before it stops writing; less than ``lasts``."""
    every: float = 2.0


class Lease:
    """A place for one holder. Times are measured on this machine's own clock, never compared with another's."""

    def __init__(
        self,
        requests: Requests,
        namespace: str,
        name: str,
        holder: str,
        times: LeaseTimes,
        note: Callable[[], str] = lambda: "",
    ) -> None:
        """Take where the Lease is and who we are; ``holder`` must be unique. Requests should be impatient.

        What ``note`` says (``""``: nothing) is written beside it whenever it is renewed.
        """
        self._objects = Objects(requests, Kinds((_KIND,)))
        self._key = ResourceKey("coordination.k8s.io", "Lease", namespace, name)
        self._holder = holder
        self._times = times
        self._note = note
        self._seen: tuple[str, float] = ("", 0.0)
        """The last version of somebody else's Lease, and when it was first seen (monotonic seconds)."""
        self.other = ""
        """Who else had it when it was last asked for, ``""`` for nobody."""

    def take(self, now: datetime, clock: float) -> bool:
        """Take or renew it; False when somebody else has it. ``clock`` is in monotonic seconds.

        Raises ClusterError when it cannot be known.
        """
        found = self._objects.find(self._key, API)
        try:
            if found is None:
                self._objects.create(_KIND, self._key.namespace, self._body(now))
                return True
            spec = found.get("spec") or {}
            holder = spec.get("holderIdentity") or ""
            self.other = holder if holder != self._holder else ""
            if holder not in ("", self._holder) and not self._expired(found, spec, clock):
                return False
            self._objects.replace(self._key, self._renewed(found, spec, holder, now))
        except Conflict:
            return False
        return True

    def release(self, now: datetime) -> None:
        """Give it up, where it is ours, so that the next one need not wait."""
        try:
            found = self._objects.find(self._key, API)
            if found is not None and (found.get("spec") or {}).get("holderIdentity") == self._holder:
                found["spec"] = {**found["spec"], "holderIdentity": "", "renewTime": _micro(now)}
                self._objects.replace(self._key, found)
        except ClusterError:
            return  # it runs out by itself

    def _expired(self, found: Body, spec: Body, clock: float) -> bool:
        """Whether the holder has given no sign of life for as long as its Lease lasts."""
        version = found["metadata"]["resourceVersion"]
        if self._seen[0] != version:
            self._seen = (version, clock)
        return clock - self._seen[1] >= float(spec.get("leaseDurationSeconds") or self._times.lasts)

    def _body(self, now: datetime) -> Body:
        return {
            "apiVersion": API,
            "kind": "Lease",
            "metadata": {
                "name": self._key.name, "namespace": self._key.namespace, "annotations": self._noted(),
            },
            "spec": self._spec(now, now, 0),
        }  # fmt: skip

    def _renewed(self, found: Body, spec: Body, holder: str, now: datetime) -> Body:
        changes = int(spec.get("leaseTransitions") or 0)
        if holder == self._holder:
            found["spec"] = {**spec, "renewTime": _micro(now)}
        else:
            found["spec"] = self._spec(now, now, changes + 1)
        others = {name: text for name, text in (found["metadata"].get("annotations") or {}).items() if name != NOTE}
        found["metadata"]["annotations"] = {**others, **self._noted()}
        return found

    def _noted(self) -> dict[str, str]:
        note = self._note()
        return {NOTE: note} if note else {}

    def _spec(self, acquired: datetime, renewed: datetime, transitions: int) -> Body:
        return {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": int(self._times.lasts),
            "acquireTime": _micro(acquired),
            "renewTime": _micro(renewed),
            "leaseTransitions": transitions,
        }


def _micro(moment: datetime) -> str:
    """A MicroTime."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
