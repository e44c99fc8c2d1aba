"""What is looked at before an agent begins: whether this cluster has what it needs, and whether it may do its work."""

from __future__ import annotations

from gitops_bot.agent.application.applications import APPLICATION, PROJECT
from gitops_bot.agent.reconcile.beside import refuse_covered
from gitops_bot.doors.cluster.errors import Forbidden
from gitops_bot.doors.cluster.kinds import Kind
from gitops_bot.doors.cluster.objects import Objects
from gitops_bot.errors import ClusterError


def look_around(objects: Objects, namespace: str) -> tuple[Kind, ...]:
    """The kinds that an agent watches in its namespace.

    Raises ClusterError where no agent can work: no definitions, no rights, or an Argo CD that works there already.
    """
    wanted = (PROJECT, APPLICATION)
    kinds = [objects.kinds.preferred(*kind) for kind in wanted]
    missing = [name for (_, name), kind in zip(wanted, kinds, strict=True) if kind is None]
    if missing:
        raise ClusterError(
            f"the cluster does not know {' and '.join(missing)} objects",
            hint="install the definitions: kubectl apply --server-side -k deploy",
        )
    found = tuple(kind for kind in kinds if kind is not None)
    for kind in found:
        try:
            objects.requests.get(kind.path(namespace), {"limit": "1"})
        except Forbidden as error:
            hint = "give its account the rights of deploy/rbac.yaml"
            raise ClusterError(f"this account may not do an agent's work: {error.message}", hint=hint) from error
    refuse_covered(objects, namespace)
    return found
