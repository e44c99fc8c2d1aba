"""Who we are in which cluster: from the pod's own account, or from a kubeconfig; the one importer of ``kubernetes``.

Of the package only this is used: reading kubeconfigs with all their kinds of logins, renewing tokens, and the pool of
connections it sets up from them. Requests are ours, because its own ones decode every answer into classes.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gitops_bot.doors.cluster.wire import Wires
from gitops_bot.errors import ClusterError

if TYPE_CHECKING:
    from urllib3.connectionpool import HTTPConnectionPool

CONNECTIONS = 16
"""Requests of one kind of work that are under way at once: what waits for an API server that is busy, or far away."""
_KEPT = 128
"""Connections of watches that are kept open."""
_PROVEN = 5.0
"""Seconds that a token is used without a look whether it has to be renewed: the look costs as much as a request."""


class Connection:
    """A pool of connections to one API server, with what proves who we are."""

    def __init__(self, configuration: Any) -> None:
        """Take a ``kubernetes.client.Configuration``."""
        from kubernetes.client import ApiClient

        configuration.connection_pool_maxsize = _KEPT
        self._configuration = configuration
        self._client = ApiClient(configuration)
        self.url: str = configuration.host.rstrip("/")
        self.pool: HTTPConnectionPool = self._client.rest_client.pool_manager.connection_from_url(self.url)
        parts = urlsplit(self.url)
        self.wires = Wires(self.pool, parts.netloc, CONNECTIONS)
        self.base = self.url if parts.scheme == "http" and self.pool.proxy is not None else parts.path
        """What stands before every path in a request: nothing, mostly, and to a proxy that is no tunnel the server."""
        self._proof: tuple[float, dict[str, str]] = (float("-inf"), {})

    def authorization(self) -> dict[str, str]:
        """The header that proves who we are, empty where a client certificate does; tokens are renewed here."""
        since, found = self._proof
        now = time.monotonic()
        if now - since > _PROVEN:
            settings = self._configuration.auth_settings().values()
            found = {each["key"]: each["value"] for each in settings if each["in"] == "header" and each["value"]}
            self._proof = (now, found)
        return found

    def close(self) -> None:
        """Close the kept connections."""
        self.wires.close()
        self.pool.close()


def connect(kubeconfig: str = "", context: str = "") -> Connection:
    """Open a cluster: that of a kubeconfig's (current) context, or where none is named, the pod's own.

    Without a pod's account the kubeconfig is that of ``KUBECONFIG``, else ``~/.kube/config``.
    Raises ClusterError that says what is missing.
    """
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_incluster_config, load_kube_config

    configuration = Configuration()
    try:
        if not kubeconfig and not context and "KUBERNETES_SERVICE_HOST" in os.environ:
            load_incluster_config(configuration)
        else:
            load_kube_config(
                kubeconfig or None, context or None, client_configuration=configuration, persist_config=False
            )
    except ConfigException as error:
        hint = "give --kubeconfig FILE, or run it in a pod with a service account"
        raise ClusterError(f"no cluster is named: {error}", hint=hint) from error
    return Connection(configuration)
