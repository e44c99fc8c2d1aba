"""Everything an agent consists of, put together in one place and taken apart again whatever happens."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gitops_bot.agent.applications import Applications
from gitops_bot.agent.comparison import Comparer
from gitops_bot.agent.controller import Controller, Parts
from gitops_bot.agent.definitions import Definer, Origin
from gitops_bot.agent.ending import Ender
from gitops_bot.agent.identity import PART_OF
from gitops_bot.agent.inventory import Inventory
from gitops_bot.agent.looking import Looker, Surroundings
from gitops_bot.agent.operating import Manners, Operating
from gitops_bot.agent.project import Cluster
from gitops_bot.agent.record import AppObject, Record
from gitops_bot.agent.renderers import Renderers
from gitops_bot.agent.revisions import Revisions
from gitops_bot.agent.sync import Deadlines
from gitops_bot.agent.wellness import HealthReader
from gitops_bot.doors import tools
from gitops_bot.doors.cluster.connect import CONNECTIONS, connect
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.requests import Requests
from gitops_bot.doors.jq import JqWorker
from gitops_bot.doors.lines import ChildLine, Line, SocketLine
from gitops_bot.doors.remote_git import RemoteGit
from gitops_bot.model.settings import Agent as AgentSettings
from gitops_bot.render.prepared import Capabilities

_PASSED = ("PATH", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy", "LANG",
           "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO")  # fmt: skip
"""What a renderer that is a child gets of our environment: nothing that names a cluster or holds a secret."""
_log = logging.getLogger(__name__)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the options of ``run`` ask for."""

    namespace: str
    cluster_name: str = ""
    kubeconfig: str = ""
    origin: Origin | None = None
    poll: float = 180.0
    """Seconds."""
    renderer: Path | None = None
    """Socket of a renderer; None: children of this process render."""
    cache: Path | None = None
    """None: a directory that goes with the process."""
    deadlines: Deadlines = Deadlines()


class RealClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """This moment."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()


@contextmanager
def assembled(wanted: Wanted) -> Iterator[Controller]:
    """An agent, ready to start. Raises ClusterError where there is no cluster to speak to."""
    with ExitStack() as stack:
        connection = connect(wanted.kubeconfig)
        stack.callback(connection.close)
        objects = Objects(Requests(connection))
        cache = wanted.cache or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-bot-agent-")))
        clock, settings = RealClock(), AgentSettings()
        pool = stack.enter_context(ThreadPoolExecutor(CONNECTIONS))
        inventory, applications = Inventory(PART_OF), Applications(objects, wanted.namespace)
        revisions = Revisions(RemoteGit(cache / "fetch"), clock.monotonic)
        renderers = Renderers(lambda: _line(wanted, cache))
        stack.callback(renderers.close)
        jq = stack.enter_context(JqWorker())
        controllers: list[Controller] = []
        around = Surroundings(
            cluster=Cluster(name=wanted.cluster_name),
            capabilities=lambda: capabilities_of(objects),
            settings=settings,
            projects=applications.projects,
            logins=tuple,
            delete_jq=jq.delete,
            now=clock.now,
            watch=lambda kinds: controllers[0].watch(kinds),  # noqa: PLW0108 - it is made below
        )

        def comparer(record: Record) -> Comparer:
            return Comparer(objects, inventory, record.memory, pool, clock.now)

        health = HealthReader(objects, inventory, pool, clock.now, PART_OF)
        looker = Looker(objects, inventory, revisions, renderers, health, comparer, around)
        manners = Manners(now=clock.now, event=_event, poll=wanted.poll, deadlines=wanted.deadlines)
        definer = None
        if wanted.origin is not None:
            definer = Definer(wanted.origin, objects, applications, revisions, renderers, tuple)
        controllers.append(
            Controller(
                Parts(
                    objects=objects,
                    applications=applications,
                    inventory=inventory,
                    revisions=revisions,
                    operating=Operating(objects, inventory, applications, looker, pool, manners=manners),
                    ender=Ender(objects, inventory, applications, pool, around.cluster, clock.now),
                    definer=definer,
                    clock=clock,
                    people=settings.people_managers,
                    poll=wanted.poll,
                    label=PART_OF,
                )
            )
        )
        stack.callback(controllers[0].close)
        yield controllers[0]


def _line(wanted: Wanted, cache: Path) -> Line:
    return SocketLine(wanted.renderer) if wanted.renderer is not None else child_line(cache)


def child_line(cache: Path) -> Line:
    """A renderer that is a child of this process, with nothing of its environment that names a cluster."""
    environment: Mapping[str, str] = {name: os.environ[name] for name in _PASSED if os.environ.get(name)}
    argv = [sys.executable, "-m", "gitops_bot", "agent", "render", "--cache", str(cache)]
    places = {"HOME": str(cache), "GITOPS_BOT_TOOLS": str(tools.installed_directory())}
    return ChildLine(argv, cwd=str(cache), env={**environment, **places})


def capabilities_of(objects: Objects) -> Capabilities:
    """What the cluster can do, as charts may ask."""
    kinds = objects.kinds
    return Capabilities(kube_version=kinds.version.removeprefix("v"), api_versions=kinds.api_versions)


def _event(app: AppObject, reason: str, message: str) -> None:
    _log.info("%s: %s: %s", app.key.name, reason, message)
