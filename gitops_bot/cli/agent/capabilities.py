"""``gitops-bot agent capabilities``: what a cluster can do, as the file that lets reviews render for it."""

from __future__ import annotations

import click

from gitops_bot.cli.agent.asking import Where, cluster, opened
from gitops_bot.doors.cluster.kinds import Kinds
from gitops_bot.manifests import yaml
from gitops_bot.manifests.normalise import is_built_in


@click.command("capabilities")
@click.option("--cluster-name", default="NAME", help="What the cluster is called in the settings.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="For cluster generators; may be repeated.")
@cluster
def command(*, cluster_name: str, labels: tuple[str, ...], kubeconfig: str, context: str, namespace: str) -> int:
    """Print `.gitops-bot/clusters/NAME.yaml` of this cluster, to be committed.

    With it a pull request is rendered as the cluster would render it: its Kubernetes version, the kinds it knows.
    """
    del namespace
    with opened(Where(kubeconfig, context, "")) as objects:
        kinds = objects.kinds
    pairs = [label.partition("=") for label in labels]
    told = {
        "kube_version": kinds.version.removeprefix("v"),
        "api_versions": list(_versions(kinds)),
        **({"labels": {key: value for key, _, value in pairs}} if pairs else {}),
    }
    click.echo(
        f"# What cluster {cluster_name} can do, as far as rendering asks: .gitops-bot/clusters/{cluster_name}.yaml"
    )
    click.echo(yaml.dump(told), nl=False)
    return 0


def _versions(kinds: Kinds) -> tuple[str, ...]:
    """Versions of Kubernetes' own groups; of all others the kinds too, which charts ask for one by one."""
    return tuple(each for each in kinds.api_versions if each.count("/") < 2 or not is_built_in(each.rpartition("/")[0]))
