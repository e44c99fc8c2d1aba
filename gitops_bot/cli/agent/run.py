"""``gitops-bot agent run``: keep this cluster equal to Git."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import click

from gitops_bot import log
from gitops_bot.agent.definitions import Origin
from gitops_bot.cli.agent.assembly import Wanted, assembled
from gitops_bot.model.settings import seconds


@click.command(context_settings={"show_default": True, "auto_envvar_prefix": "GITOPS_BOT"})
@click.option("--environment", required=True, help="Which environment of the settings this is.")
@click.option("--cluster-name", default="", help="What this cluster is called in Applications.")
@click.option("--namespace", default="gitops-bot", help="Where Application objects are, and this agent.")
@click.option("--repo", help="Repository that defines Applications; without it people make the objects.")
@click.option("--path", default="", help="Directory of the definitions in it.")
@click.option("--revision", default="HEAD", help="Branch, tag, range or commit of the definitions.")
@click.option("--kubeconfig", default="", help="Another cluster than the pod's own.")
@click.option("--poll", default="180s", help="How often Git is asked; some jitter is added.")
@click.option("--renderer", type=click.Path(path_type=Path), help="Socket of `gitops-bot agent render`.")
@click.option("--cache", type=click.Path(path_type=Path), help="Directory of what is fetched and rendered.")
@click.option("--once", is_flag=True, help="Stop when everything that was to be done is done.")
def command(
    *, environment: str, cluster_name: str, namespace: str, repo: str | None, path: str, revision: str,
    kubeconfig: str, poll: str, renderer: Path | None, cache: Path | None, once: bool,
) -> None:  # fmt: skip
    """Keep this cluster equal to Git: apply, wait, heal, prune, tell."""
    log.configure(debug=True)
    wanted = Wanted(
        namespace=namespace,
        cluster_name=cluster_name or environment,
        kubeconfig=kubeconfig,
        origin=Origin(repo, path, revision) if repo else None,
        poll=float(seconds(poll)),
        renderer=renderer,
        cache=cache,
    )
    with assembled(wanted) as controller:
        controller.start()
        if once:
            time.sleep(2)
            while not controller.is_idle():
                time.sleep(0.1)
            return
        threading.Event().wait()
