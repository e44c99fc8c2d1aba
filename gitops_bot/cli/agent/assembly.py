"""Everything an agent consists of, put together in one place and taken apart again whatever happens."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec

from gitops_bot import __version__
from gitops_bot.agent.application.applications import Applications
from gitops_bot.agent.application.record import Record
from gitops_bot.agent.application.state import told
from gitops_bot.agent.live.comparison import Comparer
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.live.kindwatch import KindWatch
from gitops_bot.agent.live.wellness import HealthReader
from gitops_bot.agent.loop.controller import Controller, Parts
from gitops_bot.agent.loop.definitions import Definer, Origin, Reading
from gitops_bot.agent.loop.leading import Leadership
from gitops_bot.agent.loop.terms import Terms
from gitops_bot.agent.ownership.identity import PART_OF
from gitops_bot.agent.reconcile.beside import Neighbours
from gitops_bot.agent.reconcile.ending import Ender
from gitops_bot.agent.reconcile.handover import Handover
from gitops_bot.agent.reconcile.looking import Looker
from gitops_bot.agent.reconcile.operating import Manners, Operating
from gitops_bot.agent.reconcile.sync import Deadlines
from gitops_bot.agent.reports.events import Recorder
from gitops_bot.agent.reports.metrics import Metrics, State
from gitops_bot.agent.reports.presence import LEASE
from gitops_bot.agent.reports.reporting import Reporter
from gitops_bot.agent.reports.telling import Teller
from gitops_bot.agent.rules.project import Cluster
from gitops_bot.agent.sources.keys import Files, Host, Keys
from gitops_bot.agent.sources.keywatch import KeyWatch
from gitops_bot.agent.sources.logins import GitHubApp
from gitops_bot.agent.sources.renderers import Renderers
from gitops_bot.agent.sources.revisions import Revisions
from gitops_bot.agent.sources.sources import Sources
from gitops_bot.agent.sources.surroundings import Surroundings
from gitops_bot.doors import tools
from gitops_bot.doors.cluster.connect import CONNECTIONS, Connection, connect
from gitops_bot.doors.cluster.lease import Lease, LeaseTimes
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.requests import Patience, Requests
from gitops_bot.doors.github.auth import App
from gitops_bot.doors.jq import JqWorker
from gitops_bot.doors.lines import ChildLine, Line, SocketLine
from gitops_bot.errors import UsageError
from gitops_bot.model.settings import Settings, seconds
from gitops_bot.render.prepared import Capabilities

_PASSED = ("PATH", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "LANG",
           "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO")  # fmt: skip
"""What a renderer that is a child gets of our environment: nothing that names a cluster or holds a secret."""
_RENDERER_MEMORY = 1536 << 20
"""Bytes of address space that a renderer which is a child may have; the tools that it runs have their own limit."""
_LEASE_PATIENCE = Patience(connect=3.0, read=3.0, attempts=1)
"""A Lease that cannot be renewed soon is lost, and asking on would say so too late."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the options of ``run`` ask for."""

    namespace: str
    cluster_name: str = ""
    kubeconfig: str = ""
    origin: Origin | None = None
    poll: float | None = None
    """Seconds; None: what the settings say."""
    renderer: Path | None = None
    """Socket of a renderer; None: children of this process render."""
    cache: Path | None = None
    """None: a directory that goes with the process."""
    files: Files = Files()
    """With what opens the repositories beside the origin."""
    deadlines: Deadlines = Deadlines()
    holder: str = ""
    """Who leads, in the Lease: unique for each process. ``""``: no Lease, there is only this agent."""
    lease: LeaseTimes = LeaseTimes()


class RealClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """This moment."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()


class Agent:
    """An agent, put together."""

    def __init__(
        self,
        controller: Controller,
        leadership: Leadership | None,
        recorder: Recorder,
        renderers: Renderers,
        metrics: Metrics,
        applications: Applications,
    ) -> None:
        """Take its parts; ``leadership`` None: no other agent is there, and this one always leads."""
        self.controller = controller
        self.leadership = leadership
        self.metrics = metrics
        self.applications = applications
        self._recorder = recorder
        self._renderers = renderers

    def start(self) -> None:
        """Begin. Raises ClusterError for a cluster in which an agent cannot work."""
        self._recorder.start()
        self.controller.start()
        if self.leadership is not None:
            self.leadership.start(self.controller.leadership_changed)

    @property
    def problems(self) -> tuple[str, ...]:
        """What has stopped, so that only a new process helps; empty while everything gets on."""
        leased = self.leadership is None or self.leadership.is_alive
        return (*self.controller.problems, *(() if leased else ("nobody renews the lease",)))

    def stop(self) -> None:
        """Begin nothing more, and break off what may take long."""
        self.controller.stop()
        self._renderers.stop()

    def close(self, seconds: float = 20.0) -> bool:
        """Stop, write what is to be written, and let another agent lead; False when something goes on all the same."""
        self.stop()
        ended = self.controller.close(seconds)
        self._recorder.close()
        if self.leadership is not None:
            self.leadership.close(release=ended)
        return ended


@contextmanager
def assembled(wanted: Wanted) -> Iterator[Agent]:
    """An agent, ready to start. Raises ClusterError where there is no cluster to speak to."""
    with ExitStack() as stack:
        connection = connect(wanted.kubeconfig)
        stack.callback(connection.close)
        metrics, clock = Metrics(), RealClock()
        terms = Terms(None if wanted.origin is not None else Settings())
        controllers: list[Controller] = []
        leadership = _leadership(wanted, connection, clock, metrics, controllers) if wanted.holder else None
        objects = _objects(wanted, connection, leadership, metrics)
        pool = stack.enter_context(ThreadPoolExecutor(CONNECTIONS))
        inventory, applications = Inventory(PART_OF), Applications(objects, wanted.namespace)
        keys, host, revisions, renderers = _git(wanted, clock, metrics, stack)
        recorder = Recorder(objects, wanted.holder or "gitops-bot", clock, metrics.dropped)
        jq = stack.enter_context(JqWorker())
        around = Surroundings(
            cluster=Cluster(name=wanted.cluster_name),
            capabilities=lambda: capabilities_of(objects),
            settings=terms,
            projects=applications.projects,
            logins=keys.sent,
            authorities=keys.authorities,
            delete_jq=jq.delete,
            now=clock.now,
            watch=lambda kinds: controllers[0].watch(kinds),  # noqa: PLW0108 - it is made below
            follows=host.follows,
            exists=applications.exists,
            claimed=Neighbours(objects, wanted.namespace, clock.monotonic).claim,
        )

        def comparer(record: Record) -> Comparer:
            return Comparer(objects, inventory, record.memory, pool, clock.now)

        def poll() -> float:
            return wanted.poll if wanted.poll is not None else float(seconds(terms().agent.poll))

        health = HealthReader(objects, inventory, pool, clock.now, PART_OF)
        sources, definers = Sources(revisions, renderers, around), list[Definer]()
        handover = Handover(
            applications, sources, around.cluster, clock.now,
            are_defined=lambda since: all(each.is_current(since) for each in definers),
            longest=timedelta(seconds=wanted.deadlines.others),
        )  # fmt: skip
        looker = Looker(objects, inventory, sources, health, comparer, around, handover)
        manners = Manners(
            now=clock.now,
            event=Teller(metrics, recorder),
            poll=poll,
            deadlines=wanted.deadlines,
            people=lambda: terms().agent.people_managers,
            interrupted=lambda: controllers[0].is_interrupted,
            waits=lambda: controllers[0].waits(),  # noqa: PLW0108 - it is made below
        )
        reporter = Reporter(applications, clock.now, manners.event)
        definer = None
        if wanted.origin is not None:
            reading = Reading(revisions, renderers, keys)
            definer = Definer(wanted.origin, objects, applications, reading, terms, clock.now, manners.event)
            definers.append(definer)
        controller = Controller(
            Parts(
                objects=objects,
                applications=applications,
                inventory=inventory,
                health=health,
                revisions=revisions,
                operating=Operating(objects, inventory, applications, looker, pool, manners=manners),
                ender=Ender(objects, inventory, applications, pool, around, handover, reporter),
                handover=handover,
                definer=definer,
                clock=clock,
                people=lambda: terms().agent.people_managers,
                poll=poll,
                label=PART_OF,
            ),
            leads=leadership.leads if leadership is not None else lambda: True,
            observe=metrics.reconciled,
        )
        controllers.append(controller)
        metrics.watch(lambda: _state(controller, applications, inventory))
        agent = Agent(controller, leadership, recorder, renderers, metrics, applications)
        stack.callback(agent.close)
        for watch in (KeyWatch(objects, wanted.namespace, keys, controller.logins_changed), KindWatch(objects)):
            stack.callback(watch.close)
            watch.start()
        yield agent


def _objects(wanted: Wanted, connection: Connection, leadership: Leadership | None, metrics: Metrics) -> Objects:
    """The cluster's objects, which only who leads may write."""
    forbidden = (lambda: leadership.forbidden) if leadership is not None else lambda: ""
    return Objects(Requests(connection, forbidden=forbidden, observe=metrics.requested, agent=_user_agent(wanted)))


class _Git(NamedTuple):
    """What stands between Git and manifests."""

    keys: Keys
    host: Host
    revisions: Revisions
    renderers: Renderers


def _git(wanted: Wanted, clock: RealClock, metrics: Metrics, stack: ExitStack) -> _Git:
    """All of it, ended with the stack. Raises UsageError for a cache that cannot be used."""
    cache = _cache(wanted.cache, stack)
    keys = Keys(app_token, clock.monotonic, wanted.files)
    host = Host(keys, cache, metrics.asked_git)
    renderers = Renderers(lambda: _line(wanted, cache), observe=metrics.rendered)
    stack.callback(renderers.close)
    return _Git(keys, host, Revisions(host, clock.monotonic, clock.now), renderers)


def _leadership(
    wanted: Wanted, connection: Connection, clock: RealClock, metrics: Metrics, controllers: Sequence[Controller]
) -> Leadership:
    """What may lead, and tells beside its Lease what is wrong with Git; ``controllers`` gets the one that knows it."""
    requests = Requests(connection, patience=_LEASE_PATIENCE, observe=metrics.requested, agent=_user_agent(wanted))

    def note() -> str:
        return told(controllers[0].problem) if controllers else ""

    lease = Lease(requests, wanted.namespace, LEASE, wanted.holder, wanted.lease, note)
    return Leadership(lease, wanted.lease, clock)


def _user_agent(wanted: Wanted) -> str:
    return f"gitops-bot/{__version__}" + (f" ({wanted.holder})" if wanted.holder else "")


def _state(controller: Controller, applications: Applications, inventory: Inventory) -> State:
    statuses = [app.status for app in applications.all]
    return State(
        apps=tuple(
            (each.sync.status if each.sync else "Unknown", each.health.status if each.health else "Unknown")
            for each in statuses
        ),
        objects=len(inventory),
        queued=controller.queued,
        leads=controller.leads,
    )


def app_token(app: GitHubApp, repository: str) -> str:
    """A token of a GitHub App that reads a repository, or with ``""`` all of its installation. Raises BotError."""
    from gitops_bot.doors.github.tokens import reading_token

    return reading_token(app.api_url, App(app.app_id, app.private_key, app.installation_id), repository)


def _cache(wanted: Path | None, stack: ExitStack) -> Path:
    """The directory of what is kept, made where it is not there yet; None: one for this stack. Raises UsageError."""
    if wanted is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-bot-agent-")))
    try:
        wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--cache {wanted} cannot be used: {error.strerror}", hint="name a directory") from error
    return wanted.absolute()


def _line(wanted: Wanted, cache: Path) -> Line:
    return SocketLine(wanted.renderer) if wanted.renderer is not None else child_line(cache)


def child_line(cache: Path) -> Line:
    """A renderer that is a child of this process, with nothing of its environment that names a cluster."""
    environment: Mapping[str, str] = {name: os.environ[name] for name in _PASSED if os.environ.get(name)}
    argv = [sys.executable, "-m", "gitops_bot", "agent", "render", "--cache", str(cache)]
    places = {"HOME": str(cache), "GITOPS_BOT_TOOLS": str(tools.installed_directory())}
    return ChildLine(argv, cwd=str(cache), env={**environment, **places}, memory=_RENDERER_MEMORY)


def capabilities_of(objects: Objects) -> Capabilities:
    """What the cluster can do, as charts may ask."""
    kinds = objects.kinds
    return Capabilities(kube_version=kinds.version.removeprefix("v"), api_versions=kinds.api_versions)
