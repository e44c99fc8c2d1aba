"""``gitops-bot agent run``: keep this cluster equal to Git."""

from __future__ import annotations

import logging
import os
import re
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import click

from gitops_bot import __version__, log
from gitops_bot.agent.application.state import told
from gitops_bot.agent.loop.definitions import Origin
from gitops_bot.agent.loop.outcome import unsynced
from gitops_bot.agent.reports.metrics import CONTENT_TYPE
from gitops_bot.agent.sources.keys import Files
from gitops_bot.cli.agent.assembly import Agent, Wanted, assembled
from gitops_bot.doors import process
from gitops_bot.doors.listener import Listener, Page
from gitops_bot.errors import ClusterError, NotSynced, UsageError
from gitops_bot.model import url as urls
from gitops_bot.model.settings import seconds
from gitops_bot.text.escape import visible

_GRACE = 20.0
"""Seconds in which what is under way may end; the Deployment gives thirty until it kills."""
_SCHEMES = "write https://HOST/PATH, ssh://git@HOST/PATH or git@HOST:PATH"
_LOOK_EVERY = 0.05
_LISTEN_EVERY = 1.0
"""Python runs a signal's handler in the main thread alone, and not while that one waits without an end."""
_log = logging.getLogger(__name__)


@click.command("run", context_settings={"show_default": True, "auto_envvar_prefix": "GITOPS_BOT"})
@click.option("--environment", required=True, help="Which environment of the settings this is.", show_envvar=True)
@click.option(
    "--cluster-name",
    default="",
    help="What this cluster is called in Applications.  [default: environment]",
    show_envvar=True,
    show_default=False,
)
@click.option(
    "--namespace", default="gitops-bot", help="Where Application objects are, and this agent.", show_envvar=True
)
@click.option(
    "--repo", help="Repository that defines Applications; without it people make the objects.", show_envvar=True
)
@click.option("--path", default="", help="Directory of the definitions in it.", show_envvar=True)
@click.option("--revision", default="HEAD", help="Branch, tag, range or commit of the definitions.", show_envvar=True)
@click.option("--kubeconfig", default="", help="Another cluster than the pod's own.", show_envvar=True)
@click.option(
    "--poll",
    help="How often Git is asked; some jitter is added.  [default: agent.poll of the settings]",
    show_envvar=True,
)
@click.option(
    "--listen",
    default=":8080",
    help="Where /healthz, /readyz and /metrics are served; '' for nowhere.",
    show_envvar=True,
)
@click.option(
    "--renderer", type=click.Path(path_type=Path), help="Socket of `gitops-bot agent render`.", show_envvar=True
)
@click.option(
    "--cache", type=click.Path(path_type=Path), help="Directory of what is fetched and rendered.", show_envvar=True
)
@click.option(
    "--git-token-file",
    type=click.Path(path_type=Path),
    show_envvar=True,
    help="File with a token for the repositories beside --repo; read again whenever it is needed.",
)
@click.option(
    "--git-ssh-key-file",
    type=click.Path(path_type=Path),
    show_envvar=True,
    help="File with an SSH key for the repositories beside --repo.",
)
@click.option(
    "--known-hosts-file",
    type=click.Path(path_type=Path),
    show_envvar=True,
    help="File with the keys of SSH hosts, beside those of argocd-ssh-known-hosts-cm.",
)
@click.option(
    "--once", is_flag=True, help="Stop when everything that was to be done is done; listen nowhere.", show_envvar=True
)
def command(
    *, environment: str, cluster_name: str, namespace: str, repo: str | None, path: str, revision: str,
    kubeconfig: str, poll: str | None, listen: str, renderer: Path | None, cache: Path | None, once: bool,
    git_token_file: Path | None, git_ssh_key_file: Path | None, known_hosts_file: Path | None,
) -> int:  # fmt: skip
    """Keep this cluster equal to Git: apply, wait, heal, prune, tell.

    Every option has a variable too, as the Deployment sets them. What happens is told on standard output, one JSON
    object a line where that is no terminal. SIGTERM and Ctrl-C end it: operations stop at their next step, and whoever
    leads next goes on with them.

    With --once it exits with 10 when an Application is not Synced or its sync failed.
    """
    log.configure_service(sys.stdout, told, debug=bool(os.environ.get("GITOPS_BOT_DEBUG")))
    files = Files(repo or "", git_token_file, git_ssh_key_file, known_hosts_file)
    files.check()
    _check(kubeconfig, repo)
    wanted = Wanted(
        files=files,
        namespace=namespace,
        cluster_name=cluster_name or environment,
        kubeconfig=kubeconfig,
        origin=Origin(repo, path, revision) if repo else None,
        poll=_poll(poll),
        renderer=renderer,
        cache=cache,
        holder=f"{os.environ.get('POD_NAME') or socket.gethostname()}_{secrets.token_hex(4)}",
    )
    stop = _Stop()
    with ExitStack() as stack:
        agent = stack.enter_context(assembled(wanted))
        _log.info("gitops-bot %s, environment %s, cluster %s", __version__, environment, wanted.cluster_name)
        if listen and not once:
            listener = stack.enter_context(Listener(listen, _pages(agent)))
            _log.info("listening on port %d", listener.port)
        with stop:
            agent.start()
            if once:
                _wait(agent, wanted, stop)
            else:
                while not stop.wait(_LISTEN_EVERY):
                    pass
        _end(agent, stop)
        return 0 if not once else _told(agent, stop)


def _poll(text: str | None) -> float | None:
    if text is None:
        return None
    if not re.fullmatch("([0-9]+[smhd])+", text) or not seconds(text):
        raise UsageError(f"--poll {text!r} is no duration", hint="write 180s or 5m")
    return float(seconds(text))


def _check(kubeconfig: str, repo: str | None) -> None:
    """Raises UsageError where it is not said which cluster is written to, or Git cannot be asked."""
    if not kubeconfig and "KUBERNETES_SERVICE_HOST" not in os.environ:
        # What a person's shell happens to point at is no cluster to prune in.
        raise UsageError(
            "this is no pod of a cluster, and no other cluster is named",
            hint="give --kubeconfig FILE: it is written to",
        )
    try:
        scheme = urls.parse_git(repo).scheme if repo else "https"
    except ValueError as error:
        raise UsageError(f"--repo cannot be used: {error}", hint=_SCHEMES) from None
    if scheme not in ("https", "http", "ssh"):
        raise UsageError(f"--repo cannot be used: nothing is fetched by {scheme}", hint=_SCHEMES)


class _Stop:
    """A signal that ends this process is taken down, and obeyed where it can be; the second one is obeyed at once."""

    def __init__(self) -> None:
        self.number = 0
        self._came = threading.Event()

    def __enter__(self) -> None:
        # Otherwise what ends our programs at the first signal would fail what is under way, instead of leaving it.
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._take)

    def __exit__(self, *_: object) -> None:
        """Signals go on being taken down: there is nothing left that a second one need not end."""

    def _take(self, number: int, _: FrameType | None) -> None:
        if self.number:
            os._exit(128 + number)
        self.number = number
        self._came.set()

    @property
    def is_asked(self) -> bool:
        return self._came.is_set()

    def wait(self, seconds: float) -> bool:
        return self._came.wait(seconds)


def _wait(agent: Agent, wanted: Wanted, stop: _Stop) -> None:
    """Wait until everything that is due is done. Raises ClusterError where another agent does it."""
    leadership = agent.leadership
    if leadership is not None:
        end = time.monotonic() + wanted.lease.lasts + 2 * wanted.lease.every
        while not leadership.leads() and not stop.wait(_LOOK_EVERY):
            if time.monotonic() > end:
                raise ClusterError(
                    f"another agent keeps this cluster equal to Git: {leadership.other}",
                    hint="look at it with `gitops-bot agent status`, or stop it first",
                )
    while not agent.controller.is_idle and not stop.wait(_LOOK_EVERY):
        pass


def _end(agent: Agent, stop: _Stop) -> None:
    """End everything in time; what does not end is left, and the lease with it."""
    if stop.is_asked:
        _log.info("stopping: %s", signal.Signals(stop.number).name)
    agent.stop()
    process.end_all()
    if not agent.close(_GRACE):
        _log.warning("something did not end within %.0f s, and is left; the lease runs out by itself", _GRACE)
        sys.stdout.flush()
        os._exit(0)


def _told(agent: Agent, stop: _Stop) -> int:
    """How it went. Raises NotSynced."""
    if stop.is_asked:
        return 128 + stop.number
    found = unsynced(agent.applications)
    problem = agent.controller.problem
    if found or problem:
        told = [f"{name}: {reason}" for name, reason in found] + ([f"definitions: {problem}"] if problem else [])
        lines = "".join(f"\n  {visible(each)}" for each in told)
        raise NotSynced(f"not everything is synced{lines}", hint="`gitops-bot agent status APP` says more")
    _log.info("%d Applications are synced", len(agent.applications.names))
    return 0


def _pages(agent: Agent) -> Mapping[str, Callable[[], Page]]:
    """What probes and Prometheus ask for. Nothing in it names an object, a repository or a person."""

    def healthz() -> Page:
        found = agent.problems
        return Page(503 if found else 200, ("; ".join(found) or "ok").encode() + b"\n")

    def readyz() -> Page:
        if not agent.controller.is_ready:
            return Page(503, b"what the cluster has is not known yet\n")
        return Page(200, b"ok, leading\n" if agent.controller.leads else b"ok, waiting to lead\n")

    def metrics() -> Page:
        return Page(200, agent.metrics.exposition(), CONTENT_TYPE)

    return {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
