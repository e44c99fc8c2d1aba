"""One look at an Application by a person: as the agent looks, with the person's own rights, and nothing is written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

from gitops_bot.agent.application.applications import PROJECT, Applications
from gitops_bot.agent.application.record import AppObject, Record
from gitops_bot.agent.live.comparison import Comparer
from gitops_bot.agent.live.inventory import Inventory
from gitops_bot.agent.live.wellness import HealthReader
from gitops_bot.agent.ownership.identity import PART_OF
from gitops_bot.agent.reconcile.handover import Handover
from gitops_bot.agent.reconcile.looking import Looker
from gitops_bot.agent.reports.view import View
from gitops_bot.agent.rules.project import Cluster
from gitops_bot.agent.sources.keys import Host, Keys
from gitops_bot.agent.sources.logins import AUTHORITIES, KNOWN_HOSTS, KNOWN_HOSTS_KEY, SELECTOR
from gitops_bot.agent.sources.renderers import Renderers
from gitops_bot.agent.sources.revisions import Revisions
from gitops_bot.agent.sources.sources import Sources
from gitops_bot.agent.sources.surroundings import Surroundings
from gitops_bot.cli.agent.assembly import RealClock, app_token, capabilities_of, child_line
from gitops_bot.doors.cluster.connect import CONNECTIONS
from gitops_bot.doors.cluster.errors import Forbidden
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.jq import JqWorker
from gitops_bot.model.project import Project, read
from gitops_bot.model.settings import Settings


def glance(objects: Objects, app: AppObject, cluster_name: str) -> View:
    """The Application as it is now. Raises ClusterError."""
    with ExitStack() as stack:
        cache = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gitops-bot-look-")))
        pool = stack.enter_context(ThreadPoolExecutor(CONNECTIONS))
        clock, inventory = RealClock(), Inventory(PART_OF)
        renderers = Renderers(lambda: child_line(cache), most=1)
        stack.callback(renderers.close)
        keys = Keys(app_token, clock.monotonic)
        _read_keys(objects, app.key.namespace, keys)
        projects = _projects(objects, app.key.namespace)
        around = Surroundings(
            cluster=Cluster(name=cluster_name),
            capabilities=lambda: capabilities_of(objects),
            settings=Settings,
            projects=lambda: projects,
            logins=keys.sent,
            authorities=keys.authorities,
            delete_jq=stack.enter_context(JqWorker()).delete,
            now=clock.now,
            watch=lambda kinds: _list(objects, inventory, kinds),
        )
        sources = Sources(Revisions(Host(keys, cache), clock.monotonic), renderers, around)
        nobody = Applications(objects, app.key.namespace)
        looker = Looker(
            objects,
            inventory,
            sources,
            HealthReader(objects, inventory, pool, clock.now, PART_OF),
            lambda record: Comparer(objects, inventory, record.memory, pool, clock.now),
            around,
            Handover(nobody, sources, around.cluster, clock.now, are_defined=lambda _since: True, longest=timedelta()),
        )
        return looker.look(app, Record(), since=clock.monotonic())


def _list(objects: Objects, inventory: Inventory, kinds: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Look what there is of some kinds, once; those of which it is not known then, which are none."""
    for group, name in sorted(kinds):
        kind = objects.kinds.preferred(group, name)
        if kind is not None and "list" in kind.verbs:
            listed = objects.list(kind, selector=PART_OF)
            inventory.replace((group, name), listed.items, listed.version)
    return frozenset()


def _read_keys(objects: Objects, namespace: str, keys: Keys) -> None:
    """The logins that this person may read; without them what is open to everybody is looked at all the same."""
    kinds = objects.kinds
    secrets, maps = kinds.preferred("", "Secret"), kinds.preferred("", "ConfigMap")
    assert secrets is not None
    assert maps is not None
    with suppress(Forbidden):
        keys.replace(objects.list(secrets, namespace, selector=SELECTOR, metadata=False).items)
        for body in objects.list(maps, namespace, name=KNOWN_HOSTS, metadata=False).items:
            keys.put_hosts(str((body.get("data") or {}).get(KNOWN_HOSTS_KEY, "")))
        for body in objects.list(maps, namespace, name=AUTHORITIES, metadata=False).items:
            keys.put_authorities(body.get("data") or {})


def _projects(objects: Objects, namespace: str) -> dict[str, Project | None]:
    kind = objects.kinds.preferred(*PROJECT)
    if kind is None:
        return {}
    return {
        body["metadata"]["name"]: read(body) for body in objects.list(kind, namespace, metadata=False).items
    }  # fmt: skip
