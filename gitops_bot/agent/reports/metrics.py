"""What the agent counts, for who asks ``/metrics``; the one importer of prometheus-client.

Names that client-go and controller-runtime have given such counters are theirs, the others are ours. No label has more
values than can be listed here: none names an Application, an object or a repository.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from gitops_bot import __version__

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SYNC_STATUSES = ("Synced", "OutOfSync", "Unknown")
HEALTH_STATUSES = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")
PHASES = ("Succeeded", "Failed", "Error")
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class State(NamedTuple):
    """What is counted at the moment when somebody asks."""

    apps: tuple[tuple[str, str], ...] = ()
    """Sync and health status of each Application."""
    objects: int = 0
    """In the inventory."""
    queued: int = 0
    """Applications that are due and wait."""
    leads: bool = False


class Metrics:
    """Counters of one agent; safe under many threads."""

    def __init__(self) -> None:
        """Begin at nothing."""
        from prometheus_client import CollectorRegistry, Counter, Histogram, Info
        from prometheus_client.gc_collector import GCCollector
        from prometheus_client.process_collector import ProcessCollector

        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        Info("gitops_bot_build", "The version that runs.", registry=registry).info({"version": __version__})
        self._reconciles = Histogram(
            "gitops_bot_reconcile_duration_seconds", "Work on one Application, from being due to being done with.",
            ["result"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._syncs = Counter(
            "gitops_bot_sync_operations", "Sync operations that have ended.", ["phase"], registry=registry
        )  # fmt: skip
        self._requests = Counter(
            "rest_client_requests", "Requests to the API server; code 0: no answer.", ["method", "code"],
            registry=registry,
        )  # fmt: skip
        self._git = Counter(
            "gitops_bot_git_requests", "Questions to Git hosts.", ["request_type", "result"], registry=registry
        )  # fmt: skip
        self._renders = Histogram(
            "gitops_bot_render_duration_seconds", "Renders of one Application.", ["result"], buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self._drifted = Counter(
            "gitops_bot_drifted_objects", "Objects that somebody changed in the cluster.", registry=registry
        )  # fmt: skip
        self._healed = Counter(
            "gitops_bot_healed_objects", "Objects that were changed back by themselves.", registry=registry
        )  # fmt: skip
        self._held = Counter(
            "gitops_bot_held_prunes", "Prunes that a guard began to hold.", registry=registry
        )  # fmt: skip
        self._dropped = Counter(
            "gitops_bot_dropped_events", "Kubernetes Events that were not written.", registry=registry
        )  # fmt: skip
        for result in ("success", "error"):
            self._reconciles.labels(result)
            self._renders.labels(result)
            self._git.labels("ls-remote", result)
        for phase in PHASES:
            self._syncs.labels(phase)

    def watch(self, state: Callable[[], State]) -> None:
        """Take what tells the present state; it is asked each time that somebody asks."""
        self._registry.register(_Present(state))

    def reconciled(self, result: str, seconds: float) -> None:
        """One Application was worked on."""
        self._reconciles.labels(result).observe(seconds)

    def synced(self, phase: str) -> None:
        """An operation has ended."""
        self._syncs.labels(phase).inc()

    def requested(self, verb: str, status: int) -> None:
        """The API server was asked."""
        self._requests.labels(verb, str(status)).inc()

    def asked_git(self, result: str) -> None:
        """A Git host was asked for its branches and tags."""
        self._git.labels("ls-remote", result).inc()

    def rendered(self, result: str, seconds: float) -> None:
        """An Application was rendered."""
        self._renders.labels(result).observe(seconds)

    def drifted(self, objects: int) -> None:
        """Somebody has changed objects in the cluster."""
        self._drifted.inc(objects)

    def healed(self, objects: int) -> None:
        """Objects were changed back."""
        self._healed.inc(objects)

    def held(self) -> None:
        """A prune is held."""
        self._held.inc()

    def dropped(self) -> None:
        """An Event was not written."""
        self._dropped.inc()

    def exposition(self) -> bytes:
        """Everything, as Prometheus reads it."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)


class _Present:
    """Gauges that are made when they are asked for, so that nobody has to keep them true."""

    def __init__(self, state: Callable[[], State]) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        from prometheus_client.core import GaugeMetricFamily

        state = self._state()
        apps = GaugeMetricFamily("gitops_bot_apps", "Applications.", labels=["sync_status", "health_status"])
        counted = Counter(state.apps)
        for sync in SYNC_STATUSES:
            for health in HEALTH_STATUSES:
                apps.add_metric([sync, health], counted[sync, health])
        yield apps
        yield GaugeMetricFamily("gitops_bot_inventory_objects", "Objects in the inventory.", value=state.objects)
        depth = GaugeMetricFamily("workqueue_depth", "Applications that are due and wait.", labels=["name"])
        depth.add_metric(["applications"], state.queued)
        yield depth
        leader = GaugeMetricFamily("leader_election_master_status", "1 for the agent that leads.", labels=["name"])
        leader.add_metric(["gitops-bot"], int(state.leads))
        yield leader

    def describe(self) -> Iterable[Metric]:
        """Nothing: the state need not be asked for when this is registered."""
        return ()
