"""What people's commands share: which cluster, which namespace, and the Applications there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import click
import msgspec

from gitops_bot.agent.application.applications import key_of
from gitops_bot.agent.application.record import API, AppObject, as_object
from gitops_bot.agent.reports.presence import LEASE, absence
from gitops_bot.doors.cluster.connect import connect
from gitops_bot.doors.cluster.errors import Forbidden
from gitops_bot.doors.cluster.kinds import Kind
from gitops_bot.doors.cluster.lease import API as LEASE_API
from gitops_bot.doors.cluster.lease import NOTE
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.doors.cluster.requests import Requests
from gitops_bot.errors import ClusterError, UsageError
from gitops_bot.model.resource import ResourceKey
from gitops_bot.text.escape import visible

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Where(NamedTuple):
    """A cluster, and the namespace of its agent."""

    kubeconfig: str
    context: str
    namespace: str


def cluster(command: _Command) -> _Command:
    """``--kubeconfig``, ``--context`` and ``--namespace``."""
    for option in (
        click.option("--namespace", "-n", default="gitops-bot", show_default=True, envvar="GITOPS_BOT_NAMESPACE",
                     help="Where the agent and its Applications are."),
        click.option("--context", default="", help="Context of the kubeconfig.  [default: its current one]"),
        click.option("--kubeconfig", default="", metavar="FILE", help="Which cluster.  [default: as kubectl]"),
    ):  # fmt: skip
        command = option(command)
    return command


def format_option(command: _Command) -> _Command:
    """``--format``."""
    choice = click.Choice(["text", "json"])
    return click.option("--format", "format_", type=choice, default="text", show_default=True)(command)


@contextmanager
def opened(where: Where) -> Iterator[Objects]:
    """The objects of the cluster, as whoever asks. Raises ClusterError."""
    connection = connect(where.kubeconfig, where.context)
    try:
        yield Objects(Requests(connection))
    except Forbidden as error:
        error.hint = "ask who runs the cluster for this right, or name another --context"
        raise
    finally:
        connection.close()


def read_applications(objects: Objects, namespace: str) -> tuple[AppObject, ...]:
    """All Applications of the namespace, in order of name. Raises ClusterError."""
    listed = objects.list(_applications(objects), namespace, metadata=False)
    return tuple(sorted(map(as_object, listed.items), key=lambda app: app.key.name))


def read_application(objects: Objects, namespace: str, name: str) -> AppObject:
    """One Application. Raises UsageError that names similar ones, ClusterError."""
    _applications(objects)
    body = objects.find(key_of(name, namespace), API)
    if body is not None:
        return as_object(body)
    names = [app.key.name for app in read_applications(objects, namespace)]
    known = ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
    raise UsageError(
        f"there is no Application {name} in the namespace {namespace}",
        hint=f"there are {known}" if names else "name its namespace with --namespace",
    )


def _applications(objects: Objects) -> Kind:
    """Their kind. Raises ClusterError where it is not there."""
    kind = objects.kinds.find(API, "Application")
    if kind is None:
        raise ClusterError(
            "the cluster does not know Application objects", hint="install the agent: kubectl apply -k deploy"
        )
    return kind


def tell_agent(objects: Objects, namespace: str) -> None:
    """Warn where no agent is at work in the namespace, and of definitions in Git that it cannot follow.

    Whoever may not read its Lease is told nothing.
    """
    try:
        lease = objects.find(ResourceKey("coordination.k8s.io", "Lease", namespace, LEASE), LEASE_API)
    except ClusterError:
        return
    missing = absence(lease, datetime.now(UTC))
    if missing:
        click.echo(f"warning: {visible(missing)}; kubectl get pods -n {namespace}", err=True)
    annotations = (lease or {}).get("metadata", {}).get("annotations") or {}
    if annotations.get(NOTE):
        click.echo(f"warning: definitions in Git: {visible(annotations[NOTE])}", err=True)


def ago(moment: datetime | None) -> str:
    """How long ago: ``42s``, ``3m``, ``5h``, ``2d``; ``""`` for never."""
    if moment is None:
        return ""
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def revisions(one: str, several: tuple[str, ...]) -> str:
    """Commits, shortened; other texts (versions of charts) as they are."""
    return " ".join(each[:8] if len(each) == 40 else each for each in (several or (one,)) if each)


def as_json(value: Any) -> str:
    """JSON for programs, indented by two."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
